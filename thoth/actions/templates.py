"""Templates of questions: `<home>/templates/NAME.toml`, with a question around `$input`, a system prompt, settings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from thoth import settings
from thoth.errors import UsageError
from thoth.ingest.names import shown
from thoth.settings import Value

_INPUT = re.compile(r"\$input\b")
_NAME = re.compile(r"[\w-]+")
# Settings that a question may have of its own; the others concern the machine or the library.
_SETTINGS = ("route", "top_k", "with_text", "fallback", "max_tokens", "temp", "top_p", "seed")
_TEXTS = ("question", "system")


@dataclass(frozen=True)
class Template:
    """A question that is asked again and again.

    Attributes:
        name: the file's name without its ending.
        question: what is asked; `$input` stands for what is typed or piped.
        system: the system prompt; None: as the settings say.
        settings: settings for this question.
    """

    name: str
    question: str = "$input"
    system: str | None = None
    settings: Mapping[str, Value] = field(default_factory=dict)

    @property
    def needs_input(self) -> bool:
        """Whether there is a place for what is typed."""
        return _INPUT.search(self.question) is not None

    def fill(self, text: str) -> str:
        """Return the question; a text that has no place in it comes after it."""
        if self.needs_input:
            return _INPUT.sub(lambda _: text, self.question)
        return f"{self.question}\n\n{text}" if text else self.question


def find(folder: Path) -> list[Template]:
    """Return the templates of a folder by name; there need not be one.

    Raises:
        UsageError: One has a mistake.
    """
    return [load(folder, path.stem) for path in sorted(folder.glob("*.toml")) if _NAME.fullmatch(path.stem)]


def load(folder: Path, name: str) -> Template:
    """Read a template.

    Raises:
        UsageError: There is none of this name, or it has a mistake.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{shown(name)}' is no name of a template; use letters, digits, - and _")
    path = folder / f"{name}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        known = ", ".join(sorted(other.stem for other in folder.glob("*.toml"))) or "none"
        raise UsageError(f"no template {name} in {folder} (there: {known})") from None
    except OSError as error:
        raise UsageError(f"cannot read {path} ({error.strerror}); check its permissions") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML ({error}); fix or delete the file") from error
    if unknown := sorted(values.keys() - {*_TEXTS, *_SETTINGS}):
        raise UsageError(f"{path}: unknown key {unknown[0]}; a template has: {', '.join((*_TEXTS, *_SETTINGS))}")
    texts = {key: values.pop(key) for key in _TEXTS if key in values}
    for key, text in texts.items():
        if not isinstance(text, str) or (key == "question" and not text.strip()):
            raise UsageError(f"{path}: {key} must be a text; fix the file")
    try:
        return Template(name, settings=settings.checked(**values), **texts)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
