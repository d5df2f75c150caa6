"""Names from the user -> documents to read: files, every document in a folder, addresses, standard input."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from thoth import ingest
from thoth.errors import DocumentError, ThothError, UnknownFormatError
from thoth.ingest import DEFAULT, Options, shown

_FILE = re.compile(r"file://[^/]*", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """One document to read.

    Attributes:
        place: a path, an address, or `-` for standard input.
        named: the user named it; False for a file that was found in a folder.
        options: the user's choices about reading it.
    """

    place: str
    named: bool = True
    options: Options = DEFAULT

    @property
    def label(self) -> str:
        """What to call it before it is read: the last part of the path or address, safe to show on a terminal."""
        if self.is_local:
            return shown(os.path.basename(self.place) or self.place)
        return shown(self.place.rstrip("/").rpartition("/")[2] or self.place)

    @property
    def is_local(self) -> bool:
        """Whether it is a path."""
        return self.place != ingest.STANDARD_INPUT and not ingest.is_address(self.place)

    @property
    def origin(self) -> str | None:
        """Where the library says it came from: an absolute path or an address; None for standard input."""
        if self.place == ingest.STANDARD_INPUT:
            return None
        return os.path.abspath(self.place) if self.is_local else self.place

    def skips(self, error: ThothError) -> bool:
        """Tell whether an error only skips a file: folders also hold pictures and programs."""
        return not self.named and isinstance(error, UnknownFormatError)


@dataclass(frozen=True)
class Failure:
    """A source that could not be used, and why.

    Attributes:
        source: as the user named it, or the path in a folder.
        error: its message says what to do.
    """

    source: str
    error: ThothError


@dataclass(frozen=True)
class Sources:
    """What is to be read, in the order in which it was named.

    Attributes:
        documents: one for each document.
        failed: folders that cannot be read and, after `present`, files that are missing.
    """

    documents: tuple[Source, ...]
    failed: tuple[Failure, ...] = ()


def path_of(name: str) -> str:
    """Return the path of a `file://` address, whatever its host; other names unchanged."""
    if not (address := _FILE.match(name)):
        return name
    return unquote(name[address.end() :], errors="surrogateescape")


def expand(names: Iterable[str], *, stdin: bool = False) -> Sources:
    """Replace each folder with the documents in it. Reads the disk.

    Args:
        names: paths (also as `file://...`), addresses (`scheme://...`) and, with `stdin`, `-` for standard input. `~`
            stands for the home folder unless a file of that very name exists.
        stdin: whether `-` means standard input; otherwise it is a file of that name.
    """
    documents: list[Source] = []
    failed: list[Failure] = []
    for name in map(path_of, names):
        if ingest.is_address(name) or (stdin and name == ingest.STANDARD_INPUT):
            documents.append(Source(name))
            continue
        path = name if os.path.lexists(name) else os.path.expanduser(name)
        if path == ingest.STANDARD_INPUT:
            path = os.path.join(os.curdir, path)
        if not os.path.isdir(path):
            documents.append(Source(path))
            continue
        from thoth.ingest import folder  # compiles patterns of `.gitignore`

        for found in folder.files(Path(path)):
            if isinstance(found, DocumentError):
                failed.append(Failure(name, found))
            else:
                documents.append(Source(str(found), named=False))
    return Sources(tuple(documents), tuple(failed))


def present(sources: Sources) -> Sources:
    """Move missing files to the failures, so that a misspelt name is reported before a model is loaded."""
    missing = [source for source in sources.documents if source.is_local and not os.path.lexists(source.place)]
    errors = [DocumentError(f"there is no file {shown(source.place)}: check the name") for source in missing]
    failures = [Failure(source.place, error) for source, error in zip(missing, errors, strict=True)]
    return Sources(tuple(source for source in sources.documents if source not in missing), (*sources.failed, *failures))


def permit(sources: Sources, ask: Callable[[Source], bool], *, recognize: bool = False) -> Sources:
    """Ask before addresses of this machine or its own network are fetched.

    Args:
        sources: as the user named them.
        ask: called with such a source; returns whether to fetch it.
        recognize: recognize text on scanned pages (OCR).
    """
    documents: list[Source] = []
    failed = [*sources.failed]
    for source in sources.documents:
        try:
            documents.append(permitted(source, ask, recognize=recognize))
        except DocumentError as error:
            failed.append(Failure(source.place, error))
    return Sources(tuple(documents), tuple(failed))


def permitted(source: Source, ask: Callable[[Source], bool], *, recognize: bool = False) -> Source:
    """Return a source with the user's choices about it; the arguments are those of `permit`.

    Raises:
        DocumentError: It may not be fetched.
    """
    private = is_private(source)
    if private and not ask(source):
        raise DocumentError(f"{shown(source.place)} was not fetched")
    return replace(source, options=Options(recognize, allow_private=private))


def is_private(source: Source) -> bool:
    """Tell whether a source is an address of this machine or its own network. Looks its name up."""
    if not ingest.is_address(source.place):
        return False
    from thoth.ingest import network  # TLS

    return network.leads_home(source.place)
