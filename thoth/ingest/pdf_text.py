"""A page of an open PDF -> its groups of lines, and what of it could not be read."""

from __future__ import annotations

from typing import Any, NamedTuple

from thoth.ingest import cyrillic_letters, ocr, pdf_forms, pdf_groups, pdf_lines, tex_ligatures
from thoth.ingest.pdf_chars import Chars
from thoth.ingest.pdf_groups import Group
from thoth.ingest.pdf_page import Page, PageError
from thoth.ingest.pdf_unread import Mark

# Of the letters looked at: more without a place in Unicode, and a page is no text.
_MAX_UNKNOWN_SHARE = 0.4
_LETTERS_LOOKED_AT = 40
_FIRST_ACCENTED = 0xA0
_VOWELS = 0.28, 0.55  # their share in words of European languages is about 0.4


class PageText(NamedTuple):
    """What a page says.

    Attributes:
        groups: of its lines, in reading order.
        marks: what is said of it.
    """

    groups: list[Group]
    marks: tuple[Mark, ...] = ()


class Pages:
    """The pages of an open PDF; any of them can be read, in any order.

    Args:
        document: a `pypdfium2.PdfDocument`; it must stay open.
        recognize: whether pages without text are read by OCR, where it is installed.
    """

    def __init__(self, document: Any, recognize: bool) -> None:
        self._document, self._recognize = document, recognize
        self.form = pdf_forms.Form(document)

    def __len__(self) -> int:
        return len(self._document)

    def read(self, number: int, is_cyrillic: bool | None) -> PageText:
        """Read a page.

        Args:
            number: of the page, from 0.
            is_cyrillic: whether the letters of an earlier page were read as Cyrillic; None if unknown, and
                the page is marked as unsure if it matters.
        """
        try:
            page = Page(self._document, number)
        except PageError:  # one broken page costs that page
            return PageText([], ("scan",))
        marks: list[Mark] = []
        with page:
            text = tex_ligatures.restored(page.letters, page.text())
            unknown = _unknown_letters(page, text)
            latin = text
            text = cyrillic_letters.restored(text, is_unmapped=bool(unknown), is_likely=bool(is_cyrillic))
            if is_cyrillic is None and text != cyrillic_letters.restored(
                latin, is_unmapped=bool(unknown), is_likely=True
            ):
                marks.append("unsure")
            if text != latin:
                marks.append("cyrillic")
            elif unknown:
                marks.append("garbled")
                # Numbers of glyphs look like ASCII. Accented letters are another alphabet's: some words may be right.
                if unknown[-1 - len(unknown) // 10] < _FIRST_ACCENTED and not _reads_as_words(text):
                    text = ""
            lines = pdf_lines.lines_of(page.letters, text, page.rotation(), page.box())
            if lines := self.form.add_values(page.handle, lines):
                return PageText(list(pdf_groups.groups(lines)), tuple(marks))
            if found := list(pdf_groups.plain(text.split("\n"))):
                return PageText(found, tuple(marks))
        return self._read_picture(number, tuple(marks))

    def _read_picture(self, number: int, marks: tuple[Mark, ...]) -> PageText:
        """Read a page without text, which may show some."""
        import pypdfium2

        page = self._document[number]
        try:
            if next(page.get_objects(max_depth=1), None) is None:
                return PageText([], marks)
            lines = ocr.read(page) if self._recognize else []
        except pypdfium2.PdfiumError:
            lines = []
        finally:
            page.close()  # else all pages stay in memory until the document is closed
        if lines:
            return PageText(list(pdf_groups.groups(lines)), (*marks, "recognized"))
        return PageText([], marks if "garbled" in marks else (*marks, "scan"))


def _unknown_letters(page: Page, text: str) -> list[int]:
    """Return a sample of the letters on a page if its fonts do not say what most of them mean, else none."""
    total = page.count() if text.strip() else 0
    looked = range(0, total, max(1, total // _LETTERS_LOOKED_AT))
    chars = Chars(page.letters)
    unknown = chars.unmapped(looked)
    if len(unknown) <= _MAX_UNKNOWN_SHARE * len(looked):
        return []
    return sorted(chars.codes(unknown))


def _reads_as_words(text: str) -> bool:
    """Tell text whose font only leaves out what its letters mean from numbers of glyphs: those look like `KDUERXU`."""
    small = [letter for letter in text if "a" <= letter <= "z"]
    vowels = sum(letter in "aeiou" for letter in small)
    is_small = 2 * len(small) > sum("!" <= letter <= "~" for letter in text)
    return is_small and _VOWELS[0] < vowels / len(small) < _VOWELS[1]
