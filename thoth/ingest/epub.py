"""EPUB -> the text of its chapters, in the order of its spine."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from thoth.errors import DocumentError
from thoth.ingest import html
from thoth.ingest.document import Document, Part, assemble
from thoth.ingest.package import Package, attribute, local, resolve

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_MARKUP = {"application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document"}


def read(data: bytes, name: str) -> Document:
    """Read an electronic book; its own table of contents is left out.

    Raises:
        DocumentError: The file is damaged, protected, or unpacks to too much.
    """
    with Package(data, name) as package:
        chapters = _chapters(package)
        if _protected(package) & set(chapters):
            raise DocumentError(f"{name} is protected against copying: Thoth reads books without such protection only")
        return assemble(name, _parts(package, chapters))


def _parts(package: Package, chapters: list[str]) -> Iterator[Part]:
    for chapter in chapters:
        yield from html.parts(package.text(chapter), titled=False)


def _chapters(package: Package) -> list[str]:
    """Return the members that hold text, in reading order."""
    root = _find(package.xml(_CONTAINER), "rootfile")
    book = attribute(root[0], "full-path") if root else None
    if not book:
        raise package.damaged()
    contents, folder = package.xml(book), posixpath.dirname(book)
    items = {item.get("id"): item for item in _find(contents, "item")}
    spine = [items.get(reference.get("idref")) for reference in _find(contents, "itemref")]
    chapters = [
        resolve(folder, item.get("href") or "")
        for item in spine
        if item is not None
        and item.get("media-type") in _MARKUP
        and "nav" not in (item.get("properties") or "").split()
    ]
    if not chapters:
        raise package.damaged()
    return list(dict.fromkeys(chapters))


def _protected(package: Package) -> set[str]:
    """Return the encrypted members; fonts often are, and do not matter."""
    if _ENCRYPTION not in package:
        return set()
    references = _find(package.xml(_ENCRYPTION), "CipherReference")
    return {resolve("", reference.get("URI") or "") for reference in references}


def _find(root: Element, name: str) -> list[Element]:
    return [element for element in root.iter() if local(element) == name]
