"""Nano, the built-in model, is introduced once: by the command line or the terminal app, whichever comes first."""

from __future__ import annotations

from contextlib import suppress

from thoth.models import registry
from thoth.system import disk, paths


def is_due(model: str) -> bool:
    """Tell whether to say what nano is, and remember that it was said.

    Args:
        model: name of the pair in use.
    """
    marker = paths.home() / "nano-introduced"
    if model != registry.NANO or marker.exists():
        return False
    with suppress(OSError):  # in a home that cannot be written, it is said again
        disk.make_private_folder(marker.parent)
        marker.touch()
    return True
