"""The agent: a loop of model and tools, with permissions.

Input: a conversation, a loaded engine, tools. Output: events, each tool call as a `Step`, then an `Answer`.
Read first: `tool.py` (what a tool is) and `tools.py` (the built-in ones), then `loop.py`; `permissions.py` decides what
may run, `wrapping.py` how results reach the model. How a base writes calls is the engine's matter:
`engine/grammar.py`, `engine/parsing.py`.
"""
