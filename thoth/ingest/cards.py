"""Calendars (iCalendar, RFC 5545) and address cards (vCard, RFC 6350) -> what they say, an entry a paragraph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from quopri import decodestring
from typing import NamedTuple

from thoth.ingest import charsets, text
from thoth.ingest.document import Document, LooseBlock, assemble

# Property -> what it is called in front of its value; the name of an entry has nothing in front.
_EVENT = {"SUMMARY": "Summary", "DTSTART": "Start", "DTEND": "End", "DUE": "Due", "LOCATION": "Location",
          "ORGANIZER": "Organizer", "ATTENDEE": "Attendee", "STATUS": "Status", "RRULE": "Repeats",
          "DESCRIPTION": "Description"}  # fmt: skip
_CARD = {"FN": "", "NICKNAME": "Nickname", "ORG": "Organization", "TITLE": "Title", "ROLE": "Role", "TEL": "Phone",
         "EMAIL": "Mail", "ADR": "Address", "BDAY": "Birthday", "URL": "Web", "NOTE": "Note"}  # fmt: skip
_ENTRIES = {"VEVENT": _EVENT, "VTODO": _EVENT, "VJOURNAL": _EVENT, "VCALENDAR": _EVENT, "VCARD": _CARD}
_PEOPLE = {"ORGANIZER", "ATTENDEE"}
_LISTS = {"ORG", "ADR"}  # values of several parts

_LINE = re.compile(r"(?:[\w-]+\.)?([\w-]+)((?:;(?:\"[^\"\n]*\"|[^\":;\n])*+)*+):(.*)")
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")
_NAME = re.compile(r"(?:^|;)CN=\"?([^\";:]+)", re.IGNORECASE)


class _Property(NamedTuple):
    name: str
    parameters: str
    value: str


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read a calendar or a file of address cards; arguments and errors are those of `text.decode`."""
    return assemble(name, parts(text.decode(data, name, charset)))


def parts(content: str) -> Iterator[LooseBlock]:
    """Yield the entries of a calendar or an address book; pictures, identifiers and time zones are left out."""
    open_entries: list[str] = []
    lines: list[str] = []
    for found in _properties(content):
        if found.name == "BEGIN":
            open_entries.append(found.value.strip().upper())
        elif found.name == "END" and open_entries:
            if open_entries.pop() in _ENTRIES and lines:
                yield LooseBlock("paragraph", "\n".join(lines))
                lines = []
        elif open_entries and (titles := _ENTRIES.get(open_entries[-1])) and found.name in titles:
            value = _shown(found)
            if value:
                lines.append(f"{titles[found.name]}: {value}" if titles[found.name] else value)
    if lines:  # cut off
        yield LooseBlock("paragraph", "\n".join(lines))


def _properties(content: str) -> Iterator[_Property]:
    """Yield the lines, those that were folded put together."""
    lines = iter(re.sub(r"\n[ \t]", "", content).split("\n"))
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        name, parameters, value = found[1].upper(), found[2], found[3]
        if "QUOTED-PRINTABLE" in parameters.upper():
            pieces = [value]
            while pieces[-1].endswith("=") and (following := next(lines, None)) is not None:
                pieces.append(following)
            label = re.search(r"CHARSET=([\w-]+)", parameters, re.IGNORECASE)
            codec = charsets.codec(label[1] if label else None) or "utf-8"
            value = decodestring("\n".join(pieces).encode()).decode(codec, "replace")
        yield _Property(name, parameters, value)


def _shown(found: _Property) -> str:
    if found.name in _PEOPLE and (name := _NAME.search(found.parameters)):
        return name[1].strip()
    if found.name in ("DTSTART", "DTEND", "DUE", "BDAY"):
        return _MOMENT.sub(_moment, found.value).strip()
    value = re.sub(r"\\[nN]", "\n", found.value)
    if found.name in _LISTS:
        value = ", ".join(piece.strip() for piece in re.split(r"(?<!\\);", value) if piece.strip())
    value = re.sub(r"\\([,;:\\])", r"\1", value.removeprefix("mailto:").removeprefix("MAILTO:"))
    return "\n".join(line.rstrip() for line in value.strip().split("\n") if line.strip())


def _moment(found: re.Match[str]) -> str:
    day = f"{found[1]}-{found[2]}-{found[3]}"
    return f"{day} {found[4]}:{found[5]}{' UTC' if found[6] else ''}" if found[4] else day
