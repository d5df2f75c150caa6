from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from torch_train.english import kinds, notes
from torch_train.english.__main__ import main
from torch_train.english.names import names_of
from torch_train.english.notes import MOST_TOKENS, English, Note, tokens
from torch_train.english.question import REFUSALS
from torch_train.english.split import SPLITS, Split
from torch_train.english.values import GENERATORS, Values
from torch_train.errors import DataError

DRAWN = 120


def draw(split: Split, count: int = DRAWN, facts: int | None = None) -> list[Note]:
    stream = English("test", split)
    return [stream.note(facts or 1 + n % 12, filler=n % 4, silent=n % 3, strangers=n % 2) for n in range(count)]


def test_one_seed_gives_one_stream_and_another_seed_another() -> None:
    assert draw("train", 20) == draw("train", 20)
    assert English("a", "train").note(3) != English("b", "train").note(3)
    assert English("a", "train").note(3) != English("a", "dev").note(3)


def test_the_stream_does_not_depend_on_the_hash_seed_of_the_process() -> None:
    command = [sys.executable, "-m", "torch_train.english", "show", "--notes", "8", "--facts", "6"]
    printed = {
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


@pytest.mark.parametrize("split", SPLITS)
def test_known_answers_stand_in_the_note_and_unknown_ones_are_refusals(split: Split) -> None:
    for number, note in enumerate(draw(split)):
        known = [question for question in note.questions if question.known]
        assert len(known) == 1 + number % 12
        for question in note.questions:
            assert question.known == (question.answer in note.text)
            assert question.known != (question.answer in REFUSALS)
            assert not set("{}") & {*note.text, *question.text}


def test_a_silent_question_asks_for_what_the_note_does_not_tell() -> None:
    stream = English("silent", "train")
    for _ in range(DRAWN):
        told, *silent = stream.note(1, silent=3).questions
        assert len(silent) == 3
        assert told.attribute not in {question.attribute for question in silent}


def test_a_silent_question_may_ask_for_what_is_told_of_another_subject() -> None:
    stream = English("silent", "train")
    notes = [stream.note(3, silent=5) for _ in range(DRAWN)]
    told = [{question.attribute for question in note.questions if question.known} for note in notes]
    silent = [{question.attribute for question in note.questions if not question.known} for note in notes]
    assert any(one & other for one, other in zip(told, silent, strict=True))


def test_an_alias_is_told_before_it_is_used() -> None:
    alias = re.compile(r"\b(?:Item|Entry|Case|Record|File|Subject|No\.) \d+\b(?! ?[-/])")
    stream = English("alias", "train")
    seen = 0
    for _ in range(DRAWN):
        text = stream.note(10, filler=4).text  # long ones are written more than once
        for one in set(alias.findall(text)):
            told = (f"as {one}", f"{one} means", f"called {one}", f"{one} stands for")
            assert any(sentence in text for sentence in told), text
            seen += 1
    assert seen > 4


def test_a_fact_is_asked_for_in_several_wordings() -> None:
    questions = English("wordings", "train").note(2, wordings=3).questions
    assert len({question.text for question in questions}) == 6
    assert len({question.attribute for question in questions}) <= 2
    assert len(English("wordings", "dev").note(2, wordings=3).questions) == 4


def test_a_strangers_question_names_somebody_else() -> None:
    stream = English("strangers", "dev")
    for _ in range(DRAWN):
        note = stream.note(1, strangers=1)
        about, stranger = note.questions
        assert about.attribute == stranger.attribute
        assert not stranger.known
        assert stranger.text not in {about.text}


def test_notes_are_neither_too_long_nor_too_short() -> None:
    assert max(tokens(note.text) for note in draw("train")) <= MOST_TOKENS
    assert min(tokens(note.text) for note in draw("train", facts=3)) >= notes.FEWEST_TOKENS


def test_no_value_of_another_split_occurs_in_the_names_of_a_note() -> None:
    vocabulary = {split: names_of(split).vocabulary() for split in SPLITS}
    for split in SPLITS:
        others = set().union(*(vocabulary[other] for other in SPLITS if other != split))
        values = Values(English("x", split)._draw, names_of(split))
        for _ in range(DRAWN):
            assert others.isdisjoint(values.person().split())
            assert values.city() not in others
            assert values.job() not in others


def test_training_has_no_held_out_template_and_both_others_have_two_of_each() -> None:
    assert kinds.templates_of("train").isdisjoint(kinds.templates_of("test"))
    assert kinds.templates_of("dev") == kinds.templates_of("test")
    for kind in kinds.kinds_of("test"):
        for attribute in kind.attributes:
            assert len(attribute.statements) == len(attribute.questions) == kinds.HELD_OUT
    assert min(len(a.statements) for kind in kinds.kinds_of("train") for a in kind.attributes) >= 5


def test_every_kind_is_valid_and_every_value_generator_draws() -> None:
    assert len(kinds.load()) >= 15
    assert sum(len(kind.attributes) for kind in kinds.load()) >= 120
    for kind in kinds.load():
        for attribute in kind.attributes:
            assert min(len(attribute.statements), len(attribute.questions)) >= kinds.FEWEST
    values = Values(English("x", "dev")._draw, names_of("dev"))
    for name in GENERATORS - {"quantity"}:
        drawn = {values.value(name) for _ in range(40)}
        assert len(drawn) > 3, name
        assert not any(value.endswith(".") for value in drawn)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("{value} euros.", "a lot."), "must have"),
        (("value: money(1, 9)", "value: cash(1, 9)"), "no value generator"),
        (("value: money(1, 9)", "value: money(9, 1)"), "lower and an upper bound"),
        (("kind: bill", "kind: receipt"), "but the file is"),
        (("filler: [a., b., c., d., e., f., g., h.]", "filler: [a.]"), "fewer than 8 filler"),
    ],
)
def test_a_malformed_kind_is_refused_by_name(tmp_path, change: tuple[str, str], message: str) -> None:
    statements = "\n".join(f'      - "{{entity}} number {n} costs {{value}} euros."' for n in range(10))
    questions = "\n".join(f'      - "What does {{entity}} number {n} cost?"' for n in range(10))
    attributes = "".join(
        f"  - name: {name}\n    value: money(1, 9)\n    statements:\n{statements}\n    questions:\n{questions}\n"
        for name in ("price", "fee")
    )
    text = (
        "kind: bill\ntitles: [Bill]\nentity: [company]\nnouns: [the firm]\n"
        f"filler: [a., b., c., d., e., f., g., h.]\nattributes:\n{attributes}"
    )
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "bill.yaml").write_text(text)
    assert [kind.name for kind in kinds.load(tmp_path / "good")] == ["bill"]
    (tmp_path / "bill.yaml").write_text(text.replace(*change))
    with pytest.raises(DataError, match=message):
        kinds.load(tmp_path)


def test_show_prints_notes_with_their_questions(capsys) -> None:
    main(["show", "--seed", "1", "--facts", "2", "--notes", "2", "--split", "dev"])
    printed = capsys.readouterr().out
    assert printed.count(" -> ") == 8
    note = English("1", "dev").note(2, silent=1, strangers=1)
    assert note.text in printed


def test_wrong_arguments_are_refused() -> None:
    stream = English("x", "train")
    with pytest.raises(DataError, match="1 to 12 facts, not 13"):
        stream.note(13)
    with pytest.raises(DataError, match="no kind of document 'poem'"):
        stream.note(1, kind="poem")
