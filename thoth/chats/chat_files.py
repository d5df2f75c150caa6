"""A conversation as a file: Markdown to read, JSON to resume from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from mlx_hypernet.format import atomic
from thoth.chats.sessions import Session, Turn
from thoth.errors import ThothError, UsageError
from thoth.events import Passage, Step


def write(path: Path, session: Session, turns: Sequence[Turn]) -> None:
    """Write a chat to a new `.md` or `.json` file.

    Raises:
        UsageError: It is neither, or the file is there already.
        ThothError: It cannot be written.
    """
    writers = {".md": as_markdown, ".json": as_json}
    if (writer := writers.get(path.suffix.lower())) is None:
        raise UsageError(f"a chat is written as .md or .json, not {path.suffix or path.name}: give such a name")
    try:
        if path.exists():
            raise UsageError(f"{path} is there already: choose another name")
        atomic.write_text(path, writer(session, turns))
    except OSError as error:
        raise ThothError(f"cannot write {path} ({error.strerror}): choose another place") from error


def as_markdown(session: Session, turns: Sequence[Turn]) -> str:
    """Return a chat with each question as a heading."""
    parts = [f"# {' '.join(session.title.split())}", f"*{_moment(session.created)}*"]
    parts += [f"System prompt: {' '.join(session.system.split())}"] if session.system else []
    for turn in turns:
        first, *rest = turn.question.strip().splitlines() or [""]
        parts.append(f"## {first}")
        parts += ["\n".join(rest).strip()] if rest else []
        parts.append(f"*{', '.join(filter(None, (_moment(turn.asked), turn.model)))}*")
        parts += ["\n".join(map(_step, turn.steps))] if turn.steps else []
        parts += [turn.answer.strip()] if turn.answer.strip() else []
        parts += [f"*{turn.error}*"] if turn.error else ["*stopped*"] if turn.state == "stopped" else []
        parts += [_quoted(passage) for passage in turn.sources]
    return "\n\n".join(parts) + "\n"


def as_json(session: Session, turns: Sequence[Turn]) -> str:
    """Return a chat with everything that is known of it."""
    facts = asdict(session) | {"turns": [asdict(turn) for turn in turns]}
    return json.dumps(facts, indent=2, ensure_ascii=False, default=str) + "\n"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _step(step: Step) -> str:
    given = ", ".join(" ".join(str(value).split()).replace("`", "'") for value in step.arguments.values())
    return f"- `{step.tool}({given})`: {step.state}"


def _quoted(passage: Passage) -> str:
    place = ", ".join([passage.name, *([f"page {passage.page}"] if passage.page is not None else [])])
    place += f", {' > '.join(passage.headings)}" if passage.headings else ""
    return f"> {' '.join(passage.quote.split())}\n>\n> {place}"
