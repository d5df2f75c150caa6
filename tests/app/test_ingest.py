"""Every kind of file: read whole, or refused with the right error."""

import io
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from thoth import ingest
from thoth.errors import DocumentError, NoTextError, ThothError
from thoth.ingest import formats


def make_pdf(pages: Sequence[Sequence[str]]) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.drawString(60, 780 - 16 * number, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def make_scan() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    canvas.drawImage(ImageReader(Image.new("L", (60, 80), 200)), 0, 0)
    canvas.save()
    return buffer.getvalue()


def encrypt(pdf: bytes, password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf)))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


PDF = make_pdf([["Ana Dor founded Velmar.", "It makes lamps."], ["The second page."]])
GARBAGE = random.Random(0).randbytes(4000)


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("plain.txt", b"Ana founded Velmar.", "Ana founded Velmar."),
        ("no_suffix", b"Ana founded Velmar.", "Ana founded Velmar."),
        ("marks.md", b"# Velmar\n\n*Ana* founded it.", "# Velmar\n\n*Ana* founded it."),
        ("windows.txt", b"one\r\ntwo", "one\ntwo"),
        ("utf8_mark.txt", "\ufeffna\u00efve caf\u00e9".encode(), "na\u00efve caf\u00e9"),
        (
            "utf16.txt",
            "na\u00efve caf\u00e9 \u4f60\u597d".encode("utf-16"),
            "na\u00efve caf\u00e9 \u4f60\u597d",
        ),
        ("western.txt", "na\u00efve caf\u00e9, 5 \u20ac".encode("cp1252"), "na\u00efve caf\u00e9, 5 \u20ac"),
        ("about_pdf.md", b"A PDF file begins with %PDF- and ends with %%EOF.", None),
    ],
)
def test_text_is_read(tmp_path: Path, name: str, data: bytes, text: str | None) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    document = ingest.read(path)
    assert document.text == (text or data.decode())
    assert (document.name, document.pages) == (name, None)


@pytest.mark.parametrize("name", ["report.pdf", "renamed.txt"])
def test_pdf_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PDF)
    document = ingest.read(path)
    assert document.text == "Ana Dor founded Velmar.\nIt makes lamps.\n\nThe second page."
    assert document.pages == 2


def test_lines_broken_by_the_layout_are_joined(tmp_path: Path) -> None:
    lines = [
        "The Rosesta Regatta takes place on 14 June. Harpool",
        "hosts the Rosesta Regatta. 2650 tickets were sold for the",
        "regatta this year.",
        "Short line",
        "- one item that is nearly as long as the longest line is",
        "- another item of the list",
    ]
    (tmp_path / "wrapped.pdf").write_bytes(make_pdf([lines]))
    assert ingest.read(tmp_path / "wrapped.pdf").text.split("\n") == [" ".join(lines[:3]), *lines[3:]]


def test_pdf_with_an_empty_password_is_read(tmp_path: Path) -> None:
    path = tmp_path / "open.pdf"
    path.write_bytes(encrypt(PDF, ""))
    assert "Ana Dor founded Velmar." in ingest.read(path).text


def test_pypdf_reads_what_pdfium_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    import pypdfium2

    def refuse(*_: object) -> None:
        raise pypdfium2.PdfiumError("refused")

    monkeypatch.setattr(pypdfium2, "PdfDocument", refuse)
    assert "Ana Dor founded Velmar." in formats.read(PDF, "report.pdf").text


@pytest.mark.parametrize(
    ("name", "data", "error", "says"),
    [
        ("empty.txt", b"", NoTextError, "no text"),
        ("blank.md", b" \n\t\n", NoTextError, "no text"),
        ("blank.pdf", make_pdf([[]]), NoTextError, "probably a scan"),
        ("scan.pdf", make_scan(), NoTextError, "probably a scan"),
        ("garbage.txt", GARBAGE, DocumentError, "neither text nor PDF"),
        ("garbage.pdf", GARBAGE, DocumentError, "neither text nor PDF"),
        ("odd_utf16.txt", b"\xff\xfea", DocumentError, "neither text nor PDF"),
        ("locked.pdf", encrypt(PDF, "secret"), DocumentError, "encrypted"),
        ("cut.pdf", PDF[: len(PDF) // 2], DocumentError, "cut short"),
        ("broken.pdf", b"%PDF-1.4\n" + GARBAGE + b"\n%%EOF", DocumentError, "damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_files_are_refused(tmp_path: Path, name: str, data: bytes, error: type[ThothError], says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(error, match=says) as raised:
        ingest.read(path)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="there is no file"):
        ingest.read(tmp_path / "nothing.txt")
    with pytest.raises(DocumentError, match="is a folder"):
        ingest.read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything: run as another user")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("secret")
    path.chmod(0)
    with pytest.raises(DocumentError, match="permissions"):
        ingest.read(path)
