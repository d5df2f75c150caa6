"""Needles: a number in filler, of the length and at the depth that is asked for."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from torch_train.data import niah
from torch_train.data.__main__ import main
from torch_train.data.reading import read
from torch_train.errors import DataError


def _count(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize("tokens", [6, 7, 40, 1000])
@pytest.mark.parametrize("depth", [0.0, 0.5, 1.0])
def test_a_needle_has_the_length_and_depth_it_says(tokens: int, depth: float) -> None:
    row = niah.needle(tokens, depth, _count, random.Random(3))
    number = row.answers[0][0]
    line = f"The special magic number is {number}."
    assert row.context.count(line) == 1
    assert tokens - 7 < _count(row.context) <= tokens  # the longest filler has seven words
    before, after = (_count(part) for part in row.context.split(line))
    assert abs(before - depth * (before + after)) <= 7
    assert niah.cell(row.source) == (tokens, depth)


def test_needles_are_the_same_for_the_same_seed() -> None:
    rows = list(niah.scattered(20, 32, 256, _count, 1))
    assert rows == list(niah.scattered(20, 32, 256, _count, 1))
    assert rows != list(niah.scattered(20, 32, 256, _count, 2))
    assert len({row.answers for row in rows}) > 15
    cells = [niah.cell(row.source) for row in niah.grid([32, 64], 3, 2, _count, 0)]
    assert cells == [(n, d) for n in (32, 64) for d in (0, 0, 0.5, 0.5, 1, 1)]


def test_too_few_tokens_for_a_needle() -> None:
    with pytest.raises(DataError, match="a needle has 6 tokens: 5 are too few"):
        niah.needle(5, 0.5, _count, random.Random(0))


def test_needles_from_the_command_line(words_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "niah.parquet"
    main(["niah", str(path), "--tokenizer", str(words_folder), "--lengths", "64", "--depths", "3", "--rows", "1"])
    rows = read(f"own={path}", "dev").rows
    assert [row.source for row in rows] == ["niah/64/0.00", "niah/64/0.50", "niah/64/1.00"]


@pytest.mark.parametrize(
    "error",
    [
        type("PanicException", (BaseException,), {})("begin <= end"),
        Exception("WordLevel error: Missing [UNK] token from the vocabulary"),  # that class itself
    ],
)
def test_a_tokenizer_that_fails_on_a_text_is_explained(tmp_path, monkeypatch, capsys, error):
    def fail(*_, **__):
        raise error

    tokenizer = SimpleNamespace(encode=fail, name_or_path=str(tmp_path))
    monkeypatch.setattr("torch_train.data.__main__.load_tokenizer", lambda _: tokenizer)
    with pytest.raises(SystemExit):
        main(["niah", str(tmp_path / "n.parquet"), "--tokenizer", str(tmp_path)])
    assert f"the tokenizer of {tmp_path} fails on a text" in capsys.readouterr().err
