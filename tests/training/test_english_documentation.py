from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from torch_train.english import passages
from torch_train.english.__main__ import main
from torch_train.english.cloze import BLANK, cloze
from torch_train.english.documentation import FEWEST, MOST, documentation
from torch_train.english.notes import tokens

PROSE = (
    "This module reads the settings of the {} from a file and gives them to the caller as a table of names and values. "
    "The table is sorted by name, and a name that occurs in 3 files is taken from the last of the files. "
    "A missing file is not an error, because most users of the Watchman program never write one."
)


@pytest.fixture
def roots(tmp_path: Path) -> dict[str, Path]:
    """A library of two modules, three packages of which one is permissive, and a Debian package."""
    library, packages, debian = (tmp_path / name for name in ("lib", "site", "doc"))
    (library / "test").mkdir(parents=True)
    (library / "alarm.py").write_text(f'"""Alarms.\n\n{PROSE.format("alarm")}\n"""\nraise SystemExit("imported")\n')
    (library / "broken.py").write_text("def (:\n")
    (library / "test" / "test_alarm.py").write_text(f'"""{PROSE.format("test")}"""')
    for name, licence in (("kind", "MIT"), ("copyleft", "GPL-3.0-only"), ("silent", "")):
        (packages / f"{name}-1.0.dist-info").mkdir(parents=True)
        field = f"License-Expression: {licence}\n" if licence else ""
        metadata = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{field}\n{PROSE.format(name)}\n"
        (packages / f"{name}-1.0.dist-info" / "METADATA").write_text(metadata)
        (packages / f"{name}.py").write_text(f'def f():\n    """{PROSE.format(name + " function")}"""\n')
        (packages / f"{name}-1.0.dist-info" / "RECORD").write_text(f"{name}.py,,\n")
    (debian / "tool").mkdir(parents=True)
    (debian / "tool" / "README.gz").write_bytes(gzip.compress(PROSE.format("tool").encode()))
    (debian / "tool" / "copyright").write_text(PROSE.format("copyright"))
    return {"library": library, "packages": packages, "debian": debian}


def test_prose_is_read_of_what_may_be_read(roots: dict[str, Path]) -> None:
    read = list(documentation(tokens, **roots))
    assert [passage.text for passage in read] == [
        PROSE.format(name) for name in ("alarm", "kind", "kind function", "tool")
    ]
    assert [passage.licence for passage in read] == ["PSF-2.0", "MIT", "MIT", "Debian's copyright file of tool"]
    assert len({passage.split for passage in read[1:3]}) == 1
    for passage in read:
        assert FEWEST <= tokens(passage.text) <= MOST
        assert 1 <= len(passage.questions) <= 3


def test_code_lists_and_doubles_are_left_out(tmp_path: Path) -> None:
    library = tmp_path / "lib"
    library.mkdir()
    for name, text in {
        "a_code": PROSE.format("code") + " For example, write x = 1 in it.",
        "b_list": "- " + PROSE.format("list"),
        "c_short": "This is a short one.",
        "d_first": PROSE.format("same"),
        "e_again": PROSE.format("same"),
    }.items():
        (library / f"{name}.py").write_text(f'"""{text}"""')
    read = list(documentation(tokens, library=library, packages=tmp_path, debian=tmp_path))
    assert [passage.text for passage in read] == [PROSE.format("same")]


def test_a_cloze_question_is_a_sentence_without_its_answer() -> None:
    text = PROSE.format("boiler")
    asked = cloze(text, "documentation", 3)
    assert asked == cloze(text, "documentation", 3)
    assert len(asked) == 3
    for question in asked:
        sentence = question.text[question.text.index('"') + 1 : question.text.rindex('"')]
        assert sentence.count(BLANK) == 1
        assert sentence.replace(BLANK, question.answer) in text
        assert text.count(question.answer) == 1
        assert question.known


def test_nothing_is_asked_where_no_answer_is_certain() -> None:
    assert cloze("The cat and the cat and the cat saw the cat.", "documentation", 3) == ()
    assert cloze("Too short of 3.", "documentation", 3) == ()


def test_the_passages_command_writes_what_a_training_reads(tmp_path: Path, capsys) -> None:
    for source in passages.SOURCES:
        file = tmp_path / source.file
        file.parent.mkdir(exist_ok=True)
        number = f"{source.file} says so."
        if source.reader == "own":
            file.write_text(json.dumps({"context": number, "question": "Who says so?", "answer": source.file}) + "\n")
            continue
        qas = [{"question": "What says so?", "answers": [{"text": source.file}]}]
        paragraph = {"context": number, "background": number, "situation": "It is Monday.", "qas": qas}
        file.write_text(json.dumps({"data": [{"title": "T", "paragraphs": [paragraph]}]}))
    out = tmp_path / "out.jsonl"
    main(["passages", str(out), "--data", str(tmp_path)])
    read = passages.read_written(out)
    assert len(read) == len(passages.SOURCES)
    assert "fairytaleqa train: 1 passages" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["passages", str(out), "--data", str(tmp_path / "nowhere")])
    assert "cannot be read" in capsys.readouterr().err
