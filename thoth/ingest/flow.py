"""Blocks as markup builds them: text comes in pieces, and paragraphs, lists, tables and code come out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from thoth.ingest import numerals, scripts
from thoth.ingest.document import LooseBlock, table
from thoth.ingest.scripts import Script

# Deeper lists are not indented further.
_MAX_INDENT = 8
# Where a line may break in a long word; in scripts without spaces (Thai, Khmer) it stands between words.
_BREAK = re.compile(r"\xad|(?<![\u0e00-\u109f\u1780-\u17ff])\u200b")
# What a page may claim; more columns or rows than this are not spanned by one cell.
_MAX_SPAN = 200


@dataclass
class Enumeration:
    """A list that is open: its next number (None: it has bullets), how it counts, its step, its look."""

    number: int | None = None
    style: str = "decimal"
    step: int = 1
    frame: str = "{}."

    def marker(self, value: int | None = None) -> str:
        """Return the next item's bullet or number, and count it; `value` is a number that the item names."""
        if value is not None:
            self.number = value
        if self.number is None or numerals.is_bullet(self.style):
            return "- "
        text = f"{self.frame.replace('{}', numerals.written(self.number, self.style))} "
        self.number += self.step
        return text


class Flow:
    """Blocks one below the other: those of a page, or of one cell of a table."""

    def __init__(self) -> None:
        self.parts: list[LooseBlock] = []
        self._inline: list[tuple[str, Script]] = []
        self._heading = 0
        self._code = 0
        self._lists: list[Enumeration] = []
        self._items: list[str] = []
        self._marker = ""

    @property
    def has_text(self) -> bool:
        """Whether the block that is being written has letters yet."""
        return any(text.strip() for text, _ in self._inline)

    def text(self, data: str, script: Script = "") -> None:
        """Add text to the block that is being written."""
        if not self._code:
            data = re.sub(r"\s+", " ", data if data.isascii() else _BREAK.sub("", data))
        self._inline.append((data, script))

    def line_break(self) -> None:
        """End a line within a block."""
        self._inline.append(("\n", ""))

    def heading(self, level: int) -> None:
        """Begin (level 1 to 6) or end (0) a heading."""
        self.flush()
        self._end_items()
        self._heading = level

    def code(self, opens: bool) -> None:
        """Begin or end text whose blanks count."""
        self.flush()
        self._code = max(0, self._code + (1 if opens else -1))

    def enumeration(self, opened: Enumeration | None) -> None:
        """Begin a list, or end the innermost one (None)."""
        self.flush()
        if opened:
            self._lists.append(opened)
        elif self._lists:
            self._lists.pop()
        if not self._lists:
            self._end_items()

    def item(self, marker: str | None = None, value: int | None = None) -> None:
        """Begin an item of a list; `marker` is what stands in front where the list does not say it."""
        self.flush()
        if not self._lists:  # an item outside a list
            self._lists.append(Enumeration())
        if marker is None:
            marker = self._lists[-1].marker(value)
        self._marker = "  " * min(len(self._lists) - 1, _MAX_INDENT) + marker

    def table(self, text: str) -> None:
        """Add a table."""
        self.flush()
        self._end_items()
        self.parts.append(LooseBlock("table", text))

    def adopt(self, parts: list[LooseBlock]) -> None:
        """Add blocks that were built elsewhere."""
        self.flush()
        self._end_items()
        self.parts += parts

    def flush(self) -> None:
        """End the block that is being written, whether its tag was closed or not."""
        runs, self._inline = self._inline, []
        raw = scripts.join(runs) if runs else ""
        if not raw.strip():
            return
        if self._heading:
            self.parts.append(LooseBlock("heading", " ".join(raw.split()), self._heading))
            self._heading = 0
        elif self._lists:
            lines = raw.strip("\n").split("\n") if self._code else [" ".join(raw.split())]
            self._items += [self._marker + line for line in lines[:1]]
            self._marker = " " * len(self._marker)
            self._items += [self._marker + line for line in lines[1:]]
        elif self._code:
            self.parts.append(LooseBlock("code", re.sub(r"\A\s*\n", "", raw).rstrip()))
        else:
            text = re.sub(r" *\n *", "\n", re.sub(r" +", " ", raw))
            self.parts += [
                LooseBlock("paragraph", piece.strip()) for piece in re.split(r"\n{2,}", text) if piece.strip()
            ]

    def close(self) -> list[LooseBlock]:
        """End everything that is open and return the blocks."""
        self.flush()
        self._end_items()
        return self.parts

    def _end_items(self) -> None:
        if self._items:
            self.parts.append(LooseBlock("list", "\n".join(self._items)))
            self._items = []


@dataclass
class _Cell:
    flow: Flow
    columns: int = 1
    rows: int = 1
    parts: list[LooseBlock] = field(default_factory=list)


class Table:
    """A table that is open: its rows so far, each cell with the blocks in it."""

    def __init__(self, outer: Flow) -> None:
        self.outer = outer
        self._rows: list[list[_Cell]] = []
        self._cell: _Cell | None = None

    @property
    def flow(self) -> Flow:
        """Where text goes now: into the open cell, or around the table."""
        return self._cell.flow if self._cell else self.outer

    def row(self) -> None:
        """Begin a row."""
        self.end_cell()
        self._rows.append([])

    def cell(self, columns: int = 1, rows: int = 1) -> None:
        """Begin a cell that spans so many columns and rows."""
        self.end_cell()
        self._cell = _Cell(Flow(), min(max(columns, 1), _MAX_SPAN), min(max(rows, 1), _MAX_SPAN))

    def widen(self, columns: int) -> None:
        """Let the open cell span so many columns."""
        if self._cell is not None:
            self._cell.columns = min(max(columns, 1), _MAX_SPAN)

    def end_cell(self) -> None:
        """End the open cell, if there is one."""
        if self._cell is not None:
            self._rows = self._rows or [[]]
            self._cell.parts = self._cell.flow.close()
            self._rows[-1].append(self._cell)
            self._cell = None

    def end(self) -> None:
        """Write the table into what is around it."""
        self.end_cell()
        if self._is_layout():
            self.outer.adopt([part for row in self._rows for cell in row for part in cell.parts])
        else:
            self.outer.table(table(self._grid()))

    def _grid(self) -> list[list[str]]:
        """Return the rows, empty where a cell from the left or from above reaches."""
        grid: list[list[str]] = []
        covered: dict[int, int] = {}  # column -> how many rows more
        for row in self._rows:
            line: list[str] = []
            cells = iter(row)
            cell = next(cells, None)
            while cell is not None or covered.get(len(line), 0):
                if covered.get(len(line), 0):
                    covered[len(line)] -= 1
                    line.append("")
                elif cell is not None:
                    for column in range(len(line), len(line) + cell.columns):
                        covered[column] = max(covered.get(column, 0), cell.rows - 1)
                    line += [" ".join(part.text for part in cell.parts), *[""] * (cell.columns - 1)]
                    cell = next(cells, None)
            grid.append(line)
        return grid

    def _is_layout(self) -> bool:
        """Tell a table that only puts things in their places: its cells hold whole sections."""
        if all(sum(1 for cell in row if cell.parts) <= 1 for row in self._rows):
            return True
        return any(
            part.kind in ("heading", "table", "code") for row in self._rows for cell in row for part in cell.parts
        )
