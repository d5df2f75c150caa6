"""Texts in a prompt: where they stand, what is said between them and the question, and what they cost."""

from dataclasses import dataclass
from typing import Any

import pytest

from thoth import nano
from thoth.engine import prompt
from thoth.ingest import Document
from thoth.models import registry

QUESTION = {"role": "user", "content": "Who is the mayor?"}
LATER = [QUESTION, {"role": "assistant", "content": "Osra."}, {"role": "user", "content": "Since when?"}]


@dataclass
class Pair:
    tokenizer: Any
    reading: registry.Reading = registry.AS_IT_IS
    context_length: int = 2048


@pytest.fixture(scope="module")
def nanos() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(nano.folder() / "base")


def text(pair: Any, built: prompt.Prompt) -> str:
    return str(pair.tokenizer.decode(built.ids))


def test_a_passage_stands_before_the_question_it_was_looked_up_for(nanos: Any) -> None:
    pair: Any = Pair(nanos)
    built = prompt.build(pair, LATER, [Document("a", "Harpool has a mayor.")], ["Osra began in 1999."])
    said = text(pair, built)
    assert said.index("Harpool has a mayor.") < said.index("Who is the mayor?")
    assert said.index("Who is the mayor?") < said.index("Osra began in 1999.") < said.index("Since when?")
    assert built.document_tokens == len(built.ids) - len(prompt.build(pair, LATER).ids)


def test_a_base_is_told_what_to_do_with_a_text(nanos: Any) -> None:
    plain: Any = Pair(nanos)
    told: Any = Pair(nanos, registry.Reading("Text: ", "Question: "))
    with_text, without = prompt.build(told, [QUESTION], (), ["Osra is mayor."]), prompt.build(told, [QUESTION])
    said = text(told, with_text)
    assert said.index("Text: Osra is mayor.") < said.index("Question: Who is the mayor?")
    assert without.ids == prompt.build(plain, [QUESTION]).ids  # nothing is said where there is no text


def test_smol_is_told() -> None:
    told = registry.KNOWN[registry.SMOL].reading
    assert told.before_text
    assert told.before_question
    assert registry.KNOWN[registry.NANO].reading == registry.AS_IT_IS


def test_what_no_tokenizer_reads_is_a_question_mark(nanos: Any) -> None:
    """An argument of a command line that is no UTF-8 comes as lone surrogates."""
    said = [
        {"role": "system", "content": "\ud800"},
        QUESTION | {"content": "caf\udce9"},
        {"role": "tool", "content": ["x"]},
    ]
    assert [message["content"] for message in prompt.readable(said)] == ["?", "caf?", ["x"]]
    assert prompt.readable(LATER) == LATER
