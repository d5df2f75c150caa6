"""Elements of XML by names without a namespace: Office's two dialects, strict and transitional, differ only there."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element


def local(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Element | None, name: str) -> str | None:
    """Return an attribute by its name without the namespace."""
    if element is None:
        return None
    value = element.attrib.get(name)  # the common case, without a namespace
    return value if value is not None else next((v for k, v in element.attrib.items() if k.endswith(f"}}{name}")), None)


def child(parent: Element | None, name: str) -> Element | None:
    """Return the first child of a name."""
    return None if parent is None else next((item for item in parent if local(item) == name), None)


def children(parent: Element | None, name: str) -> Iterator[Element]:
    """Yield the children of a name."""
    if parent is not None:
        yield from (item for item in parent if local(item) == name)


def below(parent: Element | None, name: str) -> Iterator[Element]:
    """Yield all elements of a name, however deep."""
    if parent is not None:
        yield from (item for item in parent.iter() if local(item) == name)


def number(text: str | None, default: int) -> int:
    """Return a whole number of at most six digits."""
    return int(text) if text and text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 7 else default
