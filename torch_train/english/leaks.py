"""The check that training shares nothing with what it is measured on. Call `check` before a training starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from torch_train.english.kinds import FOLDER, templates_of
from torch_train.english.names import names_of
from torch_train.english.nothing import prompts_of
from torch_train.english.split import SPLITS, Split
from torch_train.errors import DataError

if TYPE_CHECKING:
    from torch_train.english.passages import Passage

NAMED = 3  # how many leaks a message names


@dataclass(frozen=True)
class Contents:
    """What one split draws from.

    Attributes:
        names: Words that name something.
        templates: Statements and questions with their placeholders.
        contexts: Passages, and prompts about nothing.
    """

    names: frozenset[str]
    templates: frozenset[str]
    contexts: frozenset[str]


def check(passages: Iterable[Passage] = (), folder: Path = FOLDER) -> None:
    """Refuse a training whose data leak: notes' names and templates, prompts about nothing, and `passages`.

    Args:
        passages: All passages of all splits that the run uses.
        folder: Folder of the kinds of documents.

    Raises:
        DataError: Something of one split occurs in another; the message names some of it.
    """
    texts = defaultdict(set)
    for passage in passages:
        texts[passage.split].add(passage.text)
    for split in SPLITS:
        texts[split].update(prompts_of(split))
    refuse_leaks(
        {
            split: Contents(names_of(split).vocabulary(), templates_of(split, folder), frozenset(texts[split]))
            for split in SPLITS
        }
    )


def refuse_leaks(contents: Mapping[Split, Contents]) -> None:
    """Check that no two splits share a name or a context, and that training has no template of the others.

    Dev and test share their templates: two of ten are too few to divide.

    Raises:
        DataError: They share something.
    """
    for one, other in combinations(SPLITS, 2):
        left, right = contents[one], contents[other]
        shared = {"name": _shared(left.names, right.names), "context": _shared(left.contexts, right.contexts)}
        if one == "train":
            shared["template"] = _shared(left.templates, right.templates)
        for what, leaks in shared.items():
            if leaks:
                named = "; ".join(repr(leak[:80]) for leak in leaks[:NAMED])
                raise DataError(f"{len(leaks)} {what}s occur in both {one} and {other}; remove them from one: {named}")


def _shared(left: Iterable[str], right: Iterable[str]) -> list[str]:
    """The texts of `right` that are in `left`, whatever their case and white space."""
    known = set(map(normal, left))
    return sorted(text for text in right if normal(text) in known)


def normal(text: str) -> str:
    """A text as two splits must not share it: in small letters, with single spaces."""
    return " ".join(text.casefold().split())
