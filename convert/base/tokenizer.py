"""A base's tokenizer: its files are copied byte for byte, and must stream plain text in the app."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from convert.base.shards import file_in
from convert.errors import CheckpointError, ConversionError, one_line
from mlx_hypernet.tokenizer import load_tokenizer, streamed

TEKKEN_FILE, TOKENIZER_FILE = "tekken.json", "tokenizer.json"
# Besides these every `*.model` (SentencePiece) is copied.
FILES = (
    TOKENIZER_FILE,
    TEKKEN_FILE,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
)
PROBE = "Hello world, naïve café\n"


def copy_tokenizer(source: Path, destination: Path) -> None:
    """Copy the files of the tokenizer, chat template and generation settings, byte for byte.

    A repository that has a `tekken.json` and nothing mlx-lm can read gets a `tokenizer.json` beside it, by
    transformers' own converter.

    Raises:
        CheckpointError: when a file lies outside of `source`, or the Tekken file cannot be converted.
    """
    names = [*FILES, *sorted(path.name for path in source.glob("*.model"))]
    for name in names:
        if (path := file_in(source, name)).is_file():
            shutil.copyfile(path, destination / name)
    if has_tokenizer(destination) or not (destination / TEKKEN_FILE).is_file():
        return
    try:
        from transformers.integrations.mistral.tokenizer import convert_tekken_tokenizer

        convert_tekken_tokenizer(str(destination / TEKKEN_FILE)).save_pretrained(destination)
    except (ImportError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{source} has a {TEKKEN_FILE} but no {TOKENIZER_FILE}, and transformers cannot convert it "
            f"({one_line(error)}): install mistral-common, or add the {TOKENIZER_FILE} of the published repository"
        ) from error


def has_tokenizer(folder: Path) -> bool:
    """Whether there is a tokenizer that mlx-lm can load."""
    return (folder / TOKENIZER_FILE).is_file() or any(folder.glob("*.model")) or (folder / "vocab.json").is_file()


def check_streaming(folder: Path, config: dict[str, Any]) -> None:
    """Stream a text through the tokenizer as the app does; a base without one passes.

    Raises:
        CheckpointError: when the tokenizer cannot be loaded.
        ConversionError: when something else than the text comes out (`Ġ` for a space, `Ã` for half a letter).
    """
    if not has_tokenizer(folder):
        return
    try:
        text = streamed(load_tokenizer(folder, config.get("eos_token_id")), PROBE)
    # Whatever goes wrong in there (tokenizers raises bare Exceptions) has the same remedy.
    except Exception as error:
        raise CheckpointError(f"the tokenizer cannot be loaded ({one_line(error)}): get its files again") from error
    if text != PROBE:
        raise ConversionError(f"the tokenizer streams {text!r} for {PROBE!r}: get the tokenizer's files again")
