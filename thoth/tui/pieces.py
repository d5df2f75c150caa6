"""A conversation as pieces of text one below the other, each with a height: exact once rendered, before estimated."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from thoth.system import terminal
from thoth.tui.markdown import Part, split

if TYPE_CHECKING:
    from thoth.chats.sessions import Turn
    from thoth.events import Step

# "turn" is a complete turn that has not been in view yet.
Kind = Literal["turn", "question", "step", "part", "note", "quote", "error", "suggestion"]

# The rest of a longer question is not shown: it is probably pasted text.
_QUESTION_LENGTH = 4_000
_ARGUMENTS_LENGTH = 60


@dataclass(eq=False, slots=True)
class Piece:
    """A question, a part of an answer, or what is noted below it.

    Attributes:
        turn: number of its turn.
        kind: how it is rendered.
        text: plain text, or of a "part" its Markdown.
        part: of an answer; None for the other kinds.
        gap: empty lines above it.
        height: in lines, the gap included.
        exact: whether the height is known.
        step: number of a "step".
    """

    turn: int
    kind: Kind
    text: str
    part: Part | None = None
    gap: int = 0
    height: int = 1
    exact: bool = False
    step: int = -1

    def estimate(self, width: int) -> None:
        """Guess the height at this width; a turn has a few empty lines."""
        lines = self.text.count("\n") + len(self.text) // max(width, 1) + 1
        self.height = self.gap + lines + (4 if self.kind == "turn" else 0)
        self.exact = False


def unread(turn: Turn) -> Piece:
    """Return a whole turn as one piece."""
    return Piece(turn.number, "turn", f"{turn.question}\n{turn.answer}")


def pieces_of(
    turn: Turn, note: str, parts: Sequence[Part] | None = None, unfolded: Collection[int] = ()
) -> list[Piece]:
    """Return the pieces of a turn.

    Args:
        turn: a question and its answer so far; the question may be empty, and is not shown then.
        note: text below the answer; empty for none.
        parts: parts of the answer, if they are known.
        unfolded: numbers of the steps that are shown whole.
    """
    asked = turn.question
    if len(asked) > _QUESTION_LENGTH:
        asked = f"{asked[:_QUESTION_LENGTH]}… ({len(asked):,} characters)"
    pieces = [Piece(turn.number, "question", asked, gap=1 if turn.number else 0)] if asked else []
    for step in turn.steps:
        gap = 1 if pieces and step.number == 0 else 0
        pieces.append(Piece(turn.number, "step", step_text(step, step.number in unfolded), step=step.number, gap=gap))
    before: Part | None = None
    for part in split(turn.answer) if parts is None else parts:
        together = before is not None and before.kind == part.kind != "block"
        pieces.append(Piece(turn.number, "part", part.text, part, gap=0 if together or not pieces else 1))
        before = part
    if note:
        pieces.append(Piece(turn.number, "error" if turn.state == "failed" else "note", note, gap=1))
    return pieces


def step_text(step: Step, unfolded: bool) -> str:
    """Return a step as a line or, unfolded, with its arguments and its result."""
    from thoth.agent.permissions import escaped

    given = ", ".join(escaped(value) for value in step.arguments.values())
    given = given if len(given) <= _ARGUMENTS_LENGTH else f"{given[: _ARGUMENTS_LENGTH - 1]}…"
    state = f"{step.state}, {step.seconds:.1f} s" if step.ended else step.state
    if not unfolded:
        return f"▸ {step.tool}({given})  {state}"
    lines = [f"▾ {step.tool}  {state}", *(f"    {name}: {escaped(value)}" for name, value in step.arguments.items())]
    lines += [f"    {line}" for line in (*step.text.split("\n"), *step.result.split("\n")) if line]
    return terminal.printable("\n".join(lines))


class Column:
    """The pieces in order, at one width.

    Args:
        open_turn: a turn's number -> its pieces, for a turn that comes into view.
        measure: a piece -> its lines without the gap.

    Attributes:
        pieces: in order.
        width: width in cells.
    """

    def __init__(self, open_turn: Callable[[int], list[Piece]], measure: Callable[[Piece], int]) -> None:
        self.pieces: list[Piece] = []
        self._open_turn = open_turn
        self._measure = measure
        self.width = 1
        self._ends: list[int] | None = None

    @property
    def height(self) -> int:
        """Of all pieces together."""
        ends = self._all_ends()
        return ends[-1] if ends else 0

    def at(self, line: int) -> int:
        """Return the index of the piece that a line belongs to; the last one for lines below all."""
        return min(bisect_right(self._all_ends(), line), len(self.pieces) - 1)

    def top(self, index: int) -> int:
        """Return the line where a piece begins, its gap included."""
        return self._all_ends()[index - 1] if index else 0

    def set_width(self, width: int) -> None:
        """Forget the heights where the width is another one."""
        if width == self.width:
            return
        self.width = width
        for piece in self.pieces:
            piece.estimate(width)
        self._ends = None

    def replace(self, turn: int, pieces: Sequence[Piece]) -> None:
        """Put pieces in place of all those of a turn and of later ones; unchanged ones keep their heights."""
        first = len(self.pieces)
        while first and self.pieces[first - 1].turn >= turn:
            first -= 1
        for at, piece in enumerate(pieces):
            old = self.pieces[first + at] if first + at < len(self.pieces) else None
            if (
                old
                and old.exact
                and (old.kind, old.text, old.part, old.gap)
                == (
                    piece.kind,
                    piece.text,
                    piece.part,
                    piece.gap,
                )
            ):
                piece.height, piece.exact = old.height, True
            else:
                piece.estimate(self.width)
        self.pieces[first:] = pieces
        self._ends = None

    def settle_above(self, index: int, lines: int) -> int:
        """Make the heights of the nearest pieces above one exact, for so many lines; returns its new index."""
        at, below = index - 1, len(self.pieces) - index
        while at >= 0 and lines > 0:
            if self.pieces[at].kind == "turn":
                at += self._unfold(at)
            lines -= self._settle(at)
            at -= 1
        return len(self.pieces) - below

    def settle_below(self, index: int, lines: int) -> None:
        """Make the heights of a piece and those below it exact, for so many lines."""
        while index < len(self.pieces) and lines > 0:
            if self.pieces[index].kind == "turn":
                self._unfold(index)
            lines -= self._settle(index)
            index += 1

    def _unfold(self, index: int) -> int:
        """Put a turn's own pieces in its place; returns how many more there are now."""
        pieces = self._open_turn(self.pieces[index].turn)
        for piece in pieces:
            piece.estimate(self.width)
        self.pieces[index : index + 1] = pieces
        self._ends = None
        return len(pieces) - 1

    def _settle(self, index: int) -> int:
        piece = self.pieces[index]
        if not piece.exact:
            piece.height, piece.exact = piece.gap + self._measure(piece), True
            self._ends = None
        return piece.height

    def _all_ends(self) -> list[int]:
        if self._ends is None:
            self._ends = [*accumulate(piece.height for piece in self.pieces)]
        return self._ends
