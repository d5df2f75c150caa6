"""User settings: flag > environment > settings file > default; a key nobody knows is refused.

The one schema is `Settings`: its fields are the keys of `settings.toml`, `THOTH_<KEY>` their variables, and the
settings screen is made of `options()`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from thoth.errors import UsageError
from thoth.retrieval.routing import Route, Routing
from thoth.system import atomic, disk

if TYPE_CHECKING:
    from thoth.ingest.chunks import Chunking

Value = str | int | dict[str, str]


def _about(help: str, *, choices: tuple[str, ...] = (), minimum: int | None = None) -> dict[str, Any]:
    return {"help": help, "choices": choices, "minimum": minimum}


@dataclass(frozen=True)
class Settings:
    """What people may set; each field says in its metadata what it means."""

    model: str | None = field(default=None, metadata=_about("Model pair: a name of `thoth models list`, or a folder."))
    route: Route = field(
        default=Routing.route,
        metadata=_about("Which chunks answer: those that fit, all of them, none.", choices=get_args(Route)),
    )
    top_k: int = field(
        default=Routing.top_k, metadata=_about("Most chunks that are attached for a question.", minimum=1)
    )
    rank_budget: int = field(
        default=Routing.rank_budget, metadata=_about("Most rank that is attached for a question.", minimum=1)
    )
    with_text: int = field(
        default=Routing.with_text,
        metadata=_about("So many of the best passages also go into the context.", minimum=0),
    )
    max_tokens: int = field(default=256, metadata=_about("Where an answer is cut off, in tokens.", minimum=1))
    chunking: Chunking = field(
        default="meaning",
        metadata=_about(
            "Where documents are cut: where meaning ends, or into equal lengths.", choices=("meaning", "tokens")
        ),
    )
    kv_cache_mb: int = field(default=512, metadata=_about("Most memory for key/value caches, in MB.", minimum=0))
    theme: str | None = field(default=None, metadata=_about("Colours of the terminal app."))
    keys: dict[str, str] = field(
        default_factory=dict, metadata=_about('Keys of the terminal app: a table of action = "key".')
    )

    def routing(self) -> Routing:
        """Return what of it the router reads."""
        return Routing(self.route, self.top_k, self.rank_budget, self.with_text)


@dataclass(frozen=True)
class Option:
    """One key of the settings, for whoever shows or reads it.

    Attributes:
        name: of the field, and the key in the file.
        default: None where nothing is set.
        help: one sentence.
        choices: all values there are; empty where any will do.
        minimum: of a number.
    """

    name: str
    default: Value | None
    help: str
    choices: tuple[str, ...]
    minimum: int | None

    @property
    def kind(self) -> Literal["text", "choice", "number", "table"]:
        """What a value is."""
        if isinstance(self.default, dict):
            return "table"
        if self.minimum is not None:
            return "number"
        return "choice" if self.choices else "text"

    @property
    def variable(self) -> str | None:
        """Name of the environment variable that beats the file; a table has none."""
        return None if self.kind == "table" else f"THOTH_{self.name.upper()}"

    @property
    def expects(self) -> str:
        """What a value must be, as a phrase."""
        return {
            "text": "a text",
            "choice": f"one of {', '.join(self.choices)}",
            "number": f"a whole number from {self.minimum} up",
            "table": "a table of texts",
        }[self.kind]

    def check(self, value: object) -> Value:
        """Return the value if it may be one.

        Raises:
            UsageError: It is of the wrong kind or size.
        """
        match value:
            case bool():
                pass
            case int() if self.minimum is not None and value >= self.minimum:
                return value
            case str() if self.kind == "text" or value in self.choices:
                return value
            case dict() if self.kind == "table" and all(isinstance(part, str) for part in value.values()):
                return value
        raise UsageError(f"{self.name} must be {self.expects}, not {value!r}")

    def parse(self, text: str) -> Value:
        """Return the value that a text, from the environment or a form, stands for.

        Raises:
            UsageError: It stands for none.
        """
        text = text.strip()
        if self.kind != "number":
            return self.check(text)
        try:
            number = int(text)
        except ValueError:
            return self.check(text)
        return self.check(number)


def options() -> tuple[Option, ...]:
    """Return every key in the order of the schema."""
    defaults = Settings()
    return tuple(Option(known.name, getattr(defaults, known.name), **known.metadata) for known in fields(Settings))


def load(path: Path, **flags: object) -> Settings:
    """Return the settings in force.

    Args:
        path: the settings file; one that does not exist sets nothing.
        flags: values of the command line by key; None: not given.

    Raises:
        UsageError: The file is not TOML, has an unknown key, or a value there, in the environment or among the
            flags is of the wrong kind.
    """
    given = {name: _known(name).check(value) for name, value in flags.items() if value is not None}
    return Settings(**(read(path) | _environment() | given))  # type: ignore[arg-type]


def read(path: Path) -> dict[str, Value]:
    """Return what the settings file itself says, by key.

    Raises:
        UsageError: The file is not TOML, has an unknown key, or a value of the wrong kind.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the settings in {path}: {error}; mend or delete the file") from error
    try:
        return {name: _known(name).check(value) for name, value in values.items()}
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def save(path: Path, **changes: Value | None) -> None:
    """Change keys in the settings file; everything else in it, comments too, stays as it is.

    Args:
        path: the settings file; it is made if missing.
        changes: new values by key; None removes the key.

    Raises:
        UsageError: The file has mistakes, or a change is one.
        ThothError: The file cannot be written.
    """
    import tomlkit

    read(path)  # a file with mistakes is not written to
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    for name, value in changes.items():
        if value is None:
            document.pop(_known(name).name, None)
        else:
            document[name] = _known(name).check(value)
    with disk.explained(path.parent):
        atomic.write_text(path, tomlkit.dumps(document))


def _known(name: str) -> Option:
    every = {option.name: option for option in options()}
    if name not in every:
        raise UsageError(f"{name} is no setting; there are: {', '.join(every)}")
    return every[name]


def _environment(variables: Mapping[str, str] = os.environ) -> dict[str, Value]:
    """Return what the environment sets; an empty variable sets nothing."""
    found: dict[str, Value] = {}
    for option in options():
        text = variables.get(option.variable, "").strip() if option.variable else ""
        if text:
            try:
                found[option.name] = option.parse(text)
            except UsageError as error:
                raise UsageError(f"{option.variable}: {error}") from error
    return found
