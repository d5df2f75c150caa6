"""Nano's tokenizer: a byte-level BPE that can encode any text, trained on its own language.

Digits are split into pairs from the left, names into syllables where the merges allow: values stay a few tokens long.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from torch_train.nano.language import UNKNOWN, Language
from torch_train.nano.vocabulary import CHOICES

VOCAB_SIZE = 2048
SPECIAL = ("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "<pad>")
BOS, EOS, INST, END_INST, PAD = (
    1,
    2,
    3,
    4,
    5,
)  # 1 to 4 as in Tekken, so that prefix and suffix ids are Ministral's

# The base learns these by themselves (`tools.py`). They come after the vocabulary: no other text changes its tokens.
TOOL_TOKENS = (
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_CALLS]",
    "[ARGS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
)
AVAILABLE, END_AVAILABLE, CALLS, ARGS, RESULTS, END_RESULTS = range(VOCAB_SIZE, VOCAB_SIZE + len(TOOL_TOKENS))

# Words with their leading space, digits in pairs, punctuation, line breaks one by one.
_PIECES = r"""'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\n|[^\S\n]+(?!\S)|\s"""

# An answer begins with a space, so that its tokens are those of the note it is copied from.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{%- for message in messages %}"
    "{%- if message.role == 'user' %}{{ '[INST]' + message.content + '[/INST]' }}"
    "{%- elif message.role == 'assistant' %}{{ ' ' + message.content + eos_token }}"
    "{%- elif message.role == 'system' and message.content %}"
    "{{ raise_exception('nano was trained without system messages') }}"
    "{%- endif %}"
    "{%- endfor %}"
)

# Mistral's format, but for four things. Nano knows its tools by their names, so nothing else of them is in its prompt.
# It reads a text before the question about it, so results are followed by what the user has asked. An argument that
# is copied begins with a space, as answers do: its tokens are those of the request. So does the text of a result.
TOOL_TEMPLATE = (
    "{{ bos_token }}"
    "{%- if tools %}{{ '[AVAILABLE_TOOLS]' }}"
    "{%- for tool in tools if tool.function.name in KNOWN %}{{ ' ' + tool.function.name }}{%- endfor %}"
    "{{ '[/AVAILABLE_TOOLS]' }}{%- endif %}"
    "{%- set asked = namespace(text='') %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'user' %}{%- set asked.text = message.content %}"
    "{{ '[INST]' + message.content + '[/INST]' }}"
    "{%- elif message.role == 'assistant' and message.tool_calls %}"
    "{%- for call in message.tool_calls %}"
    "{{ '[TOOL_CALLS]' + call.function.name + '[ARGS]' }}"
    "{{ '{' }}{%- for key, value in call.function.arguments.items() %}{{ ', ' if not loop.first }}"
    "{{ key | tojson + ': ' }}"
    "{{ (' ' + value | trim) | tojson if value is string and key != 'kind' else value | tojson }}"
    "{%- endfor %}{{ '}' }}{%- endfor %}{{ eos_token }}"
    "{%- elif message.role == 'assistant' %}{{ ' ' + message.content + eos_token }}"
    "{%- elif message.role == 'tool' %}"
    "{{ '[TOOL_RESULTS]' + message.content | replace('<data>\\n', '<data>\\n ') + '[/TOOL_RESULTS]' }}"
    "{%- if loop.last or loop.nextitem.role != 'tool' %}{{ '[INST]' + asked.text + '[/INST]' }}{%- endif %}"
    "{%- elif message.role == 'system' and message.content %}"
    "{{ raise_exception('nano was trained without system messages') }}"
    "{%- endif %}"
    "{%- endfor %}"
)


def corpus(seed: int, notes: int) -> list[str]:
    """Texts of the training split to learn merges from."""
    language = Language(seed, "train")
    texts: list[str] = [UNKNOWN]
    for index in range(notes):
        note = language.note(1 + index % 12, filler=index % 4)
        texts.append(note.text)
        texts.extend(f"{question.text}\n {question.answer}" for question in note.questions)
        texts.append(language.needle(1).text)
    # whole words for the closed sets: an answer of one token is easier to put into weights than one of four
    texts.extend(f" {value}" for values in CHOICES.values() for value in values for _ in range(notes // 20))
    return texts


def train(folder: Path, seed: int = 0, notes: int = 6000) -> None:
    """Train the tokenizer and write `tokenizer.json`, `tokenizer_config.json` and `chat_template.jinja`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(seed, notes), trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 4096,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)


def add_tools(source: Path, folder: Path, names: Sequence[str]) -> None:
    """Copy a trained tokenizer with the tokens of tools, and a template that writes them; all else stays as it is.

    Args:
        source: Folder of the tokenizer.
        folder: Where the copy goes.
        names: The tools that the base knows.
    """
    copy(source, folder)
    words = load(source)
    words.add_special_tokens(list(TOOL_TOKENS))
    words.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(TOOL_TEMPLATE.replace("KNOWN", repr(list(names))))


def copy(source: Path, folder: Path) -> None:
    """Take over a trained tokenizer, byte for byte: weights are worth nothing with other tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(source / name, folder / name)


def load(folder: Path) -> Tokenizer:
    """The trained tokenizer, without transformers around it."""
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def line_break(words: Tokenizer) -> int:
    """Id of the token between a note and its question."""
    return int(words.encode("\n").ids[0])
