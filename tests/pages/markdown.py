"""Pages as a reader of their Markdown sees them: headings with their anchors, links, fenced blocks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_COMMENT = re.compile(r"<!-- (?:not run: (?P<reason>[^>]+?)|(?P<server>in background)) -->\s+\Z")
_LINK = re.compile(r'!?\[[^\]]*\]\(([^)\s]+)\)|\bsrc(?:set)?="([^"]+)"')
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: name of its page.
        line: line of its first fence, from 1.
        language: the word after the fence; empty for none.
        text: what is in it.
        not_run: why it is not run; empty where it is.
        in_background: it starts a server.
    """

    page: str
    line: int
    language: str
    text: str
    not_run: str
    in_background: bool


def blocks(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page in their order."""
    text = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        said = _COMMENT.search(text[: found.start()])
        reason, server = (said["reason"] or "", bool(said["server"])) if said else ("", False)
        line = text.count("\n", 0, found.start()) + 1
        yield Block(path.name, line, found["language"], found["text"], reason, server)


def links(text: str) -> list[str]:
    """Return the targets of links and pictures outside of fenced blocks."""
    return [written or drawn for written, drawn in _LINK.findall(_FENCE.sub("", text))]


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as the site makes them; a heading that comes twice is numbered."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        slug, number = _slug(heading), 0
        while (name := f"{slug}_{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


def _slug(heading: str) -> str:
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)|`", r"\1", heading)
    ascii_only = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_only).strip().lower())
