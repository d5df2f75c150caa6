"""Text files -> blocks: paragraphs of plain text, Markdown and reStructuredText, source code, tables.

The text itself is not changed; what is found are the places where blocks begin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from thoth.ingest.document import Block, Document, Headings, Kind

_MARKDOWN = {".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd"}
_RST = {".rst", ".rest"}
_ASCIIDOC = {".adoc", ".asciidoc"}
_TABLES = {".csv", ".tsv"}
_CODE = {
    f".{suffix}"
    for suffix in """
    ada adb asm bash bat c cc clj cljs cmake cpp cs css cu cuh cxx d dart el erl ex exs f f90 fish fs go gradle graphql
    groovy h hh hpp hs hxx ini java jl js json jsonl jsx kt kts lisp lua m metal mjs ml mm nim nix pas php pl pm proto
    ps1 py pyi pyx r rb rkt rs s sass scala scm scss sh sol sql svelte swift tcl tcss tf toml ts tsx v vb vhd vim vue
    xml xsd xsl yaml yml zig zsh
    """.split()
}

# Of files of code that have no suffix.
_CODE_NAMES = set(
    "makefile gnumakefile dockerfile containerfile vagrantfile jenkinsfile gemfile rakefile procfile".split()
)

# Names that say: this is text, even where it is text about HTML.
SUFFIXES = _MARKDOWN | _RST | _ASCIIDOC | _TABLES | _CODE | {".txt", ".text", ".log"}

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_ATX_CLOSE = re.compile(r"(?:\A|[ \t])#+\Z")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022]|\d{1,9}[.)])[ \t]+\S")
_PIPES = re.compile(r"[ \t]*\|.*\|[ \t]*$")
_DELIMITER_ROW = re.compile(r"[ \t]*+\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*$")
_UNDERLINE = re.compile(r"([=\-`:'\"~^_*+#<>.])\1{2,}[ \t]*$")
_GRID = re.compile(r"[ \t]*\+[-=+]{3,}\+[ \t]*$|[ \t]*={2,}(?: +={2,})+[ \t]*$")

# AsciiDoc: titles of sections, and the lines around listings, tables and other blocks.
_SECTION = re.compile(r"(={1,6})[ \t]+(\S.*)$")
_FENCES: dict[str, Kind] = {"----": "code", "....": "code", "```": "code", "|===": "table", ",===": "table"}

_OLD_UNDERLINES = "=-~^+"  # by level, below titles of AsciiDoc's old style

_FRONT_MATTER = re.compile(r"---[ \t]*\n[\w-]+[ \t]*:(?:.*\n)*?---[ \t]*(?:\n|\Z)")

_MAX_FRONT_MATTER = 200  # lines

# Lines; further down a rule belongs to another table.
_MAX_SIMPLE_TABLE = 500

# What is found in a text: (kind, first line, line after the last, level of a heading, title).
_Found = tuple[Kind, int, int, int, str]


def read(text: str, name: str) -> Document:
    """Find the blocks of a text file; how is decided by its suffix, and by `#!` in front of a script."""
    suffix = PurePath(name).suffix.lower()
    lines = text.split("\n")
    if suffix in _MARKDOWN:
        found = _markdown(lines)
    elif suffix in _RST:
        found = _rst(lines)
    elif suffix in _ASCIIDOC:
        found = _asciidoc(lines)
    elif suffix in _TABLES:
        found = _groups(lines, "table")
    elif suffix in _CODE or text.startswith("#!") or PurePath(name).name.lower() in _CODE_NAMES:
        found = _code(lines)
    else:
        found = _groups(lines)
    return Document(name, text, blocks=tuple(_blocks(lines, found)))


def _blocks(lines: list[str], found: Iterator[_Found]) -> Iterator[Block]:
    """Turn lines into places in the text, and levels into paths."""
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    headings = Headings()
    for kind, first, after, level, title in found:
        if kind == "heading":
            headings.enter(level, title)
        end = starts[after - 1] + len(lines[after - 1].rstrip())
        yield Block(kind, starts[first], end, headings.path)


def _groups(lines: list[str], kind: Kind | None = None, first: int = 0, stop: int | None = None) -> Iterator[_Found]:
    """Blocks of lines without an empty one between them, of one kind, or lists and paragraphs."""
    at, stop = first, len(lines) if stop is None else stop
    while at < stop:
        if not lines[at].strip():
            at += 1
            continue
        after = at
        while after < stop and lines[after].strip():
            after += 1
        yield kind or kind_of(lines[at]), at, after, 0, ""
        at = after


def kind_of(line: str) -> Kind:
    """Tell from a block's first line whether it is a list or a paragraph."""
    return "list" if _ITEM.match(line) else "paragraph"


def _code(lines: list[str]) -> Iterator[_Found]:
    """Blocks of code that begin at the margin behind an empty line: functions, classes, sections of a file."""
    at = 0
    for after in range(1, len(lines) + 1):
        # A closing bracket at the margin ends what stands above it.
        begins = after == len(lines) or (
            not lines[after - 1].strip() and lines[after][:1].strip() and lines[after][0] not in ")]}"
        )
        if begins:
            first = next((i for i in range(at, after) if lines[i].strip()), after)
            last = next((i for i in range(after - 1, first - 1, -1) if lines[i].strip()), None)
            if last is not None:
                yield "code", first, last + 1, 0, ""
            at = after


def _markdown(lines: list[str]) -> Iterator[_Found]:
    """Blocks of CommonMark with pipe tables; front matter counts as code."""
    at, total = 0, len(lines)
    if front_matter := _FRONT_MATTER.match("\n".join(lines[:_MAX_FRONT_MATTER])):
        at = front_matter[0].rstrip("\n").count("\n") + 1
        yield "code", 0, at, 0, ""
    in_list = False
    while at < total:
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        indented = line.startswith(("    ", "\t"))
        in_list = in_list and (indented or line.startswith(" ") or bool(_ITEM.match(line)))
        after = at + 1
        if fence := _FENCE.match(line):
            while after < total and not lines[after].strip().startswith(fence[1]):
                after += 1
            after = min(after + 1, total)
            yield "code", at, after, 0, ""
        elif heading := _ATX.match(line):
            yield "heading", at, after, len(heading[1]), _ATX_CLOSE.sub("", line[heading.end() :].strip())
        elif indented and not in_list:
            after = _while_indented(lines, at)
            yield "code", at, after, 0, ""
        else:
            in_list = in_list or bool(_ITEM.match(line))
            while after < total and lines[after].strip() and not _interrupts(lines, after):
                after += 1
            # An underline makes the line above it a heading, unless that is a list or a table.
            underlined = after < total and after - at < 3 and _SETEXT.match(lines[after])
            if underlined and not in_list and not _PIPES.match(line):
                yield "heading", at, after + 1, 1 if lines[after].lstrip()[0] == "=" else 2, " ".join(lines[at:after])
                after += 1
            else:
                is_table = after - at > 1 and "|" in line and _DELIMITER_ROW.match(lines[at + 1])
                yield "table" if is_table else "list" if in_list else "paragraph", at, after, 0, ""
        at = after


def _interrupts(lines: list[str], at: int) -> bool:
    """Tell whether a line ends the paragraph above it."""
    line = lines[at]
    return bool(_FENCE.match(line) or _ATX.match(line) or (_SETEXT.match(line) and "|" not in lines[at - 1]))


def _while_indented(lines: list[str], at: int) -> int:
    """Return the line after an indented block that begins at `at`; empty lines belong to it."""
    last = at
    for i in range(at, len(lines)):
        if lines[i].strip():
            if not lines[i].startswith((" ", "\t")):
                break
            last = i
    return last + 1


def _asciidoc(lines: list[str]) -> Iterator[_Found]:
    """Blocks of AsciiDoc: sections, listings, tables, lists and paragraphs."""
    at = 0
    while at < len(lines):
        line = lines[at].rstrip()
        after = at + 1
        if kind := next((kind for mark, kind in _FENCES.items() if line.startswith(mark)), None):
            while after < len(lines) and lines[after].rstrip() != line:
                after += 1
            after = min(after + 1, len(lines))
            yield kind, at, after, 0, ""
        elif section := _SECTION.match(line):
            yield "heading", at, after, len(section[1]), section[2]
        elif at + 1 < len(lines) and (level := _underlined(line, lines[at + 1])):
            after = at + 2
            yield "heading", at, after, level, line
        elif line:
            while after < len(lines) and lines[after].strip() and not lines[after].startswith(tuple(_FENCES)):
                if after + 1 < len(lines) and _underlined(lines[after].rstrip(), lines[after + 1]):
                    break
                after += 1
            yield kind_of(line), at, after, 0, ""
        at = after


def _underlined(line: str, below: str) -> int:
    """Return the level of a title of AsciiDoc's old style, 0 where the line below is no underline of its length."""
    below = below.rstrip()
    is_under = line and below and below == below[0] * len(below) and abs(len(line) - len(below)) <= 2
    return _OLD_UNDERLINES.find(below[0]) + 1 if is_under and re.search(r"\w", line) else 0


def _rst(lines: list[str]) -> Iterator[_Found]:
    """Blocks of reStructuredText; the order in which underlines first occur gives the levels of headings."""
    levels: list[str] = []
    at, total, literal = 0, len(lines), False
    while at < total:
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        over = bool(_UNDERLINE.match(line)) and at + 2 < total and lines[at + 2].rstrip() == line.rstrip()
        title = at + 1 if over else at
        under = _UNDERLINE.match(lines[title + 1]) if title + 1 < total else None
        if under and lines[title].strip() and not _GRID.match(lines[title]) and len(under[0].rstrip()) >= 3:
            style = under[1] * (2 if over else 1)
            if style not in levels:
                levels.append(style)
            after = title + 2
            yield "heading", at, after, levels.index(style) + 1, lines[title]
        elif line[0] in " \t" and literal:
            after = _while_indented(lines, at)
            yield "code", at, after, 0, ""
        else:
            after = at + 1
            while after < total and lines[after].strip():
                after += 1
            if _GRID.match(line) and "=" in line.split()[0]:  # a simple table may have empty lines in it
                after = _simple_table_end(lines, at, after)
            yield "table" if _GRID.match(line) else kind_of(line), at, after, 0, ""
        literal = lines[after - 1].rstrip().endswith("::") or bool(re.match(r"\s*\.\. (?:code|sourcecode)", line))
        at = after


def _simple_table_end(lines: list[str], at: int, after: int) -> int:
    """Return the line after a simple table's last rule: the one with an empty line behind it."""
    for i in range(after - 1, min(len(lines), at + _MAX_SIMPLE_TABLE)):
        ends = i + 1 == len(lines) or not lines[i + 1].strip()
        if ends and i > at and lines[i].rstrip() == lines[at].rstrip():
            return i + 1
    return after
