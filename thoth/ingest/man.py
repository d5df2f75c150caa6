r"""Manual pages in troff's `man` macros -> headings, paragraphs, options, examples and tables.

The macros are those of groff_man(7); pages in those of BSD are for `mdoc`. `.so` includes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from thoth.ingest import mdoc, text, troff
from thoth.ingest.document import Document, LooseBlock, assemble, table

# Programs that write manual pages (pandoc, pod2man, Sphinx) define fonts, strings and macros before the title.
_DEFINITION = rb"[.'][ \t]*(?:de1?|am1?|ig)\b[^\n]*\n(?:(?!\.\.)[^\n]*\n)*+(?:\.\.[^\n]*\n)?"
_TITLE = re.compile(
    rb"\A(?:" + _DEFINITION + rb"|(?!\.(?:TH|Dd)[ \t])[.'][^\n]*\n|[ \t]*\n|\\[{}][^\n]*\n)*+\.(TH|Dd)[ \t]"
)
_TERMINAL = re.compile(r"(?:n[ \t]+\.i[fe][ \t]+)*+n[ \t]+(.*)")
_HEAD = 20_000
_FONTS = {"B", "I", "SM", "SB"}
_PARAGRAPHS = {"PP", "P", "LP", "HP", "sp", "Sp", "RS", "RE", "YS"}
# What pod2man defines for verbatim text stands beside the macros of groff.
_CODE, _CODE_END = {"nf", "EX", "Vb"}, {"fi", "EE", "Ve"}


def is_man(data: bytes) -> bool:
    """Tell a manual page's source from other texts: its first request names it."""
    found = _TITLE.match(data[:_HEAD])
    return found is not None and (found[1] == b"TH" or b"\n.Dt " in data[:_HEAD])


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read the source of a manual page; arguments and errors are those of `text.decode`."""
    found = _TITLE.match(data[:_HEAD])
    page = mdoc.Page() if found and found[1] == b"Dd" else _Page()
    page.lines(text.decode(data, name, charset).split("\n"))
    return assemble(name, page.close())


class _Page:
    """The blocks so far, and what is being written."""

    def __init__(self) -> None:
        self._parts: list[LooseBlock] = []
        self._words: list[str] = []
        self._tag: str | None = None
        self._heading = 0  # the level of one whose text stands on the next line
        self._wants_tag = False
        self._code: list[str] | None = None

    def lines(self, lines: list[str]) -> None:
        source = iter(lines)
        for line in source:
            found = troff.request(line)
            if found is None:
                if not line.startswith((".", "'")):
                    self._text(line)
            elif found[0] == "TS":
                self._table(source)
            elif found[0] in ("de", "ig", "EQ", "am", "de1", "am1"):
                end = {"EQ": ".EN"}.get(found[0], "..")
                next((one for one in source if one.startswith(end)), None)
            elif found[0] in ("if", "ie", "el"):
                self._condition(*found, source)
            else:
                self._request(*found)

    def close(self) -> list[LooseBlock]:
        self._end()
        return self._parts

    def _request(self, name: str, rest: str) -> None:
        arguments = troff.arguments(rest)
        joined = " ".join(arguments)
        if name == "TH":
            self._parts.append(LooseBlock("heading", troff.shown(f"{joined.split()[0]}({arguments[1]})"), 1)) if len(
                arguments
            ) > 1 else None
        elif name in ("SH", "SS"):
            self._end()
            self._heading = 2 if name == "SH" else 3
            if joined:
                self._text(joined)
        elif name in _PARAGRAPHS and self._code is None:
            self._end()
        elif name in ("TP", "TQ"):
            self._end()
            self._wants_tag = True
        elif name == "IP":
            self._end()
            self._tag = troff.shown(arguments[0]) if arguments else None
        elif name in _CODE:
            self._end()
            self._code = []
        elif name in _CODE_END:
            self._end()
        elif name == "br" and self._code is None:
            self._words.append("\n")
        elif name in ("UR", "MT"):
            self._text(f"<{joined}>")
        elif name == "OP":
            self._text(f"[{joined}]")
        elif name == "SY" or name in _FONTS:
            self._text(joined)
        elif re.fullmatch(r"[BIR]{2}", name):  # fonts in turn, without blanks
            self._text("".join(arguments))

    def _text(self, line: str) -> None:
        shown = troff.shown(troff.uncommented(line))
        if self._code is not None:
            self._code.append(shown)
        elif self._heading and shown.strip():
            self._parts.append(LooseBlock("heading", " ".join(shown.split()), self._heading))
            self._heading = 0
        elif self._wants_tag and shown.strip():
            self._wants_tag, self._tag = False, " ".join(shown.split())
        elif not shown.strip():
            self._end()
        else:
            if line[0] in " \t":
                self._words.append("\n")
            self._words.append(shown.strip())

    def _end(self) -> None:
        if self._code is not None:
            code = "\n".join(self._code).strip("\n").rstrip()
            self._parts += [LooseBlock("code", code)] if code.strip() else []
            self._code = None
        body = re.sub(r" *\n *", "\n", " ".join(self._words)).strip()
        tag, self._tag, self._words, self._wants_tag = self._tag, None, [], False
        if tag is not None:
            lead = "- " if tag in ("•", "*", "-", "o") else f"{tag}  " if body else tag
            self._parts.append(LooseBlock("list", lead + " ".join(body.split())))
        elif body:
            self._parts.append(LooseBlock("paragraph", body))

    def _condition(self, name: str, rest: str, source: Iterator[str]) -> None:
        """Follow what holds for a terminal (`.if n`); definitions in braces are for programs."""
        if "\\{" in rest:
            depth = rest.count("\\{") - rest.count("\\}")
            while depth > 0 and (line := next(source, None)) is not None:
                depth += line.count("\\{") - line.count("\\}")
        elif name != "el" and (found := _TERMINAL.match(rest)):
            self.lines([found[1]])

    def _table(self, source: Iterator[str]) -> None:
        self._end()
        rows: list[list[str]] = []
        is_data, cell = False, list[str]()
        for line in source:
            if line.startswith(".TE"):
                break
            if not is_data:
                is_data = line.rstrip().endswith(".")
            elif cell and not line.startswith("T}"):
                cell.append(line)
            elif line.startswith("T}"):
                rows[-1][-1] = " ".join(cell[1:])
                rows[-1] += line[2:].split("\t")[1:]
                cell = []
            elif not line.startswith(".") and line.strip("_=\t "):
                rows.append(line.split("\t"))
            if is_data and rows and line.endswith("T{"):
                cell = ["T{"]
        shown = table([[troff.shown(one.removesuffix("T{")) for one in row] for row in rows])
        self._parts += [LooseBlock("table", shown)] if shown else []
