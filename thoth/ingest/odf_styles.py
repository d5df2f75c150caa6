"""What the styles of an OpenDocument file say: which letters are raised or hidden, and how lists and headings count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from thoth.ingest import numerals
from thoth.ingest.elements import attribute, below, child, local, number
from thoth.ingest.scripts import Script

_CODE = {"preformatted_20_text", "preformatted text", "source_20_code", "source_20_text", "html preformatted"}
_FORMATS = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman",
            "一, 二, 三, ...": "chinesecounting", "①, ②, ③, ...": "decimalenclosedcircle",
            "１, ２, ３, ...": "decimalfullwidth",
            "01, 02, 03, ...": "decimalzero", "1st, 2nd, 3rd, ...": "ordinal"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """How letters look where that changes what they say."""

    hidden: bool = False
    struck: bool = False
    script: Script = ""
    font: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """How one level of a list or of the headings counts; no `format`: it has a bullet, or nothing."""

    format: str
    before: str
    after: str
    shown: int  # numbers of so many levels
    start: int


class Styles:
    """The styles of one document.

    Attributes:
        outline: how headings count, level from 0.
        lists: the same for each style of lists.
    """

    def __init__(self, content: Element, styles: Element | None) -> None:
        roots = [root for root in (styles, content) if root is not None]
        self._styles = {attribute(style, "name") or "": style for root in roots for style in below(root, "style")}
        self._fonts = {attribute(font, "name"): attribute(font, "font-family") for root in roots
                       for font in below(root, "font-face")}  # fmt: skip
        self.lists = {attribute(one, "name") or "": _levels(one) for root in roots for one in below(root, "list-style")}
        self.outline: dict[int, Level] = {}
        for root in roots:
            for one in below(root, "outline-style"):
                self.outline = _levels(one)
        self._looks: dict[tuple[str | None, str | None], Look] = {}

    def _chain(self, name: str | None) -> Iterator[Element]:
        seen = set[str]()
        while name in self._styles and name not in seen:
            seen.add(name)
            yield self._styles[name]
            name = attribute(self._styles[name], "parent-style-name")

    def inner(self, name: str, outer: str | None) -> str:
        """Return a name for letters of one style within another, as `look` takes it."""
        return f"{name}\0{outer}" if outer else name

    def look(self, name: str | None) -> Look:
        """Return how letters of a style look, or of one within another."""
        key = (name, None)
        if key not in self._looks:
            hidden = struck = script = font = None
            styles = [style for part in (name or "").split("\0")[:6] for style in self._chain(part)]
            for properties in (child(style, "text-properties") for style in styles):
                if properties is None:
                    continue
                display, line = attribute(properties, "display"), attribute(properties, "text-line-through-style")
                hidden = display == "none" if hidden is None and display else hidden
                struck = line != "none" if struck is None and line else struck
                script = _script(attribute(properties, "text-position")) if script is None else script
                face = attribute(properties, "font-name")
                font = font or (self._fonts.get(face, face) if face else attribute(properties, "font-family"))
            self._looks[key] = Look(bool(hidden), bool(struck), script or "", font)
        return self._looks[key]

    def level(self, name: str | None) -> int:
        """Return the heading level of a paragraph's style, 0 for none; a title is of the first."""
        for style in self._chain(name):
            shown = (attribute(style, "display-name") or attribute(style, "name") or "").lower()
            if shown == "title":
                return 1
            if (level := number(attribute(style, "default-outline-level"), 0)) > 0:
                return level
        return 0

    def is_code(self, name: str | None) -> bool:
        """Tell whether a paragraph is a line of code."""
        return any((attribute(style, "name") or "").lower() in _CODE for style in self._chain(name))

    def is_hidden_sheet(self, name: str | None) -> bool:
        """Tell a sheet that is not shown."""
        return any(attribute(child(style, "table-properties"), "display") == "false" for style in self._chain(name))

    def is_hidden_page(self, name: str | None) -> bool:
        """Tell a slide that is not shown."""
        properties = (child(style, "drawing-page-properties") for style in self._chain(name))
        return any(attribute(found, "visibility") == "hidden" for found in properties)


class Counter:
    """How far a list, or the headings, have counted."""

    def __init__(self, levels: Mapping[int, Level]) -> None:
        self._levels = levels
        self._counts: dict[int, int] = {}

    def marker(self, at: int, start: str | None = None) -> str:
        """Count an item of a level from 0 and return its number, "" where it has a bullet or none."""
        level = self._levels.get(at)
        if level is None:
            return ""
        self._counts[at] = self._counts[at] + 1 if at in self._counts else level.start
        if start is not None:
            self._counts[at] = number(start, 1)
        for deeper in [other for other in self._counts if other > at]:
            del self._counts[deeper]
        if not level.format:
            return ""
        first = max(0, at + 1 - level.shown)
        numbers = []
        for one in range(first, at + 1):
            found = self._levels.get(one)
            if found is not None and found.format:
                numbers.append(
                    numerals.written(self._counts.get(one, found.start), _FORMATS.get(found.format, "decimal"))
                )
        return f"{level.before}{'.'.join(numbers)}{level.after}".strip()


def _script(position: str | None) -> Script | None:
    if not position:
        return None
    first = position.split()[0]
    if first in ("super", "sub"):
        return "sup" if first == "super" else "sub"
    if first.endswith("%") and first != "0%":
        return "sub" if first.startswith("-") else "sup"
    return ""


def _levels(style: Element) -> dict[int, Level]:
    levels = {}
    for one in style:
        at = number(attribute(one, "level"), 0) - 1
        counts = local(one) in ("list-level-style-number", "outline-level-style")
        if at >= 0:
            levels[at] = Level(
                (attribute(one, "num-format") or "") if counts else "",
                (attribute(one, "num-prefix") or "") if counts else "",
                (attribute(one, "num-suffix") or "") if counts else "",
                number(attribute(one, "display-levels"), 1),
                number(attribute(one, "start-value"), 1),
            )
    return levels
