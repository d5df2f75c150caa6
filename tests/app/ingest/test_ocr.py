"""Text recognition on scanned pages: only on request, only where a page has no text, and named in a warning."""

import logging
import sys
from pathlib import Path

import pytest

from tests.app.ingest import pdf_samples
from thoth.errors import NoTextError
from thoth.ingest import formats, ocr

linux = pytest.mark.skipif(sys.platform == "darwin", reason="tesseract is for Linux")

# It answers only a whole picture: a header, and as many bytes as the header says.
TESSERACT = f"""#!{sys.executable}
import sys
kind, width, height, most = sys.stdin.buffer.readline().split()
points = sys.stdin.buffer.read()
assert (kind, most) == (b"P5", b"255") and len(points) == int(width) * int(height) and 0 < min(points) < max(points)
print("The mayor of Harpool is Osra Kelland.")
"""


@pytest.fixture
def tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "tesseract"
    program.write_text(TESSERACT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return program


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
    with pytest.raises(NoTextError):
        formats.read(pdf_samples.pdf_scan(), "scan.pdf", recognize=True)


@linux
def test_what_to_install_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not ocr.is_available()
    with pytest.raises(NoTextError, match="install tesseract and use `--ocr` or the setting `ocr`"):
        formats.read(pdf_samples.pdf_scan(), "scan.pdf", recognize=True)
