"""What a bundle must know of its base and a reference checkpoint does not say: vocabulary, and the template's ids."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.errors import CheckpointError, one_line
from mlx_hypernet.format import published
from mlx_hypernet.format.template import affixes
from mlx_hypernet.format.vetting import check_code

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tekken.json")


@dataclass(frozen=True)
class KnownBase:
    """A base that reference checkpoints name, so that they convert without it.

    Attributes:
        model_type: the architecture's name in its `config.json`.
        vocab_size: rows of its embedding.
        prefix_ids, suffix_ids: the ids its checkpoints were trained with around every chunk.
    """

    model_type: str
    vocab_size: int
    prefix_ids: tuple[int, ...]
    suffix_ids: tuple[int, ...]


@dataclass(frozen=True)
class Template:
    """What the caller says of chunks; None leaves it to the checkpoint or the base."""

    prefix_ids: tuple[int, ...] | None = None
    suffix_ids: tuple[int, ...] | None = None
    max_chunk_tokens: int | None = None


_MINISTRAL = KnownBase("ministral3", 131_072, (1, 3), (4,))  # <s>[INST] and [/INST]
# The ids are the reference's own (`CTX_AFFIXES` in its data/definitions.py).
KNOWN_BASES = {
    "google/gemma-2-2b-it": KnownBase(
        "gemma2",
        256_000,
        (2, 106, 1645, 110),  # <bos><start_of_turn>user\n\n\n
        (107, 108, 106, 2516, 108),  # <end_of_turn>\n<start_of_turn>model\n
    ),
    "mistralai/Mistral-7B-Instruct-v0.2": KnownBase(
        "mistral",
        32_000,
        (1, 733, 16289, 28793, 28705, 13, 13),  # <s> [INST] \n\n
        (733, 28748, 16289, 28793),  # [/INST]
    ),
    "Qwen/Qwen3-4B-Instruct-2507": KnownBase(
        "qwen3",
        151_936,
        (151644, 8948, 198, 151645, 198, 151644, 872, 198),  # <|im_start|>system\n<|im_end|>\n<|im_start|>user\n
        (151645, 198, 151644, 77091, 198),  # <|im_end|>\n<|im_start|>assistant\n
    ),
    "mistralai/Ministral-3-3B-Instruct-2512": _MINISTRAL,
    "mistralai/Ministral-3-3B-Instruct-2512-BF16": _MINISTRAL,
}


def base_type(base: Path) -> tuple[str, int]:
    """Model type and vocabulary size of a base's folder.

    Raises:
        CheckpointError: when its `config.json` is missing or does not say so.
    """
    config = _config(base)
    try:
        # Multimodal wrappers keep the text model's sizes in a section of their own.
        return str(config["model_type"]), int((config.get("text_config") or config)["vocab_size"])
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the config.json of the base {base} has no usable model_type and vocab_size ({one_line(error)})"
        ) from error


def is_fp8(base: Path) -> bool:
    """Whether a base's weights are FP8, whose bytes mlx-lm takes for numbers."""
    return published.is_fp8(_config(base))


def _config(base: Path) -> dict[str, Any]:
    try:
        config = json.loads((base / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{base} is not a base model: its config.json is missing or no JSON") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{base} is not a base model: its config.json is not a JSON object")
    return config


def template_ids(base: Path) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The ids that a base's template puts around a document.

    Returns:
        Prefix and suffix; None when the base has no tokenizer.

    Raises:
        CheckpointError: when the tokenizer cannot be loaded, or its template takes no empty system message.
    """
    if not any((base / name).is_file() for name in TOKENIZER_FILES):
        return None
    from mlx_hypernet.tokenizer import load_tokenizer

    try:
        check_code(base)
        return affixes(load_tokenizer(base))
    except Exception as error:  # tokenizers raises that class itself; the remedy is the same for all
        raise CheckpointError(
            f"the tokenizer of {base} does not template a document ({one_line(error)}): "
            "give the ids around a chunk with --prefix-ids and --suffix-ids"
        ) from error
