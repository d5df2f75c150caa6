"""How models are published: names of repositories on the hub, the files that are needed, and FP8 weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

PICKLE_FILE = "pytorch_model.bin"

# What is downloaded of a repository, as patterns of the hub's client.
WANTED = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "*args.yaml", f"*{PICKLE_FILE}")
# Mistral publishes every weight a second time in its own layout.
UNWANTED = ("consolidated*", "original/*", "onnx/*", "*training_args*", "*trainer_state*")

# Bits that mlx-lm quantises a base to, and thoth and convert-weights offer.
BASE_BITS = (8, 6, 4)

_REPOSITORY = r"(?P<repository>\w[\w.-]*/\w[\w.-]*)"
_PLACE = re.compile(rf"{_REPOSITORY}(?P<folder>(?:/[\w.-]+)*)(?:@(?P<revision>[\w./-]+))?")


def hub_place(name: str) -> tuple[str, str, str | None] | None:
    """Take `owner/name[/folder][@revision]` apart.

    Returns:
        Repository, folder in it (empty for its top) and revision; None for what cannot be on the hub.
    """
    match = _PLACE.fullmatch(name)
    return match and (match["repository"], match["folder"].lstrip("/"), match["revision"])


def is_repository(name: str) -> bool:
    """Return whether a name has the form `owner/name` of a repository."""
    return (place := hub_place(name)) is not None and place[1:] == ("", None)


def is_wanted(file: str) -> bool:
    """Return whether a file, by its path in the repository, is among those that are needed."""
    name = PurePosixPath(file).name
    unwanted = any(fnmatch(file, pattern) or fnmatch(name, pattern) for pattern in UNWANTED)
    return not unwanted and any(fnmatch(name, pattern) for pattern in WANTED)


def is_fp8(config: Mapping[str, Any]) -> bool:
    """Return whether weights are FP8, whose bytes mlx-lm takes for numbers.

    Args:
        config: a base's `config.json`. Multimodal bases may say it in the section of their text model.
    """
    text = config.get("text_config")
    found = config.get("quantization_config") or (text.get("quantization_config") if isinstance(text, dict) else None)
    return isinstance(found, dict) and found.get("quant_method") == "fp8"
