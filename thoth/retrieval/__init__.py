"""Which chunks a question needs, and which sentence supports the answer.

In: a question and the active documents. Out: chunks to attach, passages to read, and the passage that an answer comes
from. Read first: `choosing.py`, then `router.py` (the ranking) and `provenance.py` (the support).
"""
