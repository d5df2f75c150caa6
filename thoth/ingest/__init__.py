"""File -> text, one file per format.

In: a path. Out: a `Document`. Read first: `read` below; it looks at the bytes before the suffix, and hands
them to `text.py` or `pdf.py`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from thoth.errors import DocumentError, NoTextError
from thoth.ingest import pdf, text

_PDF_SIGNATURE = b"%PDF-"


@dataclass(frozen=True)
class Document:
    """A document as Thoth reads it.

    Attributes:
        name: the file's name, as shown to people.
        text: all of its text; never empty.
        pages: number of pages, or None for a format without pages.
    """

    name: str
    text: str
    pages: int | None = None

    @property
    def sha256(self) -> str:
        """SHA-256 of the text, in hex: the document's identity, whatever file it came in."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read(path: Path) -> Document:
    """Read a text, Markdown or PDF file.

    Raises:
        DocumentError: The file is missing, a folder, unreadable, damaged, encrypted, or not text.
        NoTextError: The file was read and holds no text.
    """
    data = _bytes(path)
    if _is_pdf(data, path):
        pages = pdf.pages(data, path.name)
        document = Document(path.name, "\n\n".join(pages), len(pages))
        remedy = "it is probably a scan; run text recognition (OCR) on it first"
    else:
        document = Document(path.name, text.decode(data, path.name))
        remedy = "choose a document with text"
    if not document.text.strip():
        raise NoTextError(f"{path.name} has no text in it: {remedy}")
    return document


def _is_pdf(data: bytes, path: Path) -> bool:
    # PDF readers accept other bytes before the signature; a text that quotes it must stay a text.
    named_so = path.suffix.lower() == ".pdf"
    return data.lstrip().startswith(_PDF_SIGNATURE) or (named_so and _PDF_SIGNATURE in data[:1024])


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DocumentError(f"there is no file {path}: check the name") from error
    except IsADirectoryError as error:
        raise DocumentError(f"{path} is a folder: name the files in it, one --doc for each") from error
    except PermissionError as error:
        raise DocumentError(f"{path} may not be read: change its permissions") from error
    except (OSError, ValueError) as error:
        raise DocumentError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
