"""Pages of a PDF that could not be read, or not for certain, and what to say about them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

log = logging.getLogger(__name__)

Mark = Literal["scan", "recognized", "garbled", "cyrillic", "unsure"]
"""What is said of a page: it shows something and has no text; text recognition read it; its fonts do not say what the
letters mean; its letters were read as Cyrillic; they would be if an earlier page was Cyrillic."""

MARKS: tuple[Mark, ...] = get_args(Mark)


class Unread:
    """The pages of a document (from 0) by what is said of them.

    Args:
        remedy: what a person can do about pages without text.
    """

    def __init__(self, remedy: str) -> None:
        self._remedy = remedy
        self._pages: dict[Mark, list[int]] = {mark: [] for mark in MARKS}
        self.attached: list[str] = []

    @property
    def is_cyrillic(self) -> bool:
        """Whether the letters of a page were read as Cyrillic."""
        return bool(self._pages["cyrillic"])

    def note(self, page: int, marks: Iterable[Mark]) -> None:
        """Note what is said of a page."""
        for mark in marks:
            self._pages[mark].append(page)

    def warn(self, name: str) -> None:
        """Say which pages are missing.

        Args:
            name: of the document.
        """
        recognized, cyrillic = self._pages["recognized"], self._pages["cyrillic"]
        if scans := self._pages["scan"]:
            log.warning("%s: no text on %s: %s", name, _listed(scans), self._remedy)
        if garbled := [page for page in self._pages["garbled"] if page not in recognized]:
            log.warning(
                "%s: the letters on %s cannot be told, their fonts do not say what they mean: %s",
                name,
                _listed(garbled),
                self._remedy,
            )
        if cyrillic:
            pages = _listed(cyrillic)
            log.warning(
                "%s: the letters on %s were read as Cyrillic; their fonts say otherwise, or nothing", name, pages
            )
        if self.attached:
            log.warning("%s: the files attached to it were left out: %s", name, ", ".join(self.attached))
        if recognized:
            log.warning("%s: text recognition (OCR) read %s: check numbers and names", name, _listed(recognized))


def _listed(pages: Sequence[int]) -> str:
    """Write page numbers, which count from 0 here, as people do: `pages 3, 5-9`."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][-1] + 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    spans = [str(run[0] + 1) if len(run) == 1 else f"{run[0] + 1}-{run[-1] + 1}" for run in runs]
    return f"page{'s' if len(pages) > 1 else ''} {', '.join(spans)}"
