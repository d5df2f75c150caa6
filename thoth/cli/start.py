"""What every command with a model begins with: the pair that is meant, the library, the engine with the pair loaded."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from thoth.cli import console, follow
from thoth.models import registry
from thoth.models.registry import Pair
from thoth.settings import Settings
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.engine.engine import Engine
    from thoth.library.library import Library


class Started(NamedTuple):
    """An engine with a pair loaded, and the library it writes to."""

    engine: "Engine"
    library: "Library"
    pair: Pair


@contextmanager
def started(chosen: Settings) -> Iterator[Started]:
    """Load the pair that the settings name, for the length of the block.

    Raises:
        ModelError: The pair is not here, or damaged.
    """
    pair = registry.choose(chosen.model)
    if pair.name == registry.NANO:
        _introduce_nano()

    from thoth.engine.engine import Engine
    from thoth.library.library import Library

    library = Library(paths.home())
    with Engine(library, chosen.kv_cache_mb << 20) as engine:
        follow.last(engine.load(pair), "loading the model")
        yield Started(engine, library, pair)


def _introduce_nano() -> None:
    """Say once what nano is; a home that cannot be written only means that it is said again."""
    marker = paths.home() / "nano-introduced"
    if marker.exists():
        return
    console.say("nano, the built-in model, is a demonstration: it reads short factual notes, and little else")
    with suppress(OSError):
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
