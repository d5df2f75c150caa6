"""Whether nano, the built-in model, has to be introduced: once, and only where it is the model in use."""

from __future__ import annotations

from contextlib import suppress

from thoth import settings
from thoth.errors import ThothError
from thoth.models import registry
from thoth.system import paths


def is_due(model: str | None) -> bool:
    """Tell whether it is due, and remember that it was; the command line keeps the same note.

    Args:
        model: of the command line, None where the settings decide.
    """
    marker = paths.home() / "nano-introduced"
    try:
        if marker.exists() or registry.choose(settings.load(paths.settings(), model=model).model).name != registry.NANO:
            return False
    except ThothError:
        return False  # loading the model says it
    with suppress(OSError):  # a home that cannot be written only means that it is said again
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    return True
