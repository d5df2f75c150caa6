"""What is held out: every name, template and context belongs to one split, told by a hash of its text."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch_train.errors import DataError

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
NAMED = 3  # how many leaks a message names


def split_of(text: str) -> Split:
    """The split a word or a context belongs to: one in ten is dev, one in ten is test.

    The hash ignores letter case and white space, so that two spellings of one text are never in two splits.
    """
    match zlib.crc32(" ".join(text.casefold().split()).encode()) % 10:
        case 0:
            return "test"
        case 1:
            return "dev"
    return "train"


@dataclass(frozen=True)
class Contents:
    """What one split draws from.

    Attributes:
        names: Words that name something.
        templates: Statements and questions with their placeholders.
        contexts: Passages, whole.
    """

    names: frozenset[str]
    templates: frozenset[str]
    contexts: frozenset[str]


def refuse_leaks(contents: Mapping[Split, Contents]) -> None:
    """Check that training shares nothing with what it is measured on; call this before a training starts.

    Names and contexts must be disjoint in all three splits. Dev and test share their templates, because two of ten
    is too few to divide; training must have none of them.

    Raises:
        DataError: Something of one split occurs in another; the message names some of it.
    """
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        left, right = contents[one], contents[other]  # type: ignore[index]
        shared = {"name": _shared(left.names, right.names), "context": _shared(left.contexts, right.contexts)}
        if one == "train":
            shared["template"] = _shared(left.templates, right.templates)
        for what, leaks in shared.items():
            if leaks:
                named = "; ".join(repr(leak[:80]) for leak in leaks[:NAMED])
                raise DataError(f"{len(leaks)} {what}s occur in both {one} and {other}; remove them from one: {named}")


def _shared(left: Iterable[str], right: Iterable[str]) -> list[str]:
    normal = {" ".join(text.casefold().split()) for text in left}
    return sorted(text for text in right if " ".join(text.casefold().split()) in normal)
