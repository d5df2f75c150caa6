"""The process that reads files: what it may take, and that it loses nothing and leaves nothing behind."""

import io
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from thoth import ingest
from thoth.errors import DocumentError, NoTextError, Stopped, UnknownFormatError
from thoth.ingest import formats, reader_process, wire
from thoth.ingest.document import Block, Document, complete
from thoth.ingest.reader_process import Limits, Payload, ReaderProcess

MARKDOWN = "# Harpool\n\nThe mayor is Osra Kelland.\n\n- rope\n- lamp\n"


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    reader = ReaderProcess()
    yield reader
    reader.close()


def read(
    reader: ReaderProcess, source: Path | Payload, should_stop: Callable[[], bool] = lambda: False
) -> tuple[Document, list[tuple[int, int]]]:
    progress: list[tuple[int, int]] = []
    document = complete(reader.read(source, {}, should_stop), lambda *page: progress.append(page))
    return document, progress


def make_pdf(pages: int) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for number in range(pages):
        canvas.drawString(60, 700, f"This is page {number + 1}.")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def make_bomb() -> bytes:
    """A PDF whose one page unpacks to 192 MB."""
    packer = zlib.compressobj(9)
    stream = b"".join(packer.compress(bytes(1 << 20)) for _ in range(192)) + packer.flush()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(stream), stream),
    ]
    body = b"".join(b"%d 0 obj%s endobj\n" % (number, found) for number, found in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R/Size 5>>\n%%EOF"


def wait_until_gone(pid: int) -> None:
    """Return when a process has ended; a zombie of another parent's counts."""
    while True:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            if sys.platform == "linux":
                return
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)


def test_a_document_comes_back_as_it_is_read_here(reader: ReaderProcess, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text(MARKDOWN)
    document, progress = read(reader, tmp_path / "note.md")
    assert document == formats.read(MARKDOWN.encode(), "note.md")
    assert not progress
    pid = reader.pid
    assert read(reader, Payload(MARKDOWN.encode(), "page.md"))[0].blocks == document.blocks
    assert reader.pid == pid  # one process for all files


def test_long_texts_come_in_pieces(reader: ReaderProcess, tmp_path: Path) -> None:
    text = "\n\n".join(f"- \u00e9 item {number}" for number in range(70_000))
    assert len(text) > wire.PIECE_LETTERS
    (tmp_path / "long.txt").write_text(text)
    assert read(reader, tmp_path / "long.txt")[0] == formats.read(text.encode(), "long.txt")


def test_pages_come_one_by_one(reader: ReaderProcess, tmp_path: Path) -> None:
    pdf = make_pdf(20)
    (tmp_path / "report.pdf").write_bytes(pdf)
    document, progress = read(reader, tmp_path / "report.pdf")
    assert progress == [(page, 20) for page in range(1, 21)]
    assert document == formats.read(pdf, "report.pdf")
    pages = reader.read(tmp_path / "report.pdf", {}, lambda: False)
    assert next(pages) == (1, 20)
    pages.close()  # the rest is not needed
    assert reader.pid is None


@pytest.mark.parametrize(
    ("name", "data", "error", "says"),
    [
        ("picture.png", b"\x89PNG\0", UnknownFormatError, "picture.png"),
        ("empty.txt", b"", NoTextError, "no text"),
        ("none.txt", None, DocumentError, "there is no file"),
    ],
)
def test_errors_keep_their_kind_and_the_process(
    reader: ReaderProcess, tmp_path: Path, name: str, data: bytes | None, error: type[Exception], says: str
) -> None:
    reader.start()
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(error, match=says) as raised:
        read(reader, tmp_path / name)
    assert type(raised.value) is error
    pid = reader.pid
    (tmp_path / "next.txt").write_text("text")
    assert read(reader, tmp_path / "next.txt")[0].text == "text"
    assert reader.pid == pid


def test_a_file_that_takes_too_much_memory(tmp_path: Path) -> None:
    reader = ReaderProcess(Limits(memory_bytes=128 << 20))
    (tmp_path / "bomb.pdf").write_bytes(make_bomb())
    with pytest.raises(DocumentError, match=r"bomb\.pdf (takes more than 128 MB of memory|made the reader crash)"):
        read(reader, tmp_path / "bomb.pdf")
    (tmp_path / "next.txt").write_text("text")
    assert read(reader, tmp_path / "next.txt")[0].text == "text"
    reader.close()


def test_a_file_that_takes_too_long(tmp_path: Path) -> None:
    reader = ReaderProcess(Limits(cpu_seconds=0.1, cpu_seconds_per_mb=0))
    (tmp_path / "long.pdf").write_bytes(make_pdf(1500))
    with pytest.raises(DocumentError, match=r"long\.pdf takes too long to read"):
        read(reader, tmp_path / "long.pdf")
    assert reader.pid is None
    reader.close()


def test_a_file_that_never_comes(tmp_path: Path) -> None:
    reader = ReaderProcess(Limits(stall_seconds=0.3))
    os.mkfifo(tmp_path / "pipe.txt")  # stands for a network disk that is gone
    with pytest.raises(DocumentError, match="did not come any further"):
        read(reader, tmp_path / "pipe.txt")
    reader.close()


@pytest.mark.parametrize("way", ["stop", "interrupt"])
def test_it_can_be_stopped_at_once(reader: ReaderProcess, tmp_path: Path, way: str) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "note.txt").write_text("text")
    read(reader, tmp_path / "note.txt")
    pid = reader.pid
    assert pid is not None

    def should_stop() -> bool:
        if way == "interrupt":
            raise KeyboardInterrupt
        return True

    with pytest.raises(Stopped if way == "stop" else KeyboardInterrupt):
        read(reader, tmp_path / "pipe.txt", should_stop)
    wait_until_gone(pid)
    assert read(reader, tmp_path / "note.txt")[0].text == "text"


def while_killing(kill: Callable[[], bool]) -> Iterator[None]:
    """Yield once for each file to be read, while a thread kills; it kills again after a file, until `kill` is done."""
    failed, finished = threading.Event(), threading.Semaphore(0)

    def run() -> None:
        while not kill() and not failed.is_set():
            while finished.acquire(blocking=False):
                pass
            finished.acquire(timeout=60)

    killer = threading.Thread(target=run, daemon=True)
    killer.start()
    try:
        while killer.is_alive():
            yield
            finished.release()
    finally:
        failed.set()
        finished.release()
        killer.join()


@pytest.mark.parametrize("times", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_killing_it_many_times_loses_nothing(reader: ReaderProcess, tmp_path: Path, times: int) -> None:
    pdf = make_pdf(40)
    (tmp_path / "report.pdf").write_bytes(pdf)
    (tmp_path / "note.md").write_text(MARKDOWN)
    expected = [formats.read(pdf, "report.pdf"), formats.read(MARKDOWN.encode(), "note.md")]
    chance, seen, documents = random.Random(18), set[int](), itertools.cycle(expected)

    def kill() -> bool:
        # Twice for one file at most, in its start too: what ends three times in a row is blamed on the file.
        for longest in (0.02, 0.3):
            time.sleep(chance.uniform(0, longest))
            pid = reader.pid
            if pid is not None and pid not in seen:
                seen.add(pid)
                os.kill(pid, signal.SIGKILL)
        return len(seen) >= times

    for _ in while_killing(kill):
        document = next(documents)
        assert read(reader, tmp_path / document.name)[0] == document
    assert len(seen) >= times
    reader.close()
    for pid in seen:
        wait_until_gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="looks in /proc")
def test_it_ends_with_the_process_it_works_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    code = (
        "import sys, threading; from pathlib import Path; from thoth.ingest.reader_process import ReaderProcess\n"
        "reader = ReaderProcess()\n"
        "threading.Thread(target=lambda: list(reader.read(Path(sys.argv[1]), {}, lambda: False))).start()\n"
        "while reader.pid is None: pass\n"
        "print(reader.pid, flush=True)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "pipe.txt")], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.communicate()
    wait_until_gone(pid)


def test_the_shared_reader_reads_files_and_streams(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("from a pipe",))
    writer.start()
    assert ingest.read(tmp_path / "pipe").text == "from a pipe"  # as `<(command)` of a shell
    writer.join()
    assert reader_process.shared().pid is not None


@pytest.mark.parametrize(
    "header",
    [
        {"headings": [], "blocks": [["paragraph", 0, 3, 0, None]]},  # headings that are not there
        {"headings": [[]], "blocks": [["paragraph", 0, 30, 0, None]]},  # beyond the text
        {"headings": [[]], "blocks": [["paragraph", 4, 5, 0, None], ["paragraph", 0, 3, 0, None]]},  # overlap
        {"headings": [[]], "blocks": [["picture", 0, 3, 0, None]]},
        {"headings": [[]], "blocks": [["paragraph", 0, True, 0, None]]},
        {"headings": [[]], "blocks": [["paragraph", 0, 3, 0, 0]]},
        {"headings": [[1]], "blocks": []},
        {"headings": 1},
        {"blocks": [1]},
    ],
)
def test_blocks_from_the_process_are_checked(header: dict[str, object]) -> None:
    with pytest.raises(wire.WireError):
        wire.unpack_blocks(header, 0, 10)


def test_blocks_survive_the_way() -> None:
    blocks = (Block("heading", 0, 3, ("A",), 1), Block("code", 4, 9, ("A",), 2))
    packed = wire.pack({"kind": "piece"} | wire.pack_blocks(blocks), 4) + b"text"
    messages = wire.Messages()
    assert [*messages.feed(packed[:7])] == []  # it may come in any parts
    [(header, body)] = messages.feed(packed[7:])
    assert wire.unpack_blocks(header, 0, 9) == blocks
    assert body == b"text"


@pytest.mark.parametrize("data", [b"\xff" * 40, wire.pack({}, wire.MAX_BODY_BYTES + 1), b"\0\0\0\1" + bytes(8) + b"1"])
def test_messages_are_checked(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        list(wire.Messages().feed(data))
