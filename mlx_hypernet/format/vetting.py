"""What the files of a base may say, checked before any library reads them: its publisher may be anyone."""

from __future__ import annotations

import json
import math
import stat
from pathlib import Path
from typing import Any

from mlx_hypernet.format import tokenizer_file
from mlx_hypernet.format.config import MOST

# Keys by which a folder asks for code of its own; no base that Thoth supports needs one.
_CODE_KEYS = ("auto_map", "custom_generate", "model_file", "trust_remote_code")
# mlx-lm imports a module by these names.
_MODULE_KEYS = ("chat_template_type", "model_type", "tool_parser_type")
_SIZES = (
    "head_dim",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "vocab_size",
)
_NEEDED = ("max_position_embeddings", "vocab_size")
_MOST_POSITIONS = 1 << 30
_MOST_ENDS = 1000


class VettingError(ValueError):
    """A base that is refused for what its files say."""


def check_base(folder: Path) -> None:
    """Refuse a base that asks for code of its own, or has impossible sizes.

    Raises:
        VettingError: The message names the file and the key.
    """
    check_code(folder)
    config = _read(folder / "config.json")
    text = config.get("text_config", config)
    if not isinstance(text, dict):
        raise VettingError("text_config in config.json is not an object")
    if missing := [name for name in _NEEDED if text.get(name) is None]:
        raise VettingError(f"config.json does not say {' and '.join(missing)}")
    check_sizes(text)


def check_code(folder: Path) -> None:
    """Refuse a folder of a base or tokenizer that asks for code of its own.

    Raises:
        VettingError: The message names the file and the key.
    """
    check_files(folder)
    try:
        tokenizer_file.check(folder / "tokenizer.json")
    except tokenizer_file.TokenizerFileError as error:
        raise VettingError(str(error)) from error
    for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
        if (folder / name).is_file():
            data = _read(folder / name)
            text = data.get("text_config")
            for section in (data, text) if isinstance(text, dict) else (data,):
                _check_names(name, section)
                _check_ends(name, section)


def check_files(folder: Path) -> None:
    """Refuse a folder with pipes or devices in it: a reader would wait for them, or never come to their end.

    Raises:
        VettingError: The message names the first.
    """
    for path in folder.iterdir():
        try:
            mode = path.stat().st_mode
        except OSError:
            continue  # a link that leads nowhere: a missing file
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise VettingError(f"{path.name} in it is a pipe or a device, no file")


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise VettingError(f"{path.name} is missing or no JSON") from error
    if not isinstance(data, dict):
        raise VettingError(f"{path.name} is not a JSON object")
    return data


def _check_names(file: str, data: dict[str, Any]) -> None:
    if named := [key for key in _CODE_KEYS if data.get(key)]:
        raise VettingError(f"{file} asks for code of its own by {', '.join(named)}, which is never run")
    for key in _MODULE_KEYS:
        value = data.get(key)
        if value is not None and not (isinstance(value, str) and value.replace("-", "_").isidentifier()):
            raise VettingError(f"{key} in {file} is not a name")


def _check_ends(file: str, data: dict[str, Any]) -> None:
    """Refuse ids that no token can have, before they are sorted and compared."""
    ids = data.get("eos_token_id")
    ids = ids if isinstance(ids, list) else [] if ids is None else [ids]
    if len(ids) > _MOST_ENDS or not all(type(id) is int and 0 <= id <= MOST for id in ids):
        raise VettingError(f"eos_token_id in {file} must be an id or up to {_MOST_ENDS} of them")


def check_sizes(text: dict[str, Any]) -> None:
    """Refuse impossible sizes of a text model; what its configuration leaves out is not asked for.

    Args:
        text: its `config.json`, or the section `text_config` of it.

    Raises:
        VettingError: The message names the key.
    """
    for name in _SIZES:
        value, most = text.get(name), _MOST_POSITIONS if name == "max_position_embeddings" else MOST
        if value is not None and not (type(value) is int and 0 < value <= most):
            raise VettingError(f"{name} in config.json must be an integer from 1 to {most:,}")
    # Models are built of as many blocks as this list names.
    kinds, layers = text.get("layer_types"), text.get("num_hidden_layers")
    if kinds is not None and layers is not None and not (isinstance(kinds, list) and len(kinds) == layers):
        raise VettingError(f"layer_types in config.json must name the kind of each of the {layers} layers")
    for name in ("rms_norm_eps", "rope_theta"):
        value = text.get(name)
        if value is not None and not (type(value) in (int, float) and math.isfinite(value) and value > 0):
            raise VettingError(f"{name} in config.json must be a positive finite number")
