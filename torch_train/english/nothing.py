"""Prompts about nothing: what people ask without any document. An adapter must leave these answers alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from torch_train.english.split import Split, split_of
from torch_train.errors import DataError

_FILE = Path(__file__).parent / "nothing.yaml"


@cache
def prompts_of(split: Split, file: Path = _FILE) -> tuple[str, ...]:
    """The prompts of a split, in the order of the file; the base's own answers are for the trainer to make.

    Raises:
        DataError: The file is malformed, or a prompt occurs twice.
    """
    lists = yaml.safe_load(file.read_text("utf-8"))
    if not isinstance(lists, dict) or not all(isinstance(some, list) for some in lists.values()):
        raise DataError(f"{file.name} must have lists of prompts by topic")
    prompts = [str(prompt).strip() for some in lists.values() for prompt in some]
    twice = sorted({prompt for prompt in prompts if prompts.count(prompt) > 1})
    if twice:
        raise DataError(f"{file.name}: remove what occurs twice: {'; '.join(twice)}")
    return tuple(prompt for prompt in prompts if split_of(prompt) == split)
