"""What all front ends do with a library and a model, each thing written once.

Input: what the user named, an engine, a library. Output: values and calls of a listener; nothing is printed here.
Read first: `sources.py` (what is meant), `absorb.py` (it becomes documents), `ask.py` (what a question is answered
from); then `update.py`, `export.py` and `doctor.py`. `workspace.py` is the Python API, and uses most of them.
"""
