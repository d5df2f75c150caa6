"""From published data sets, or documents of one's own, to rows: a context with all its questions.

In: SQuAD, DROP, ROPES, PwC, FineWeb-Edu, generated needles, any JSONL or parquet. Out: `train.parquet`, `dev.parquet`,
`test.parquet`, which `torch_train.teacher` answers. Read `row.py` first, then `readers.py` (the table of sources),
`reading.py` (files and hub, malformed rows), `compact.py` (one row per context, nothing held out in train),
`niah.py` and `generate.py` (needles, and questions for documents that have none).
"""
