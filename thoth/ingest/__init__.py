"""Files, folders, web pages and standard input -> documents, one file per format.

In: what people name. Out: a `Document`, its text and the blocks it consists of. Read first: `read` below; then
`formats.py`, which looks at the bytes before the suffix and hands them to one format, and `document.py`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from thoth.ingest.document import Block, Document, Kind, Reading, complete
from thoth.ingest.names import shown
from thoth.ingest.options import DEFAULT, Options

__all__ = [
    "DEFAULT",
    "Block",
    "Document",
    "Kind",
    "Options",
    "Reading",
    "complete",
    "is_address",
    "read",
    "reading",
    "shown",
]

STANDARD_INPUT = "-"


def read(source: Path | str, options: Options = DEFAULT) -> Document:
    """Read a document, in the reader process.

    Args:
        source: a path; or, as a string, also an address (http, https) or `-` for standard input.
        options: what a person decided about it.

    Raises:
        DocumentError: It is missing, a folder, unreadable, too large, damaged, encrypted, of a kind that Thoth does
            not read (`UnknownFormatError`), or takes too much memory or time to read.
        NoTextError: It was read and holds no text.
    """
    return complete(reading(source, options))


def reading(source: Path | str, options: Options = DEFAULT, should_stop: Callable[[], bool] = lambda: False) -> Reading:
    """Read a document page by page.

    Args:
        source: as `read` takes it.
        options: what a person decided about it.
        should_stop: asked 20 times a second while a file is parsed.

    Yields:
        Pages that are read, and pages there are; only for formats with pages.

    Returns:
        The document.

    Raises:
        DocumentError, NoTextError: As `read`.
        Stopped: `should_stop` said so.
    """
    # Parsers and TLS: naming a document needs none of them.
    from thoth.ingest import files, numbered_headings, reader_process, stamps

    file: Path | reader_process.Payload
    stamp = None
    if source == STANDARD_INPUT:
        file = reader_process.Payload(files.read_stdin(), "standard input")
    elif isinstance(source, str) and is_address(source):
        from thoth.ingest import web

        page = web.fetch(source, allow_private=options.allow_private)
        file = reader_process.Payload(page.data, page.name, page.media_type, page.charset)
    elif files.is_stream(path := Path(source)):
        file = reader_process.Payload(files.read_file(path), shown(path.name))
    else:
        file, stamp = path, stamps.of(path)  # before it is read: what is written from now on is a change
    how = {"recognize": options.recognize}
    document = yield from reader_process.shared().read(file, how, should_stop)
    return replace(numbered_headings.with_headings(document), stamp=stamp)


def is_address(source: str) -> bool:
    """Tell an address (`scheme://...`) from a path."""
    scheme, mark, _ = source.partition("://")
    return bool(mark) and scheme.isascii() and scheme.isalpha()
