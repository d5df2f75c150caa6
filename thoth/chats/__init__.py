"""Conversations on disk.

In: questions and answers as they happen. Out: earlier conversations, as values or as files. Read first: `sessions.py`
(the database), then `chat_files.py` (Markdown and JSON).
"""
