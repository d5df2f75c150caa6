"""What Thoth knows, for every program on the machine: an HTTP server in OpenAI's dialect, and an MCP server.

In: requests on a socket or on standard input. Out: the answers of the same engine that the command line and the app
use. Read first: `server.py` (how it starts and ends), then `app.py` (routes) and `chat.py` (one of them). `guard.py`
decides which requests come that far.
"""
