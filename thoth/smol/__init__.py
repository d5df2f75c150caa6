"""Smol, the pair that reads English: its hypernetwork as package data; its base is pulled.

Nothing comes in; out goes the folder of the bundle (`hypernet/`), trained by `make smol` for SmolLM2-135M-Instruct.
"""

from pathlib import Path


def hypernet() -> Path:
    """Return the folder of the bundle; it is missing where this version of Thoth comes without."""
    return Path(__file__).parent / "hypernet"
