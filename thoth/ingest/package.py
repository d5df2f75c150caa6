"""What DOCX, EPUB and their kin have in common: a zip archive of XML files, opened as something that a stranger made.

Members are only ever read by name into memory, so a name such as `../../x` can reach nothing.
"""

from __future__ import annotations

import codecs
import io
import logging
import posixpath
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Self
from urllib.parse import unquote
from xml.etree import ElementTree
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from thoth.errors import DocumentError, UnknownFormatError
from thoth.ingest import broken_xml, text
from thoth.ingest.html import declared_charset

log = logging.getLogger(__name__)

# The text of the longest books is under 10 MB; a bomb of 10 MB unpacks to 10 GB.
MAX_UNPACKED_BYTES = 128 << 20
# An element takes some 300 bytes once it is read; the longest documents have half a million.
MAX_ELEMENTS = 2_000_000

_ENCRYPTED = 0x1
_LOCAL_HEADER = struct.Struct("<26xHH")  # ends with the lengths of the name and the extra field behind it
_UTF16_MARKS = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
_SALVAGED_BYTES = 256  # what is lost before the first bad byte, at most
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,7})|([0-9]{1,8}));")


class Package:
    """A zip archive whose members are read one by one, up to a limit on all of them together.

    A context manager.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self._data = data
        self._left = MAX_UNPACKED_BYTES
        try:
            self._zip = ZipFile(io.BytesIO(data))
        except (BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise self.damaged() from error
        self._members = {member.filename.replace("\\", "/"): member for member in self._zip.infolist()}
        self._folded = {member.lower().removeprefix("./"): member for member in reversed(self._members)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __contains__(self, member: str) -> bool:
        return member in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    @property
    def is_spent(self) -> bool:
        """Whether a member was refused because the archive unpacks to too much."""
        return self._left < 0

    def has_folder(self, folder: str) -> bool:
        """Tell whether there are members in a folder."""
        return any(member.startswith(f"{folder}/") for member in self._members)

    def find(self, member: str) -> str | None:
        """Return the name of a member as the archive has it; some writers mix up capitals. None: it is not there."""
        if member in self._members:
            return member
        return self._folded.get(member.lower().removeprefix("./"))

    def rich_text(self) -> tuple[str, bytes] | None:
        """Return the text of a note that is a folder with pictures (RTFD, TextBundle): its name and bytes."""
        for member in self._members:
            folder, _, base = member.rpartition("/")
            is_note = base in ("text.md", "text.markdown") and posixpath.join(folder, "info.json") in self._members
            if (base == "TXT.rtf" or is_note) and (not folder or folder.endswith((".rtfd", ".textbundle"))):
                return base, self.read(member)
        return None

    def damaged(self) -> DocumentError:
        """Return the error for a file that is not what its format says."""
        return DocumentError(f"{self.name} is damaged and cannot be read: download it or export it again")

    def encrypted(self) -> DocumentError:
        """Return the error for a file that asks for a password or a licence."""
        return DocumentError(f"{self.name} is encrypted: open it, save a copy without protection, and use the copy")

    def _too_large(self) -> DocumentError:
        return DocumentError(
            f"{self.name} unpacks to more than {MAX_UNPACKED_BYTES >> 20} MB: split it, or export it as text"
        )

    def read(self, member: str) -> bytes:
        """Return a member's bytes.

        Raises:
            DocumentError: It is missing, damaged or encrypted, or the archive unpacks to too much.
        """
        found = self._members.get(member)
        if found is None or ".." in member.split("/"):
            raise self.damaged()
        if found.flag_bits & _ENCRYPTED:
            raise self.encrypted()
        # The formats allow these two; of the others Python cannot bound what it unpacks.
        if found.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise self.damaged()
        if found.file_size > self._left:
            self._left = -1
            raise self._too_large()
        try:
            with self._zip.open(found) as file:
                data = file.read(found.file_size + 1)  # the size may be a lie, and then this ends it
                data += file.read(1)  # the end, where the checksum is compared
        except (BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
            raise self.damaged() from error
        if len(data) > found.file_size:
            raise self.damaged()
        self._left -= len(data)
        return data

    def text(self, member: str) -> str:
        """Return a member as text, in the encoding that it declares.

        Raises:
            DocumentError: As `read`; the member is no text.
        """
        data = self.read(member)
        try:
            return text.decode(
                data, f"{self.name} ({posixpath.basename(member)})", declared_charset(data), is_markup=True
            )
        except UnknownFormatError as error:
            raise self.damaged() from error

    def xml(self, member: str) -> ElementTree.Element:
        """Return a member's root element.

        Raises:
            DocumentError: As `read`; the member is no XML, declares entities, or has more elements than a document.
        """
        # Decoded first, so that no encoding can hide a declaration from the parser.
        markup = self.text(member)
        if elements(markup) > MAX_ELEMENTS:
            raise DocumentError(f"{self.name} has more than {MAX_ELEMENTS:,} elements in one part: split it")
        root = parse(markup)
        if root is None:
            raise self.damaged()
        return root

    def rescued(self, member: str) -> ElementTree.Element:
        """Return the root element of the member that holds the text; of a damaged one what can be told, with a warning.

        Raises:
            DocumentError: As `xml`, but for damage.
        """
        try:
            return self.xml(member)
        except DocumentError:
            if (found := self._members.get(member)) is None or found.flag_bits & _ENCRYPTED or self.is_spent:
                raise
            data = self._salvaged(member)
            markup = data.decode("utf-16" if data.startswith(_UTF16_MARKS) else "utf-8", "replace")
            root = broken_xml.recovered(markup) if is_harmless(markup) else None
            if root is None:
                raise
        log.warning("%s is damaged: what can still be read was read, some of its text may be missing", self.name)
        return root

    def _salvaged(self, member: str) -> bytes:
        """Return a member's bytes up to where they are damaged."""
        found = self._members[member]
        head = self._data[found.header_offset : found.header_offset + _LOCAL_HEADER.size]
        if len(head) < _LOCAL_HEADER.size or found.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            return b""
        start = found.header_offset + _LOCAL_HEADER.size + sum(_LOCAL_HEADER.unpack(head))
        packed = self._data[start : start + found.compress_size]
        if found.compress_type == ZIP_STORED:
            return packed[: self._left]
        unpacked, inflate = bytearray(), zlib.decompressobj(-zlib.MAX_WBITS)
        for at in range(0, len(packed), _SALVAGED_BYTES):
            try:
                unpacked += inflate.decompress(packed[at : at + _SALVAGED_BYTES])
            except zlib.error:
                break
            if len(unpacked) > self._left:
                raise self._too_large()
        self._left -= len(unpacked)
        return bytes(unpacked)

    def optional(self, member: str) -> ElementTree.Element | None:
        """Return a member's root element; None, with a warning, where what it says must be done without.

        Raises:
            DocumentError: The archive is encrypted, or unpacks to too much.
        """
        found = self.find(member)
        if found is None:
            return None
        try:
            root = parse(self.text(found))
        except DocumentError:
            if self.is_spent:
                raise
            root = None
        if root is None:
            log.warning("%s: its part %s is damaged and was left out", self.name, posixpath.basename(member))
        return root

    def relations(self, member: str) -> dict[str, tuple[str, str]]:
        """Return what an Office part refers to: id -> (last word of the type, member)."""
        folder, base = posixpath.split(member)
        root = self.optional(posixpath.join(folder, "_rels", f"{base}.rels"))
        found: dict[str, tuple[str, str]] = {}
        for relation in root if root is not None else ():
            if relation.get("TargetMode") != "External" and relation.get("Id"):
                kind = (relation.get("Type") or "").rpartition("/")[2]
                found[relation.get("Id") or ""] = (kind, resolve(folder, relation.get("Target") or ""))
        return found


def parse(markup: str) -> ElementTree.Element | None:
    """Return the root of an XML text, None where it is none, declares entities, or has too many elements."""
    if not is_harmless(markup):
        return None
    for attempt in (lambda: markup, lambda: _mended(markup)):
        try:
            return ElementTree.fromstring(attempt())
        except (ElementTree.ParseError, ValueError):
            continue
    return None


def is_harmless(markup: str) -> bool:
    """Tell whether an XML text may be parsed."""
    # Entities are what makes XML dangerous (files read, a billion laughs); no format here has use for them.
    return "<!ENTITY" not in markup and elements(markup) <= MAX_ELEMENTS


def elements(markup: str) -> int:
    """Return how many elements an XML text has at most."""
    return markup.count("<") - markup.count("</")


def _mended(markup: str) -> str:
    """Return XML without what some writers put in that XML does not allow: bare ampersands, control characters."""

    def kept(reference: re.Match[str]) -> str:
        code = int(reference[1], 16) if reference[1] else int(reference[2])
        allowed = code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
        return reference[0] if allowed else ""

    return _BARE_AMPERSAND.sub("&amp;", _REFERENCE.sub(kept, markup))


def resolve(folder: str, reference: str) -> str:
    """Return the member that a reference from a file in `folder` means."""
    path = unquote(reference.partition("#")[0].partition("?")[0])
    return path.lstrip("/") if path.startswith("/") else posixpath.normpath(posixpath.join(folder, path))
