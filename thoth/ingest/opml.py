"""Outlines (OPML, as outliners and programs for feeds export them) -> lists, indented as deep as an item stands."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from thoth.errors import DocumentError
from thoth.ingest import broken_xml, charsets, text
from thoth.ingest.document import Document, LooseBlock, assemble
from thoth.ingest.elements import below, child, children

_ROOT = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--.{0,1000}?-->\s*)*<opml\b", re.DOTALL)
_HEAD = 4096
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")  # outliners write letters in bold as `<b>`
_DEEPEST = 20  # that an indent shows


def is_opml(data: bytes) -> bool:
    """Tell an outline by its first element."""
    return _ROOT.match(data[:_HEAD]) is not None


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read an outline: each item with the note to it, and the address of a feed.

    Raises:
        DocumentError: There is no outline in it; besides, as `text.decode`.
    """
    markup = text.decode(data, name, charset or charsets.declared(data), is_markup=charset is None)
    root = broken_xml.recovered(markup)
    body = next(below(root, "body"), None)
    if body is None:
        raise DocumentError(f"{name} is no outline (OPML): if it is a text, give it the suffix .txt")
    title = "".join(next(below(child(root, "head"), "title"), Element("title")).itertext())
    parts = [LooseBlock("heading", " ".join(title.split()), 1)] if title.strip() else []
    for item in children(body, "outline"):
        if lines := list(_lines(item)):
            parts.append(LooseBlock("list", "\n".join(lines)))
    return assemble(name, parts)


def _lines(top: Element) -> Iterator[str]:
    """Yield an item and all below it."""
    stack = [(top, 0)]
    while stack:
        item, depth = stack.pop()
        said = _plain(item.get("text") or item.get("title") or "")
        address = item.get("htmlUrl") or item.get("xmlUrl") or item.get("url") or ""
        indent = "  " * min(depth, _DEEPEST)
        if said or address:
            yield f"{indent}- {f'{said} <{address}>' if said and address else said or address}"
        for line in (item.get("_note") or "").split("\n"):
            if note := _plain(line):
                yield f"{indent}  {note}"
        stack += [(inner, depth + 1) for inner in reversed([*children(item, "outline")])]


def _plain(written: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", written)).split())  # text may be HTML (OPML 2.0, "text")
