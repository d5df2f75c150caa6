"""Tools that make the PDF samples: reportlab draws pages, pypdf rewrites files."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

FOLDER = Path(__file__).parents[2] / "fixtures" / "cases"
PROSE = [
    "The harbour of Harpool was built in 1871, when the town had",
    "fewer than four hundred inhabitants and a single fishing boat.",
    "The first master of the harbour was Osra Kelland, who had been",
    "a carpenter and who built the eastern pier with his own hands.",
]
OTHER = [
    "Ships that come from the north must signal before they turn",
    "into the bay, because the current is strongest near the rocks.",
    "In winter the lighthouse burns from four in the afternoon and",
    "is looked after by three keepers, each of them for eight hours.",
]

Draw = Callable[[Canvas], None]
Sample = Callable[[], bytes]


def pages(*draw: Draw) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=True)
    for one in draw:
        one(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def lines(texts: Sequence[str], x: float = 60, y: float = 760, step: float = 14, font: str = "Times-Roman") -> Draw:
    def draw(canvas: Canvas) -> None:
        canvas.setFont(font, 11)
        for place, text in enumerate(texts):
            canvas.drawString(x, y - step * place, text)

    return draw


def both(*draw: Draw) -> Draw:
    def all_of_them(canvas: Canvas) -> None:
        for one in draw:
            one(canvas)

    return all_of_them


def rows(table: Sequence[Sequence[str]], columns: Sequence[float], y: float = 760) -> Draw:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 10)
        for place, row in enumerate(table):
            for x, cell in zip(columns, row, strict=True):
                canvas.drawString(x, y - 15 * place, cell)

    return draw


def image(canvas: Canvas) -> None:
    from PIL import Image

    canvas.drawImage(ImageReader(Image.new("L", (60, 80), 200)), 100, 400, 300, 300)


def written(writer: PdfWriter) -> bytes:
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def rewritten(pdf: bytes) -> PdfWriter:
    return PdfWriter(clone_from=PdfReader(io.BytesIO(pdf)))


def scan_of(pdf: bytes, turn: int = 0) -> bytes:
    """Return a PDF whose pages are pictures of those of another one, turned clockwise by some degrees."""
    import pypdfium2

    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=True)
    for page in pypdfium2.PdfDocument(pdf):
        picture = page.render(scale=200 / 72, grayscale=True, rotation=turn).to_pil()
        size = picture.width * 72 / 200, picture.height * 72 / 200
        canvas.setPageSize(size)
        canvas.drawImage(ImageReader(picture), 0, 0, *size)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def write(samples: Mapping[str, Sample]) -> None:
    """Write samples as files of tests/fixtures/cases."""
    for name, make in samples.items():
        (FOLDER / f"{name}.pdf").write_bytes(make())
