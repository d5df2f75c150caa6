"""How every command with a model begins: find the pair, introduce nano, load."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from thoth.cli import console
from thoth.settings import Settings

if TYPE_CHECKING:
    from thoth.actions.workspace import Workspace


@contextmanager
def started(chosen: Settings) -> Iterator["Workspace"]:
    """Load the pair that the settings name, for the length of the block.

    Raises:
        ModelError: The pair is not on this machine, or damaged.
        ResourceError: Not enough memory.
    """
    from thoth.actions import introduction, workspace
    from thoth.models import registry

    pair = registry.choose(chosen.model)
    if introduction.is_due(pair.name):
        console.say("nano, the built-in model, is a demonstration: it reads short factual notes and little else")
    with workspace.load(pair, chosen, console.progress("loading the model")) as opened:
        console.progress_line.clear()
        yield opened
