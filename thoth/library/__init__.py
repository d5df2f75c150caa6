"""Absorbed documents on disk: `library.db` and one adapter file for each chunk.

In: a document, its chunks and their adapters. Out: stored documents, texts, adapters, search results. Read
first: `records.py` (what is stored), then `library.py` (absorbing, changing) and `reading.py`. They use `queries.py`,
`collections.py`, `naming.py`, `schema.py`, `bm25.py` and `proximity.py` (the database) and `adapters.py` (the files).
"""
