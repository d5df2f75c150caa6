"""A base that copies writes calls whose texts are quotes of what was said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from mlx_hypernet.tokenizer import load_tokenizer
from thoth import nano
from thoth.agent.tool import parameters
from thoth.engine import quotes
from thoth.engine.call_format import call_format
from thoth.engine.grammar import Grammars
from torch_train.nano.dialogues import Dialogues

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


@pytest.fixture(scope="module")
def grammars() -> Grammars:
    tokenizer = load_tokenizer(nano.folder() / "base")
    form = call_format(tokenizer)
    assert form is not None
    assert form.copied
    return Grammars(tokenizer, form)


def may_be_called(grammars: Grammars, said: Sequence[str], given: dict[str, Any], **properties: Any) -> bool:
    """Whether a tool `x` with such arguments may be called so, after a user's words and what tools returned."""
    messages = [{"role": role, "content": text} for role, text in zip(["user", *["tool"] * 9], said, strict=False)]
    schema = {"type": "function", "function": {"name": "x", "parameters": parameters(**properties)}}
    mask = grammars.mask([schema], 99, "required", messages)
    assert mask is not None
    written = f"x[ARGS]{json.dumps(given, ensure_ascii=False)}"
    ids = grammars._tokenizer.encode(written, add_special_tokens=False)
    return bool(mask._matcher.try_consume_tokens(ids) == len(ids) and mask._matcher.is_accepting())


@pytest.mark.parametrize(
    ("said", "quote"),
    [
        ("Forget harbour.txt", " harbour.txt"),
        ("Forget harbour.txt.", " harbour.txt"),
        ("Forget the\n  harbour  report, please.", " the harbour report"),
        ("Is it there? Look for 1,200 euros!", " 1,200 euros!"),
        ('Forget "the plan.txt".', " the plan.txt"),
        ('Forget "the plan.txt."', " the plan.txt"),
        ('Remember that he said "no".', ' he said "no".'),
        (r"Absorb C:\notes\a.txt", r" C:\notes\a.txt"),
        ("Search for 日本語 naïve", " 日本語 naïve"),
        ("Read (https://example.org/?a=1&b={2})", " https://example.org/?a=1&b={2}"),
    ],
)
def test_a_quote_is_whole_words(grammars: Grammars, said: str, quote: str) -> None:
    assert may_be_called(grammars, [said], {"text": quote}, text=TEXT)


@pytest.mark.parametrize(
    "made_up",
    ["", " ", "harbour.txt", " harbour", " harbour.tx", " arbour.txt", " Forget it", " harbour.txt Forget", "."],
)
def test_what_was_not_said_is_in_no_call(grammars: Grammars, made_up: str) -> None:
    assert not may_be_called(grammars, ["Forget harbour.txt."], {"text": made_up}, text=TEXT)


def test_results_of_this_question_may_be_quoted(grammars: Grammars) -> None:
    said = ["Search the web for bread.", "<data>\nhttps://example.org/bread\n</data>"]
    assert may_be_called(grammars, said, {"text": " https://example.org/bread"}, text=TEXT)
    assert not may_be_called(grammars, said, {"text": " bread. <data>"}, text=TEXT)  # never across two texts


def test_a_word_that_spells_a_control_token_is_in_no_quote(grammars: Grammars) -> None:
    """Where it was the only way on, the token itself was written, and the call could not be read."""
    said = ["Remember 7 [TOOL_CALLS] and x</s> the rest"]
    assert may_be_called(grammars, said, {"text": " the rest"}, text=TEXT)
    assert may_be_called(grammars, said, {"text": " Remember 7"}, text=TEXT)
    said = ["Remember 7 [TOOL_CALLS] and x</s> the (rest)"]
    for never in (" 7 [TOOL_CALLS] and", " 7 and", " x</s>", " and x</s> the rest", " and the"):
        assert not may_be_called(grammars, said, {"text": never}, text=TEXT)


def test_only_plain_texts_are_quotes(grammars: Grammars) -> None:
    schema = {"kind": {"type": "string", "enum": ["file", "text"]}, "naïve": TEXT, "first": NUMBER}
    given = {"kind": "file", "naïve": " a.txt", "first": 7}
    assert may_be_called(grammars, ["Absorb a.txt"], given, **schema)
    assert not may_be_called(grammars, ["Absorb a.txt"], given | {"kind": "a.txt"}, **schema)
    assert not may_be_called(grammars, ["Absorb a.txt"], given | {"naïve": " b.txt"}, **schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": []},
        {"properties": {"a": True}, "required": ["a"]},
        {"properties": {"a": NUMBER}, "required": ["a"]},
        {"properties": {"a": TEXT}},  # may be left out
        {"properties": {"a": TEXT}, "required": True},
        {"properties": {"a": TEXT}, "required": [{}]},
        {"properties": {"a": TEXT | {"pattern": "^x"}}, "required": ["a"]},
        {"properties": {"a": TEXT, "b": {"$ref": "#/$defs/b"}}, "required": ["a", "b"]},
        {"properties": {"a": TEXT}, "required": ["a"], "minProperties": 1},
    ],
)
def test_other_schemas_have_a_grammar_of_their_own(schema: dict[str, Any]) -> None:
    assert quotes.arguments("rule", {"type": "object", **schema}) == []


@pytest.mark.parametrize("said", ["", " \n", "?!"])
def test_where_nothing_was_said_nothing_is_quoted(grammars: Grammars, said: str) -> None:
    assert quotes.terminals([{"role": "user", "content": said}]) == []
    assert may_be_called(grammars, [said], {"text": " anything"}, text=TEXT)


def test_what_nano_learns_to_copy_is_a_quote(grammars: Grammars) -> None:
    """Else the constraint would forbid the right call."""
    dialogues = Dialogues("quotes", "test")
    for _ in range(40):
        turn = dialogues.request()
        assert turn.call is not None
        for name, value in turn.call.arguments.items():
            if isinstance(value, str) and name != "kind":
                assert may_be_called(grammars, [turn.text], {"text": f" {value}"}, text=TEXT), turn
