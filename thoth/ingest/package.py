"""What DOCX and EPUB have in common: a zip archive of XML files, opened as something that a stranger made.

Members are only ever read by name into memory, so a name such as `../../x` can reach nothing.
"""

from __future__ import annotations

import io
import posixpath
import zlib
from typing import Self
from urllib.parse import unquote
from xml.etree import ElementTree
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from thoth.errors import DocumentError, UnknownFormatError
from thoth.ingest import text
from thoth.ingest.html import declared_charset

# The text of the longest books is under 10 MB; a bomb of 10 MB unpacks to 10 GB.
MAX_UNPACKED_BYTES = 128 << 20

_ENCRYPTED = 0x1


class Package:
    """A zip archive whose members are read one by one, up to a limit on all of them together.

    A context manager.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        self._left = MAX_UNPACKED_BYTES
        try:
            self._zip = ZipFile(io.BytesIO(data))
        except (BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise self.damaged() from error
        self._members = {member.filename: member for member in self._zip.infolist()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __contains__(self, member: str) -> bool:
        return member in self._members

    def has_folder(self, folder: str) -> bool:
        """Tell whether there are members in a folder."""
        return any(member.startswith(f"{folder}/") for member in self._members)

    def damaged(self) -> DocumentError:
        """Return the error for a file that is not what its format says."""
        return DocumentError(f"{self._name} is damaged and cannot be read: download it or export it again")

    def encrypted(self) -> DocumentError:
        """Return the error for a file that asks for a password or a licence."""
        return DocumentError(f"{self._name} is encrypted: open it, save a copy without protection, and use the copy")

    def read(self, member: str) -> bytes:
        """Return a member's bytes.

        Raises:
            DocumentError: It is missing, damaged or encrypted, or the archive unpacks to too much.
        """
        found = self._members.get(member)
        if found is None:
            raise self.damaged()
        if found.flag_bits & _ENCRYPTED:
            raise self.encrypted()
        # Both formats allow these two; of the others Python cannot bound what it unpacks.
        if found.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise self.damaged()
        # Python unpacks no more than this size, even where it is a lie.
        self._left -= found.file_size
        if self._left < 0:
            raise DocumentError(
                f"{self._name} unpacks to more than {MAX_UNPACKED_BYTES >> 20} MB: split it, or export it as text"
            )
        try:
            return self._zip.read(found)
        except (BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise self.damaged() from error

    def text(self, member: str) -> str:
        """Return a member as text, in the encoding that it declares.

        Raises:
            DocumentError: As `read`; the member is no text.
        """
        data = self.read(member)
        try:
            return text.decode(data, self._name, declared_charset(data))
        except UnknownFormatError as error:
            raise self.damaged() from error

    def xml(self, member: str) -> ElementTree.Element:
        """Return a member's root element.

        Raises:
            DocumentError: As `read`; the member is no XML, or declares entities.
        """
        # Decoded here, so that no encoding can hide a declaration from the next line.
        markup = self.text(member)
        # Entities are what makes XML dangerous (files read, a billion laughs); neither format has use for them.
        if "<!ENTITY" in markup:
            raise self.damaged()
        try:
            return ElementTree.fromstring(markup)
        except (ElementTree.ParseError, ValueError) as error:
            raise self.damaged() from error


def local(element: ElementTree.Element) -> str:
    """Return an element's name without its namespace: strict and transitional OOXML differ only there."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: ElementTree.Element | None, name: str) -> str | None:
    """Return an attribute by its name without the namespace."""
    if element is None:
        return None
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), None)


def resolve(folder: str, reference: str) -> str:
    """Return the member that a reference from a file in `folder` means."""
    path = unquote(reference.partition("#")[0])
    return path.lstrip("/") if path.startswith("/") else posixpath.normpath(posixpath.join(folder, path))
