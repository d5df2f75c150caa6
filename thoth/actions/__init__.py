"""What all front ends do with a library and a model, each thing written once.

Input: what the user named, an engine, a library. Output: values and calls of a listener; nothing is printed here.
Read first: `sources.py` (names to documents to read), `absorb.py` (these to documents of the library), `ask.py` (what a
question is answered from); then `update.py`, `export.py` and `doctor.py`. `workspace.py`, the Python API, uses most of
them.
"""
