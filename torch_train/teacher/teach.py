"""The teacher: the base answers each question with the context in its window; its top tokens are kept, in shards."""

from __future__ import annotations

import hashlib
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from mlx_hypernet.format.template import document_ids
from torch_train.data.generate import prompt_text
from torch_train.data.row import ContextRow, fingerprint
from torch_train.data.shards import Shards
from torch_train.data.storage import locked
from torch_train.errors import DataError
from torch_train.model import prompt
from torch_train.model.fingerprint import base_fingerprint, tokenizer_fingerprint
from torch_train.model.generation import TOP, Generated, GenerationEngine
from torch_train.model.prompt import question_ids
from torch_train.teacher.teacher_rows import TeacherRow, certain, teacher_table

REFUSAL, CLOSED_BOOK = "refusal", "closed-book"
KEEP, DROP = "keep", "drop"
GENERATED, KNOWN = "generated", "known"
PLAIN, INSTRUCTED = "plain", "instructed"  # prompts
NAMED = 3  # how many of the rows that had to be left out a message names


@dataclass(frozen=True)
class TeacherSettings:
    """What the answers depend on, besides base and rows.

    Attributes:
        max_answer_tokens: answers are cut here.
        max_context_tokens: longer documents (templated) are left out, and counted.
        irrelevant_prob: for each question of a context, how often one more is asked that belongs to another context.
        irrelevant_target: what the student shall say to these: `refusal`, what the base says to them with this
            context in its window, or `closed-book`, what it says without any.
        rows_per_shard: contexts in a shard.
        seed: of the choice of these questions.
        prompt: what the teacher is told: `plain`, document and question; `instructed`, besides, to ignore the document
            where it is not relevant, as the reference's teacher is; or the path of a text with `{document}` and
            `{question}` in it.
        unfinished: whether answers that reach `max_answer_tokens` are kept, or dropped as the reference does.
        answers: `generated` by the base, or the `known` ones of the rows, each token certain: for cross-entropy.
    """

    max_answer_tokens: int = 256
    max_context_tokens: int = 2048
    irrelevant_prob: float = 0.0
    irrelevant_target: str = REFUSAL
    rows_per_shard: int = 256
    seed: int = 0
    prompt: str = PLAIN
    unfinished: str = KEEP
    answers: str = GENERATED

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not 0 <= self.irrelevant_prob <= 1:
            raise DataError(f"irrelevant_prob must be a probability, not {self.irrelevant_prob}")
        if self.irrelevant_target not in (REFUSAL, CLOSED_BOOK):
            raise DataError(f"irrelevant_target must be {REFUSAL} or {CLOSED_BOOK}, not {self.irrelevant_target!r}")
        if self.unfinished not in (KEEP, DROP) or self.answers not in (GENERATED, KNOWN):
            raise DataError(f"unfinished is {KEEP} or {DROP}, answers {GENERATED} or {KNOWN}")
        if self.answers == KNOWN and self.irrelevant_prob:
            raise DataError("questions of another context have no known answer here: pass --irrelevant-prob 0")
        if min(self.max_answer_tokens, self.max_context_tokens, self.rows_per_shard) < 1:
            raise DataError("max_answer_tokens, max_context_tokens and rows_per_shard must be at least 1")


@dataclass(frozen=True)
class TeacherQuestion:
    """A question to the teacher: its text, the teacher's prompt, whether it is about the context, a known answer."""

    text: str
    prompt: list[int]
    relevant: bool
    known: str | None = None


def teach(
    rows: Sequence[ContextRow],
    start_engine: Callable[[], GenerationEngine],
    tokenizer: Any,
    base: Path,
    folder: Path,
    settings: TeacherSettings,
    engine_name: str = "",
    share: tuple[int, int] = (0, 1),
) -> Counter[str]:
    """Answer all questions of all rows, into `folder`.

    Args:
        rows: Contexts with questions; those without are left out.
        start_engine: Gives what runs the base; not called where nothing is left to do.
        tokenizer: The base's.
        base: The base's folder, which the shards are marked with.
        folder: Where the shards are; what is there already is not made again.
        settings: What the answers depend on.
        engine_name: What runs the base, and in which type: another one rounds otherwise.
        share: (i, n): make every n-th shard from number i on. The n processes that share a folder so never wait for
            each other: nobody locks it, and each shard appears whole.

    Returns:
        Counts over the shards that are there: contexts, answers, answer tokens, and what was left out.

    Raises:
        DataError: No row has questions, or the folder was begun from another base, tokenizer, rows or settings.
    """
    rows = [row for row in rows if row.questions]
    if not rows:
        raise DataError("no row has questions: write some first, with python -m torch_train.data questions")
    if settings.irrelevant_prob and len(rows) < 2:
        raise DataError("questions of another context need a second context: pass --irrelevant-prob 0")
    manifest = {
        "kind": "teacher",
        "shards": math.ceil(len(rows) / settings.rows_per_shard),
        "base": base_fingerprint(base),
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "rows": fingerprint(rows),
        "engine": engine_name,
        "settings": asdict(settings),
        "prompt text": hashlib.sha256(template_of(settings).encode()).hexdigest(),
    }
    defaults = {"prompt": PLAIN, "unfinished": KEEP, "answers": GENERATED}
    defaults["prompt text"] = hashlib.sha256(prompt.PLAIN.encode()).hexdigest()
    shards = Shards.open(folder, manifest, {"base": base.name, "contexts": len(rows), "top": TOP}, defaults)
    start: Callable[[], GenerationEngine | None] = (
        cache(start_engine) if settings.answers == GENERATED else lambda: None
    )
    with locked(folder) if share == (0, 1) else nullcontext():
        for index, some in shards.remaining(rows, settings.rows_per_shard, share):
            taught, counts, named = answer(some, rows, start(), tokenizer, settings)
            table = teacher_table(taught)
            shards.write(index, table.replace_schema_metadata({"counts": json.dumps(counts)}))
            told = ", ".join(f"{count} {what}" for what, count in counts.items())
            print(f"shard {index + 1} of {shards.count}: {told}", file=sys.stderr, flush=True)
            for line in named:
                print(f"  {line}", file=sys.stderr, flush=True)
    return counted(shards)


def counted(shards: Shards) -> Counter[str]:
    """Counts of the shards that are there, from their metadata."""
    total: Counter[str] = Counter()
    missing = set(shards.missing())
    for index in sorted(set(range(shards.count)) - missing):
        path = shards.path(index)
        try:
            total.update(json.loads(pq.read_schema(path).metadata[b"counts"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is damaged: remove it and run the command again") from error
    return total


def questions(
    row: ContextRow, others: Sequence[ContextRow], tokenizer: Any, settings: TeacherSettings
) -> list[TeacherQuestion]:
    """The questions of one row: its own, then some that belong to others, the same in every run."""
    template = template_of(settings)
    own = [
        TeacherQuestion(text, question_ids(tokenizer, text, row.context, template), True, known[0] if known else None)
        for text, known in zip(row.questions, row.answers, strict=True)
    ]
    draw = random.Random(f"{settings.seed}-{row.id}")
    context = row.context if settings.irrelevant_target == REFUSAL else None
    foreign = []
    for _ in row.questions:
        other = others[draw.randrange(len(others))]
        text = draw.choice(other.questions)
        if draw.random() < settings.irrelevant_prob and other.id != row.id and text not in row.questions:
            foreign.append(TeacherQuestion(text, question_ids(tokenizer, text, context, template), False))
    return own + foreign


def answer(
    rows: Sequence[ContextRow],
    others: Sequence[ContextRow],
    engine: GenerationEngine | None,
    tokenizer: Any,
    settings: TeacherSettings,
) -> tuple[list[TeacherRow], Counter[str], list[str]]:
    """Answer the questions of some rows.

    Args:
        rows: What is answered.
        others: All rows, where foreign questions are taken from.
        engine: What runs the base; None where the answers are known.
        tokenizer: The base's.
        settings: What the answers depend on.

    Returns:
        The rows that have answers, counts, and the first few things that were left out, by name.
    """
    counts: Counter[str] = Counter(contexts=0)
    left_out: dict[str, list[str]] = {}

    def leave_out(what: str, row: ContextRow, detail: str) -> None:
        counts[what] += 1
        left_out.setdefault(what, []).append(f"{what}: {row.source} {row.id[:12]}, {detail}")

    asked: list[tuple[ContextRow, list[int], list[TeacherQuestion]]] = []
    room = math.inf if engine is None else engine.context_length - settings.max_answer_tokens
    for row in rows:
        context = document_ids(tokenizer, row.context)
        if len(context) > settings.max_context_tokens:
            leave_out("contexts too long", row, f"{len(context)} tokens, the limit is {settings.max_context_tokens}")
            continue
        fitting = []
        for question in questions(row, others, tokenizer, settings):
            if len(question.prompt) > room:
                leave_out("prompts too long", row, f"{len(question.prompt)} tokens, the base has room for {room}")
            else:
                fitting.append(question)
        asked.append((row, context, fitting))
    every = [question for _, _, some in asked for question in some]
    if engine is None:
        answers = iter([_known(question.known or "", tokenizer) for question in every])
    else:
        answers = iter(engine.generate([question.prompt for question in every], settings.max_answer_tokens))
    taught = []
    for row, context, some in asked:
        pairs: list[tuple[TeacherQuestion, Generated]] = []
        for question in some:
            said = next(answers)
            text = tokenizer.decode(said.ids.tolist(), skip_special_tokens=True)
            if not text.strip():
                leave_out("answers empty", row, question.text)
            elif not said.finished and settings.unfinished == DROP:
                leave_out("answers unfinished", row, question.text)
            else:
                pairs.append((question, said))
        if pairs:
            taught.append(_taught(row, context, pairs, tokenizer))
            counts["answers cut"] += sum(not said.finished for _, said in pairs)
            counts["irrelevant questions"] += sum(not question.relevant for question, _ in pairs)
            counts["answers"] += len(pairs)
            counts["answer tokens"] += sum(len(said.ids) for _, said in pairs)
    counts["contexts"] = len(taught)
    return taught, counts, [line for lines in left_out.values() for line in lines[:NAMED]]


@cache
def template_of(settings: TeacherSettings) -> str:
    """What the teacher's message says, with places for document and question.

    Raises:
        DataError: There is no such prompt, or a place is missing in it.
    """
    if settings.prompt == PLAIN:
        return prompt.PLAIN
    return prompt_text(settings.prompt, (PLAIN, INSTRUCTED), ("document", "question"))


def _known(answer: str, tokenizer: Any) -> Generated:
    """A known answer as if the base had been certain of it; nothing where there is none."""
    ids = tokenizer.encode(answer, add_special_tokens=False)
    ids = [*ids, tokenizer.eos_token_id] if ids else []
    return Generated(np.array(ids, dtype=np.int32), *certain([ids]), finished=True)


def _taught(
    row: ContextRow, context: list[int], pairs: list[tuple[TeacherQuestion, Generated]], tokenizer: Any
) -> TeacherRow:
    return TeacherRow(
        id=row.id,
        source=row.source,
        context_ids=np.array(context, dtype=np.int32),
        questions=tuple(np.array(question_ids(tokenizer, q.text), dtype=np.int32) for q, _ in pairs),
        answers=tuple(said.ids for _, said in pairs),
        relevant=np.array([question.relevant for question, _ in pairs]),
        top_ids=np.concatenate([said.top_ids for _, said in pairs]),
        top_log_probabilities=np.concatenate([said.top_log_probabilities for _, said in pairs]),
    )
