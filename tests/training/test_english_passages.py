from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from torch_train.english import cutting, leaks, passages
from torch_train.english.kinds import templates_of
from torch_train.english.leaks import Contents, refuse_leaks
from torch_train.english.names import names_of
from torch_train.english.nothing import prompts_of
from torch_train.english.passages import Passage, Source
from torch_train.english.question import Question
from torch_train.english.split import SPLITS, Split, split_of
from torch_train.errors import DataError

SQUAD = Source("wiki", "wiki.json", "squad", "CC BY 4.0", group=passages._article)
TALES = Source("tales", "tales.jsonl", "own", "Apache-2.0", held_out=True)
ROPES = Source("ropes", "ropes.json", "ropes", "CC BY 4.0", held_out=True, group=passages._background)


def words(text: str) -> int:
    return len(text.split())


def contents(split: Split) -> Contents:
    return Contents(names_of(split).vocabulary(), templates_of(split), frozenset(prompts_of(split)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small files as they are published: SQuAD's JSON of 40 articles, and JSONL."""
    data = [
        {
            "title": f"Town {n}",
            "paragraphs": [
                {
                    "context": f"Town {n} lies by a lake.\nIts mayor is Ana{n} Holt &#38; nobody else. "
                    f"In {1900 + p} a fire burnt the old mill of Town {n} down.",
                    "qas": [
                        {"question": f"Who is the mayor of Town {n}?", "answers": [{"text": f"Ana{n} Holt"}]},
                        {
                            "question": f"When did the mill of Town {n} burn?",
                            "answers": [{"text": f"{1900 + p}"}, {"text": f"in {1900 + p}"}, {"text": f"{1900 + p}"}],
                        },
                    ],
                }
                for p in range(2)
            ],
        }
        for n in range(40)
    ]
    (tmp_path / "wiki.json").write_text(json.dumps({"data": data}))
    tales = [{"context": f"A king had {n} sons.", "question": "Who had sons?", "answer": "a king"} for n in range(20)]
    (tmp_path / "tales.jsonl").write_text("\n".join(map(json.dumps, tales)))
    backgrounds = [
        {
            "background": f"Metal number {n} conducts heat.",
            "situation": f"Spoon {s} lies in hot soup.",
            "qas": [{"question": "What gets hot?", "answers": [{"text": f"Spoon {s}"}]}],
        }
        for n in range(12)
        for s in range(3)
    ]
    (tmp_path / "ropes.json").write_text(json.dumps({"data": [{"paragraphs": backgrounds}]}))
    return tmp_path


def test_passages_are_read_whole_with_their_questions(folder: Path) -> None:
    read = list(passages.passages(folder, words, 256, (SQUAD,)))
    assert len(read) == 80
    assert read[0].text.startswith("Town 0 lies by a lake. Its mayor is Ana0 Holt & nobody else.")
    assert [question.answer for question in read[1].questions] == ["Ana0 Holt", "1901"]
    assert read[1].questions[1].accepted == ("1901", "in 1901")
    assert {passage.split for passage in read} == set(SPLITS)


def test_articles_backgrounds_and_dev_files_are_held_out_whole(folder: Path) -> None:
    by_article: dict[str, set[str]] = {}
    for passage in passages.passages(folder, words, 256, (SQUAD,)):
        by_article.setdefault(passage.text.split(" lies")[0], set()).add(passage.split)
    assert all(len(splits) == 1 for splits in by_article.values())
    by_background: dict[str, set[str]] = {}
    for passage in passages.passages(folder, words, 256, (ROPES,)):
        by_background.setdefault(passage.text.split("\n")[0], set()).add(passage.split)
    assert all(len(splits) == 1 for splits in by_background.values())
    tales = {passage.split for passage in passages.passages(folder, words, 256, (TALES,))}
    assert tales == {"dev", "test"}
    training = replace(TALES, held_out=False)
    assert {passage.split for passage in passages.passages(folder, words, 256, (training,))} == {"train"}


def test_a_long_passage_is_cut_at_sentence_ends_around_its_answers(folder: Path) -> None:
    read = list(passages.passages(folder, words, 13, (SQUAD,)))
    for passage in read:
        assert words(passage.text) <= 13
        assert passage.text[-1] == "."
        for question in passage.questions:
            assert any(answer in passage.text for answer in question.accepted)
    assert sum(len(passage.questions) for passage in read) == 160


def test_a_part_that_two_splits_share_is_left_out_of_one(tmp_path: Path) -> None:
    common, articles = "Kali is old. Nobody knows why.", []
    for number in range(40):
        own = f"Town{number} has {number} bakers and a harbour that nobody uses any more."
        asked = [
            {"id": f"{number}-{what}", "question": f"What of {what}?", "answers": [{"text": what, "answer_start": 0}]}
            for what in ("Kali", f"Town{number}")
        ]
        articles.append({"title": str(number), "paragraphs": [{"context": f"{own} {common}", "qas": asked}]})
    (tmp_path / SQUAD.file).write_text(json.dumps({"version": "1", "data": articles}))
    read = list(passages.passages(tmp_path, words, 12, (SQUAD,)))
    assert len({passage.split for passage in read}) > 1
    assert len({passage.split for passage in read if passage.text == common}) == 1
    leaks.check(read)


def test_an_answer_in_two_parts_stays_with_the_one_that_is_asked_about() -> None:
    question = Question("What did Maria buy in Lisbon?", "a hat", True, "", "x", ("a hat",))
    text = "Peter bought a hat in Rome. Maria bought a hat in Lisbon. Nobody else bought anything."
    assert cutting.cut(text, [question], words, 6) == [("Maria bought a hat in Lisbon.", (question,))]
    nowhere = replace(question, answer="a coat", accepted=("a coat",))
    assert cutting.cut(text, [nowhere], words, 6) == []


def test_sentences_join_to_their_text() -> None:
    text = 'He said: "No." Then (at 5 p.m. sharp) he left!\n\nWhy? Version 3.5 came out. It is 3.'
    assert "".join(cutting.sentences(text)) == text
    assert [sentence.strip() for sentence in cutting.sentences(text)] == [
        'He said: "No."',
        "Then (at 5 p.m. sharp) he left!",
        "Why?",
        "Version 3.5 came out.",
        "It is 3.",
    ]


def test_a_strangers_question_names_what_the_passage_does_not_have(folder: Path) -> None:
    read = [passage for passage in passages.passages(folder, words, 256, (SQUAD,)) if passage.split == "train"]
    read = [
        replace(p, questions=tuple(replace(q, text=f"Tell me, is Ana{n} Holt here?") for q in p.questions[:1]))
        for n, p in enumerate(read)
    ]
    strange = passages.with_strangers(read, "1")
    assert strange == passages.with_strangers(read, "1")
    assert all(len(passage.questions) == 1 for passage in strange)  # Holt is everywhere
    named = [
        replace(
            p,
            questions=tuple(
                replace(q, text=f"Where is Maria{n}?".replace(str(n), chr(97 + n % 26))) for q in p.questions
            ),
        )
        for n, p in enumerate(read)
    ]
    for before, after in zip(named, passages.with_strangers(named, "1"), strict=True):
        assert after.questions[:-1] == before.questions
        assert not after.questions[-1].known


def test_written_passages_are_read_as_they_were(folder: Path, tmp_path: Path) -> None:
    read = list(passages.passages(folder, words, 256, (SQUAD, TALES)))
    assert passages.write(tmp_path / "out.jsonl", read) == len(read) == 100
    assert passages.read_written(tmp_path / "out.jsonl") == read
    (tmp_path / "bad.jsonl").write_text('{"text": 1}\n')
    with pytest.raises(DataError, match="write it again"):
        passages.read_written(tmp_path / "bad.jsonl")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"wiki\.json"):
        list(passages.passages(tmp_path, words, 256, (SQUAD,)))


def test_prompts_about_nothing_are_many_and_held_out() -> None:
    assert sum(len(prompts_of(split)) for split in SPLITS) >= 200
    assert min(len(prompts_of(split)) for split in SPLITS) >= 15


def test_what_the_package_ships_does_not_leak(folder: Path) -> None:
    leaks.check(passages.passages(folder, words, 256, (SQUAD, TALES)))


@pytest.mark.parametrize("what", ["name", "template", "context"])
def test_a_planted_leak_is_refused(what: str) -> None:
    shipped = {split: contents(split) for split in SPLITS}
    train, test = shipped["train"], shipped["test"]
    planted = {
        "name": replace(test, names=test.names | {min(train.names).upper()}),
        "template": replace(test, templates=test.templates | {min(train.templates)}),
        "context": replace(test, contexts=test.contexts | {f" {min(train.contexts)}\n"}),
    }[what]
    with pytest.raises(DataError, match=f"1 {what}s occur in both train and test"):
        refuse_leaks(shipped | {"test": planted})


def test_a_passage_of_two_splits_is_refused() -> None:
    one = Passage("One passage.", (), "wiki", "train", "CC BY 4.0")
    with pytest.raises(DataError, match=r"1 contexts occur in both train and dev.*One passage"):
        leaks.check([one, replace(one, split="dev")])


def test_a_split_does_not_depend_on_case_or_space() -> None:
    assert split_of("Ana  Duarte\n") == split_of("ana duarte")
    assert {split_of(str(number)) for number in range(100)} == set(SPLITS)
