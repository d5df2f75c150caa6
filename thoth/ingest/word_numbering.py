"""Numbers and bullets of a Word document's lists and headings (ECMA-376 part 1, 17.9).

A list (`w:num`) refers to a definition (`w:abstractNum`), and all lists of one definition count on together, except
where a list says that it starts again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from thoth.ingest import numerals
from thoth.ingest.elements import attribute, child, children, number
from thoth.ingest.word_styles import Styles

_LEVELS = 9
# Definitions refer to styles and those to lists again; nothing that Word writes goes round.
_MOST_LINKS = 8


@dataclass(frozen=True, slots=True)
class _Level:
    start: int
    style: str
    text: str
    legal: bool  # all numbers in digits
    restart: int  # the level, from 1, whose items begin this one again; 0: none does
    paragraph_style: str | None

    @classmethod
    def read(cls, element: Element, at: int) -> _Level:
        def value(name: str) -> str | None:
            return attribute(child(element, name), "val")

        style = value("numFmt") or attribute(next(element.iter(_any(element, "numFmt")), None), "val") or "bullet"
        text = value("lvlText")
        return cls(
            number(value("start"), 1),
            style,
            f"%{at + 1}." if text is None else text,
            child(element, "isLgl") is not None and value("isLgl") not in ("0", "false"),
            number(value("lvlRestart"), at),
            value("pStyle"),
        )


def _any(element: Element, name: str) -> str:
    return element.tag.rpartition("}")[0] + ("}" if "}" in element.tag else "") + name


_BULLET = _Level(1, "bullet", "", False, 0, None)


@dataclass
class _List:
    definition: str
    levels: dict[int, _Level]  # what this list says otherwise
    starts: dict[int, int]


class Numbering:
    """The lists of one document, and how far they have counted."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        self._styles = styles
        self._definitions = {attribute(found, "abstractNumId") or "": found for found in children(root, "abstractNum")}
        self._levels: dict[str, dict[int, _Level]] = {}
        self._lists = {attribute(found, "numId") or "": _list(found) for found in children(root, "num")}
        self._counts: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._started: set[tuple[str, int]] = set()

    def marker(self, properties: Element | None) -> tuple[int, str] | None:
        """Return a paragraph's level from 0 and its bullet or number, and count it; None for what is in no list."""
        found = self._styles.numbering(properties)
        if found is None or found[0] == "0":
            return None
        identifier, named_level, style = found
        of_list = self._lists.get(identifier)
        if of_list is None:
            return min(number(named_level, 0), _LEVELS - 1), "-"
        levels = self._definition(of_list.definition) | of_list.levels
        level = max(0, min(number(named_level, 0), _LEVELS - 1))
        if style and named_level is None:  # the definition says which style has which level
            level = next((at for at, one in levels.items() if one.paragraph_style == style), level)
        one = levels.get(level, _BULLET)
        counts = self._count(identifier, of_list, levels, level)
        if one.style == "bullet":
            return level, "" if one.text.isspace() else "-"  # a blank: an item's second paragraph
        if one.style == "none" and "%" not in one.text:
            return level, one.text.strip()
        return level, _filled(one, levels, counts)

    def _count(self, identifier: str, of_list: _List, levels: dict[int, _Level], level: int) -> dict[int, int]:
        counts = self._counts[of_list.definition]
        start = levels.get(level, _BULLET).start
        if level in of_list.starts and (identifier, level) not in self._started:
            counts[level] = of_list.starts[level]
        else:
            counts[level] = counts[level] + 1 if level in counts else start
        self._started.add((identifier, level))
        for deeper in [at for at in counts if at > level]:
            if level < levels.get(deeper, _BULLET).restart:
                del counts[deeper]
        return counts

    def _definition(self, identifier: str, links: int = 0) -> dict[int, _Level]:
        if identifier not in self._levels:
            element = self._definitions.get(identifier)
            linked = attribute(child(element, "numStyleLink"), "val")
            of_list = self._lists.get(self._styles.list_of(linked) or "") if linked else None
            if of_list is not None and links < _MOST_LINKS and of_list.definition != identifier:
                self._levels[identifier] = self._definition(of_list.definition, links + 1)
            else:
                self._levels[identifier] = {
                    at: _Level.read(found, at)
                    for found in children(element, "lvl")
                    if 0 <= (at := number(attribute(found, "ilvl"), 0)) < _LEVELS
                }
        return self._levels[identifier]


def _list(element: Element) -> _List:
    starts, levels = {}, {}
    for override in children(element, "lvlOverride"):
        at = number(attribute(override, "ilvl"), 0)
        start = attribute(child(override, "startOverride"), "val")
        if start is not None:
            starts[at] = number(start, 1)
        level = child(override, "lvl")
        if level is not None:
            levels[at] = _Level.read(level, at)
    return _List(attribute(child(element, "abstractNumId"), "val") or "", levels, starts)


def _filled(one: _Level, levels: dict[int, _Level], counts: dict[int, int]) -> str:
    """Write a level's text with the numbers in the places of its `%1`, `%2`."""

    def of(place: re.Match[str]) -> str:
        at = int(place[1]) - 1
        level = levels.get(at, _BULLET)
        count = counts.get(at, level.start)
        if level.style == "none":
            return ""
        style = "decimal" if (one.legal and level.style != "decimalZero") or level.style == "bullet" else level.style
        return numerals.written(count, style)

    return re.sub(r"%([1-9])", of, one.text).strip()
