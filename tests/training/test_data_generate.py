"""Questions written by a model: whatever form they come in, resumable, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer, Ministral3ForCausalLM

from torch_train.data import generate
from torch_train.data.generate import QuestionSettings, parse, prompt_text, write_questions
from torch_train.data.reading import read
from torch_train.data.row import ContextRow
from torch_train.errors import DataError
from torch_train.model.generation import Generated


@pytest.mark.parametrize(
    "written",
    [
        "When did it freeze?\nWho saw it?",
        "Here are two questions:\n\n1. When did it freeze?\n2) Who saw it?\nI hope this helps!",
        "- When did it freeze?\n* **Who saw it?**",
        "Q1: When did it freeze?\nQuestion 2: Who saw it?\nAnswer: a sailor",
        '["When did it freeze?", "Who saw it?"]',
        'Sure!\n```json\n[{"question": "When did it freeze?", "answer": "1929"}, {"question": "Who saw it?"}]\n```',
        "\u201cWhen did it freeze?\u201d\n(b) Who saw it?\nwho  saw it?",
        "1. When did it freeze? \r\n\r\n2. Who saw it?\r\n3. Hm?",
    ],
)
def test_questions_are_found_in_any_form(written: str) -> None:
    assert parse(written) == ["When did it freeze?", "Who saw it?"]


@pytest.mark.parametrize(
    "question", ["3.5 million people live where?", "10:30 is when the bell rings?", "1929 was cold?"]
)
def test_a_number_that_belongs_to_the_question_stays(question: str) -> None:
    assert parse(f"1. {question}") == [question]


def test_a_list_inside_a_question_is_no_list_of_questions() -> None:
    asked = ['Which of ["red", "blue"] is right?', "Who wrote it then?"]
    assert parse("\n".join(asked)) == asked
    assert parse('["What is the first one?",\n"What is the sec') == ["What is the first one?"]
    assert parse("J. K. Rowling wrote which book?") == ["J. K. Rowling wrote which book?"]
    assert parse("a. What is it?\nb) Where is it?\n[3] When was it?") == ["What is it?", "Where is it?", "When was it?"]


def test_nothing_is_made_of_nothing() -> None:
    assert parse("I cannot help with that.\n[1] ?\n") == []
    assert parse("Why " + "so " * 200 + "long?") == []


def test_the_prompts_of_the_package_are_there() -> None:
    for name in generate.PROMPTS:
        assert "{document}" in prompt_text(name)
        assert "{count}" in prompt_text(name)


def test_a_prompt_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("Ask {count} about {document}")
    assert prompt_text(str(path)) == "Ask {count} about {document}"
    path.write_text("Ask something")
    with pytest.raises(DataError, match=r"has no \{document\} in it"):
        prompt_text(str(path))
    with pytest.raises(DataError, match="no prompt 'quetsions': give questions or reasoning"):
        prompt_text("quetsions")


class Writer:
    """A model that asks about the number of the call, and cuts its third question short."""

    context_length = 2000

    def __init__(self, tokenizer, finished: bool = True) -> None:
        self.tokenizer, self.finished = tokenizer, finished
        self.prompts: list[str] = []
        self.seeds: list[int] = []

    def generate(self, prompts: Sequence[Sequence[int]], max_tokens: int, temperature: float = 0.0, seed: int = 0):
        self.prompts += [self.tokenizer.decode(prompt) for prompt in prompts]
        self.seeds.append(seed)
        ids = np.array(self.tokenizer.encode("1. What is first?\n2. What is second?\n3. What is"), dtype=np.int32)
        return [Generated(ids, ids[:, None], ids[:, None], self.finished) for _ in prompts]


@pytest.fixture
def base(model: Ministral3ForCausalLM, words_folder: Path, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path / "base")
    AutoTokenizer.from_pretrained(words_folder).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def test_questions_are_written_shard_by_shard(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = [ContextRow(f"Text {i} {{braces}}.", (), (), "documents") for i in range(4)]
    rows.append(ContextRow("Text 4.", ("Known?",), (("yes",),), "documents"))
    rows.append(ContextRow("word " * 2000, (), (), "documents"))
    settings = QuestionSettings(prompts=("questions", "reasoning"), count=7, rows_per_shard=2)
    writer = Writer(tokenizer, finished=False)
    folder = tmp_path / "questions"
    assert write_questions(rows, lambda: writer, tokenizer, base, folder, settings) == (5, 1)
    assert "Text 0 {braces}." in writer.prompts[0]
    assert "Write 7 different questions" in writer.prompts[0]
    assert len(writer.prompts) == 10
    assert len(set(writer.seeds)) == 3
    written = read(f"own={folder}", "train").rows
    assert [row.questions for row in written[:4]] == [("What is first?", "What is second?")] * 4
    assert written[4] == ContextRow(
        "Text 4.", ("Known?", "What is first?", "What is second?"), (("yes",), (), ()), "documents"
    )

    shard = folder / "shard-00001-of-00003.parquet"
    before = shard.read_bytes()
    shard.unlink()
    again = Writer(tokenizer, finished=False)
    assert write_questions(rows, lambda: again, tokenizer, base, folder, settings) == (5, 1)
    assert again.seeds == writer.seeds[1:2]
    assert shard.read_bytes() == before
    for others in (rows[:5], [*rows[:5], ContextRow("WORD " * 2000, (), (), "documents")]):
        with pytest.raises(DataError, match=r"made from something else: rows is \w{12} there"):
            write_questions(others, lambda: again, tokenizer, base, folder, settings)
    shard.unlink()
    with pytest.raises(DataError, match="1 of 3 shards are missing: run its command again"):
        read(f"own={folder}", "train")
    assert "shard 3 of 3: 3 questions for 1 of 2 documents" in capsys.readouterr().err


def test_another_text_of_ones_own_prompt_is_refused(base: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    prompt = tmp_path / "mine.txt"
    rows, settings = [ContextRow("Text.", (), (), "documents")], QuestionSettings(prompts=(str(prompt),))
    for text in ("Ask about {document}", "Ask {count} about {document}"):
        prompt.write_text(text)
        if text.startswith("Ask {"):
            with pytest.raises(DataError, match="prompt texts is"):
                write_questions(rows, lambda: Writer(tokenizer), tokenizer, base, tmp_path / "written", settings)
        else:
            write_questions(rows, lambda: Writer(tokenizer), tokenizer, base, tmp_path / "written", settings)
