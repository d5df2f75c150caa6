"""Teacher data: what the base answers with the document in its context, with its top tokens.

In: rows (a context with its questions). Out: a folder of parquet shards. Read first: `teach.py`, then
`teacher_rows.py` (the shards' contents). `python -m torch_train.teacher` is `__main__.py`.
"""
