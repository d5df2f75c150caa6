"""Where Thoth keeps things: one home folder, `THOTH_HOME` or the platform's own place for user data."""

import os
from pathlib import Path


def home() -> Path:
    """Return the home folder; it need not exist yet."""
    if chosen := os.environ.get("THOTH_HOME"):
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("thoth", appauthor=False)


def models() -> Path:
    """Return the folder of installed model pairs, one folder in it for each."""
    return home() / "models"


def settings() -> Path:
    """Return the settings file."""
    return home() / "settings.toml"
