"""User settings: flag > environment > settings file > default; a key nobody knows is refused."""

import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from thoth.errors import UsageError

DEFAULT_MODEL = "nano"


@dataclass(frozen=True)
class Settings:
    """What the settings file may say.

    Attributes:
        model: name of a known pair, or a path (see `models.resolve`).
    """

    model: str | None = None


def load(path: Path) -> Settings:
    """Read the settings file; a file that does not exist sets nothing.

    Raises:
        UsageError: The file is not TOML, has an unknown key, or a value of the wrong kind.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the settings in {path}: {error}; mend or delete the file") from error
    known = [field.name for field in fields(Settings)]
    if unknown := sorted(set(values) - set(known)):
        raise UsageError(f"{path} sets {', '.join(unknown)}, which Thoth does not know; it knows: {', '.join(known)}")
    for key, value in values.items():
        if not isinstance(value, str):
            raise UsageError(f"{path}: {key} must be a string in quotes, not {value!r}")
    return Settings(**values)


def model_name(flag: str | None, path: Path) -> str:
    """Return the model to use: the flag, `THOTH_MODEL`, the settings file at `path`, or nano."""
    return flag or os.environ.get("THOTH_MODEL") or load(path).model or DEFAULT_MODEL
