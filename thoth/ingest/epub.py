"""EPUB -> the text of its chapters, in the order of its spine."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from thoth.errors import DocumentError
from thoth.ingest import html
from thoth.ingest.document import Document, LooseBlock, assemble
from thoth.ingest.elements import attribute, below
from thoth.ingest.package import Package, resolve

log = logging.getLogger(__name__)

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_MARKUP = {"application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document", "image/svg+xml", "text/xml"}
_SUFFIXES = (".xhtml", ".html", ".htm", ".xml", ".svg")


def read(data: bytes, name: str) -> Document:
    """Read an electronic book; its own table of contents is left out.

    A chapter that is missing or damaged is named in a warning.

    Raises:
        DocumentError: The file is damaged, protected, or unpacks to too much, or none of its chapters can be read.
    """
    with Package(data, name) as package:
        chapters = _chapters(package)
        if _protected(package) & set(chapters):
            raise DocumentError(f"{name} is protected against copying: Thoth reads books without such protection only")
        return assemble(name, _parts(package, chapters))


def is_epub(package: Package) -> bool:
    """Tell a book from other archives, also where its list of contents is missing."""
    return _CONTAINER in package or ("mimetype" in package and package.read("mimetype")[:20] == b"application/epub+zip")


def _parts(package: Package, chapters: list[str]) -> Iterator[LooseBlock]:
    lost: list[str] = []
    for chapter in chapters:
        try:
            found = package.find(chapter)
            if found is None:
                raise package.damaged()
            parts = html.parts(package.text(found), titled=False, pictured=True)
        except DocumentError:
            if package.is_spent:  # it unpacks to too much
                raise
            lost.append(posixpath.basename(chapter))
            continue
        yield from parts
    if lost and len(lost) == len(chapters):
        raise package.damaged()
    if lost:
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        log.warning(
            "%s: %d of its %d chapters cannot be read and were left out: %s%s",
            package.name, len(lost), len(chapters), ", ".join(lost[:3]), more,
        )  # fmt: skip


def _chapters(package: Package) -> list[str]:
    """Return the members that hold text, in reading order."""
    book = _book(package)
    contents = package.optional(book) if book else None
    if contents is None:  # without a list of contents, the names of the files are the order that is left
        found = sorted(m for m in package if m.lower().endswith(_SUFFIXES[:3]) and not m.startswith("META-INF/"))
        if not found:
            raise package.damaged()
        log.warning("%s: its list of contents is missing; its chapters are in the order of their names", package.name)
        return found
    folder = posixpath.dirname(book)
    items = {item.get("id"): item for item in below(contents, "item")}
    references = [reference.get("idref") for reference in below(contents, "itemref")]
    spine = [items.get(reference) for reference in references]
    if any(item is not None for item in spine) and (
        lost := [str(reference) for reference in references if reference not in items]
    ):
        log.warning("%s: parts that its list of contents does not explain were left out: %s", package.name, lost[0])
    if not any(item is not None for item in spine):
        spine = [*items.values()]
    chapters = [
        resolve(folder, item.get("href") or "")
        for item in (_readable(item, items) for item in spine if item is not None)
        if item is not None and "nav" not in (item.get("properties") or "").split()
    ]
    if not chapters:
        raise package.damaged()
    return list(dict.fromkeys(chapters))


def _book(package: Package) -> str:
    """Return the member that lists the book's parts, "" where there is none."""
    container = package.optional(_CONTAINER)
    named = [attribute(root, "full-path") or "" for root in below(container, "rootfile")]
    found = next((found for name in named if name and (found := package.find(resolve("", name)))), None)
    return found or next((member for member in package if member.lower().endswith(".opf")), "")


def _readable(item: Element, items: dict[str | None, Element]) -> Element | None:
    """Return an item that holds text, or what stands in for one that does not."""
    for _ in range(4):
        kind = (item.get("media-type") or "").lower().strip()
        href = (item.get("href") or "").lower().partition("#")[0]
        if kind in _MARKUP or (not kind.startswith(("image/", "audio/", "video/")) and href.endswith(_SUFFIXES)):
            return item
        fallback = items.get(item.get("fallback"))
        if fallback is None:
            return None
        item = fallback
    return None


def _protected(package: Package) -> set[str]:
    """Return the encrypted members; fonts often are, and do not matter."""
    references = below(package.optional(_ENCRYPTION), "CipherReference")
    return {resolve("", reference.get("URI") or "") for reference in references}
