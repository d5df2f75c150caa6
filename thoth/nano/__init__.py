"""Nano, the built-in model pair, as package data.

Nothing comes in; out goes a folder with `base/` (a tiny `ministral3` model in Hugging Face format) and
`hypernet/` (its bundle), both trained by `make nano` and loaded by the code that loads every other pair.
"""

from pathlib import Path


def folder() -> Path:
    """Return the folder of the pair."""
    return Path(__file__).parent
