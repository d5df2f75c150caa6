"""Raised and lowered letters in PDFs: the text means what the page says."""

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from tests.app.ingest import pdf_drawing
from thoth.ingest import formats

# (letters, size, rise) one after the other.
Pieces = list[tuple[str, float, float]]


def written(pieces: Pieces, *, on_its_side: bool) -> str:
    def draw(canvas: Canvas) -> None:
        if on_its_side:
            canvas.translate(A4[0], 0)
            canvas.rotate(90)
        text = canvas.beginText(60, 500)
        for letters, size, rise in pieces:
            text.setFont("Times-Roman", size)
            text.setRise(rise)
            text.textOut(letters)
        canvas.drawText(text)

    data = pdf_drawing.pages(draw)
    if on_its_side:
        writer = pdf_drawing.rewritten(data)
        writer.pages[0].rotate(90)
        data = pdf_drawing.written(writer)
    return formats.read(data, "page.pdf").text


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([("It has 10", 11, 0), ("6", 7, 4), (" cells.", 11, 0)], "It has 10^6 cells."),
        ([("A charge of 10", 11, 0), ("-19", 7, 4), (" C", 11, 0)], "A charge of 10^-19 C"),
        ([("An area of 5 m", 11, 0), ("2", 7, 4), (" and 3 m", 11, 0), ("3", 7, 4)], "An area of 5 m^2 and 3 m^3"),
        ([("Water is H", 11, 0), ("2", 7, -2), ("O.", 11, 0)], "Water is H2O."),
        ([("Let x", 11, 0), ("1", 7, -2), (" be x", 11, 0), ("2", 7, -2)], "Let x_1 be x_2"),
        ([("As is known.", 11, 0), ("3", 7, 4), (" Then", 11, 0)], "As is known.[3] Then"),
        ([("4", 7, 4), ("See the appendix.", 11, 0)], "[4] See the appendix."),
        ([("The 2", 11, 0), ("nd", 7, 4), (" of May 2024", 11, 0)], "The 2nd of May 2024"),
        # As large, or on the line: nothing is raised.
        ([("Bolt M6", 11, 0), ("x20, part 10", 11, 0), ("6", 11, 0)], "Bolt M6x20, part 106"),
        ([("Room B", 11, 0), ("12", 7, 0), (" is 9 m wide", 11, 0)], "Room B12 is 9 m wide"),
    ],
)
@pytest.mark.parametrize("on_its_side", [False, True])
def test_letters_off_the_line(pieces: Pieces, text: str, on_its_side: bool) -> None:
    assert written(pieces, on_its_side=on_its_side) == text


def test_what_stands_behind_a_mark_keeps_its_place() -> None:
    """A row of a table is one, whatever is raised in its first cell."""

    def draw(canvas: Canvas) -> None:
        for y in (700, 686, 672):
            text = canvas.beginText(60, y)
            for letters, size, rise in (("Area, m", 11, 0), ("2", 7, 4), (" of floor", 11, 0)):
                text.setFont("Times-Roman", size)
                text.setRise(rise)
                text.textOut(letters)
            canvas.drawText(text)
            canvas.setFont("Times-Roman", 11)
            canvas.drawString(260, y, f"{y} and more")

    lines = formats.read(pdf_drawing.pages(draw), "page.pdf").text.splitlines()
    assert [line.split() for line in lines] == [
        ["Area,", "m^2", "of", "floor", str(y), "and", "more"] for y in (700, 686, 672)
    ]
