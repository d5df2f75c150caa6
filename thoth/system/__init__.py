"""The operating system below Thoth: files, memory, paths and SQLite. Nothing here knows documents or models.

Read first: `paths.py` (where Thoth keeps things), then `atomic.py` and `sqlite.py` (how they are written).
"""
