"""TeX fonts that number their letters: codes of ligatures become letters in words, all other control codes go."""

import zlib

import pytest

from thoth.ingest import formats, pdf_lines, tex_ligatures
from thoth.ingest.pdf_page import Page

WORDS = "the office is efficient: configure the flow of baffled staff, first off"
CODES = {"ffi": 3, "ffl": 4, "ff": 0, "fi": 1, "fl": 2}  # the longest first, behind the first ligature of an encoding
T1, OT1 = 0x1B, 0x0B

_WIDTHS = b"/FirstChar 0/LastChar 255/Widths[" + b"500 " * 256 + b"]"
_NAMES = [b"/a%d" % code for code in range(256)]  # say nothing about the letters
_ENCODING = b"/Encoding<</Type/Encoding/Differences[0" + b"".join(_NAMES) + b"]>>"
_GLYPH = b"500 0 0 0 400 700 d1 0 0 400 700 re f"
BITMAP = (
    b"<</Type/Font/Subtype/Type3/FontBBox[0 0 500 700]/FontMatrix[0.001 0 0 0.001 0 0]"
    + _WIDTHS
    + _ENCODING
    + b"/CharProcs<<"
    + b" 7 0 R".join(_NAMES)
    + b" 7 0 R>>>>"
)
BITMAP_WITH_MEANINGS = BITMAP.removesuffix(b">>") + b"/ToUnicode 10 0 R>>"
MEANINGS = (  # each code means itself
    b"/CMapName/M def 1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <00> <ff> <0000> endbfrange"
)
HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


def written(text: str, encoding: int) -> bytes:
    """Write a text as TeX does, with one code for each ligature."""
    for letters, place in CODES.items():
        text = text.replace(letters, chr(encoding + place))
    return text.encode("latin-1")


def page(*pieces: tuple[bytes, bytes]) -> bytes:
    """Make a PDF of one page with (font, text) on each line; fonts: F1, F3, F4 of bitmaps, F2 Helvetica."""
    shown = b" ".join(b"/%s 11 Tf <%s> Tj 0 -14 Td" % (font, text.hex().encode()) for font, text in pieces)
    content = zlib.compress(b"BT 60 760 Td " + shown + b" ET")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R/F2 6 0 R/F3 8 0 R/F4 9 0 R>>>>>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(content), content),
        BITMAP,
        HELVETICA,
        b"<</Length %d>>stream\n%s\nendstream" % (len(_GLYPH), _GLYPH),
        BITMAP,
        BITMAP_WITH_MEANINGS,
        b"<</Length %d>>stream\n%s\nendstream" % (len(MEANINGS), MEANINGS),
    ]
    body = b"".join(b"%d 0 obj%s endobj\n" % (number, found) for number, found in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R/Size 11>>\nstartxref\n0\n%%EOF"


def text_of(*pieces: tuple[bytes, bytes]) -> str:
    return formats.read(page(*pieces), "tex.pdf").text


@pytest.mark.parametrize("encoding", [T1, OT1])
def test_words_get_their_ligatures(encoding: int) -> None:
    assert text_of((b"F1", written(WORDS, encoding))) == WORDS


def test_each_font_has_its_own_encoding() -> None:
    both = (b"F1", written(WORDS, T1)), (b"F2", b"12"), (b"F3", written(WORDS, OT1))
    assert text_of(*both).splitlines() == [WORDS, "", "12", "", WORDS]


@pytest.mark.parametrize("encoding", [T1, OT1])
def test_lines_may_begin_and_end_with_a_ligature(encoding: int) -> None:
    import pypdfium2

    document = pypdfium2.PdfDocument(page((b"F1", written("fifty of the staff", encoding))))
    with Page(document, 0) as opened:
        (line,) = pdf_lines.lines_of(opened.letters, tex_ligatures.restored(opened.letters, opened.text()))
    assert line.text == "\ufb01fty of the sta\ufb00"
    assert line.left == pytest.approx(60)
    assert line.right == pytest.approx(60 + 5.5 * len(line.text))


@pytest.mark.parametrize(
    "codes",
    [
        b"a\x07b\x01",  # mean no ligature in either encoding
        b"and \x1c alone",  # in no word
    ],
)
def test_other_control_codes_are_dropped(codes: bytes) -> None:
    left = codes.translate(None, bytes(range(32))).decode()
    assert text_of((b"F1", written(WORDS, T1) + b" " + codes)) == f"{WORDS} {left}"


@pytest.mark.parametrize("font", [b"F2", b"F4"])
def test_control_codes_of_a_known_font_are_dropped(font: bytes) -> None:
    assert text_of((font, b"con\x1cgure the of\x0c\x0ece")) == "congure the ofce"


def test_codes_of_a_formula_are_no_ligatures() -> None:
    formula = b"y = \x0cx + \x1cy"  # beta x, tau y in the font of formulas
    assert text_of((b"F2", b"The line that fits best is this one:"), (b"F1", formula)).endswith("y = x + y")


def test_a_known_font_does_not_become_unknown_beside_one() -> None:
    pieces = (b"F1", b"the debdi\x1b"), (b"F2", b"con\x1cgure")
    assert text_of(*pieces) == "the debdiff\n\ncongure"


def test_quotes_and_dashes_of_t1() -> None:
    signs = b" \x10Yes,\x11 said \x12die Frau\x10 in 1914\x151918 \x16 \x13oui\x14"
    assert text_of((b"F1", written(WORDS, T1) + signs)) == WORDS + " “Yes,” said „die Frau“ in 1914–1918 — «oui»"


def test_quotes_need_no_ligature_beside_them() -> None:
    assert text_of((b"F1", b"The \x10harbour\x11 of Harpool \x15 a town")) == "The “harbour” of Harpool – a town"


def test_accents_of_ot1_are_no_quotes() -> None:
    assert "“" not in text_of((b"F1", b"Caf\x13e caf\x13es a\x10eul na\x12vet\x13ement"))
