"""Reading whatever a path holds, as the tests of readers need it."""

from __future__ import annotations

from pathlib import Path

from thoth import ingest
from thoth.errors import DocumentError, NoTextError
from thoth.ingest import Document, folder


def read_all(path: Path) -> dict[str, Document | DocumentError | NoTextError]:
    """A file, or every file below a folder in order, with its document or what is wrong with it."""
    found: dict[str, Document | DocumentError | NoTextError] = {}
    for file in folder.files(path) if path.is_dir() else [path]:
        try:
            found[str(file)] = file if isinstance(file, DocumentError) else ingest.read(file)
        except (DocumentError, NoTextError) as error:
            found[str(file)] = error
    return found
