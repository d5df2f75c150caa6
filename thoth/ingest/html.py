"""HTML -> headings, paragraphs, lists, tables and code; scripts, styles, controls and navigation are left out.

What is struck out is left out too: the text says what holds. Formulas are written as text, see `formulas`.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, TreeBuilder

from thoth.ingest import formulas, symbols, text
from thoth.ingest.document import Document, LooseBlock, assemble
from thoth.ingest.flow import Enumeration, Flow, Table
from thoth.ingest.html_hidden import Hidden
from thoth.ingest.scripts import Script
from thoth.ingest.tags import Tag, tags_and_text

_HEADINGS = {f"h{level}": level for level in range(1, 7)}

_BLOCKS = set(
    """address article aside blockquote body caption center details dialog dir div fieldset figcaption figure footer
    form header hgroup hr html legend main p section summary tbody tfoot thead""".split()
)

_MAX_FRAMES = 3  # pages within pages

# Tables in tables; layouts of the nineties had four or five.
_MAX_TABLES = 16

_FORMULA_CLASS = re.compile(r"\b(?:mwe-math|math|tex|latex|katex|equation)", re.IGNORECASE)
_FORMULA_ALT = re.compile(r"\s*(?:\{\\displaystyle|\$.+\$\s*\Z|\\[a-zA-Z(\[])", re.DOTALL)
_LIST_STYLE = re.compile(r"list-style(?:-type)?\s*:\s*([\w-]+)")
# Of a style, or one of the names that stylesheets give it.
_ALIGNED = re.compile(
    r"vertical-align\s*:\s*(?:super|sub)\b|(?<=[;\s])(?:superscript|subscript|super|sup|sub)(?=\s|\Z)", re.IGNORECASE
)
_TYPED = {"text", "number", "date", "email", "tel", "url", "time", "month", "datetime-local"}


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read a web page.

    Args:
        data: the file.
        name: of the document.
        charset: what the server says the encoding is; else the page's own word counts.

    Raises:
        DocumentError: The bytes are not text.
    """
    return assemble(name, parts(decoded(data, name, charset)))


def decoded(data: bytes, name: str, charset: str | None = None) -> str:
    """Return a page's text, in the encoding that its server or itself names.

    Raises:
        UnknownFormatError: The bytes are not text.
    """
    return text.decode(data, name, charset or declared_charset(data), is_markup=charset is None)


def declared_charset(data: bytes) -> str | None:
    """Return the encoding that a page names in its head, or an XML file in its first line."""
    found = re.search(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", data[:2048])
    return found[1].decode("latin-1") if found else None


def parts(markup: str, *, titled: bool = True, pictured: bool = False, depth: int = 0) -> list[LooseBlock]:
    """Return what a page says, in order.

    Args:
        markup: the page.
        titled: where the page has no heading of level 1, its title stands in for one.
        pictured: pictures are written as the text that stands for them; books describe theirs, pages decorate.
        depth: how many pages it is within.
    """
    page = _Page(markup, pictured, depth)
    for token in tags_and_text(markup):
        if isinstance(token, Tag):
            page.tag(token)
        else:
            page.text(token)
    found = page.close()
    has_top = any(part.kind == "heading" and part.level == 1 for part in found)
    return [LooseBlock("heading", page.title, 1), *found] if titled and page.title and not has_top else found


class _Page:
    """What has been read of a page: its blocks, what is open, and what is being left out."""

    def __init__(self, markup: str, pictured: bool, depth: int) -> None:
        self.title = ""
        self._pictured, self._depth = pictured, depth
        self._hidden = Hidden(markup)
        self._flow = Flow()
        self._tables: list[Table] = []
        self._deep_tables = 0
        self._in_title = False
        self._scripts: list[tuple[str, Script]] = []
        self._link_is_new = False  # a link within the page has begun and has no text yet
        self._svg, self._in_svg_text = 0, False
        self._math: _Math | None = None
        self._formula = ""  # the last one written, for the picture of it that may follow
        self._is_tex = False  # within a script that holds a formula
        self._fonts: list[str] = []
        self._reading = False  # within ruby's small letters

    def text(self, data: str) -> None:
        if self._math is not None:
            self._math.text(data)
        elif self._in_title:
            self.title = self.title or " ".join(data.split())
        elif self._is_tex:
            self._write_formula(formulas.tidy_tex(data))
        elif not self._hidden and (not self._svg or self._in_svg_text):
            if data.strip():
                self._link_is_new = False
            font = self._fonts[-1] if self._fonts else ""
            data = symbols.translated(data, font) if font else data
            self._current().text(data, self._scripts[-1][1] if self._scripts else "")

    def tag(self, tag: Tag) -> None:
        name = tag.name.rpartition(":")[2] if tag.name.startswith(("m:", "mml:", "svg:")) else tag.name
        if self._math is not None:
            self._in_math(name, tag)
        elif self._hidden:
            if not self._hidden.goes_on(name, tag):
                self.tag(tag)
        elif name == "script" and not tag.end and tag.attributes().get("type", "").startswith("math/tex"):
            self._is_tex = not tag.empty
        elif name == "script" and tag.end:
            self._is_tex = False
        elif not self._svg and self._hidden.begins(name, tag):
            if name == "iframe" and self._depth < _MAX_FRAMES and not self._hidden.hides(name, tag):
                page = tag.attributes().get("srcdoc", "")
                self._current().adopt(parts(page, titled=False, pictured=self._pictured, depth=self._depth + 1))
        elif name == "svg" or self._svg:
            self._in_svg(name, tag)
        elif name == "title":
            self._in_title = not (tag.end or tag.empty)
        elif name == "math" and not tag.end and not tag.empty:
            self._math = _Math(tag)
        elif name == "table" or (self._tables and name in ("tr", "td", "th")):
            self._in_table(name, tag)
        elif not self._inline(name, tag):
            if name in _BLOCKS or name in _HEADINGS or name in ("li", "td", "dd", "dt"):
                self._scripts.clear()
            _apply(self._current(), name, tag)

    def close(self) -> list[LooseBlock]:
        if self._math is not None:
            self._end_math()
        while self._tables:
            self._tables.pop().end()
        return self._flow.close()

    def _current(self) -> Flow:
        return self._tables[-1].flow if self._tables else self._flow

    def _in_svg(self, name: str, tag: Tag) -> None:
        """Of a drawing, what is written in it is read."""
        if name == "svg" and not tag.empty:
            self._current().flush()
            self._svg = max(0, self._svg + (-1 if tag.end else 1))
            self._in_svg_text = False
        elif name in ("text", "foreignobject") and not tag.empty:
            self._current().flush()
            self._in_svg_text = not tag.end
        elif name in ("tspan", "br", "p", "div") and not tag.end:
            self._current().text(" ")
        elif name in ("style", "script", "title", "desc") and self._in_svg_text and not tag.empty:
            self._hidden.skip(name)

    def _in_math(self, name: str, tag: Tag) -> None:
        assert self._math is not None
        if name == "math" and tag.end:
            self._end_math()
        elif name in _BLOCKS or name in ("table", "td", "tr", "li") or name in _HEADINGS:  # it was never closed
            self._end_math()
            self.tag(tag)
        else:
            self._math.tag(name, tag)

    def _end_math(self) -> None:
        found, self._math = self._math, None
        if found is not None and not self._hidden:
            self._write_formula(formulas.mathml(found.close()))

    def _write_formula(self, formula: str) -> None:
        self._formula = formula
        self._current().text(formula)

    def _in_table(self, name: str, tag: Tag) -> None:
        self._scripts.clear()
        if name == "table" and not tag.end:
            self._current().flush()
            if len(self._tables) >= _MAX_TABLES:
                self._deep_tables += 1
            else:
                self._tables.append(Table(self._current()))
        elif self._deep_tables:
            self._current().flush()
            self._deep_tables -= name == "table"
        elif name == "table":
            if self._tables:
                self._tables.pop().end()
        elif tag.end:
            self._tables[-1].end_cell()
        elif name == "tr":
            self._tables[-1].row()
        else:
            attributes = tag.attributes()
            self._tables[-1].cell(_number(attributes.get("colspan"), 1), _number(attributes.get("rowspan"), 1))

    def _inline(self, name: str, tag: Tag) -> bool:
        """Do what a tag within a line says; return whether it is one."""
        flow, opens = self._current(), not tag.end
        match name:
            case "sup" | "sub":
                script: Script = "sub" if name == "sub" else "note" if self._link_is_new else "sup"
                self._script(name, script, tag)
            case "a":
                attributes = tag.attributes() if opens else {}
                is_note = "noteref" in (attributes.get("epub:type", "") + attributes.get("role", ""))
                is_inner = "#" in attributes.get("href", "")
                raised = bool(self._scripts) and self._scripts[-1][0] == "sup"
                if opens and (is_note or (is_inner and raised)):
                    self._script(name, "note", tag)
                elif not opens:
                    self._script(name, "", tag)
                self._link_is_new = opens and is_inner
            case "span":
                self._span(tag)
            case "q":
                flow.text("“" if opens else "”")
            case "rt" | "ruby" | "rb" | "rtc":
                if self._reading:
                    flow.text(")")
                self._reading = name == "rt" and opens
                if self._reading:
                    flow.text("(")
            case "font":
                if opens and not tag.empty:
                    self._fonts.append(tag.attributes().get("face", ""))
                elif tag.end and self._fonts:
                    self._fonts.pop()
            case "img" if opens:
                self._picture(tag)
            case "input" if opens:
                self._control(tag)
            case _:
                return False
        return True

    def _span(self, tag: Tag) -> None:
        """Raise or lower letters as a style or the name of one says; other spans stand as those around them."""
        inherited = self._scripts[-1][1] if self._scripts else ""
        if tag.source and not tag.end and not tag.empty:
            attributes = tag.attributes()
            found = _ALIGNED.search(attributes.get("style", "") + ";" + attributes.get("class", ""))
            inherited = ("sub" if found[0].lower().endswith(("sub", "subscript")) else "sup") if found else inherited
        if inherited or self._scripts:
            self._script("span", inherited, tag)

    def _script(self, name: str, script: Script, tag: Tag) -> None:
        if not tag.end:
            if not tag.empty:
                self._scripts.append((name, script))
        elif any(opened == name for opened, _ in self._scripts):
            while self._scripts.pop()[0] != name:
                pass

    def _picture(self, tag: Tag) -> None:
        """Write the text of a formula that is shown as a picture, and that of any picture of a book."""
        attributes = tag.attributes()
        alternative = attributes.get("alt", "").strip()
        is_formula = _FORMULA_CLASS.search(attributes.get("class", "")) or attributes.get("role") == "math"
        if alternative and (is_formula or _FORMULA_ALT.match(alternative)):
            formula = formulas.tidy_tex(alternative)
            if formula != self._formula or not is_formula:
                self._current().text(formula)
        elif alternative and self._pictured:
            self._current().text(f" [{alternative}] ")
        self._formula = ""

    def _control(self, tag: Tag) -> None:
        """Write what a form shows as ticked or filled in."""
        attributes = tag.attributes()
        kind = attributes.get("type", "text").lower()
        if kind in ("checkbox", "radio"):
            self._current().text("[x] " if "checked" in attributes else "[ ] ")
        elif kind in _TYPED and attributes.get("value"):
            self._current().text(f" {attributes['value']} ")


class _Math:
    """Collects the tags of one formula; what is not closed is closed at its end."""

    def __init__(self, tag: Tag) -> None:
        self._builder = TreeBuilder()
        self._open: list[str] = []
        self._start("math", tag)

    def _start(self, name: str, tag: Tag) -> None:
        self._builder.start(name, tag.attributes())
        self._open.append(name)

    def tag(self, name: str, tag: Tag) -> None:
        if not tag.end:
            self._start(name, tag)
            if tag.empty or name in ("mspace", "none", "mprescripts"):
                self._builder.end(self._open.pop())
        elif name in self._open[1:]:
            while (last := self._open.pop()) != name:
                self._builder.end(last)
            self._builder.end(name)

    def text(self, data: str) -> None:
        self._builder.data(data)

    def close(self) -> Element:
        while self._open:
            self._builder.end(self._open.pop())
        return self._builder.close()


def _number(written: str | None, default: int) -> int:
    return int(written) if written and re.fullmatch(r"-?[0-9]{1,6}", written.strip()) else default


def _enumeration(tag: Tag) -> Enumeration:
    attributes = tag.attributes()
    style = _LIST_STYLE.search(attributes.get("style", "").lower())
    kind = attributes.get("type", "1")
    kind = {"1": "decimal", "A": "upper-alpha", "I": "upper-roman"}.get(kind, kind)
    step = -1 if "reversed" in attributes else 1
    return Enumeration(_number(attributes.get("start"), 1), style[1] if style else kind, step)


def _apply(flow: Flow, name: str, tag: Tag) -> None:
    """Do in a flow what a tag says; tags that only mark letters do nothing."""
    opens = not tag.end
    match name:
        case "br":
            flow.line_break()
        case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
            flow.heading(_HEADINGS[name] if opens else 0)
        case "pre" | "listing" | "xmp":
            flow.code(opens)
        case "ol":
            flow.enumeration(_enumeration(tag) if opens else None)
        case "ul" | "dl":
            flow.enumeration(Enumeration() if opens else None)
        case "li" if opens:
            flow.item(value=_number(tag.attributes().get("value"), 0) or None)
        case "dt" | "dd" if opens:
            flow.item("" if name == "dt" else "  ")
        case _ if name in _BLOCKS:
            flow.flush()
