"""Jupyter notebooks (formats 3 and 4) -> their cells: Markdown as text, code as code, outputs that are text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from thoth.errors import DocumentError
from thoth.ingest import html, text, text_blocks
from thoth.ingest.document import Document, LooseBlock, assemble, parts_of

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
# Of what a cell prints; a training run prints thousands of lines that differ in a number.
_MOST_OUTPUT = 20_000


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read a notebook without its pictures; arguments are those of `text.decode`.

    Raises:
        UnknownFormatError: The bytes are not text.
        DocumentError: The file is damaged.
    """
    try:
        book = json.loads(text.decode(data, name, charset))
        cells = book["cells"] if "cells" in book else [one for sheet in book["worksheets"] for one in sheet["cells"]]
        return assemble(name, [part for cell in cells for part in _cell(cell)])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DocumentError(f"{name} is damaged and cannot be read as a notebook: export it again") from error


def _cell(cell: dict[str, Any]) -> Iterator[LooseBlock]:
    kind, source = cell.get("cell_type"), _joined(cell.get("source", cell.get("input", "")))
    if kind == "heading":
        yield LooseBlock("heading", " ".join(source.split()), min(max(int(cell.get("level") or 1), 1), 6))
    elif kind == "code":
        yield LooseBlock("code", source.strip("\n"))
        for output in cell.get("outputs") or []:
            yield from _output(output)
    elif kind == "raw":
        yield LooseBlock("paragraph", source.strip())
    elif source.strip():
        yield from _markdown(source)


def _markdown(source: str) -> list[LooseBlock]:
    """Return the blocks of Markdown; the level of a heading is that of its marks."""
    document = text_blocks.read(source, "cell.md")
    parts = []
    for part in parts_of(document):
        if part.kind == "heading":
            marks = re.match(r" {0,3}(#{1,6})", part.text)
            under = 1 if part.text.rstrip()[-1:] == "=" else 2
            title = re.sub(r"\n\s*[=-]+\s*\Z", "", re.sub(r"^ {0,3}#{1,6}\s*|\s+#+\s*$", "", part.text))
            part = LooseBlock("heading", title, len(marks[1]) if marks else under)
        parts.append(part)
    return parts


def _output(output: dict[str, Any]) -> Iterator[LooseBlock]:
    kind = output.get("output_type")
    if kind == "stream":
        yield from _printed(_joined(output.get("text", "")))
    elif kind in ("error", "pyerr"):
        yield from _printed(f"{output.get('ename', 'Error')}: {output.get('evalue', '')}")
    else:
        data = output.get("data") or output  # format 3 has them without the layer between
        for key in ("text/markdown", "text/latex", "text/plain", "text"):
            if isinstance(data, dict) and (shown := _joined(data.get(key, ""))).strip():
                yield from _markdown(shown) if key == "text/markdown" else _printed(shown)
                return
        page = _joined(data.get("text/html", data.get("html", ""))) if isinstance(data, dict) else ""
        yield from html.parts(page, titled=False)


def _printed(shown: str) -> Iterator[LooseBlock]:
    shown = _ESCAPES.sub("", shown)
    # A progress bar writes over itself; its last state is what one sees.
    shown = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in shown.split("\n")).strip("\n")
    if len(shown) > _MOST_OUTPUT:
        shown = f"{shown[: _MOST_OUTPUT // 2]}\n...\n{shown[-_MOST_OUTPUT // 2 :]}"
    if shown.strip() and not re.fullmatch(r"\s*<[\w.]+ at 0x[0-9a-f]+>\s*|\s*<Figure size [^>]*>\s*", shown):
        yield LooseBlock("code", text.clean(shown))


def _joined(source: Any) -> str:
    """Return a text that a notebook may keep as a list of lines."""
    return "".join(map(str, source)) if isinstance(source, list) else str(source or "")
