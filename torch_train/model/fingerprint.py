"""Which base and which tokenizer made something: teacher data of one is worthless for another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from torch_train.errors import DataError

# Keys of config.json that say nothing about the model.
_INCIDENTAL = {"_name_or_path", "transformers_version", "use_cache"}
_PROBE = "Crème brûlée, 1,234.5 €\n\n  x_i ≠ y² — 漢字"


def base_fingerprint(folder: Path) -> str:
    """Hash of a base's configuration, and of name, type, shape and first row of every tensor.

    Raises:
        DataError: The folder has no readable configuration or weights.
    """
    try:
        config = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{folder}/config.json cannot be read: {error}") from error
    known = {key: value for key, value in config.items() if key not in _INCIDENTAL}
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    # Mistral's `consolidated` files hold the same weights once more, under other names.
    files = sorted(file for file in folder.glob("*.safetensors") if not file.name.startswith("consolidated"))
    if not files:
        raise DataError(f"{folder} has no weights in safetensors, which identify a base")
    try:
        rows: dict[str, bytes] = {}
        for file in files:
            with safe_open(file, framework="pt") as tensors:
                rows |= {name: _first_row(tensors.get_slice(name)) for name in tensors.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(f"{file} is damaged; download it again: {error}") from error
    for name in sorted(rows):  # whatever files they are spread over
        digest.update(name.encode() + rows[name])
    return digest.hexdigest()


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """Hash of a tokenizer's vocabulary and chat template, and of how it cuts a difficult text."""
    parts = [sorted(tokenizer.get_vocab().items()), tokenizer.chat_template, tokenizer.encode(_PROBE)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _first_row(tensor: Any) -> bytes:
    shape = tensor.get_shape()
    row = tensor[:1] if shape else tensor[...]
    values = row.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()
    return f"{tensor.get_dtype()} {shape}".encode() + values
