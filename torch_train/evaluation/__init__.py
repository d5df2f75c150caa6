"""What a checkpoint is worth: answers without the document, with it in context, and with its adapter.

In: a checkpoint and rows with reference answers. Out: `report.json`, `report.md` and pictures. Read first:
`evaluate.py`, then `report.py` (the tables). `torch_train/evaluate.py` is the command line.
"""
