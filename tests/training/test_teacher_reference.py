"""The teacher as the reference has it: its prompt, answers that are dropped, and known answers for cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from torch_train.data.row import ContextRow
from torch_train.data.shards import Shards
from torch_train.errors import DataError
from torch_train.model.generation import Generated
from torch_train.model.loss import cross_entropies, token_losses
from torch_train.model.prompt import filled, question_ids
from torch_train.teacher.teach import TeacherSettings, answer, questions
from torch_train.teacher.teacher_rows import certain

ROWS = [
    ContextRow(
        "The harbour {froze} in 1929.", ("When did it freeze?", "What {froze}?"), (("1929", "in 1929"), ()), "own"
    ),
    ContextRow("Ann Lee painted the boat.", ("Who painted the boat?",), (("Ann Lee",),), "own"),
]


class Halting:
    """An engine that ends every second answer, and cuts the others."""

    context_length = 2048

    def generate(self, prompts: Sequence[Sequence[int]], max_tokens: int, temperature: float = 0.0, seed: int = 0):
        top = np.zeros((3, 16))
        ids = np.array([50, 51, 2], dtype=np.int32)
        return [Generated(ids, top.astype(np.int32), top.astype(np.float16), i % 2 == 0) for i in range(len(prompts))]


@pytest.fixture
def tokenizer(words_folder: Path):
    return AutoTokenizer.from_pretrained(words_folder)


def test_the_teacher_is_told_to_ignore_what_is_not_relevant(tokenizer) -> None:
    first, second = questions(ROWS[0], ROWS, tokenizer, TeacherSettings(prompt="instructed"))
    text = tokenizer.decode(second.prompt)
    places = [text.index(part) for part in ("The harbour {froze} in 1929.", "***ignore***", "What {froze}?")]
    assert places == sorted(places)
    assert "{document}" not in text
    assert "{question}" not in text
    plain = questions(ROWS[0], ROWS, tokenizer, TeacherSettings())
    assert plain[0].prompt == question_ids(tokenizer, "When did it freeze?", ROWS[0].context)
    assert first.prompt != plain[0].prompt
    # The student is asked as ever: the template is the teacher's alone.
    (row, _), _, _ = answer(ROWS, ROWS, Halting(), tokenizer, TeacherSettings(prompt="instructed"))
    assert row.questions[0].tolist() == question_ids(tokenizer, "When did it freeze?")


def test_places_are_filled_once() -> None:
    assert filled("{document} {x} {question}", document="{question}", question="Q") == "{question} {x} Q"


def test_a_prompt_of_ones_own_has_both_places(tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("Read {document}.")
    with pytest.raises(DataError, match=r"has no \{question\} in it: write where the question goes"):
        questions(ROWS[0], ROWS, tokenizer, TeacherSettings(prompt=str(path)))
    with pytest.raises(DataError, match="no prompt 'instucted': give plain or instructed"):
        questions(ROWS[0], ROWS, tokenizer, TeacherSettings(prompt="instucted"))


def test_answers_that_do_not_end_are_dropped(tokenizer) -> None:
    kept, counts, _ = answer(ROWS, ROWS, Halting(), tokenizer, TeacherSettings())
    assert (counts["answers"], counts["answers cut"]) == (3, 1)
    dropped, counts, named = answer(ROWS, ROWS, Halting(), tokenizer, TeacherSettings(unfinished="drop"))
    assert [len(row.answers) for row in kept] == [2, 1]
    assert [len(row.answers) for row in dropped] == [1, 1]
    assert (counts["answers"], counts["answers cut"], counts["answers unfinished"]) == (2, 0, 1)
    assert any("What {froze}?" in line for line in named)


def test_known_answers_need_no_engine(tokenizer) -> None:
    rows, counts, _ = answer(ROWS, ROWS, None, tokenizer, TeacherSettings(answers="known"))
    assert (counts["answers"], counts["answers empty"]) == (2, 1)
    expected = [*tokenizer.encode("1929", add_special_tokens=False), tokenizer.eos_token_id]
    assert rows[0].answers[0].tolist() == expected
    with pytest.raises(DataError, match="pass --irrelevant-prob 0"):
        TeacherSettings(answers="known", irrelevant_prob=0.1)


def test_a_certain_teacher_is_cross_entropy() -> None:
    logits = torch.randn(4, 30, generator=torch.Generator().manual_seed(0))
    ids, log_probabilities = certain([[7, 3], [11, 2]])
    distilled = token_losses(logits, torch.from_numpy(ids), torch.from_numpy(log_probabilities))
    entropy = cross_entropies(logits, torch.tensor([7, 3, 11, 2]))
    torch.testing.assert_close(distilled, entropy)
    torch.testing.assert_close(
        entropy, torch.nn.functional.cross_entropy(logits, torch.tensor([7, 3, 11, 2]), reduction="none")
    )


def test_folders_from_before_a_setting_existed_resume(tmp_path: Path) -> None:
    Shards.open(tmp_path, {"kind": "teacher", "shards": 1, "settings": {"seed": 0}}, {})
    now = {"kind": "teacher", "shards": 1, "settings": {"seed": 0, "prompt": "plain"}}
    Shards.open(tmp_path, now, {}, {"prompt": "plain"})
    now["settings"]["prompt"] = "instructed"
    with pytest.raises(DataError, match='prompt is "plain" there, "instructed" here'):
        Shards.open(tmp_path, now, {}, {"prompt": "plain"})
