"""Notes of nano's language through the trainer: the same questions, and the same loss, as in nano's own recipe."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import Ministral3ForCausalLM

from mlx_hypernet.format.template import affixes, document_ids
from tests.training import tiny_run
from torch_train.errors import DataError
from torch_train.model.base import load_base
from torch_train.model.chunking import Chunking
from torch_train.model.fingerprint import base_fingerprint, tokenizer_fingerprint
from torch_train.model.lora import Injected
from torch_train.model.prompt import question_ids
from torch_train.model.tokenizer import load_tokenizer
from torch_train.nano import joint, teacher, tokenizer
from torch_train.nano.language import UNKNOWN, Language
from torch_train.nano.pool import MOST_FACTS, Pool, draw_note
from torch_train.nano.reading import read_notes
from torch_train.nano.tokenizer import BOS, END_INST, EOS, INST
from torch_train.nano.tree_rows import Item, Turn
from torch_train.teacher.teacher_rows import TeacherData, TeacherRow
from torch_train.training.distillation import DistillationModel
from torch_train.training.packing import Packer

NOTES, SEED = 3, 5


@pytest.fixture
def base(model: Ministral3ForCausalLM, words_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(teacher, "BATCH", NOTES)
    model.save_pretrained(tmp_path / "base")
    tokenizer.copy(words_folder, tmp_path / "base")
    return tmp_path / "base"


def _taught(base: Path, folder: Path) -> TeacherData:
    teacher.teach(folder, base, 1, SEED)
    return TeacherData(folder, base_fingerprint(base), tokenizer_fingerprint(load_tokenizer(base)))


def test_prompts_are_those_of_the_app(words: Tokenizer, base: Path) -> None:
    loaded = load_tokenizer(base)
    question, other = "Who is the mayor of Harpool?", "And of Relwood?"
    turns = [
        Turn(words.encode(text).ids, words.encode(" " + answer).ids, follows, True)
        for text, answer, follows in ((question, "Osra Kelland.", False), (other, "Tor Falsen.", True))
    ]
    first, second = teacher.prompts(Item(words.encode("A note.").ids, turns))
    assert first == question_ids(loaded, question)
    assert second == [*first, *turns[0].answer, EOS, INST, *turns[1].question, END_INST]
    assert affixes(loaded) == ((BOS, INST), (END_INST,))
    assert document_ids(loaded, "A note.") == [BOS, INST, *words.encode("A note.").ids, END_INST]


def test_the_trainer_has_the_loss_of_the_recipe(
    words: Tokenizer, base: Path, model: Ministral3ForCausalLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = _taught(base, tmp_path / "shards")[:NOTES]
    items = Pool(words, SEED, NOTES, hard=True).batch(0, MOST_FACTS)
    assert [row.context_ids[2:-1].tolist() for row in rows] == [item.document for item in items]
    torch.manual_seed(1)
    hypernet = tiny_run.nano_hypernet(model)
    with torch.no_grad():
        for name, parameter in hypernet.named_parameters():
            if name.startswith(("scaler_B", "bias")):
                parameter.normal_(std=0.1)

    batch_of = Packer(rows, 9999, 9999, Chunking(256, (BOS, INST), (END_INST,)), 0)
    (batch,) = batch_of.batches(0)
    frozen = load_base(base, "float32", torch.device("cpu"))
    trainer = DistillationModel(hypernet, frozen, frozen, recompute=False)(batch).distillation / NOTES

    monkeypatch.setattr(joint, "decision_loss", lambda logits, rows: 0.0)  # the recipe's own addition
    adapters = Injected(model.model.layers, ("down_proj",), hypernet.config.scale)
    recipe = joint.absorb_notes(model, adapters, hypernet, items, read_notes(model, items, words), 1)
    assert recipe.loss > 1
    torch.testing.assert_close(trainer, recipe.loss, rtol=2e-3, atol=0)  # the shards keep halves


def test_the_same_notes_every_time_and_no_other_base(base: Path, tmp_path: Path, model: Ministral3ForCausalLM) -> None:
    first, again = _taught(base, tmp_path / "a"), _taught(base, tmp_path / "b")
    assert len({row.id for row in first}) == len(first) == 8 * NOTES
    for one, other in zip(first, again, strict=True):
        assert one.id == other.id
        np.testing.assert_array_equal(one.top_ids, other.top_ids)
        assert len(one.questions) == len(one.answers) == len(one.relevant)
        assert len(one.top_ids) == sum(map(len, one.answers))
    assert not all(row.relevant.all() for row in first)
    model.lm_head.weight.add_(1)
    model.save_pretrained(base)
    with pytest.raises(DataError, match="was made from something else: base is"):
        teacher.teach(tmp_path / "a", base, 1, SEED)


def test_a_note_can_be_an_answer_too(words: Tokenizer, base: Path, tmp_path: Path) -> None:
    plain = _taught(base, tmp_path / "plain")
    teacher.teach(tmp_path / "recall", base, 1, SEED, recall=True)
    recalled = TeacherData(tmp_path / "recall", base_fingerprint(base), tokenizer_fingerprint(load_tokenizer(base)))
    for one, other in zip(plain, recalled, strict=True):
        document = one.context_ids[2:-1]
        assert len(other.questions) == len(other.answers) == len(other.relevant) == len(one.questions) + 1
        assert other.questions[-1].tolist() == [BOS, INST]
        np.testing.assert_array_equal(other.answers[-1], document)
        np.testing.assert_array_equal(other.top_ids[: len(one.top_ids)], one.top_ids)
        np.testing.assert_array_equal(other.top_ids[len(one.top_ids) :, 0], document)
        certain = np.exp(other.top_log_probabilities[len(one.top_ids) :].astype(np.float32))
        np.testing.assert_array_equal(certain, [[1.0] + [0.0] * 15] * len(document))


def test_strangers_are_more_to_refuse(base: Path, tmp_path: Path) -> None:
    plain = _taught(base, tmp_path / "plain")
    teacher.teach(tmp_path / "strangers", base, 1, SEED, strangers=True)
    more = TeacherData(tmp_path / "strangers", base_fingerprint(base), tokenizer_fingerprint(load_tokenizer(base)))

    def refused(rows: Sequence[TeacherRow]) -> float:
        return 1 - float(np.concatenate([row.relevant for row in rows]).mean())

    assert refused(more) > refused(plain) + 0.05


def test_with_strangers_nothing_but_the_name_tells() -> None:
    """Every third note or more has one or two facts, each asked about in three ways, beside as many strangers."""
    language, draw = Language(SEED, "train"), random.Random(SEED)
    notes = [draw_note(language, draw, MOST_FACTS, strangers=True) for _ in range(400)]
    asked = [(note, sum(question.answer != UNKNOWN for question in note.questions)) for note in notes]
    few = [(known, len(note.questions) - known) for note, known in asked if known == 3 * note.facts]
    assert 400 // 4 < len(few) < 400 // 2
    assert {known for known, _ in few} == {3, 6}
    assert {refused for _, refused in few} == {3, 4, 5}


def test_notes_of_one_fact_are_bare(base: Path, tmp_path: Path) -> None:
    teacher.teach(tmp_path / "shards", base, 1, SEED, facts=1)
    rows = TeacherData(tmp_path / "shards", base_fingerprint(base), tokenizer_fingerprint(load_tokenizer(base)))
    assert all(len(row.questions) == 1 and row.relevant.all() for row in rows)
    with pytest.raises(DataError, match="was made from something else"):
        teacher.teach(tmp_path / "shards", base, 1, SEED)
