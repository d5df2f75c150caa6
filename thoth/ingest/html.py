"""HTML -> headings, paragraphs, lists, tables and code; scripts, styles, controls and navigation are left out."""

from __future__ import annotations

import re

from thoth.ingest import text
from thoth.ingest.document import Document, Part, assemble, table
from thoth.ingest.tags import Tag, tags_and_text

_HEADINGS = {f"h{level}": level for level in range(1, 7)}

# Elements without text to read.
_SKIPPED = set(
    """script style template noscript svg iframe object audio video canvas nav menu search
    select button textarea datalist annotation noembed noframes rp""".split()
)

# Only elements that must be closed may be skipped for an attribute: a `<p hidden>` may end anywhere.
_CONTAINERS = set("div section aside header footer ul ol span form table".split())
_NAVIGATION = {"navigation", "search", "menu", "menubar", "toolbar"}

_BLOCKS = set(
    """address article aside blockquote body caption center details dialog dir div fieldset figcaption figure footer
    form header hgroup hr html legend main p section summary tbody tfoot thead""".split()
)

# Deeper lists are not indented further.
_MAX_INDENT = 8


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read a web page.

    Args:
        data: the file.
        name: of the document.
        charset: what the server says the encoding is; else the page's own word counts.

    Raises:
        DocumentError: The bytes are not text.
    """
    return assemble(name, parts(text.decode(data, name, charset or declared_charset(data))))


def declared_charset(data: bytes) -> str | None:
    """Return the encoding that a page names in its head, or an XML file in its first line."""
    found = re.search(rb"""(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""", data[:1024])
    return found[1].decode() if found else None


def parts(markup: str, *, titled: bool = True) -> list[Part]:
    """Return what a page says, in order; where it has no heading of level 1, its title stands in for one."""
    page = _Page()
    for token in tags_and_text(markup):
        if isinstance(token, Tag):
            page.tag(token)
        else:
            page.text(token)
    found = page.close()
    has_top = any(part.kind == "heading" and part.level == 1 for part in found)
    return [Part("heading", page.title, 1), *found] if titled and page.title and not has_top else found


class _Flow:
    """Blocks one below the other: those of a page, or of one cell of a table."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._inline: list[str] = []
        self._heading = 0
        self._code = 0
        self._counters: list[int | None] = []  # one for each open list; None: not numbered
        self._items: list[str] = []
        self._marker = ""

    def text(self, data: str) -> None:
        self._inline.append(data if self._code else re.sub(r"\s+", " ", data.replace("\xad", "")))

    def line_break(self) -> None:
        self._inline.append("\n")

    def heading(self, level: int) -> None:
        """Begin (level 1 to 6) or end (0) a heading."""
        self.flush()
        self._end_items()
        self._heading = level

    def code(self, opens: bool) -> None:
        self.flush()
        self._code = max(0, self._code + (1 if opens else -1))

    def enumeration(self, opens: bool, counter: int | None = None) -> None:
        self.flush()
        if opens:
            self._counters.append(counter)
        elif self._counters:
            self._counters.pop()
        if not self._counters:
            self._end_items()

    def item(self, marker: str | None = None) -> None:
        self.flush()
        if not self._counters:  # an item outside a list
            self._counters.append(None)
        number = self._counters[-1]
        if marker is None:
            marker = "- " if number is None else f"{number}. "
        if number is not None:
            self._counters[-1] = number + 1
        self._marker = "  " * min(len(self._counters) - 1, _MAX_INDENT) + marker

    def table(self, text: str) -> None:
        self.flush()
        self._end_items()
        self.parts.append(Part("table", text))

    def adopt(self, parts: list[Part]) -> None:
        self.flush()
        self._end_items()
        self.parts += parts

    def flush(self) -> None:
        """End the block that is being written, whether its tag was closed or not."""
        raw, self._inline = "".join(self._inline), []
        if not raw.strip():
            return
        if self._heading:
            self.parts.append(Part("heading", " ".join(raw.split()), self._heading))
            self._heading = 0
        elif self._counters:
            lines = raw.strip("\n").split("\n") if self._code else [" ".join(raw.split())]
            self._items += [self._marker + line for line in lines[:1]]
            self._marker = " " * len(self._marker)
            self._items += [self._marker + line for line in lines[1:]]
        elif self._code:
            self.parts.append(Part("code", re.sub(r"\A\s*\n", "", raw).rstrip()))
        else:
            text = re.sub(r" *\n *", "\n", re.sub(r" +", " ", raw))
            self.parts += [Part("paragraph", piece.strip()) for piece in re.split(r"\n{2,}", text) if piece.strip()]

    def close(self) -> list[Part]:
        self.flush()
        self._end_items()
        return self.parts

    def _end_items(self) -> None:
        if self._items:
            self.parts.append(Part("list", "\n".join(self._items)))
            self._items = []


class _Table:
    """The rows read so far; each cell is the blocks in it."""

    def __init__(self, outer: _Flow) -> None:
        self.outer = outer
        self.rows: list[list[list[Part]]] = []
        self.cell: _Flow | None = None

    def end_cell(self) -> None:
        if self.cell is not None:
            self.rows = self.rows or [[]]
            self.rows[-1].append(self.cell.close())
            self.cell = None

    def end(self) -> None:
        self.end_cell()
        if self._is_layout():
            self.outer.adopt([part for row in self.rows for cell in row for part in cell])
        else:
            self.outer.table(table([" ".join(part.text for part in cell) for cell in row] for row in self.rows))

    def _is_layout(self) -> bool:
        """Tell a table that only puts things in their places: its cells hold whole sections."""
        if all(sum(map(bool, row)) <= 1 for row in self.rows):
            return True
        return any(part.kind in ("heading", "table", "code") for row in self.rows for cell in row for part in cell)


class _Page:
    """What has been read of a page: its blocks, the tables that are open, and what is being left out."""

    def __init__(self) -> None:
        self.title = ""
        self._flow = _Flow()
        self._tables: list[_Table] = []
        self._in_title = False
        self._skipped, self._depth = "", 0  # the element that is left out, and how many of its name are open

    def text(self, data: str) -> None:
        if self._in_title:
            self.title = self.title or " ".join(data.split())
        elif not self._depth:
            self._current().text(data)

    def tag(self, tag: Tag) -> None:
        if self._depth:
            if tag.name == self._skipped and not tag.empty:
                self._depth += -1 if tag.end else 1
        elif tag.name == "title":
            self._in_title = not (tag.end or tag.empty)
        elif not tag.end and _is_skipped(tag):
            self._skipped, self._depth = tag.name, 0 if tag.empty else 1
        elif tag.name == "table" and not tag.end:
            self._current().flush()
            self._tables.append(_Table(self._current()))
        elif self._tables and tag.name == "table":
            self._tables.pop().end()
        elif self._tables and tag.name in ("tr", "td", "th"):
            self._row_or_cell(self._tables[-1], tag)
        else:
            _apply(self._current(), tag)

    def close(self) -> list[Part]:
        while self._tables:
            self._tables.pop().end()
        return self._flow.close()

    def _current(self) -> _Flow:
        return (self._tables[-1].cell or self._tables[-1].outer) if self._tables else self._flow

    @staticmethod
    def _row_or_cell(table: _Table, tag: Tag) -> None:
        table.end_cell()
        if tag.name == "tr" and not tag.end:
            table.rows.append([])
        elif tag.name != "tr" and not tag.end:
            table.cell = _Flow()


def _is_skipped(tag: Tag) -> bool:
    if tag.name in _SKIPPED:
        return True
    if tag.name not in _CONTAINERS or not tag.source:
        return False
    attributes = tag.attributes()
    return (
        ("hidden" in attributes and attributes["hidden"] != "until-found")
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") in _NAVIGATION
        or "display:none" in attributes.get("style", "").replace(" ", "")
    )


def _apply(flow: _Flow, tag: Tag) -> None:
    """Do in a flow what a tag says; tags that only mark letters do nothing."""
    opens = not tag.end
    match tag.name:
        case "br":
            flow.line_break()
        case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
            flow.heading(_HEADINGS[tag.name] if opens else 0)
        case "pre" | "listing" | "xmp":
            flow.code(opens)
        case "ol":
            start = tag.attributes().get("start", "1") if opens else "1"
            flow.enumeration(opens, int(start) if re.fullmatch(r"\d{1,6}", start) else 1)
        case "ul" | "dl":
            flow.enumeration(opens)
        case "li" if opens:
            flow.item()
        case "dt" | "dd" if opens:
            flow.item("" if tag.name == "dt" else "  ")
        case name if name in _BLOCKS:
            flow.flush()
