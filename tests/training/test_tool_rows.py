"""Dialogues with tools: what is trained on is what the chat template writes, and mlx-lm's parser reads it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlx_lm.tool_parsers.mistral import parse_tool_call
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from thoth import events
from thoth.agent.tools import BUILT_IN
from thoth.engine.parsing import trimmed
from torch_train.nano import tokenizer
from torch_train.nano.dialogues import TOOLS, Dialogues, Turn
from torch_train.nano.language import Language
from torch_train.nano.requests import WAYS
from torch_train.nano.tokenizer import CALLS, TOOL_TOKENS, VOCAB_SIZE
from torch_train.nano.tool_rows import Conversation, begun, parts, tool_rows, trunk


@pytest.fixture(scope="module")
def folder(words_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools")
    tokenizer.add_tools(words_folder, folder, TOOLS)
    return folder


@pytest.fixture(scope="module")
def words(folder: Path) -> Tokenizer:
    return tokenizer.load(folder)


def messages(conversation: Conversation) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    for turn in conversation:
        said.append({"role": "user", "content": turn.text})
        if turn.call is not None:
            function = {"name": turn.call.tool, "arguments": turn.call.arguments}
            said.append({"role": "assistant", "content": "", "tool_calls": [{"function": function}]})
        if turn.result is not None:
            said.append({"role": "tool", "content": turn.result})
        if turn.answer is not None:
            said.append({"role": "assistant", "content": turn.answer})
    return said


def turns(count: int) -> list[Turn]:
    dialogues = Dialogues(5, "train")
    notes = [dialogues.language.note(2, 1) for _ in range(count)]
    drawn = [dialogues.answered(TOOLS, note, absorbed=index % 2 == 0) for index, note in enumerate(notes)]
    return [*drawn, *(dialogues.request() for _ in range(count)), *(dialogues.chat() for _ in range(count))]


def test_rows_are_what_the_chat_template_says(words: Tokenizer, folder: Path) -> None:
    chat = AutoTokenizer.from_pretrained(folder)
    tools = [{"type": "function", "function": {"name": name, "description": "", "parameters": {}}} for name in TOOLS]
    drawn = turns(20)
    for first, second in zip(drawn, drawn[20:] + drawn[:20], strict=True):
        conversation = [first, second]
        row = tool_rows(words, [(TOOLS, [conversation])])
        expected = chat.apply_chat_template(messages(conversation), tools=tools, return_dict=False)
        assert row.ids[0].tolist() == expected
        said = [token for ids, said in parts(words, conversation) if said for token in ids]
        assert row.targets.tolist() == said
        assert row.ids[0][row.predicts + 1].tolist() == said


def test_a_note_in_the_weights_only_begins_calls(words: Tokenizer) -> None:
    conversation = [turn for turn in turns(2) if turn.call is not None and turn.answer is not None][:1]
    alone = tool_rows(words, [(TOOLS, [conversation])])
    rows = begun(tool_rows(words, [(TOOLS, [conversation])] * 2), 1)
    answer = [
        token for token, number in zip(alone.targets.tolist(), alone.answers.tolist(), strict=True) if number == 1
    ]
    assert rows.targets.tolist() == [CALLS, *answer, *alone.targets.tolist()]
    assert rows.answers.tolist() == [0] + [1] * len(answer) + [number + 2 for number in alone.answers.tolist()]
    assert rows.ids.flatten()[rows.predicts + 1].tolist() == rows.targets.tolist()


def test_only_tools_that_nano_knows_are_listed(folder: Path, words: Tokenizer) -> None:
    chat = AutoTokenizer.from_pretrained(folder)
    tools = [{"type": "function", "function": {"name": name}} for name in ("web_fetch", "mcp_everything")]
    prompt = chat.apply_chat_template([{"role": "user", "content": "Hi."}], tools=tools, return_dict=False)
    assert prompt[: -len(words.encode("Hi.")) - 2] == trunk(words, ["web_fetch"])


def test_without_tools_every_prompt_is_as_before(folder: Path, words_folder: Path) -> None:
    before, after = AutoTokenizer.from_pretrained(words_folder), AutoTokenizer.from_pretrained(folder)
    language = Language(3, "test")
    for _ in range(50):
        note = language.note(3, 2)
        said = []
        for question in note.questions:
            said += [{"role": "user", "content": question.text}, {"role": "assistant", "content": question.answer}]
            prompts = [chat.apply_chat_template(said, return_dict=False) for chat in (before, after)]
            assert prompts[0] == prompts[1]
    assert before.encode("[ARG] [TOOL") == after.encode("[ARG] [TOOL")


def test_the_tokens_of_tools_come_last(words: Tokenizer) -> None:
    assert [words.token_to_id(token) for token in TOOL_TOKENS] == [*range(VOCAB_SIZE, words.get_vocab_size())]


def test_calls_are_read_back(words: Tokenizer) -> None:
    dialogues = Dialogues(6, "test")
    for way in WAYS:
        call = dialogues.request(way=way).call
        assert call is not None
        ((ids, _),) = [part for part in parts(words, [Turn("", call=call)]) if part[1]]
        text = words.decode(ids[1:-1], skip_special_tokens=False)
        read = parse_tool_call(text)
        assert trimmed(events.Call(read["name"], read["arguments"])) == events.Call(call.tool, call.arguments)


def test_nano_learns_the_tools_of_the_agent() -> None:
    assert set(TOOLS) == {tool.name for tool in BUILT_IN}
    for way in WAYS:
        (schema,) = [tool.parameters for tool in BUILT_IN if tool.name == way.tool]
        assert list(way.arguments) == list(schema["properties"])
        kinds = schema["properties"].get("kind", {}).get("enum", ())
        assert all(value[1:] in kinds for value in way.arguments.values() if value.startswith("="))


def test_splits_share_no_wording() -> None:
    def wordings(split: Any) -> set[str]:
        dialogues = Dialogues(7, split)
        return {
            turn.text
            for turn in (dialogues.request(way=WAYS[2]) for _ in range(300))
            if turn.text.endswith("documents.")
        }

    assert wordings("train")
    assert not wordings("train") & wordings("test")


def test_without_its_tool_nothing_is_called() -> None:
    dialogues = Dialogues(8, "train")
    for way in WAYS:
        others = [name for name in TOOLS if name != way.tool]
        assert dialogues.request(others, way).call is None
        assert dialogues.request([way.tool], way).call is not None
