"""User settings: flag > environment > settings file > default; an unknown key is refused.

`Settings` is the only schema: its fields are the keys of `settings.toml`, `THOTH_<KEY>` are their variables, and the
settings screen shows `options()`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from thoth.engine.sampling import Sampling
from thoth.errors import UsageError
from thoth.retrieval.routing import HISTORY_TURNS, Fallback, Route, Routing

if TYPE_CHECKING:
    from thoth.ingest.chunks import Chunking

Value = str | int | float | dict[str, str]

_POSITION = re.compile(r"line (\d+), column (\d+)")


def _about(
    help: str, *, choices: tuple[str, ...] = (), minimum: float | None = None, maximum: float | None = None
) -> dict[str, Any]:
    return {"help": help, "choices": choices, "minimum": minimum, "maximum": maximum}


@dataclass(frozen=True)
class Settings:
    """What users can set; the metadata of each field says what it means."""

    model: str | None = field(
        default=None, metadata=_about("Model pair: a name from `thoth models list`, or a folder.")
    )
    route: Route = field(
        default=Routing.route,
        metadata=_about("Chunks to attach: those that fit the question, all, or none.", choices=get_args(Route)),
    )
    top_k: int = field(
        default=Routing.top_k, metadata=_about("Maximum number of chunks to attach for a question.", minimum=1)
    )
    rank_budget: int = field(
        default=Routing.rank_budget, metadata=_about("Maximum total rank to attach for a question.", minimum=1)
    )
    with_text: int = field(
        default=Routing.with_text,
        metadata=_about("Number of passages to put into the context as well.", minimum=0),
    )
    fallback: Fallback | None = field(
        default=Routing.fallback,
        metadata=_about(
            "If nothing supports an answer, text reads the best passage and answers again. Default: text for models"
            " known to recall under 80%.",
            choices=get_args(Fallback),
        ),
    )
    history_turns: int = field(
        default=HISTORY_TURNS,
        metadata=_about("Maximum number of earlier turns that a question which needs them is asked with.", minimum=0),
    )
    max_tokens: int = field(default=256, metadata=_about("Maximum length of an answer, in tokens.", minimum=1))
    chunking: Chunking = field(
        default="meaning",
        metadata=_about(
            "How to cut documents: where a thought ends, or into equal lengths.", choices=("meaning", "tokens")
        ),
    )
    ocr: Literal["off", "on"] = field(
        default="off",
        metadata=_about("Text recognition on scanned pages, if it is installed.", choices=("off", "on")),
    )
    system: str | None = field(default=None, metadata=_about("System prompt of every chat that has none of its own."))
    temp: float = field(
        default=Sampling.temperature,
        metadata=_about("Temperature of answers: 0 takes the likeliest word each time.", minimum=0.0),
    )
    top_p: float = field(
        default=Sampling.top_p,
        metadata=_about(
            "With a temperature: draw among the likeliest words of this probability.", minimum=0.01, maximum=1.0
        ),
    )
    seed: int | None = field(
        default=None,
        metadata=_about("With a temperature: the same seed gives the same answer.", minimum=0, maximum=2**63 - 1),
    )
    agent_memory: Literal["on", "off"] = field(
        default="on",
        metadata=_about("Let the oldest turns of a long chat become weights.", choices=("on", "off")),
    )
    agent_window: int = field(
        default=4000,
        metadata=_about("Tokens of a chat that stay in the context; older turns become weights.", minimum=1),
    )
    kv_cache_mb: int = field(default=512, metadata=_about("Maximum memory for key/value caches, in MB.", minimum=0))
    suggest: Literal["auto", "on", "off"] = field(
        default="auto",
        metadata=_about(
            "Suggest questions about new documents in the terminal app. Default: only with bases of a billion"
            " parameters and more.",
            choices=("auto", "on", "off"),
        ),
    )
    agent: Literal["auto", "off"] = field(
        default="auto",
        metadata=_about("Let models that know tools call them in the terminal app.", choices=("auto", "off")),
    )
    agent_steps: int = field(
        default=8, metadata=_about("Maximum number of tool calls for one question of the agent.", minimum=1)
    )
    agent_tokens: int = field(
        default=4096, metadata=_about("Maximum number of tokens the agent generates for one question.", minimum=1)
    )
    agent_absorb_over: int = field(
        default=400,
        metadata=_about("Tool results longer than this many tokens are absorbed instead of read.", minimum=50),
    )
    mcp: dict[str, str] = field(
        default_factory=dict,
        metadata=_about('MCP servers of the agent: a table of name = "command" or name = "https://address".'),
    )
    theme: str | None = field(default=None, metadata=_about("Colour theme of the terminal app."))
    keys: dict[str, str] = field(
        default_factory=dict, metadata=_about('Key bindings of the terminal app: a table of action = "key".')
    )

    def sampling(self) -> Sampling:
        """Return the part that chooses tokens."""
        return Sampling(self.temp, self.top_p, self.seed)

    def routing(self) -> Routing:
        """Return the part that the router reads."""
        return Routing(self.route, self.top_k, self.rank_budget, self.with_text, self.fallback)


@dataclass(frozen=True)
class Option:
    """One key of the settings, for the code that shows or reads it.

    Attributes:
        name: the key in the file, and the name of the field.
        default: the value when nothing sets it; None stands for no value.
        help: one sentence.
        choices: all allowed values; empty where any value is allowed.
        minimum: the smallest allowed number; None for other kinds of value.
        maximum: the largest allowed number; None: there is none.
    """

    name: str
    default: Value | None
    help: str
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None

    @property
    def kind(self) -> Literal["text", "choice", "number", "decimal", "table"]:
        """Kind of value."""
        if isinstance(self.default, dict):
            return "table"
        if self.minimum is not None:
            return "decimal" if isinstance(self.minimum, float) else "number"
        return "choice" if self.choices else "text"

    @property
    def variable(self) -> str | None:
        """Name of the environment variable that overrides the file; a table has none."""
        return None if self.kind == "table" else f"THOTH_{self.name.upper()}"

    @property
    def expects(self) -> str:
        """What a value must be, as a phrase."""
        least = self.minimum or 0
        most = f"{least:g} or more" if self.maximum is None else f"{least:g} to {self.maximum:g}"
        return {
            "text": "text",
            "choice": f"one of {', '.join(self.choices)}",
            "number": f"a whole number, {self.minimum} or more" + (f", {self.maximum} at most" if self.maximum else ""),
            "decimal": f"a number, {most}",
            "table": "a table of strings",
        }[self.kind]

    def check(self, value: object) -> Value:
        """Return the value if it is allowed.

        Raises:
            UsageError: It is of the wrong kind or out of range.
        """
        match value:
            case bool():
                pass
            case int() if self.kind == "number" and self._is_in_range(value):
                return value
            case int() | float() if self.kind == "decimal" and self._is_in_range(value):
                return float(value)
            case str() if self.kind == "text" or value in self.choices:
                return value
            case dict() if self.kind == "table" and all(isinstance(part, str) for part in value.values()):
                return value
        raise UsageError(f"{self.name} must be {self.expects}, not {_quoted(value)}")

    def _is_in_range(self, number: float) -> bool:
        above = self.minimum is not None and number >= self.minimum
        if self.maximum is not None:
            return above and number <= self.maximum
        return above and (isinstance(number, int) or math.isfinite(number))  # a long int is no float

    def parse(self, text: str) -> Value:
        """Return the value for a text from the environment or a form.

        Raises:
            UsageError: The text is not an allowed value.
        """
        text = text.strip()
        if self.kind not in ("number", "decimal"):
            return self.check(text)
        try:
            number = int(text) if self.kind == "number" else float(text)
        except ValueError:
            return self.check(text)
        return self.check(number)


def options() -> tuple[Option, ...]:
    """Return all keys, in the order of the schema."""
    defaults = Settings()
    return tuple(Option(known.name, getattr(defaults, known.name), **known.metadata) for known in fields(Settings))


def load(path: Path, **flags: object) -> Settings:
    """Return the settings in force.

    Args:
        path: the settings file; a missing file sets nothing.
        flags: values from the command line by key, numbers also as they were typed; None: not given.

    Raises:
        UsageError: The file is not TOML or has an unknown key, or a value in the file, the environment or the flags
            is not allowed.
    """
    return Settings(**(read(path) | _environment() | _flags(flags)))  # type: ignore[arg-type]


def checked(**values: object) -> dict[str, Value]:
    """Return those values that are not None, by key.

    Raises:
        UsageError: A key is unknown, or a value is not allowed.
    """
    return {name: _known(name).check(value) for name, value in values.items() if value is not None}


def read(path: Path) -> dict[str, Value]:
    """Return the values in the settings file, by key.

    Raises:
        UsageError: The file cannot be read, is not TOML, has an unknown key, or a value that is not allowed.
    """
    import tomllib

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"cannot read {path} ({error.strerror}); check its permissions") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text; fix or delete the file") from error
    except tomllib.TOMLDecodeError as error:
        at = _POSITION.search(str(error))
        place = f", line {at[1]}, column {at[2]}," if at else ""
        raise UsageError(f"{path}{place} is not valid TOML; fix or delete the file") from error
    try:
        return {name: _known(name).check(value) for name, value in values.items()}
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def save(path: Path, **changes: Value | None) -> None:
    """Change keys in the settings file, and keep the rest of it, comments included.

    Args:
        path: the settings file; a missing file is created.
        changes: new values, by key; None removes the key.

    Raises:
        UsageError: The file has mistakes, or a new value is not allowed.
        ThothError: The file cannot be written.
    """
    import tomlkit

    from mlx_hypernet.format import atomic
    from thoth.system import disk

    read(path)  # a file with mistakes is not written to
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    for name, value in changes.items():
        if value is None:
            document.pop(_known(name).name, None)
        else:
            document[name] = _known(name).check(value)
    with disk.explained(path.parent):
        disk.make_private_folder(path.parent)
        atomic.write_text(path, tomlkit.dumps(document))


def _known(name: str) -> Option:
    every = {option.name: option for option in options()}
    if name not in every:
        raise UsageError(f"unknown setting {name}; known settings: {', '.join(every)}")
    return every[name]


def _environment(variables: Mapping[str, str] = os.environ) -> dict[str, Value]:
    """Return the values that environment variables set; an empty variable sets nothing."""
    found: dict[str, Value] = {}
    for option in options():
        text = variables.get(option.variable, "").strip() if option.variable else ""
        if text:
            try:
                found[option.name] = option.parse(text)
            except UsageError as error:
                raise UsageError(f"{option.variable}: {error}") from error
    return found


def _flags(flags: Mapping[str, object]) -> dict[str, Value]:
    """Return the values of flags that were given."""
    found: dict[str, Value] = {}
    for name, value in flags.items():
        if value is not None:
            try:
                option = _known(name)
                found[name] = option.parse(value) if isinstance(value, str) else option.check(value)
            except UsageError as error:
                raise UsageError(str(error).replace(name, f"--{name.replace('_', '-')}", 1)) from error
    return found


def _quoted(value: object) -> str:
    """Return a wrong value as its user wrote it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)
