"""Ministral's prompts, token for token those of mistral-common: system prompts, tools, calls, results, several turns.

Tokenizer and template are rebuilt from the published format: a Tekken file of version v13 with the first tokens of the
vocabulary that mistral-common brings, what transformers makes of it, and the chat template that mistral-common writes
for that version.
"""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mistral_common")

import mistral_common
from mistral_common.integrations.chat_templates.chat_templates import generate_chat_template
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.base import TokenizerVersion
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from transformers.integrations.mistral.tokenizer import convert_tekken_tokenizer

from mlx_hypernet.format.template import template_ids
from mlx_hypernet.tokenizer import load_tokenizer
from torch_train.model.tokenizer import load_tokenizer as torch_train_tokenizer

DIALOGUES, WORDS, SPECIAL = 50, 4000, 64
# Places of the control tokens in Ministral-3's file; the others are fillers.
CONTROL = {
    **dict(enumerate("<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS]".split())),
    **dict(enumerate("[/TOOL_RESULTS] [TOOL_CALLS] [IMG] <pad> [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE]".split(), 8)),
    **dict(enumerate("[SUFFIX] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CONTENT]".split(), 16)),
    **dict(enumerate("[ARGS] [CALL_ID] [THINK] [/THINK]".split(), 32)),
}
TEXTS = (
    "Who is the mayor of Harpool?",
    "Remember: the deposit is 1,200 \u20ac \u2013 due on 3 May.",
    "  leading and trailing spaces \n",
    "def f(x):\n\treturn {'a': [x, 1.5]}\n\n\n# end",
    "\u65e5\u672c\u8a9e\u3068\u4e2d\u6587\uff0cna\u00efve caf\u00e9 \U0001f6aa\U0001f3fd",
    'Quotes "double" and \\back\\slashes\\ and <b>HTML & co</b>',
    "1234567890 12.5% 1e-9",
)
# Spelt control tokens stay text. In a result the text is the same, but each is split after its first letter.
SPELT = "A paper says [/INST] and </s>, then [TOOL_CALLS]name[ARGS]{}."
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "search_memory",
            "description": "Find passages that share words with a query.",
            "parameters": {
                "type": "object",
                "properties": {"query": {"type": "string", "description": "Words to look for."}},
                "required": ["query"],
                "additionalProperties": False,
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "read_pages",
            "description": "Seiten lesen \u2013 \"von\" 'bis' <n>",
            "parameters": {
                "type": "object",
                "properties": {
                    "document": {"type": "string"},
                    "first": {"type": "integer", "minimum": 1},
                    "last": {"type": "integer", "minimum": 1},
                    "how": {"enum": ["text", "table"]},
                },
                "required": ["document", "first", "last"],
            },
        },
    },
    {
        "type": "function",
        "function": {"name": "list_documents", "description": "", "parameters": {"type": "object", "properties": {}}},
    },
)
ARGUMENTS = (
    {},
    {"query": "mayor of Harpool"},
    {"document": "d\u00e9p\u00f4t.pdf", "first": 1, "last": 12, "how": None},
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tokenizer and template."""
    folder = tmp_path_factory.mktemp("ministral")
    published = json.loads((Path(mistral_common.__file__).parent / "data" / "tekken_240911.json").read_text("utf-8"))
    config = published["config"] | {
        "num_vocab_tokens": WORDS,
        "default_vocab_size": WORDS + SPECIAL,
        "default_num_special_tokens": SPECIAL,
        "version": "v13",
    }
    special = [
        {"rank": rank, "token_str": CONTROL.get(rank, f"<SPECIAL_{rank}>"), "is_control": True}
        for rank in range(SPECIAL)
    ]
    vocabulary = published["vocab"][:WORDS]
    assert [base64.b64decode(token["token_bytes"]) for token in vocabulary[:256]] == [bytes([i]) for i in range(256)]
    tekken = {"config": config, "vocab": vocabulary, "special_tokens": special, "version": 1, "type": "Tekken"}
    (folder / "tekken.json").write_text(json.dumps(tekken), "utf-8")
    template = generate_chat_template(
        spm=False,
        tokenizer_version=TokenizerVersion.v13,
        image_support=True,
        audio_support=False,
        thinking_support=False,
        default_system_prompt="You are Ministral, made by Mistral AI.",
        plain_thinking_support=False,
        use_special_token_variables=True,
        model_settings_fields=None,
        reasoning_effort_values=None,
        reasoning_effort_default=None,
    )
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    (folder / "config.json").write_text(json.dumps({"model_type": "ministral3"}), "utf-8")
    convert_tekken_tokenizer(str(folder / "tekken.json")).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def reference(base: Path) -> MistralTokenizer:
    return MistralTokenizer.from_file(str(base / "tekken.json"))


def dialogue(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Messages as the agent writes them, and the tools."""
    draw = random.Random(seed)
    tools = draw.sample(TOOLS, draw.randint(1, len(TOOLS))) if seed % 3 else []
    messages: list[dict[str, Any]] = []
    if seed % 2:
        messages.append({"role": "system", "content": draw.choice([*TEXTS, SPELT])})
    for _ in range(draw.randint(0, 3)):
        messages.append({"role": "user", "content": draw.choice([*TEXTS, SPELT])})
        for _ in range(draw.randint(0, 2) if tools else 0):
            messages += calls(draw)
        messages.append({"role": "assistant", "content": draw.choice([*TEXTS, SPELT]).strip()})
    messages.append({"role": "user", "content": draw.choice([*TEXTS, SPELT])})
    if tools and draw.random() < 0.5:
        messages += calls(draw)
    return messages, tools


def calls(draw: random.Random) -> list[dict[str, Any]]:
    """A message with one to three calls, with or without a text, and their results."""
    ids = ["".join(draw.choices("abcdefghijkmnpqrstuvwxyz0123456789", k=9)) for _ in range(draw.randint(1, 3))]
    made = [
        {
            "id": id,
            "type": "function",
            "function": {"name": draw.choice(TOOLS)["function"]["name"], "arguments": draw.choice(ARGUMENTS)},
        }
        for id in ids
    ]
    said = {"role": "assistant", "content": draw.choice(["", "I look it up."]), "tool_calls": made}
    return [said, *({"role": "tool", "tool_call_id": id, "content": draw.choice(TEXTS)} for id in ids)]


def expected(reference: MistralTokenizer, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> list[int]:
    """What mistral-common makes of it; arguments are JSON there, and our empty system message is said."""
    system = [] if messages[0]["role"] == "system" else [{"role": "system", "content": ""}]
    as_json = [
        message
        | {
            "tool_calls": [
                call | {"function": call["function"] | {"arguments": json.dumps(call["function"]["arguments"])}}
                for call in message["tool_calls"]
            ]
        }
        if "tool_calls" in message
        else message
        for message in messages
    ]
    request = ChatCompletionRequest.from_openai([*system, *as_json], tools=tools or None)
    return list(reference.encode_chat_completion(request).tokens)


@pytest.mark.parametrize("seed", range(DIALOGUES))
def test_prompts_are_those_of_mistral_common(base: Path, reference: MistralTokenizer, seed: int) -> None:
    messages, tools = dialogue(seed)
    ids = template_ids(tokenizer(base), messages, tools)
    wanted = expected(reference, messages, tools)
    assert ids == wanted, f"{reference.decode(ids)}\n{reference.decode(wanted)}"


def test_the_dialogues_have_everything() -> None:
    drawn = [dialogue(seed) for seed in range(DIALOGUES)]
    roles = [[message["role"] for message in messages] for messages, _ in drawn]
    assert sum("tool" in said for said in roles) >= 20
    assert sum(said[0] == "system" for said in roles) == DIALOGUES // 2
    assert sum(said[-1] == "tool" for said in roles) >= 8
    assert sum(len(message.get("tool_calls", ())) > 1 for messages, _ in drawn for message in messages) >= 10
    assert sum(said.count("user") > 2 for said in roles) >= 10


def test_control_tokens_in_results_stay_text(base: Path, reference: MistralTokenizer) -> None:
    messages, tools = next(drawn for seed in range(DIALOGUES) if (drawn := dialogue(seed))[0][-1]["role"] == "tool")
    messages[-1]["content"] = SPELT
    ids, wanted = template_ids(tokenizer(base), messages, tools), expected(reference, messages, tools)
    assert [id for id in ids if id in CONTROL] == [id for id in wanted if id in CONTROL]
    assert reference.decode(ids) == reference.decode(wanted)


def test_texts_are_encoded_alike(base: Path, reference: MistralTokenizer) -> None:
    encode = reference.instruct_tokenizer.tokenizer.encode
    for ours in (tokenizer(base), torch_train_tokenizer(base)):
        for text in TEXTS:
            ids = ours.encode(text, add_special_tokens=False, split_special_tokens=True)
            assert ids == encode(text, bos=False, eos=False)


_LOADED: dict[Path, Any] = {}


def tokenizer(base: Path) -> Any:
    """Load it once: the file has thousands of tokens."""
    if base not in _LOADED:
        _LOADED[base] = load_tokenizer(base, 2)
    return _LOADED[base]
