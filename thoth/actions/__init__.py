"""What both front ends do with a library and its models, each thing written once.

In: a library, settings and what the user asks for. Out: results as values; nothing is printed here. Read first:
`update.py` (which documents are outdated), then `export.py` (an adapter for other programs) and `doctor.py` (what is
installed, what fits, what is broken).
"""
