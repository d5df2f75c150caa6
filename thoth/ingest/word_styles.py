"""What the styles of a Word document say about paragraphs and letters; a style inherits from the one it is based on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from thoth.ingest.elements import attribute, child, children, number
from thoth.ingest.scripts import Script

_MAX_LEVEL = 9
_CODE = {"html preformatted", "source code", "code", "preformatted text", "plain text", "macro"}
_SCRIPTS: dict[str, Script] = {"superscript": "sup", "subscript": "sub"}


@dataclass(frozen=True, slots=True)
class Look:
    """How letters look where that changes what they say; None: the style below decides.

    Attributes:
        hidden: not shown.
        struck: shown as deleted.
        script: raised or lowered.
        font: the font, where it may be one of symbols.
    """

    hidden: bool | None = None
    struck: bool | None = None
    script: Script | None = None
    font: str | None = None

    def over(self, other: Look) -> Look:
        """Return this look with what it leaves open taken from another."""
        return Look(
            other.hidden if self.hidden is None else self.hidden,
            other.struck if self.struck is None else self.struck,
            other.script if self.script is None else self.script,
            other.font if self.font is None else self.font,
        )


PLAIN = Look()


def look(properties: Element | None) -> Look:
    """Read a `w:rPr`."""
    if properties is None or not len(properties):
        return PLAIN
    struck = _switch(properties, "strike")
    struck = struck or _switch(properties, "dstrike")
    raised = attribute(child(properties, "vertAlign"), "val")
    if raised is None and (height := number(attribute(child(properties, "position"), "val"), 0)):
        raised = "superscript" if height > 0 else "subscript"
    fonts = child(properties, "rFonts")
    return Look(
        _switch(properties, "vanish"),
        struck,
        None if raised is None else _SCRIPTS.get(raised, ""),
        attribute(fonts, "ascii") or attribute(fonts, "hAnsi"),
    )


def _switch(properties: Element, name: str) -> bool | None:
    found = child(properties, name)
    return None if found is None else attribute(found, "val") not in ("0", "false", "off")


class Styles:
    """The styles of one document."""

    def __init__(self, root: Element | None) -> None:
        self._styles = {attribute(style, "styleId") or "": style for style in children(root, "style")}
        self._looks: dict[str | None, Look] = {}

    def chain(self, name: str | None) -> Iterator[Element]:
        """Yield a style, the one it is based on, and so on."""
        seen = set[str]()
        while name in self._styles and name not in seen:
            seen.add(name)
            yield self._styles[name]
            name = attribute(child(self._styles[name], "basedOn"), "val")

    def look(self, name: str | None) -> Look:
        """Return how a style's letters look."""
        if name not in self._looks:
            found = PLAIN
            for style in self.chain(name):
                found = found.over(look(child(style, "rPr")))
            self._looks[name] = found
        return self._looks[name]

    def heading_level(self, properties: Element | None) -> int:
        """Return 1 for a title or a heading of the first level, 0 for what is no heading."""
        outline = attribute(child(properties, "outlineLvl"), "val")
        for style in self.chain(_name(properties)):
            name = (attribute(child(style, "name"), "val") or "").lower()
            if name == "title":
                return 1
            if match := re.fullmatch(r"heading ([1-9])", name):
                return int(match[1])
            outline = outline or attribute(child(child(style, "pPr"), "outlineLvl"), "val")
        level = number(outline, -1) + 1
        return level if 0 < level <= _MAX_LEVEL else 0

    def is_code(self, properties: Element | None) -> bool:
        """Tell whether a paragraph is a line of code."""
        names = ((attribute(child(style, "name"), "val") or "").lower() for style in self.chain(_name(properties)))
        return any(name in _CODE for name in names)

    def numbering(self, properties: Element | None) -> tuple[str, str | None, str] | None:
        """Return a paragraph's list, its level where it is named, and the style that says so ("": none)."""
        level = None
        holders = [("", properties)]
        holders += [(attribute(style, "styleId") or "", child(style, "pPr")) for style in self.chain(_name(properties))]
        for name, holder in holders:
            found = child(holder, "numPr")
            level = level or attribute(child(found, "ilvl"), "val")
            if (identifier := attribute(child(found, "numId"), "val")) is not None:
                return identifier, level, name
        return None

    def list_of(self, name: str) -> str | None:
        """Return the list that a numbering style stands for."""
        for style in self.chain(name):
            if found := attribute(child(child(child(style, "pPr"), "numPr"), "numId"), "val"):
                return found
        return None


def _name(properties: Element | None) -> str | None:
    return attribute(child(properties, "pStyle"), "val")
