"""The known pairs of base model and hypernetwork, and how they come to this machine.

In: a pair's name. Out: the folders of its base and its bundle. Read first: `registry.py`, then `plan.py` (what a
download takes) and `pull.py` (the download and the conversion).
"""
