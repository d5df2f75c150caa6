"""Thoth: a document goes in, a LoRA comes out, and the model knows it with an empty context window.

In: files (text, Markdown, PDF) and questions. Out: adapters in the library and a stream of events.
Read first: `engine/engine.py`, the one thread that owns the model; then `events.py`, what it says, and
`cli/ask.py`, the shortest user of both.

Imports point down this list:

    cli/ tui/      front ends: commands, terminal app
    actions/       what both front ends do
    engine/        absorbing and answering, on the one thread that owns MLX
    retrieval/     which chunks a question needs, which sentence supports the answer
    library/ chats/    absorbed documents, conversations: on disk
    models/ ingest/    base and hypernetwork pairs; files to text to chunks
    system/        files, memory, paths, SQLite

Everything outside `cli/` and `tui/` raises errors from `errors.py` and prints nothing.
"""

__version__ = "0.1.0"
