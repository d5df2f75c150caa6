"""`@lease.pdf` in a question: the documents that it is asked of, in place of the active ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thoth.system.spelling import fold

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument

# Quoted where the name has spaces in it.
_MENTION = re.compile(r"""(?<!\S)@(?:"([^"\n]+)"|(\S+))""")
_AFTER = ".,;:!?)"


@dataclass(frozen=True)
class Mentions:
    """What a question mentions.

    Attributes:
        documents: of the library.
        files: paths of files that are not in it by this name.
        text: the question without the signs.
    """

    documents: tuple[StoredDocument, ...]
    files: tuple[str, ...]
    text: str


def find(question: str, documents: Iterable[StoredDocument]) -> Mentions:
    """Return what a question mentions; what is neither a document nor a file stays as it is. Reads the disk.

    Args:
        question: as it was typed.
        documents: of the library, newest first: of several with a name, the first one is meant.
    """
    by_name: dict[str, StoredDocument] = {}
    for document in documents:
        by_name.setdefault(fold(document.name), document)
    found: dict[str, StoredDocument] = {}
    files: dict[str, None] = {}

    def replaced(match: re.Match[str]) -> str:
        for name in dict.fromkeys((match[1] or match[2], (match[1] or match[2]).rstrip(_AFTER))):
            if (document := by_name.get(fold(name))) is not None:
                found[document.id] = document
            elif _is_file(name):
                files[str(Path(name).expanduser())] = None
            else:
                continue
            return match[0].replace("@", "", 1).replace('"', "")
        return match[0]

    text = _MENTION.sub(replaced, question)
    return Mentions(tuple(found.values()), tuple(files), text)


def written(name: str) -> str:
    """Return how a name is mentioned."""
    return f'@"{name}"' if " " in name else f"@{name}"


def _is_file(name: str) -> bool:
    try:
        return Path(name).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # too long, no such user, a null byte
        return False
