"""What is held out: every name and every source of text belongs to one split, told by a hash of its text."""

from __future__ import annotations

import zlib
from typing import Literal

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")


def split_of(text: str) -> Split:
    """The split of a name or a source: one in ten is dev, one in ten is test.

    The hash ignores letter case and white space, so that two spellings of one text are never in two splits.
    """
    match zlib.crc32(" ".join(text.casefold().split()).encode()) % 10:
        case 0:
            return "test"
        case 1:
            return "dev"
    return "train"
