"""A base by its name: a folder on this machine, or a repository of the hub."""

from __future__ import annotations

from pathlib import Path

from mlx_hypernet.format.published import PICKLE_FILE, UNWANTED, WANTED
from torch_train.errors import DataError


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
        return Path(snapshot_download(name, allow_patterns=[*WANTED], ignore_patterns=[*UNWANTED, f"*{PICKLE_FILE}"]))
    except (OSError, ValueError) as error:
        raise DataError(f"{name} is not a folder, and downloading it from the hub failed: {error}") from error
