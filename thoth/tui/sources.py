"""What people name or drop -> the files and addresses in it, one job for each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from thoth import ingest
from thoth.errors import DocumentError


@dataclass
class Sources:
    """What is to be absorbed.

    Attributes:
        named: files and addresses that were named one by one.
        found: files that were found in folders; pictures and programs among them are no fault of anybody.
        closed: folders that cannot be read.
    """

    named: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    closed: list[DocumentError] = field(default_factory=list)


def expand(sources: Iterable[str]) -> Sources:
    """Look into the folders among the sources. Reads the disk: call it on a thread."""
    from thoth.ingest import folder

    result = Sources()
    for source in sources:
        if ingest.is_address(source) or not os.path.isdir(source := os.path.abspath(os.path.expanduser(source))):
            result.named.append(source)
        else:
            for found in folder.files(Path(source)):
                if isinstance(found, DocumentError):
                    result.closed.append(found)
                else:
                    result.found.append(str(found))
    return result
