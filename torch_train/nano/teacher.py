"""Notes of nano's language as the trainer reads them: each with its questions, and what the base says to them.

`python -m torch_train.nano.teacher FOLDER --base thoth/nano/base`. Nothing is generated: the language knows every
answer, so one pass reads a note with all its questions and answers, and where the base would err it is corrected.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import Ministral3ForCausalLM

from torch_train.data.row import context_id
from torch_train.data.shards import Shards
from torch_train.errors import TrainingError
from torch_train.model.fingerprint import base_fingerprint, tokenizer_fingerprint
from torch_train.model.generation import TOP
from torch_train.model.tokenizer import load_tokenizer
from torch_train.nano import base as base_stage
from torch_train.nano import pool, tokenizer
from torch_train.nano.pool import POOL, Pool
from torch_train.nano.reading import read_notes
from torch_train.nano.tokenizer import BOS, END_INST, EOS, INST
from torch_train.nano.tree_rows import Item
from torch_train.teacher.teacher_rows import TeacherRow, teacher_table

BATCH = 24  # notes that are read at once


def teach(
    folder: Path,
    base: Path,
    shards: int,
    seed: int,
    device: str = "cpu",
    facts: int = pool.MOST_FACTS,
    recall: bool = False,
    strangers: bool = False,
) -> None:
    """Write teacher shards of `POOL * BATCH` notes each; a killed run resumes with those that are missing.

    Args:
        folder: Where they are, or will be.
        base: Folder of nano's base.
        shards: Their number.
        seed: Of the notes.
        device: That the base runs on.
        facts: The most of a note; with 1, nothing but that fact and one question about it.
        recall: Each note is also an answer to be given from its weights: so dense a signal that the plateau at the
            beginning ends soon.
        strangers: More is asked about entities that the note does not mention, of notes of any number of facts alike:
            to tell these from the note's own is learnt last.

    Raises:
        DataError: The folder was begun from another base or other notes.
    """
    manifest: dict[str, Any] = {
        "kind": "teacher",
        "shards": shards,
        "base": base_fingerprint(base),
        "tokenizer": tokenizer_fingerprint(load_tokenizer(base)),
        "settings": {"seed": seed, "facts": facts, "batch": BATCH, "recall": recall, "strangers": strangers},
    }
    stored = Shards.open(folder, manifest, {"base": base.name, "contexts": shards * POOL * BATCH, "top": TOP})
    missing = stored.missing()
    if not missing:
        return
    words = tokenizer.load(base)
    model = base_stage.load(base).to(torch.device(device)).eval()
    notes = Pool(words, seed, BATCH, hard=not strangers, strangers=strangers)
    for index in missing:
        batches = [notes.batch(index * POOL + i, facts) for i in range(POOL)]
        taught = [row for items in batches for row in _taught(model, words, items, seed, recall)]
        stored.write(index, teacher_table(taught))
        print(f"shard {index + 1} of {shards}: {len(taught)} notes", file=sys.stderr, flush=True)


@torch.no_grad()
def _taught(
    model: Ministral3ForCausalLM, words: Tokenizer, items: Sequence[Item], seed: int, recall: bool
) -> list[TeacherRow]:
    """What the base says to the questions of some notes."""
    ids, log_probabilities = (part.cpu().numpy() for part in read_notes(model, items, words).top())
    rows, at = [], 0
    for item in items:
        answers = [[*turn.answer, EOS] for turn in item.turns]
        after = at + sum(map(len, answers))
        row = TeacherRow(
            id=context_id(words.decode(item.document)),
            source=f"nano's language, seed {seed}",
            context_ids=_array([BOS, INST, *item.document, END_INST]),
            questions=tuple(map(_array, prompts(item))),
            answers=tuple(map(_array, answers)),
            relevant=np.array([turn.known for turn in item.turns]),
            top_ids=ids[at:after].astype(np.int32),
            top_log_probabilities=log_probabilities[at:after].astype(np.float16),
        )
        rows.append(_recalling(row, item.document) if recall else row)
        at = after
    return rows


def _recalling(row: TeacherRow, document: Sequence[int]) -> TeacherRow:
    """The same row with one answer more: the note itself, right after `<s>[INST]`, every token of it certain."""
    ids = np.zeros((len(document), row.top_ids.shape[1]), np.int32)
    ids[:, 0] = document
    log_probabilities = np.full(ids.shape, -np.inf, np.float16)
    log_probabilities[:, 0] = 0.0
    return replace(
        row,
        questions=(*row.questions, _array([BOS, INST])),
        answers=(*row.answers, _array(list(document))),
        relevant=np.append(row.relevant, True),
        top_ids=np.concatenate([row.top_ids, ids]),
        top_log_probabilities=np.concatenate([row.top_log_probabilities, log_probabilities]),
    )


def prompts(item: Item) -> list[list[int]]:
    """What the student is asked: each question after those of the same conversation, and no note."""
    asked: list[list[int]] = []
    conversation: list[int] = []
    for turn in item.turns:
        begin = [*conversation, INST] if turn.follows else [BOS, INST]
        asked.append([*begin, *turn.question, END_INST])
        conversation = [*asked[-1], *turn.answer, EOS]
    return asked


def _array(ids: list[int]) -> np.ndarray:
    return np.array(ids, dtype=np.int32)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m torch_train.nano.teacher",
        description="Write what nano's base says about notes of its language.",
    )
    parser.add_argument("folder", type=Path, help="folder of the shards; an interrupted one resumes")
    parser.add_argument("--base", type=Path, default=Path("thoth/nano/base"), help="(%(default)s)")
    parser.add_argument("--shards", type=int, default=40, help=f"shards, of {POOL * BATCH} notes each (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the notes (%(default)s)")
    parser.add_argument("--facts", type=int, default=pool.MOST_FACTS, help="most facts of a note (%(default)s)")
    parser.add_argument("--recall", action="store_true", help="each note is an answer too, for a training from nothing")
    parser.add_argument("--strangers", action="store_true", help="ask more about entities that a note does not mention")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    if options.facts < 1 or options.shards < 1:
        parser.error("--facts and --shards must be above 0")
    try:
        teach(
            options.folder,
            options.base,
            options.shards,
            options.seed,
            options.device,
            options.facts,
            options.recall,
            options.strangers,
        )
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
