"""Makes the PDF files of tests/fixtures/cases that pdf.yaml describes: `python -m tests.app.ingest.pdf_samples`.

The files are committed, so that a case does not change with a release of reportlab or pypdf.
"""

import io
import os
import textwrap
from collections.abc import Sequence

import reportlab
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, FloatObject, NameObject, TextStringObject
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.app.ingest.pdf_drawing import (
    OTHER,
    PROSE,
    Draw,
    Sample,
    both,
    image,
    lines,
    pages,
    rewritten,
    rows,
    write,
    written,
)

SAMPLES: dict[str, Sample] = {}


def sample(function: Sample) -> Sample:
    SAMPLES[function.__name__] = function
    return function


@sample
def pdf_prose() -> bytes:
    return pages(lines(PROSE))


@sample
def pdf_two_paragraphs() -> bytes:
    return pages(both(lines(PROSE), lines(OTHER, y=680)))


@sample
def pdf_indented_paragraphs() -> bytes:
    second = both(lines(OTHER[:1], x=75, y=704), lines(OTHER[1:], y=690))
    return pages(both(lines([*PROSE[:3], "a carpenter."]), second))


@sample
def pdf_wide_table() -> bytes:
    table = [
        ("Article", "Place", "Pieces", "Price"),
        ("Rope, hemp, thirty metres", "Shed 4, upper shelf", "12", "415.00"),
        ("Lamp with a red glass", "Shed 1, beside the door", "7", "88.50"),
        ("Sail, patched twice", "Loft of the boathouse", "2", "1204.75"),
    ]
    return pages(rows(table, (60, 220, 400, 480)))


@sample
def pdf_wrapped_cells() -> bytes:
    """A table whose cells are drawn one by one, some of them of two lines."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", 11)
        for y, name, uses, fee in (
            (700, "Skiff", ("For two people who row,", "with a sail and a tent"), "5.50"),
            (660, "Ferry", ("Carries cars",), "120.00"),
            (640, "Old barge", ("Lies at the quay and", "is a cafe in summer,", "closed in winter"), "9.00"),
        ):
            canvas.drawString(60, y, name)
            for place, line in enumerate(uses):
                canvas.drawString(160, y - 13 * place, line)
            canvas.drawString(400, y, fee)

    return pages(both(lines(PROSE), draw))


@sample
def pdf_drop_cap() -> bytes:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", 40)
        canvas.drawString(60, 735, PROSE[0][0])

    first = " ".join([PROSE[0][1:], *PROSE[1:]])
    beside = textwrap.wrap(first, 50)[:3]
    below = textwrap.wrap(first[len(" ".join(beside)) :], 58)
    return pages(both(draw, lines(beside, x=88), lines(below, y=718)))


@sample
def pdf_table_between_prose() -> bytes:
    table = [("Rope", "12"), ("Lamp", "30"), ("Sail", "415")]
    return pages(both(lines(PROSE), rows(table, (60, 300), y=690), lines(OTHER, y=630)))


@sample
def pdf_contents_with_leaders() -> bytes:
    dots = "." * 60
    return pages(lines([f"Introduction {dots} 1", f"The harbour {dots} 12", f"The lighthouse {dots} 31"]))


@sample
def pdf_bullets() -> bytes:
    return pages(lines(["The keeper brings:", "\u2022 oil for the lamp", "\u2022 a rope", "\u2022 two blankets"]))


@sample
def pdf_numbered_list() -> bytes:
    first = "1. Signal before you turn into the bay, because the current"
    rest = lines(["2. Wait for the green lamp.", "3. Moor at the eastern pier."], y=732)
    return pages(both(lines([first]), lines(["there is strong and the rocks are near."], x=75, y=746), rest))


@sample
def pdf_code() -> bytes:
    code = ["def toll(length):", "    if length > 12:", "        return 40", "    return 15"]
    return pages(both(lines(PROSE), lines(code, y=690, font="Courier")))


@sample
def pdf_hyphens() -> bytes:
    broken = ["The keepers of the light are paid by the town, but the light-", "house itself belongs to the province."]
    return pages(lines([*PROSE, *broken]))


@sample
def pdf_compound_hyphen() -> bytes:
    broken = [
        "A well-known pilot steered it; she was as I said a most well-",
        "known woman of this town and of the province.",
    ]
    return pages(lines([*PROSE, *broken]))


@sample
def pdf_ligatures() -> bytes:
    pdfmetrics.registerFont(TTFont("Vera", os.path.join(os.path.dirname(reportlab.__file__), "fonts", "Vera.ttf")))
    return pages(lines(["The of\ufb01ce is on the \ufb01rst \ufb02oor."], font="Vera"))


@sample
def pdf_address() -> bytes:
    return pages(lines(["Osra Kelland", "12 Harbour Street", "4310 Harpool", "Province of Velmar"]))


@sample
def pdf_repeated_headers() -> bytes:
    def page(number: int, texts: Sequence[str]) -> Draw:
        return both(lines(["Harbour report 1912"], y=810), lines(texts), lines([str(number)], x=290, y=40))

    return pages(page(1, PROSE), page(2, OTHER))


@sample
def pdf_rotated_page() -> bytes:
    """A landscape page as scanners and spreadsheets write it: drawn on its side, and turned."""

    def draw(canvas: Canvas) -> None:
        canvas.translate(A4[0], 0)
        canvas.rotate(90)
        lines(PROSE, y=500)(canvas)

    writer = rewritten(pages(draw))
    writer.pages[0].rotate(90)
    return written(writer)


@sample
def pdf_columns_side_by_side() -> bytes:
    return pages(both(lines([text[:44] for text in PROSE * 3]), lines([text[:40] for text in OTHER * 3], x=320)))


def across(columns: Sequence[Sequence[str]], places: Sequence[float]) -> Draw:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", 10)
        for number, texts in enumerate(zip(*columns, strict=True)):
            for x, text in zip(places, texts, strict=True):
                canvas.drawString(x, 700 - 13 * number, text)

    return draw


@sample
def pdf_three_columns_row_order() -> bytes:
    columns = [
        [f"{name} column has line {number} here" for number in range(1, 13)] for name in ("Red", "Green", "Blue")
    ]
    return pages(across(columns, (50, 230, 410)))


@sample
def pdf_columns_under_a_headline() -> bytes:
    columns = [[f"{name} side of the page, line {number}" for number in range(1, 11)] for name in ("Left", "Right")]
    headline = "News of the harbour of Harpool and of all the ships that came to it in June"
    return pages(both(lines([headline], x=50, y=740), across(columns, (50, 320))))


@sample
def pdf_upside_down() -> bytes:
    """A page that lies on its head and is turned back by its rotation, behind one that stands."""

    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(180)
        canvas.translate(595, 842)
        canvas.rotate(180)
        lines(OTHER)(canvas)

    return pages(lines(PROSE), draw)


@sample
def pdf_word_across_pages() -> bytes:
    """A word whose second half stands on the next page."""
    return pages(
        lines([*PROSE[:3], "a carpenter who knew the coast well and looked after the light-"]),
        lines(["house.", *OTHER]),
    )


@sample
def pdf_attached_file() -> bytes:
    writer = rewritten(pages(lines(PROSE)))
    writer.add_attachment("tides.csv", b"day,high\n1,4.2\n")
    return written(writer)


@sample
def pdf_cyrillic_as_latin() -> bytes:
    """Letters of Windows-1251 in a font that names them as Latin ones."""
    text = [
        "Библиотека открывается в девять часов утра и закрывается",
        "в шесть часов вечера. Вход для всех жителей свободный.",
    ]
    return pages(lines([line.encode("cp1251").decode("latin-1") for line in text]))


@sample
def pdf_sidebar() -> bytes:
    """A narrow box of notes beside prose, drawn after it."""
    notes = ["Opening hours", "Mon 9-17", "Tue 9-12", "Wed closed"]
    return pages(both(lines(PROSE), lines(notes, x=440)))


@sample
def pdf_form_fields() -> bytes:
    def draw(canvas: Canvas) -> None:
        form = canvas.acroForm
        for y, label in ((700, "Ship:"), (660, "Insured:"), (620, "Paid:"), (580, "Flag:")):
            canvas.drawString(60, y, label)
        form.textfield(name="ship", value="Firefly", x=150, y=695, width=200, height=20)
        form.checkbox(name="insured", checked=True, x=150, y=655, size=18)
        form.checkbox(name="paid", checked=False, x=150, y=615, size=18)
        form.choice(name="flag", value="Velmar", options=["Velmar", "Tolquin"], x=150, y=575, width=120, height=20)

    return pages(draw)


@sample
def pdf_text_box() -> bytes:
    writer = rewritten(pages(lines(PROSE)))
    box = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject("/FreeText"),
            NameObject("/Contents"): TextStringObject("Checked by Tova Lind"),
            NameObject("/DA"): TextStringObject("/Helv 11 Tf"),
            NameObject("/Rect"): ArrayObject(
                [NameObject("60"), NameObject("640"), NameObject("300"), NameObject("660")]
            ),
        }
    )

    box[NameObject("/Rect")] = ArrayObject([FloatObject(number) for number in (60, 640, 300, 660)])
    writer.add_annotation(0, box)
    return written(writer)


def xfa(datasets: bytes | None) -> bytes:
    wait = "Please wait... If this message is not replaced, your PDF viewer may not be able to display this document."
    writer = rewritten(pages(lines([wait])))
    parts = ArrayObject()
    for name, data in (("template", b"<template/>"), ("datasets", datasets)):
        if data is not None:
            stream = DecodedStreamObject()
            stream.set_data(data)
            parts += [TextStringObject(name), writer._add_object(stream)]
    form = DictionaryObject({NameObject("/Fields"): ArrayObject(), NameObject("/XFA"): parts})
    writer._root_object[NameObject("/AcroForm")] = form
    return written(writer)


@sample
def pdf_xfa_with_data() -> bytes:
    space = "http://www.xfa.org/schema/xfa-data/1.0/"
    data = f'<xfa:datasets xmlns:xfa="{space}"><xfa:data><form><mayor>Osra Kelland</mayor><residents>4310</residents>'
    return xfa(f"{data}</form></xfa:data></xfa:datasets>".encode())


@sample
def pdf_xfa_empty() -> bytes:
    return xfa(None)


@sample
def pdf_no_tounicode() -> bytes:
    """A page whose font numbers its glyphs, with no table that says what they mean, behind one that can be read."""
    glyphs = "".join(f"{ord(letter) - 29:04x}" for letter in OTHER[0])
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream"
        % (len(glyphs) + 36, f"BT /F1 11 Tf 60 760 Td <{glyphs}> Tj ET     ".encode()),
        b"<</Type/Font/Subtype/Type0/BaseFont/AAAAAA+Secret/Encoding/Identity-H/DescendantFonts[6 0 R]>>",
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/AAAAAA+Secret/DW 500/FontDescriptor 7 0 R"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>",
        b"<</Type/FontDescriptor/FontName/AAAAAA+Secret/Flags 4/Ascent 800/Descent -200/CapHeight 700/ItalicAngle 0"
        b"/StemV 80/FontBBox[0 -200 1000 800]>>",
    ]
    body = b"".join(b"%d 0 obj%s endobj\n" % (number, found) for number, found in enumerate(objects, 1))
    writer = rewritten(pages(lines(PROSE)))
    writer.append(io.BytesIO(b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R/Size 8>>\nstartxref\n0\n%%EOF"))
    return written(writer)


@sample
def pdf_scanned_page() -> bytes:
    return pages(lines(PROSE), image, lines(OTHER))


@sample
def pdf_scan() -> bytes:
    return pages(image)


@sample
def pdf_no_end_mark() -> bytes:
    return pages(lines(PROSE)).removesuffix(b"%%EOF\n")


@sample
def pdf_zeros_behind() -> bytes:
    return pages(lines(PROSE)) + bytes(6000)


@sample
def pdf_junk_before() -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n" + bytes(300) + pages(lines(PROSE))


@sample
def pdf_cut() -> bytes:
    data = pages(lines(PROSE), lines(OTHER))
    return data[: len(data) // 3]


@sample
def pdf_empty_user_password() -> bytes:
    writer = rewritten(pages(lines(PROSE)))
    writer.encrypt("", "harbour", algorithm="RC4-128")
    return written(writer)


@sample
def pdf_locked() -> bytes:
    writer = rewritten(pages(lines(PROSE)))
    writer.encrypt("harbour", "master", algorithm="RC4-128")
    return written(writer)


@sample
def pdf_outline() -> bytes:
    writer = rewritten(pages(both(lines(["1 The harbour"], y=800), lines(PROSE)), lines(["2 The ships", *OTHER])))
    writer.add_outline_item(title="The harbour", page_number=0)
    writer.add_outline_item(title="The ships", page_number=1)
    return written(writer)


@sample
def pdf_chinese() -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    text = [
        "\u56fe\u4e66\u9986\u4e5d\u70b9\u5f00\u95e8\uff0c\u516d\u70b9\u5173\u95e8\u3002",
        "\u6e2f\u53e3\u5f88\u5927\u3002",
    ]
    return pages(lines(text, font="STSong-Light"))


if __name__ == "__main__":
    write(SAMPLES)
