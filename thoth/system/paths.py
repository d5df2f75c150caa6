"""Where Thoth keeps things: one home folder, `THOTH_HOME` or the platform's own place for user data."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_chosen: ContextVar[Path | None] = ContextVar("home", default=None)


def expanded(name: str | os.PathLike[str]) -> Path:
    """Return a path with the home that its ~ stands for; ~name stays as it is where nobody has that name."""
    return Path(os.path.expanduser(name))


def home() -> Path:
    """Return the home folder; it need not exist yet."""
    if (folder := _chosen.get()) is not None:
        return folder
    if chosen := os.environ.get("THOTH_HOME"):
        return expanded(chosen)
    from platformdirs import user_data_path

    return user_data_path("thoth", appauthor=False)


@contextmanager
def at(folder: Path) -> Iterator[None]:
    """Make a folder the home inside the block, for this thread alone."""
    token = _chosen.set(folder)
    try:
        yield
    finally:
        _chosen.reset(token)


def models() -> Path:
    """Return the folder of installed model pairs, one folder in it for each."""
    return home() / "models"


def templates() -> Path:
    """Return the folder of templates for questions."""
    return home() / "templates"


def settings() -> Path:
    """Return the settings file."""
    return home() / "settings.toml"


def permissions() -> Path:
    """Return the file of the agent's permissions."""
    return home() / "permissions.json"
