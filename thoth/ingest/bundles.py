"""Folders that are one document (Apple Books' EPUB, TextEdit's RTFD, TextBundle) -> the zip archive they would be.

The Finder shows such a folder as a file, and people drop it as one.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from thoth.errors import DocumentError
from thoth.ingest import refusals
from thoth.ingest.names import shown

# Suffix -> a member without which the folder is only a folder with such a name.
_KINDS = {
    ".epub": ("META-INF/container.xml", "mimetype"),
    ".rtfd": ("TXT.rtf",),
    ".textbundle": ("info.json",),
    ".key": ("Index.zip", "Index", "index.apxl", "index.apxl.gz"),
    ".pages": ("Index.zip", "Index", "index.xml", "index.xml.gz"),
    ".numbers": ("Index.zip", "Index", "index.xml", "index.xml.gz"),
}
# Of a book or a note, the text; pictures and fonts are not read, so they are not packed.
_TEXT = {".xhtml", ".html", ".htm", ".xml", ".opf", ".ncx", ".svg", ".rtf", ".md", ".markdown", ".txt", ".json", ""}
_MOST_FILES, _MOST_BYTES, _MOST_FOLDERS = 20_000, 128 << 20, 5_000


def is_bundle(path: Path) -> bool:
    """Tell a folder that is one document."""
    marks = _KINDS.get(path.suffix.lower())
    return marks is not None and path.is_dir() and any((path / mark).exists() for mark in marks)


def pack(path: Path) -> bytes:
    """Return a folder that is one document as the archive that its format would be; links in it are left out.

    Raises:
        DocumentError: It is of a kind that Thoth does not read, cannot be read, or is too large.
    """
    name = shown(path.name)
    if refusal := refusals.package(name):
        raise refusal
    buffer, left, files, folders = io.BytesIO(), _MOST_BYTES, 0, [path]
    try:
        with ZipFile(buffer, "w", ZIP_STORED) as archive:
            for count, folder in enumerate(folders):  # grows while it is read
                for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                    if entry.is_dir(follow_symlinks=False) and count < _MOST_FOLDERS:
                        folders.append(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False) and Path(entry.name).suffix.lower() in _TEXT:
                        files, left = files + 1, left - entry.stat(follow_symlinks=False).st_size
                        if left < 0 or files > _MOST_FILES:
                            raise DocumentError(f"{name} has more than {_MOST_BYTES >> 20} MB of text: split it")
                        with open(entry.path, "rb") as file:
                            member = Path(entry.path).relative_to(path).as_posix()
                            archive.writestr(member.encode("utf-8", "replace").decode(), file.read(_MOST_BYTES))
    except PermissionError as error:
        raise DocumentError(f"{name} may not be read: change its permissions") from error
    except OSError as error:
        raise DocumentError(f"{name} cannot be read: {error.strerror or error}") from error
    return buffer.getvalue()
