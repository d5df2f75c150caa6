"""What the matcher learns from, and that it learns it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mlx_hypernet.format.config import MatcherConfig
from tests.training import tiny_run
from torch_train.english import matching, matching_data
from torch_train.english.matching_data import ANSWERS, NO_ANSWER, SILENT, UNRELATED, chunks
from torch_train.english.passages import Passage
from torch_train.english.question import Question
from torch_train.model.tokenizer import load_tokenizer

CONFIG = MatcherConfig(1, 32, 1, 2, "")
BRIDGE = Passage(
    "The bridge was built in 1931. It is 80 m long and made of steel. A toll of two shillings was taken until the war. "
    "Since then everybody may cross it.",
    (
        Question("How long is the bridge?", "80 m", True, "", "x", ("80 m", "80 metres")),
        Question("Who painted it?", "a painter", True, "", "x"),  # the passage has no such words: left out
    ),
    "x",
    "train",
    "",
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, words_folder: Path) -> Path:
    return tiny_run.save_base(tmp_path_factory.mktemp("base") / "base", words_folder, "llama")


@pytest.fixture(scope="module")
def material(base: Path) -> matching_data.Material:
    return matching_data.material("train", 60, [BRIDGE], base, 1)


def test_chunks_are_whole_sentences_and_lines() -> None:
    def tokens(text: str) -> int:
        return len(text.split())

    assert chunks("One two. Three four five. Six", tokens, 5) == ["One two. Three four five.", "Six"]
    text = "Rent: 900 a month\nDeposit: two rents\n\nThe tenant pays by card. " + "word " * 12
    parts = chunks(text, tokens, 5)
    assert " ".join(" ".join(parts).split()) == " ".join(text.split())
    assert max(map(tokens, parts)) <= 5
    assert parts[:3] == ["Rent: 900 a month", "Deposit: two rents", "The tenant pays by card."]


def test_what_the_base_makes_of_texts_after_the_template(base: Path) -> None:
    ids, before = [[9, 8, 7], [5], [], [30, 31, 32, 33]], [1, 3, 2]
    decoder = matching_data._first_blocks(base, 1)
    found = matching_data.features(decoder, ids, before)
    for text, features in zip(ids, found, strict=True):
        with torch.no_grad():
            whole = decoder(input_ids=torch.tensor([[*before, *text, 4]]), use_cache=False).last_hidden_state
        torch.testing.assert_close(features.float(), whole[0, 3:-1].float(), atol=0.02, rtol=0.02)
    (alone,) = matching_data.features(decoder, ids[:1], [])
    assert alone.shape == found[0].shape
    assert not torch.equal(alone, found[0])


def test_a_question_has_the_chunk_with_its_answer(base: Path, material: matching_data.Material) -> None:
    tokenizer = load_tokenizer(base)

    def text(number: int) -> str:
        return str(tokenizer.decode(material.ids[number]))

    bridge = material.documents[-1]
    (asked,) = bridge.asked
    assert "80" in text(bridge.chunks[asked.answers[0]])
    assert [len(features) for features in material.features] == [len(ids) for ids in material.ids]
    assert len(material.documents) == 61
    silent = [one for document in material.documents[:-1] for one in document.asked if not one.known]
    assert 60 <= len(silent) <= 240
    assert all(not one.answers for one in silent)


def test_pairs_say_what_is_known(material: matching_data.Material) -> None:
    where = {chunk: document for document in material.documents for chunk in document.chunks}
    by_question = {asked.text: (document, asked) for document in material.documents for asked in document.asked}
    drawn = list(matching_data.pairs(material, random.Random(1), 400))
    assert {label for _, _, label in drawn} == {UNRELATED, SILENT, ANSWERS, NO_ANSWER}
    for question, chunk, label in drawn:
        if question in material.nothing:
            assert label == UNRELATED
            continue
        document, asked = by_question[question]
        own = where[chunk] is document
        answers = own and document.chunks.index(chunk) in asked.answers
        foreign = NO_ANSWER if document.kind == "note" else UNRELATED
        assert label == (ANSWERS if answers else SILENT if own else foreign)


def test_words_of_questions_can_be_left_out(base: Path, material: matching_data.Material) -> None:
    words = matching.words_of(load_tokenizer(base), 1 << 13)
    matcher = matching.train(material, CONFIG, words, 3, drop=0.5)
    document = material.documents[0]
    questions, chunks = [asked.text for asked in document.asked][:2], [document.chunks[0]] * 2
    one, other = matching._logits(matcher, material, questions, chunks)
    assert not torch.allclose(one, other)
    one, other = matching._logits(matcher, material, questions, chunks, drop=1.0)
    assert torch.allclose(one, other, atol=1e-2)  # bf16


def test_it_learns(
    tmp_path: Path, base: Path, material: matching_data.Material, capsys: pytest.CaptureFixture[str]
) -> None:
    words = matching.words_of(load_tokenizer(base), 1 << 13)
    matcher = matching.train(material, CONFIG, words, 200)
    losses = [float(line.rpartition(" ")[2]) for line in capsys.readouterr().out.splitlines()]
    assert losses[1] < 0.85 * losses[0]
    found = matching.measure(matcher, material)
    assert found["note"]["questions"] == sum(asked.known for one in material.documents[:-1] for asked in one.asked)
    assert found["nothing"]["questions"] == len(material.nothing)
    assert all(0 <= value <= 1 for kind in found.values() for name, value in kind.items() if name != "questions")
    matching.save(matcher, CONFIG, tmp_path / "matcher", {"dev": found})
    stored = json.loads((tmp_path / "matcher" / matching.CONFIG).read_text())
    assert stored["dev"] == found
    weights = load_file(tmp_path / "matcher" / matching.WEIGHTS)
    assert weights.keys() == matcher.state_dict().keys()
    assert torch.equal(weights["words"], words)
