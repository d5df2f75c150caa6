"""The conversation as one scrolling text; only the part in view is rendered.

Hundreds of long answers cost as much as one screen of text. If heights above the view turn out to differ from their
estimates, the scroll position moves by the difference, and the text stays in place.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.events import Click, Resize
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer

from thoth.tui.markdown import STYLES, Painter, Splitter, without_background
from thoth.tui.pieces import Column, Kind, Piece, pieces_of, unread

if TYPE_CHECKING:
    from thoth.chats.sessions import Turn

WELCOME = """Drop a document here, or press Ctrl+O: it becomes weights.
Then ask about it, with 0 document tokens in the context.

F1 shows the keys, / the commands."""

_INDENT = 2
_MARGIN = 1  # empty cells before the scroll bar
_SIGN = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT} "
_SUGGESTION = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "
_SIGNS = {"question": _SIGN, "suggestion": _SUGGESTION}
_STYLED = {"question": "question", "error": "error", "suggestion": "heading", "quote": "quote"}
_KEPT = 600  # rendered pieces: more than any screen shows
_PAUSE = 0.05  # minimum seconds between two updates of a growing answer
_COST = 4  # times the cost of the last update; the rest of the time is for typing


class Transcript(ScrollView, can_focus=True):
    """Shows turns; follows the end while the reader is there.

    Attributes:
        activity: text in place of an answer that has not begun.
    """

    DEFAULT_CSS = """
    Transcript {
        height: 1fr;
        overflow: hidden scroll;
        scrollbar-size-vertical: 1;
        padding: 0 1;
    }
    Transcript > .transcript--question { text-style: bold; color: $text-primary; }
    Transcript > .transcript--heading { text-style: bold; color: $text-accent; }
    Transcript > .transcript--code { color: $text-success; }
    Transcript > .transcript--quote { text-style: italic; color: $text-muted; }
    Transcript > .transcript--link { text-style: underline; color: $text-primary; }
    Transcript > .transcript--muted { color: $text-muted; }
    Transcript > .transcript--error { color: $text-error; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"transcript--{name}" for name in ("question", "error", *STYLES)}

    activity: reactive[str] = reactive("")

    @dataclass
    class Suggested(Message):
        """A suggested question was clicked."""

        question: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._turns: list[Turn] = []  # the first one is number 0
        self._column = Column(self._pieces, lambda piece: len(self._lines(piece)))
        self._rendered: OrderedDict[tuple[str, str], list[Strip]] = OrderedDict()
        self._painter: Painter | None = None
        self._blank: Strip | None = None
        self._follows = True
        self._moving = False
        self._unfolded: set[tuple[int, int]] = set()  # turn and step
        self._told: dict[int, list[tuple[str, Kind]]] = {}  # lines before a turn, by its number
        self._splitter = Splitter()
        self._timer: Timer | None = None

    @property
    def turns(self) -> Sequence[Turn]:
        """The turns that are shown."""
        return self._turns

    def show(self, turns: Sequence[Turn]) -> None:
        """Show other turns, from their end."""
        self._turns = [*turns]
        self._unfolded.clear()
        self._told.clear()
        self._column.replace(0, [unread(turn) for turn in turns] or [Piece(0, "note", WELCOME)])
        self._follows = True
        self._arrange()

    def put(self, turn: Turn) -> None:
        """Add a turn or update one; later turns are removed."""
        grows = turn.number < len(self._turns) and turn.state == "answering" and bool(turn.answer)
        self._turns[turn.number :] = [turn]
        if not grows:
            self._follows = self._follows or (turn.state == "answering" and not turn.answer)
            self._show_last()
        elif self._timer is None:
            self._timer = self.set_timer(_PAUSE, self._show_last)

    def tell(self, line: str, kind: Kind = "note") -> None:
        """Say something below the last turn that belongs to no turn; it stays until other turns are shown."""
        number = len(self._turns)
        self._told.setdefault(number, []).append((line, kind))
        welcome = [] if number else [Piece(0, "note", WELCOME)]
        self._column.replace(number, [*welcome, *self._lines_before(number)])
        self._arrange()

    def _lines_before(self, number: int) -> list[Piece]:
        lines = self._told.get(number, [])
        return [Piece(number, kind, line, gap=0 if place else 1) for place, (line, kind) in enumerate(lines)]

    def watch_activity(self) -> None:
        """Show the activity in place of the answer."""
        if self._turns and self._turns[-1].state == "answering" and not self._turns[-1].answer:
            self._show_last()

    def _show_last(self) -> None:
        began = time.perf_counter()
        if self._timer is not None:
            self._timer.stop()
        self._timer = None
        if not self._turns:
            return
        turn = self._turns[-1]
        self._column.replace(turn.number, [*self._pieces(turn.number), *self._lines_before(len(self._turns))])
        self._arrange()
        cost = time.perf_counter() - began
        if turn.state == "answering" and _COST * cost > _PAUSE:
            self._timer = self.set_timer(_COST * cost, self._show_last)

    def _pieces(self, number: int) -> list[Piece]:
        turn, before = self._turns[number], self._lines_before(number)
        if turn.state != "answering":
            pieces = pieces_of(turn, note(turn), None, self._unfolded_of(number))
        else:
            self._splitter.feed(turn.answer)
            said = "" if turn.answer else self.activity
            pieces = pieces_of(turn, said, self._splitter.parts, self._unfolded_of(number))
        if before and pieces:
            before[0].gap, pieces[0].gap = min(number, 1), 1
        return [*before, *pieces]

    def _unfolded_of(self, turn: int) -> set[int]:
        return {step for number, step in self._unfolded if number == turn}

    def toggle_steps(self) -> None:
        """Unfold the steps of the last turn that has any, or fold them."""
        for turn in reversed(self._turns):
            if turn.steps:
                every = {(turn.number, step.number) for step in turn.steps}
                self._unfolded = self._unfolded - every if every & self._unfolded else self._unfolded | every
                self._repaint(turn.number)
                return

    def on_click(self, event: Click) -> None:
        """Unfold or fold the step that was clicked; suggest the question that was."""
        line = self.scroll_offset.y + event.y
        if not 0 <= line < self._column.height:
            return
        piece = self._column.pieces[self._column.at(line)]
        if piece.kind == "suggestion" and not self.text_selection:
            self.post_message(self.Suggested(piece.text))
        if piece.kind == "step" and not self.text_selection:
            self._unfolded ^= {(piece.turn, piece.step)}
            self._repaint(piece.turn)

    def _repaint(self, first: int) -> None:
        """Lay out a turn and those after it again."""
        pieces = [piece for turn in self._turns[first:] for piece in self._pieces(turn.number)]
        self._column.replace(first, [*pieces, *self._lines_before(len(self._turns))])
        self._arrange()

    # Rendering

    def _lines(self, piece: Piece) -> list[Strip]:
        """Return the lines of a piece, indented; those of recent pieces are cached."""
        key = (piece.kind, piece.text)
        lines = self._rendered.get(key)
        if lines is None:
            lines = self._rendered[key] = self._paint(piece)
            if len(self._rendered) > _KEPT:
                self._rendered.popitem(last=False)
        else:
            self._rendered.move_to_end(key)
        return lines

    def _paint(self, piece: Piece) -> list[Strip]:
        painter = self._painter = self._painter or self._make_painter()
        first = rest = Segment(" " * _INDENT)
        if piece.part is not None:
            strips = painter.part(piece.part)
        else:
            style = self._style(_STYLED.get(piece.kind, "muted"))
            strips = painter.facts(piece.text, style) if piece.kind == "note" else painter.plain(piece.text, style)
            if piece.kind in _SIGNS:
                first = Segment(_SIGNS[piece.kind], style)
        indented = [Strip([first if at == 0 else rest, *strip]) for at, strip in enumerate(strips)]
        return [self._filled(strip) for strip in indented]

    def _filled(self, strip: Strip) -> Strip:
        """Return a line as wide as the view, on its background."""
        style = self.rich_style
        return strip.apply_style(style).crop_extend(0, self.size.width, style)

    def _make_painter(self) -> Painter:
        theme = self.app.current_theme
        # The sixteen ANSI colours belong to the terminal; Pygments themes do not use them.
        ansi = "ansi_dark" if theme.dark else "ansi_light"
        code = ansi if self.app.native_ansi_color else "monokai" if theme.dark else "tango"
        return Painter(self._column.width, {name: self._style(name) for name in STYLES}, code)

    def _style(self, name: str) -> Style:
        """Return a component's style without its background, which would cover a selection."""
        return without_background(self.get_component_rich_style(f"transcript--{name}"))

    def render_line(self, y: int) -> Strip:
        """Return a line of the view."""
        line = self.scroll_offset.y + y
        strip = self._line(line)
        if (selection := self.text_selection) and (span := selection.get_span(line)):
            start, end = span
            strip = _highlighted(strip, start, end, self.screen.get_component_rich_style("screen--selection"))
        return strip.apply_offsets(0, line)

    @property
    def _empty(self) -> Strip:
        if self._blank is None:
            self._blank = self._filled(Strip([]))
        return self._blank

    def _line(self, line: int) -> Strip:
        if not 0 <= line < self._column.height:
            return self._empty
        index = self._column.at(line)
        piece = self._column.pieces[index]
        within = line - self._column.top(index) - piece.gap
        lines = self._lines(piece) if within >= 0 else []
        return lines[within] if 0 <= within < len(lines) else self._empty

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the text that was selected with the mouse."""
        first = selection.start.y if selection.start else 0
        last = selection.end.y if selection.end else self._column.height - 1
        lines = []
        for line in range(first, last + 1):
            start, end = selection.get_span(line) or (0, -1)
            text = self._line(line).text
            lines.append(text[start:end].rstrip() if end >= 0 else text[start:].rstrip())
        return "\n".join(lines), "\n"

    # The reader's place

    @property
    def _width(self) -> int:
        return max(self.scrollable_content_region.width, 1 + _INDENT + _MARGIN)

    @property
    def _text_width(self) -> int:
        return self._width - _INDENT - _MARGIN

    @property
    def _view(self) -> int:
        return max(self.scrollable_content_region.height, 1)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow the reader: render what comes into view."""
        super().watch_scroll_y(old_value, new_value)
        if not self._moving and self._column.pieces:
            self._follows = new_value >= self.max_scroll_y
            self._go(round(old_value), round(new_value))

    def _go(self, old: int, new: int) -> None:
        """Make the heights in view exact after scrolling; the text in view stays in place."""
        column = self._column
        if self._follows:
            self._arrange()
            return
        top = column.at(old)
        if new < old <= new + 2 * self._view and top >= 0:
            before = column.top(top)
            top = column.settle_above(top, old - new)
            new += column.top(top) - before
        index = column.at(max(new, 0))
        column.settle_below(index, self._view + max(new, 0) - column.top(index))
        self._move(new)

    def _arrange(self) -> None:
        """Make the heights in view exact after a change of the text or the width; the piece at the top stays there."""
        if not self.is_attached or not self.size:
            return
        column, y = self._column, round(self.scroll_y)
        if column.width != self._text_width:  # lines and heights of another width go together
            index = column.at(y)
            self._forget()
            column.set_width(self._text_width)
            y = column.top(index) if column.pieces else 0
        if self._follows:
            column.settle_above(len(column.pieces), self._view + 1)
            self._move(column.height - self._view)
        elif column.pieces:
            index = column.at(y)
            column.settle_below(index, self._view + y - column.top(index))
            self._move(y)

    def _move(self, y: int) -> None:
        self._moving = True
        try:
            self.virtual_size = Size(self._width, self._column.height)
            self.scroll_target_y = self.scroll_y = max(0, y)
        finally:
            self._moving = False
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Lay out again."""
        self._arrange()

    def notify_style_update(self) -> None:
        """Use the new colours."""
        super().notify_style_update()
        self._forget()
        self.call_after_refresh(self._arrange)  # a narrow screen has other styles, and another width

    def _forget(self) -> None:
        self._painter = self._blank = None
        self._rendered.clear()


def note(turn: Turn) -> str:
    """Return the line below an answer: how it ended, what supports it, its cost. What matters most comes first."""
    from thoth.actions import ask
    from thoth.tui import figures

    if turn.state == "failed":
        return turn.error or "failed"
    facts = ["stopped"] if turn.state == "stopped" else []
    if turn.stats is not None:
        facts.append(ask.stands_on(turn.stats, turn.sources))
        facts.append(f"{figures.count(turn.stats.document_tokens_in_context, 'document token')} in context")
        if turn.stats.tokens_per_second:
            facts.append(f"{turn.stats.tokens_per_second:.0f} tokens/s")
    return " · ".join(facts)


def _highlighted(strip: Strip, start: int, end: int, style: Style) -> Strip:
    end = strip.cell_length if end < 0 else min(end, strip.cell_length)
    start = min(start, end)
    before, marked, after = strip.divide([start, end, strip.cell_length])
    marked = Strip([Segment(text, (old + style) if old else style, control) for text, old, control in marked])
    return Strip.join([before, marked, after])
