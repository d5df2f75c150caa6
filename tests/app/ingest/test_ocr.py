"""Text recognition on scanned pages: only on request, only where a page has no text, and named in a warning."""

import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.ingest import pdf_drawing, pdf_samples
from thoth.errors import NoTextError
from thoth.ingest import formats, ocr
from thoth.ingest import tesseract as tesseract_program

linux = pytest.mark.skipif(sys.platform == "darwin", reason="tesseract is for Linux")

real = pytest.mark.skipif(
    sys.platform == "darwin" or shutil.which("tesseract") is None, reason="needs the program tesseract"
)

# It answers only a whole picture: a header, and as many bytes as the header says.
TESSERACT = f"""#!{sys.executable}
import sys
if sys.argv[1] == "--list-langs":
    print("List of available languages (1):", "eng", sep=chr(10))
    raise SystemExit
assert sys.argv[1:3] == ["-", "-"] and sys.argv[-1] == "tsv", sys.argv
kind, width, height, most = sys.stdin.buffer.readline().split()
points = sys.stdin.buffer.read()
assert (kind, most) == (b"P5", b"255") and len(points) == int(width) * int(height) and 0 < min(points) < max(points)
print("level page_num block_num par_num line_num word_num left top width height conf text".replace(" ", chr(9)))
print("4 1 1 1 1 0 100 100 900 30 -1 ".replace(" ", chr(9)))
for at, word in enumerate("The mayor of Harpool is Osra Kelland.".split()):
    print(5, 1, 1, 1, 1, at + 1, 100 + 100 * at, 100, 95, 30, 96.5, word, sep=chr(9))
print(5, 1, 2, 1, 1, 1, 100, 400, 95, 30, 21.0, "~;i", sep=chr(9))
"""


@pytest.fixture
def tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    program = tmp_path / "tesseract"
    program.write_text(TESSERACT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    forget()
    yield program
    forget()


def forget() -> None:
    """Look again which languages are installed."""
    tesseract_program._installed.cache_clear()
    tesseract_program._languages.cache_clear()


@linux
@pytest.mark.usefixtures("tesseract")
def test_a_scan_is_recognized_on_request(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="thoth"):
        document = formats.read(pdf_samples.pdf_scan(), "scan.pdf", recognize=True)
    assert document.text.strip() == "The mayor of Harpool is Osra Kelland."
    [warning] = caplog.messages
    assert warning == "scan.pdf: text recognition (OCR) read page 1: check numbers and names"


@linux
@pytest.mark.usefixtures("tesseract")
def test_pages_with_text_are_not_recognized() -> None:
    assert "Harpool is Osra" not in formats.read(pdf_samples.pdf_prose(), "prose.pdf", recognize=True).text


@linux
@pytest.mark.usefixtures("tesseract")
def test_without_a_request_it_is_offered() -> None:
    with pytest.raises(NoTextError, match=r"it is probably a scan; `--ocr`, or the setting `ocr`, reads them"):
        formats.read(pdf_samples.pdf_scan(), "scan.pdf")


@linux
def test_a_program_that_fails_costs_the_page(tesseract: Path) -> None:
    tesseract.write_text(f"#!{sys.executable}\nraise SystemExit(1)\n")
    with pytest.raises(NoTextError, match=r"text recognition \(OCR\) found none either; scan again at 300 dpi"):
        formats.read(pdf_samples.pdf_scan(), "scan.pdf", recognize=True)


@linux
def test_what_to_install_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not ocr.is_available()
    with pytest.raises(NoTextError, match="install tesseract and use `--ocr` or the setting `ocr`"):
        formats.read(pdf_samples.pdf_scan(), "scan.pdf", recognize=True)


@real
@pytest.mark.parametrize("turn", [0, 90, pytest.param(270, marks=pytest.mark.slow)])
def test_a_page_is_read_however_it_lies(turn: int) -> None:
    if turn and "osd" not in tesseract_program._installed():
        pytest.skip("needs tesseract's data for orientation")
    prose = pdf_drawing.pages(pdf_drawing.lines([*pdf_drawing.PROSE, *pdf_drawing.OTHER]))
    document = formats.read(pdf_drawing.scan_of(prose, turn), "scan.pdf", recognize=True)
    assert document.text.split() == " ".join([*pdf_drawing.PROSE, *pdf_drawing.OTHER]).split()
    assert document.text.count("\n") < 4


@real
def test_words_broken_at_the_end_of_a_line_are_joined() -> None:
    document = formats.read(pdf_drawing.scan_of(pdf_samples.pdf_hyphens()), "scan.pdf", recognize=True)
    assert "but the lighthouse itself" in document.text


@real
def test_rows_of_a_table_stay_rows() -> None:
    document = formats.read(pdf_drawing.scan_of(pdf_samples.pdf_wide_table()), "scan.pdf", recognize=True)
    assert "Lamp with a red glass Shed 1, beside the door 7 88.50\n" in document.text


@real
def test_a_picture_yields_no_text() -> None:
    with pytest.raises(NoTextError, match="found none either"):
        formats.read(pdf_samples.pdf_scan(), "scan.pdf", recognize=True)
