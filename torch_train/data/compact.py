"""One row per context, across all sources; nothing that is held out may be in train."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch_train.data.row import ContextRow
from torch_train.errors import DataError


def compact(rows: Iterable[ContextRow]) -> list[ContextRow]:
    """Join rows of the same context, in the order of their first appearance.

    The first row gives context and source; questions that several of them ask are asked once, with the reference
    answers of all.
    """
    joined: dict[str, tuple[ContextRow, dict[str, dict[str, None]]]] = {}
    for row in rows:
        _, asked = joined.setdefault(row.id, (row, {}))
        for question, known in zip(row.questions, row.answers, strict=True):
            asked.setdefault(question, {}).update(dict.fromkeys(known))
    return [
        ContextRow(first.context, tuple(asked), tuple(map(tuple, asked.values())), first.source)
        for first, asked in joined.values()
    ]


def hold_out(rows: Sequence[ContextRow], share: float) -> tuple[list[ContextRow], list[ContextRow]]:
    """Split rows by the hash of their contexts: what stays, and about `share` of them, the same in every run.

    Raises:
        DataError: `share` leaves nothing.
    """
    if not 0 <= share < 1:
        raise DataError(f"the share to hold out must be at least 0 and below 1, not {share}")
    border = share * 16**8
    kept: list[ContextRow] = []
    held: list[ContextRow] = []
    for row in rows:
        (held if int(row.id[:8], 16) < border else kept).append(row)
    return kept, held


def leaking(train: Sequence[ContextRow], held: Sequence[ContextRow]) -> list[ContextRow]:
    """The rows of `train` whose contexts are held out."""
    ids = {row.id for row in held}
    return [row for row in train if row.id in ids]


def check_split(train: Sequence[ContextRow], held: Sequence[ContextRow]) -> None:
    """Refuse contexts of dev or test in train.

    Raises:
        DataError: There are some; says how many, and which is the first.
    """
    leaks = leaking(train, held)
    if leaks:
        example = f"{leaks[0].source} {leaks[0].id[:12]} ({leaks[0].context[:60]!r})"
        raise DataError(
            f"{len(leaks)} contexts of dev or test are also in train, such as {example}: "
            "remove them, or pass --drop-leaks to leave them out of train"
        )
