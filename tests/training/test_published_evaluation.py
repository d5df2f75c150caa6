"""The paper's evaluation: its prompts, its word counts against a slow version, LongBench's records, its permutation."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from torch_train.data import niah, sampling
from torch_train.data.__main__ import main
from torch_train.data.row import ContextRow, read_rows
from torch_train.data.sampling import drawn, records
from torch_train.evaluation.evaluate import evaluate
from torch_train.evaluation.published import asked, overlap, words


def _slow(answer: str, reference: str) -> tuple[float, float]:
    """F1 and recall with lists and loops, after the description of the reference's normalisation."""

    def split(text: str) -> list[str]:
        for hidden in "\u00ad\u200b\u2060\ufeff":
            text = text.replace(hidden, "")
        for old, new in (
            ("\u2014", "-"),
            ("\u2013", "-"),
            ("\u201c", '"'),
            ("\u201d", '"'),
            ("\u2019", "'"),
            ("\u2026", "..."),
            ("\u00a0", " "),
        ):
            text = text.replace(old, new)
        text = " ".join(re.split("[" + string.punctuation + "]", text.lower()))
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    found, expected = split(answer), split(reference)
    common = 0
    left = list(expected)
    for word in found:
        if word in left:
            left.remove(word)
            common += 1
    if not common:
        return 0.0, 0.0
    precision, recall = common / len(found), common / len(expected)
    return 2 * precision * recall / (precision + recall), recall


ANSWERS = [
    ("The answer is 12.5 million \u2014 about a tenth.", "12.5 million"),
    ("It\u2019s well-known: the U.S. Navy", "U.S. navy"),
    ("An \u201cold\u201d a-b\u200bc\u2026", "old abc"),
    ("1929", "1929."),
    ("none of it", "something else"),
    ("dog dog the dog", "a dog"),
    ("", "x"),
    ("C:\\temp", "temp"),
]


@pytest.mark.parametrize(("answer", "reference"), ANSWERS)
def test_words_are_counted_as_in_the_paper(answer: str, reference: str) -> None:
    f1, recall = _slow(answer, reference)
    assert overlap(answer, [reference]) == pytest.approx({"paper's f1": f1, "paper's recall": recall})


def test_recall_is_that_of_the_reference_with_the_best_f1() -> None:
    assert words("The well-known cat\u2019s A\u2013Z") == ["well", "known", "cat", "s", "z"]
    found = overlap("a red house by the sea", ["red", "house sea hill lake town"])
    assert found == pytest.approx({"paper's f1": 4 / 9, "paper's recall": 2 / 5})  # "red" alone: f1 0.4, recall 1


def test_questions_are_put_as_in_the_paper() -> None:
    told = "Output only the answer and do not output any other words.\n\nQuestion: Who?"
    assert asked("squad", "Who?").endswith(told)
    assert asked("2wikimqa_e", "Who?").startswith("Answer the following question. Only output the answer")
    assert 'write "unanswerable"' in asked("qasper_e", "Who?")
    assert asked("qasper", "Is {question} braces?").endswith("Question: Is {question} braces?")


class Listening:
    """A model that remembers what it was asked."""

    context_length = 4096

    def __init__(self, tokenizer) -> None:
        self.tokenizer = tokenizer
        self.prompts: list[str] = []

    def absorb(self, text: str) -> dict[str, object]:
        return {}

    def answer(self, prompts, max_tokens: int, adapters=None) -> list[str]:
        self.prompts += [self.tokenizer.decode(ids) for ids in prompts]
        return ["yes"] * len(prompts)


def test_every_way_is_asked_alike(words_folder: Path) -> None:
    from transformers import AutoTokenizer

    model = Listening(AutoTokenizer.from_pretrained(words_folder))
    rows = [ContextRow("It froze.", ("When?",), (("1929",),), "qasper_e")]
    (one,) = evaluate(model, rows, 8, 0, asked_as=asked)  # type: ignore[arg-type]
    assert one.question == "When?"
    assert len(model.prompts) == 3
    assert all("unanswerable" in prompt for prompt in model.prompts)


def test_samples_are_those_of_the_papers_permutation() -> None:
    np.random.seed(42)
    expected = [np.random.permutation(size)[:500].tolist() for size in (10_570, 9_535, 300)]
    assert drawn([10_570, 9_535, 300]) == expected
    assert len(expected[2]) == 300


def _written(path: Path, rows: Iterator[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_sample_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    squad = _written(
        tmp_path / "squad.jsonl",
        (
            {"context": f"Text {n // 2}.", "question": f"Question {n}?", "answers": {"text": [str(n)]}}
            for n in range(40)
        ),
    )
    bench = _written(
        tmp_path / "bench.jsonl",
        ({"context": f"Paper {n}.", "input": f"Asked {n}?", "answers": [str(n), str(n), "x"]} for n in range(30)),
    )
    main(["sample", str(tmp_path / "out.parquet"), f"squad={squad}", f"qasper_e={bench}", "--count", "5"])
    first, second = drawn([40, 30], 5)
    rows = read_rows(tmp_path / "out.parquet")
    asked_ = [
        (row.source, question, known)
        for row in rows
        for question, known in zip(row.questions, row.answers, strict=True)
    ]
    expected = [("squad", f"Question {n}?", (str(n),)) for n in first]
    expected += [("qasper_e", f"Asked {n}?", (str(n), "x")) for n in second]
    assert sorted(asked_) == sorted(expected)
    assert "5 of 40 questions" in capsys.readouterr().out


def test_needles_are_asked_for_as_wished() -> None:
    (row,) = niah.scattered(1, 60, 80, lambda text: len(text.split()), 0, "Which number? Reply with only the number.")
    assert row.questions == ("Which number? Reply with only the number.",)
    (plain,) = niah.grid([60], 1, 1, lambda text: len(text.split()), 0)
    assert plain.questions == (niah.QUESTION,)


def test_records_have_one_question_each() -> None:
    rows = [ContextRow("A.", ("1?", "2?"), (("x",), ()), "drop")]
    assert [row.questions for row in records(rows)] == [("1?",), ("2?",)]
    assert sampling.SOURCES[0] == "squad"
