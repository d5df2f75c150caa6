"""Whether to introduce nano, the built-in model: once, and only if it is the model in use."""

from __future__ import annotations

from thoth import settings
from thoth.actions import introduction
from thoth.errors import ThothError
from thoth.models import registry
from thoth.system import paths


def is_due(model: str | None) -> bool:
    """Tell whether it is due, and remember that it was.

    Args:
        model: from the command line; None: as the settings say.
    """
    try:
        return introduction.is_due(registry.choose(settings.load(paths.settings(), model=model).model).name)
    except ThothError:
        return False  # loading the model reports it
