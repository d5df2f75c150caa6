"""Documents and servers that attack their reader, each absorbed in front of a good document; what the reader used.

Each is read as `thoth absorb` reads it. It ends in a text or in one line that names it; then `thoth absorb BAD GOOD`
must say that line and absorb the good one. The reader process, or two of them together, stay within 20 s of
processor time and 1 GB.
"""

from __future__ import annotations

import io
import json
import resource
import socket
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import harness, hostile_runs, hostile_structures
from benchmarks.hostile_runs import Ended

CPU_SECONDS, PEAK_BYTES = 20.0, 1 << 30
_LOOK_SECONDS = 0.02
_CPU_LIMIT = 60  # of the process beside the reader
_GOOD = "The mayor of Dorn is Ilse Brand."
_ADDRESSES = (
    "ok.txt to_file to_ftp to_data to_metadata loop chain0 crlf redirect_infinite_body redirect_slow_body infinite "
    "infinite_pdf slow_body slow_headers slow_status slow_chunk_size hundred_continue hundred_slow many_headers "
    "huge_header gzip gzip_hidden br_upper lie_pdf lie_html.pdf lie_charset redos short long_length neg_length "
    "huge_length reason_escape name_escape http09 empty bad_chunk chunk_huge refresh userinfo cookie"
).split()


def measure(work: Path, shared: Path, only: str, parts: Collection[str]) -> None:
    """Absorb every case and print a table; a case that fails has its faults in the last column.

    Args:
        work: folder to work in.
        shared: cases of others.
        only: text that a case's name must hold.
        parts: which of "documents" and "web".
    """
    hostile_runs.preload(with_torch=False)
    folder = work / "documents"
    folder.mkdir()
    cases: list[Path] = []
    if "documents" in parts:
        cases = [*_ours(folder, only), *(path for part in ("documents", "pdf") for path in _files(shared / part))]
    table = harness.Table("case", "KB", "became", "reader, CPU s", "reader, peak MB", "faults")
    failed = number = 0
    for path in (path for path in cases if only in path.name):
        faults = _absorb(work, table, str(path), path.name, path.stat().st_size)
        failed, number = failed + bool(faults), number + 1
    if "web" in parts and (server := shared / "web" / "server.py").is_file():
        with _serving(server) as address:
            for name in (name for name in _ADDRESSES if only in name):
                faults = _absorb(work, table, f"{address}/{name}", name, 0)
                failed, number = failed + bool(faults), number + 1
    print(f"{number} cases, {failed} with faults")


def _absorb(work: Path, table: harness.Table, place: str, name: str, size: int) -> list[str]:
    good, outcome = work / "good.txt", work / "outcome"
    good.write_text(f"{_GOOD} {name}")  # another text each time, so that it is absorbed
    outcome.unlink(missing_ok=True)
    ended = hostile_runs.fork(work, lambda: _read_and_absorb(place, good, outcome), _CPU_LIMIT)
    faults = [fault for fault in ended.faults() if fault != "not one line"]
    try:
        found = json.loads(outcome.read_text())
    except (OSError, ValueError):
        found = {"cpu": 0.0, "peak": 0, "error": None, "letters": 0}
        faults.append("no result")
    faults += _faults(ended, found["error"], name)
    faults += [f"{found['cpu']:.0f} s"] if found["cpu"] > CPU_SECONDS else []
    faults += [f"{found['peak'] >> 20} MB"] if found["peak"] > PEAK_BYTES else []
    became = "refused" if found["error"] else f"{found['letters']:,} letters"
    table.row(name, size >> 10, became, f"{found['cpu']:.1f}", found["peak"] >> 20, ", ".join(faults))
    if faults:
        print(f"FAULT {name!r}: {found['error']!r} {ended.errors.strip()[-600:]!r}", flush=True)
    return faults


def _read_and_absorb(place: str, good: Path, outcome: Path) -> None:
    """Read a document and note what became of it and what that took; if it is refused, absorb it, and a good one.

    One that is read is not absorbed: hostile or not, millions of letters take a model hours.
    """
    from thoth import ingest
    from thoth.errors import ThothError
    from thoth.ingest import reader_process
    from thoth.system import usage

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    error, letters, peak = None, 0, 0
    ended = threading.Event()

    def watch() -> None:  # the children's peaks are counted one by one, and two may read one file
        nonlocal peak
        while not ended.wait(_LOOK_SECONDS):
            peak = max(peak, sum(usage.of(pid).resident_bytes for pid in reader_process.shared().pids))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        letters = len(ingest.read(place, ingest.Options(allow_private=True)).text)
    except ThothError as refusal:
        error = str(refusal)
    ended.set()
    watcher.join()
    reader_process.shared().close()  # waits for the process, so that it is counted
    reader_process._shared = None
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    peak = max(peak, harness.peak_memory_bytes(used))
    outcome.write_text(json.dumps({"cpu": cpu, "peak": peak, "error": error, "letters": letters}))
    hostile_runs.thoth("absorb", "--json", *([place] if error else []), good)()


def _faults(ended: Ended, error: str | None, name: str) -> list[str]:
    """Return what is missing from the report of `thoth absorb`."""
    try:
        report = json.loads(ended.output)
    except ValueError:
        return ["no report"]
    found = []
    if not any(document["name"] == "good.txt" for document in report["documents"]):
        found.append("the next file was not absorbed")
    if error is not None:
        errors = [failure["error"] for failure in report["failed"]]
        if len(errors) != 1 or "\n" in errors[0]:
            found.append("not one line")
        if not all(name in error for error in errors):
            found.append("not named")
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


@contextmanager
def _serving(script: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(script), str(port)], stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _ours(folder: Path, only: str) -> Iterator[Path]:
    """Make the cases of this file and of `hostile_structures.py`."""
    for make in (_made, lambda: hostile_structures.made(_zip)):
        for name, data in make().items():
            if only in name:
                path = folder / name
                path.write_bytes(data)
                yield path


def _made() -> dict[str, bytes]:
    zeros = bytes(200 << 20)
    word = b"The mayor of Harpool is Osra Kelland. "
    return {
        "letters.txt": b"a" * (32 << 20),
        "words.txt": word * ((32 << 20) // len(word)),
        "numbers.csv": b"1,2,3,4,5,6,7,8\n" * 500_000,
        "cells.csv": b"," * (4 << 20),
        "brackets.json": b"[" * (4 << 20),
        "quotes.json": b'"\\u0000' * 500_000,
        "spans.html": b"<table><tr>" + b"<td colspan=1000 rowspan=65534>x" * 20_000,
        "open.html": b"<div><b><i><a>" * 200_000,
        "entities.html": b"&amp" * 1_000_000,
        "attributes.html": b"<p " + b"".join(b"a%d=1 " % number for number in range(200_000)) + b">text</p>",
        "math.html": b"<math>" + b"<msup><mi>x</mi>" * 100_000,
        "groups.rtf": b"{\\rtf1 " + b"{" * 1_000_000,
        "bins.rtf": b"{\\rtf1 \\bin2147483647 " + b"x" * 1_000_000,
        "parts.eml": b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\nx\n" * 200_000,
        "nested.eml": b"Content-Type: message/rfc822\n\n" * 50_000,
        "headers.eml": b"".join(b"X-%d: y\n" % number for number in range(300_000)) + b"\ntext",
        "macros.tex": b"\\def\\a{\\a\\a}" + b"\\a" * 300_000,
        "braces.tex": b"{" * 1_000_000,
        "cells.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": "x", "outputs": []}] * 200_000}).encode(),
        "marks.md": b"*_`[" * 500_000,
        "links.md": b"[a](" * 300_000,
        "lists.org": b"* " * 1_000_000,
        "cues.srt": b"1\n00:00:00,000 --> 00:00:01,000\nx\n\n" * 150_000,
        "bomb.docx": _zip({"[Content_Types].xml": b"<Types/>", "word/document.xml": zeros}),
        "bomb.epub": _zip({"mimetype": b"application/epub+zip", "META-INF/container.xml": zeros}),
        "bomb.xlsx": _zip({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": zeros}),
        "bomb.odt": _zip({"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": zeros}),
        "bomb.pptx": _zip({"[Content_Types].xml": b"<Types/>", "ppt/presentation.xml": zeros}),
        "members.docx": _zip({f"word/{number}.xml": b"x" for number in range(60_000)}),
        "itself.docx": _quine(),
        "external.docx": _zip(
            {
                "[Content_Types].xml": b"<Types/>",
                "word/document.xml": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><w:document '
                b'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r>'
                b"<w:t>&a;</w:t></w:r></w:p></w:body></w:document>",
            }
        ),
        "pages.pdf": _pdf(b"<< /Type /Pages /Kids [" + b"3 0 R " * 300_000 + b"] /Count 300000 >>"),
        "count.pdf": _pdf(b"<< /Type /Pages /Kids [3 0 R] /Count 2147483647 >>"),
        "flate.pdf": _pdf(b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", zlib.compress(zeros, 9)),
        "nested.pdf": _pdf(b"<< /Type /Pages /Kids " + b"[" * 300_000 + b"]" * 300_000 + b" /Count 1 >>"),
        "header.pdf": b"%PDF-1.7\n" + b"1 0 obj\n<<" * 300_000,
        "zeros.pdf": b"%PDF-1.7\n" + bytes(8 << 20) + b"%%EOF",
        "nul.txt": bytes(4 << 20),
        "surrogates.txt": b"\xed\xa0\x80" * 500_000,
        "marks.txt": "a\u0301".encode() + "\u0301".encode() * 1_000_000,
    }


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _quine() -> bytes:
    """An archive in which twenty members overlap in the same compressed bytes."""
    whole = bytearray(_zip({"word/document.xml": bytes(50 << 20)}))
    at = whole.index(b"PK\x01\x02")
    entry, end = bytes(whole[at : whole.rindex(b"PK\x05\x06")]), bytes(whole[whole.rindex(b"PK\x05\x06") :])
    count = 20
    end = end[:8] + count.to_bytes(2, "little") * 2 + (len(entry) * count).to_bytes(4, "little") + end[16:]
    return bytes(whole[:at]) + entry * count + end


def _pdf(pages: bytes, stream: bytes = b"") -> bytes:
    content = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R >>"
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        pages,
        page,
        content if stream else b"<< /Length 0 >>\nstream\n\nendstream",
    ]
    data, places = b"%PDF-1.7\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"xref\n0 5\n0000000000 65535 f \n%strailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return data + tail % (table, len(data))
