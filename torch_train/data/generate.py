"""Questions for documents that have none: a language model writes them, after the prompts in `prompts/`."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from torch_train.data.row import ContextRow, fingerprint, rows_table
from torch_train.data.shards import Shards
from torch_train.data.storage import locked
from torch_train.errors import DataError
from torch_train.model.fingerprint import base_fingerprint
from torch_train.model.generation import GenerationEngine
from torch_train.model.prompt import filled, question_ids

PROMPTS = ("questions", "reasoning")
_LONGEST = 400  # characters; what is longer is no question
# What models put in front of a line: bullets, numbers, "Q3:", "Question 3 -", quotation marks, emphasis.
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"
_MARKS = re.compile(
    rf"^(?:[\s>*#_\[\u2022\u2013\u2014{_QUOTES}-]|\(?\d{{1,3}}[.):\]](?!\d)|\(?[a-z]\)\s|[a-h]\.\s(?![a-z]\.)|(?:Q|Question)\s*\d*\s*[.:)-])+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class QuestionSettings:
    """How questions are written.

    Attributes:
        prompts: names of prompts in the package, or paths of one's own, with `{document}` and `{count}` in them; each
            document is asked with each.
        count: questions that a prompt asks for.
        max_tokens: length of the model's answer.
        temperature: 0 writes greedily.
        rows_per_shard: documents in a shard.
        seed: of the drawing, at a temperature above 0.
    """

    prompts: tuple[str, ...] = ("questions",)
    count: int = 10
    max_tokens: int = 512
    temperature: float = 0.7
    rows_per_shard: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if min(self.count, self.max_tokens, self.rows_per_shard) < 1 or self.temperature < 0 or not self.prompts:
            raise DataError("count, max_tokens and rows_per_shard must be at least 1, temperature at least 0")


def prompt_text(name: str, known: Sequence[str] = PROMPTS, places: Sequence[str] = ("document",)) -> str:
    """A prompt of the package by name, or of one's own by path.

    Args:
        name: The name, or the path of a text file.
        known: Names that the package has for this purpose.
        places: What the text must have a place for, in braces.

    Raises:
        DataError: There is none, or it has no such place.
    """
    try:
        if name in known:
            text = (files("torch_train.data") / "prompts" / f"{name}.txt").read_text(encoding="utf-8")
        else:
            text = Path(name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"no prompt {name!r}: give {' or '.join(known)}, or the path of a text file") from error
    for place in places:
        if f"{{{place}}}" not in text:
            raise DataError(f"the prompt {name} has no {{{place}}} in it: write where the {place} goes")
    return text


def parse(written: str) -> list[str]:
    """The questions in what a model wrote: lines or a JSON list, whatever marks are in front, duplicates removed."""
    lines = _json_texts(written) or written.splitlines()
    questions: dict[str, str] = {}
    for line in lines:
        question = _MARKS.sub("", line).strip().strip(f"{_QUOTES}*_,").strip()
        if question.endswith("?") and 8 <= len(question) <= _LONGEST:
            questions.setdefault(" ".join(question.casefold().split()), question)
    return list(questions.values())


def write_questions(
    rows: Sequence[ContextRow],
    start_engine: Callable[[], GenerationEngine],
    tokenizer: Any,
    model: Path,
    folder: Path,
    settings: QuestionSettings,
    engine_name: str = "",
) -> tuple[int, int]:
    """Write questions for all rows, into shards that `own=FOLDER` reads; finished shards are not written again.

    Args:
        rows: Documents; questions they have already are kept in front.
        start_engine: Gives what runs the model; not called where nothing is left to do.
        tokenizer: The model's.
        model: The model's folder, which the shards are marked with.
        folder: Where the shards are.
        settings: How questions are written.
        engine_name: What runs the model, and in which type: another one draws otherwise.

    Returns:
        (documents with questions, documents without): the model's words held none, or the document was too long.

    Raises:
        DataError: Nothing to write for, or the folder was begun from other documents, model or settings.
    """
    if not rows:
        raise DataError("there are no documents to write questions for")
    templates = [prompt_text(name) for name in settings.prompts]
    manifest = {
        "kind": "questions",
        "shards": math.ceil(len(rows) / settings.rows_per_shard),
        "model": base_fingerprint(model),
        "rows": fingerprint(rows),
        "engine": engine_name,
        "prompt texts": hashlib.sha256(json.dumps(templates).encode()).hexdigest(),
        "settings": asdict(settings),
    }
    shards = Shards.open(folder, manifest, {"model": model.name, "documents": len(rows)})
    start = cache(start_engine)
    with locked(folder):
        for index, some in shards.remaining(rows, settings.rows_per_shard):
            asked = _asked(some, start(), tokenizer, templates, settings, seed=settings.seed * 1_000_003 + index)
            shards.write(index, rows_table(asked))
            count = sum(len(row.questions) for row in asked)
            print(f"shard {index + 1} of {shards.count}: {count} questions for {len(asked)} of {len(some)} documents",
                  file=sys.stderr, flush=True)  # fmt: skip
    written = sum(shards.rows(index) for index in range(shards.count))
    return written, len(rows) - written


def _asked(
    rows: Sequence[ContextRow],
    engine: GenerationEngine,
    tokenizer: Any,
    templates: Sequence[str],
    settings: QuestionSettings,
    seed: int,
) -> list[ContextRow]:
    """The rows with questions; those for which none came are left out."""
    prompts: list[list[int]] = []
    owners: list[int] = []
    for index, row in enumerate(rows):
        for template in templates:
            ids = question_ids(tokenizer, filled(template, count=str(settings.count), document=row.context))
            if len(ids) + settings.max_tokens <= engine.context_length:
                prompts.append(ids)
                owners.append(index)
    asked = {index: dict(zip(row.questions, row.answers, strict=True)) for index, row in enumerate(rows)}
    written = engine.generate(prompts, settings.max_tokens, settings.temperature, seed) if prompts else []
    for index, said in zip(owners, written, strict=True):
        text = tokenizer.decode(said.ids.tolist(), skip_special_tokens=True)
        if not said.finished:  # the last line is half a question
            text = text.rpartition("\n")[0]
        for question in parse(text):
            asked[index].setdefault(question, ())
    return [
        ContextRow(row.context, tuple(asked[index]), tuple(asked[index].values()), row.source)
        for index, row in enumerate(rows)
        if asked[index]
    ]


def _json_texts(written: str) -> list[str]:
    """The texts of the first JSON list in `written`, if there is one: plain, or under `question`."""
    start, end = written.find("["), written.rfind("]")
    if not 0 <= start < end:
        return []
    try:
        items = json.loads(written[start : end + 1])
    except ValueError:
        return []
    entries = (item.get("question") if isinstance(item, dict) else item for item in items)
    texts = [entry for entry in entries if isinstance(entry, str)]
    return texts if any(text.strip().endswith("?") for text in texts) else []  # else a list that a question is about
