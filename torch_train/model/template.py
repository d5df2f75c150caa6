"""What a base's chat template puts around every document."""

from __future__ import annotations

from typing import Any

from torch_train.model.prompt import document_ids

_MARKERS = ("Alpha 7", "yes?")  # neither their first nor their last characters are alike


def template_ids(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids in front of and behind every templated document: those that two unlike documents share.

    Ministral: (1, 3) = `<s>[INST]` and (4,) = `[/INST]`.
    """
    one, other = (document_ids(tokenizer, marker) for marker in _MARKERS)
    return _shared(one, other), _shared(one[::-1], other[::-1])[::-1]


def _shared(one: list[int], other: list[int]) -> tuple[int, ...]:
    length = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return tuple(one[:length])
