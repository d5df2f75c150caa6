"""A base by its name: a folder on this machine, or a repository of the hub."""

from __future__ import annotations

from pathlib import Path

from torch_train.errors import DataError

_FILES = ["*.json", "*.jinja", "*.safetensors", "*.model"]
_NOT_FILES = ["consolidated*", "params.json"]  # the same weights once more, in Mistral's own layout


def fetch_base(name: str) -> Path:
    """The folder of a base; a repository of the hub is downloaded unless it was before.

    Args:
        name: A folder, or a repository such as `mistralai/Ministral-3-3B-Instruct-2512-BF16`.

    Raises:
        DataError: It is neither a folder with a model nor on the hub.
    """
    folder = Path(name)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise DataError(f"{folder} has no config.json: give the folder of a Hugging Face model")
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES, ignore_patterns=_NOT_FILES))
    except (OSError, ValueError) as error:
        raise DataError(f"{name} is not a folder, and downloading it from the hub failed: {error}") from error
