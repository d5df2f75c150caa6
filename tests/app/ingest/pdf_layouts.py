"""Makes the PDF files of tests/fixtures/cases that layouts.yaml describes: `python -m tests.app.ingest.pdf_layouts`."""

from collections.abc import Sequence

import reportlab
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.app.ingest.pdf_drawing import OTHER, PROSE, Draw, Sample, both, lines, pages, write

LAYOUTS: dict[str, Sample] = {}
LEFT = [
    "The harbour of Harpool was built",
    "in 1912 by a company of merchants",
    "who needed a safe place for their",
    "ships in winter. It has two piers,",
    "a crane for timber, and the light-",
]
RIGHT = [
    "house, which was added when the",
    "number of ships had doubled. Its",
    "keeper answers each of them with",
    "two lamps, and writes the name",
    "into a book in the tower.",
]


def layout(function: Sample) -> Sample:
    LAYOUTS[function.__name__] = function
    return function


def at(x: float, y: float, text: str, size: float = 11) -> Draw:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", size)
        canvas.drawString(x, y, text)

    return draw


def numbers(count: int, step: float) -> Draw:
    return both(*(at(38, 760 - step * place, str(place + 1), 8) for place in range(count)))


@layout
def pdf_turned_stamp() -> bytes:
    def stamp(canvas: Canvas) -> None:
        canvas.saveState()
        canvas.translate(30, 250)
        canvas.rotate(90)
        canvas.setFont("Times-Roman", 16)
        canvas.drawString(0, 0, "arXiv:2401.01234v2 [cs.CL] 5 Jan 2024")
        canvas.restoreState()

    return pages(both(stamp, lines(PROSE)))


@layout
def pdf_line_numbers() -> bytes:
    texts = [*PROSE, *OTHER]
    numbered = (both(at(38, 760 - 14 * place, str(place + 1), 8), lines([text], y=760 - 14 * place))
                for place, text in enumerate(texts))  # fmt: skip
    return pages(both(*numbered))


@layout
def pdf_line_numbers_drawn_last() -> bytes:
    return pages(both(lines([*PROSE, *OTHER]), numbers(8, 14)))


@layout
def pdf_double_spaced() -> bytes:
    return pages(lines([*PROSE, *OTHER], step=25))


@layout
def pdf_counted_items() -> bytes:
    items = ["rope of hemp, thirty metres", "lamp with a red glass", "sail, patched twice", "Oars", "Net of fine yarn"]
    return pages(lines([f"{count} {item}" for count, item in enumerate(items, 1)]))


@layout
def pdf_head_drawn_last() -> bytes:
    return pages(both(at(60, 40, "Page 1 of 9"), lines(PROSE), lines(OTHER, y=680), at(60, 800, "Harbour rules", 18)))


@layout
def pdf_sentence_over_columns() -> bytes:
    note = at(60, 100, "1 Minutes of the council.", 8)
    return pages(both(lines(LEFT), note, lines(RIGHT, x=310), at(290, 40, "117", 8)))


@layout
def pdf_hyphen_in_column_drawn_by_rows() -> bytes:
    rows = zip(LEFT, RIGHT, strict=True)
    return pages(both(*(both(at(60, 760 - 14 * place, left), at(310, 760 - 14 * place, right))
                        for place, (left, right) in enumerate(rows))))  # fmt: skip


@layout
def pdf_off_the_page() -> bytes:
    marks = both(at(60, -40, "harbour_book.indd 12"), at(700, 500, "03/05/19 09:12"))
    return pages(both(lines(PROSE), marks))


@layout
def pdf_hyphens_of_unicode() -> bytes:
    pdfmetrics.registerFont(TTFont("Vera", f"{reportlab.__path__[0]}/fonts/Vera.ttf"))
    return pages(
        lines(["The well\u00adknown harbour of Harpool was built for mer\u00ad", "chants in 1912."], font="Vera")
    )


@layout
def pdf_first_cell_wraps() -> bytes:
    rows = [
        (["Item"], ["Description"], ["Price"]),
        (["Rope"], ["Hemp, thirty metres."], ["12.00"]),
        (["Lamp oil of the", "best quality"], ["One barrel, brought to", "the tower each month."], ["30.50"]),
        (["Sail"], ["Canvas."], ["415.00"]),
    ]
    cells, y = list[Draw](), 760.0
    for row in rows:
        cells += [lines(cell, x=x, y=y) for x, cell in zip((60, 190, 360), row, strict=True)]
        y -= 14 * max(map(len, row)) + 6
    return pages(both(*cells))


RESULTS = [
    ("Model", "Params", "Accuracy", "F1", "Latency"),
    ("BERT-base", "110M", "84.1", "83.2", "21 ms"),
    ("RoBERTa-large", "355M", "90.2", "89.9", "64 ms"),
    ("DistilBERT", "66M", "82.2", "81.0", "12 ms"),
    ("ELECTRA-small", "14M", "79.9", "78.8", "9 ms"),
]
SETS = [
    ("[,1]", "sr", "numeric", "aggregate personal savings of a household"),
    ("[,2]", "pop15", "numeric", "share of people who are younger than 15"),
    ("[,3]", "pop75", "numeric", "share of people who are older than 75"),
    ("[,4]", "dpi", "numeric", "what a person has to spend in a year"),
    ("[,5]", "ddpi", "numeric", "how much that grew since the year before"),
]


def close_table(table: Sequence[Sequence[str]], right: bool, y: float = 730) -> Draw:
    """A table as LaTeX sets it: 12 points between its columns, no rules; the other cells of a row right-aligned."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", 10)
        wide = [
            max(canvas.stringWidth(cell, "Times-Roman", 10) for cell in column) for column in zip(*table, strict=True)
        ]
        for place, row in enumerate(table):
            x = 60.0
            for column, (cell, width) in enumerate(zip(row, wide, strict=True)):
                if right and column:
                    canvas.drawRightString(x + width, y - 12 * place, cell)
                else:
                    canvas.drawString(x, y - 12 * place, cell)
                x += width + 12

    return draw


@layout
def pdf_table_of_numbers_in_a_paper() -> bytes:
    caption = at(60, 760, "Table 2: Results on the development set. Latency was measured on one core of a laptop.", 10)
    return pages(both(caption, close_table(RESULTS, right=True), lines(PROSE, y=640)))


@layout
def pdf_table_of_words_in_a_manual() -> bytes:
    return pages(close_table(SETS, right=False))


@layout
def pdf_table_in_close_columns() -> bytes:
    rows = [("Lift", "Karsten", "41,000 euros", "September 2"), ("Roof", "Wagner", "29,200 euros", "September 9")]
    rows += [("Gate", "Karsten", "11,700 euros", "September 3"), ("Yard", "Wagner", "12,600 euros", "September 8")]
    return pages(close_table(rows, right=False))


@layout
def pdf_loosely_set_prose() -> bytes:
    def draw(canvas: Canvas) -> None:
        for place, text in enumerate((*LEFT, *RIGHT)):
            canvas.setFont("Times-Roman", 11)
            text = text.rpartition(" ")[0] if place in (2, 3, 7) else text  # too long a word for the line
            spare = 165 - canvas.stringWidth(text, "Times-Roman", 11)
            canvas.drawString(60, 760 - 13 * place, text, wordSpace=spare / text.count(" "))

    return pages(draw)


@layout
def pdf_form_in_rows() -> bytes:
    def draw(canvas: Canvas) -> None:
        form = canvas.acroForm
        for x, label, value in ((60, "Name:", "Osra Kelland"), (260, "Date:", "3 May 2019"), (440, "Fee:", "12.00")):
            at(x, 760, label)(canvas)
            form.textfield(name=label, value=value, x=x + 40, y=752, width=100, height=20)
        for place, label in enumerate(("Rope", "Lamp oil", "Sail")):
            at(80 + 150 * place, 720, label)(canvas)
            form.checkbox(name=label, checked=label == "Lamp oil", x=60 + 150 * place, y=717, size=14)
        at(60, 680, "Length:")(canvas)
        for place, label in enumerate(("short", "long")):
            form.radio(name="length", value=label, selected=label == "long", x=120 + 80 * place, y=676, size=14)
            at(140 + 80 * place, 680, label)(canvas)

    return pages(draw)


if __name__ == "__main__":
    write(LAYOUTS)
