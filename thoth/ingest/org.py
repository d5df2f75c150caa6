"""Org -> headings, text, lists, tables and code; settings and drawers are left out."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from thoth.ingest import text
from thoth.ingest.document import Document, LooseBlock, assemble, table
from thoth.ingest.text_blocks import kind_of

_HEADING = re.compile(r"(\*+)[ \t]+(.*?)(?:[ \t]+:[\w@#%:]+:)?[ \t]*$")
_BLOCK = re.compile(r"[ \t]*#\+(?:begin|end)_(\w+)", re.IGNORECASE)
_VERBATIM = {"src", "example", "export", "comment"}
_LONGEST_DRAWER = 200
_SETTING = re.compile(r"[ \t]*#\+(\w+)(?:\[[^\]]*\])?:[ \t]*(.*)", re.IGNORECASE)
_DRAWER = re.compile(r"[ \t]*:[\w-]+:[ \t]*$")
_CLOCK = re.compile(r"[ \t]*CLOCK:")
_LINK = re.compile(r"\[\[([^\[\]]+)\](?:\[([^\[\]]+)\])?\]")
_MARKS = re.compile(r"(?<![\w*/=~+_])([*/=~+_])(?=\S)([^\n]{1,300}?)(?<=\S)\1(?![\w*/=~+_])")
_RULE = re.compile(r"[ \t]*\|[-+|]+[ \t]*$")
_SHOWN = {"title", "author", "date", "subtitle", "caption", "description"}


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read an Org file; arguments and errors are those of `text.decode`."""
    return assemble(name, _parts(text.decode(data, name, charset).split("\n")))


def _parts(lines: list[str]) -> Iterator[LooseBlock]:
    at, pending = 0, list[str]()
    ends = [i for i, line in enumerate(lines) if line.strip().lower() == ":end:"]
    while at < len(lines):
        line = lines[at]
        heading, block, setting = _HEADING.match(line), _BLOCK.match(line), _SETTING.match(line)
        special = heading or block or setting or _DRAWER.match(line) or line.lstrip().startswith(("|", "# "))
        if (not line.strip() or special or line.strip() == "#") and pending:
            yield from _paragraph(pending)
            pending = []
        at += 1
        if heading:
            yield LooseBlock("heading", _inline(heading[2]), len(heading[1]))
        elif block and block[1].lower() in _VERBATIM:
            at, inner = _until(lines, at, re.compile(rf"[ \t]*#\+end_{re.escape(block[1])}\b", re.IGNORECASE))
            if block[1].lower() != "comment":
                yield LooseBlock("code", _unindented(inner))
        elif block:
            continue  # of a quote or a verse, the lines are text as any other
        elif setting:
            if setting[1].lower() == "title":
                yield LooseBlock("heading", _inline(setting[2]), 1)
            elif setting[1].lower() in _SHOWN and setting[2].strip():
                yield LooseBlock("paragraph", f"{setting[1].capitalize()}: {_inline(setting[2])}")
        elif _DRAWER.match(line):
            end = bisect_left(ends, at)
            at = ends[end] + 1 if end < len(ends) and ends[end] - at < _LONGEST_DRAWER else at
        elif line.lstrip().startswith("|"):
            rows = [line]
            while at < len(lines) and lines[at].lstrip().startswith("|"):
                rows.append(lines[at])
                at += 1
            cells = [row.strip().strip("|").split("|") for row in rows if not _RULE.match(row)]
            yield LooseBlock("table", table([_inline(cell) for cell in row] for row in cells))
        elif line.lstrip().startswith("# ") or line.strip() == "#":
            continue  # a comment
        elif line.strip() and not _CLOCK.match(line):
            pending.append(line)
    yield from _paragraph(pending)


def _until(lines: list[str], at: int, end: re.Pattern[str]) -> tuple[int, list[str]]:
    """Return the line after an end mark, and the lines before it."""
    for i in range(at, len(lines)):
        if end.match(lines[i]):
            return i + 1, lines[at:i]
    return len(lines), lines[at:]


def _unindented(lines: list[str]) -> str:
    least = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[least:] for line in lines).strip("\n")


def _paragraph(lines: list[str]) -> Iterator[LooseBlock]:
    if lines:
        text_lines = [_inline(line) for line in lines]
        kind = kind_of(lines[0])
        yield LooseBlock(kind, "\n".join(text_lines).rstrip() if kind == "list" else "\n".join(text_lines).strip())


def _inline(line: str) -> str:
    """Return a line with its links as their text and without marks of emphasis."""
    line = _LINK.sub(lambda found: found[2] or found[1], line)
    return _MARKS.sub(r"\2", line)
