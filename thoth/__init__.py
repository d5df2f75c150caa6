"""Thoth: a document goes in, a LoRA comes out, and the model knows it with an empty context window.

In: files (text, Markdown, PDF) and questions. Out: adapters in the library and a stream of events.
Read first: `engine.py`, the one thread that owns the model; then `events.py`, what it says, and
`cli/ask.py`, the shortest user of both.

The core (everything outside `cli/`) raises errors from `errors.py` and prints nothing.
"""

__version__ = "0.1.0"
