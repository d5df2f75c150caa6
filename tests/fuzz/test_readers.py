"""Damaged files of every kind, through the reader process: each is read or refused by name, and none hangs.

Slow: `pytest -m slow tests/fuzz`. It takes FUZZ_SECONDS (1200) with the seed FUZZ_SEED (18); what fails is kept beside
the report.
"""

import io
import os
import random
import time
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.app.ingest import packages
from thoth.errors import DocumentError, NoTextError
from thoth.ingest import Document, complete
from thoth.ingest.reader_process import Limits, Payload, ReaderProcess

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
SECONDS = float(os.environ.get("FUZZ_SECONDS", "1200"))
SEED = int(os.environ.get("FUZZ_SEED", "18"))
LIMITS = Limits(memory_bytes=512 << 20, cpu_seconds=10.0, stall_seconds=60.0)

# Pieces that mean something to one reader or another.
TOKENS = [
    b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"<", b">", b"</", b"<!--", b"-->", b"<![CDATA[", b"&",
    b"&#x10ffff;", b"&#0;", b'"', b"'", b"=", b"[", b"]", b"{", b"}", b"(", b")", b"/", b"\\", b"\n", b"\r",
    b"\t", b"|", b"---\n", b"```", b"<table>", b"<td>", b"<ul><li>", b"<pre>", b"charset=utf-16",
    b'encoding="utf-7"', b"<!DOCTYPE x>", b"999999999999", b"-1", b"0", b"1e309", b"NaN", b"null", b"obj",
    b"endobj", b"stream\n", b"endstream", b"xref", b"trailer", b"startxref", b"%%EOF", b"/Kids", b"/Count",
    b"/Filter/FlateDecode", b"<<", b">>", b"0 R", b"/Length", b"\xed\xa0\x80", b"\x1b[31m", b"\\'e9",
    b"\\bin9999999 ", b"{\\rtf1", b"\\par", b"\\begin{", b"BEGIN:", b"=?utf-8?b?", b"Content-Type:", b"--x\n",
]  # fmt: skip


def samples() -> list[tuple[str, bytes]]:
    """Return the files of the cases, those that the tables bring along among them."""
    files = {path.name: path.read_bytes() for path in CASES.iterdir() if path.is_file() and path.suffix != ".yaml"}
    for table in CASES.glob("*.yaml"):
        for case in yaml.safe_load(table.read_text("utf-8")):
            if (data := packages.build(case)) is not None:
                files[case["file"]] = data
    return sorted(files.items())


def mutated(chance: random.Random, data: bytes, most: int) -> bytes:
    result = bytearray(data)
    for _ in range(chance.randint(1, most)):
        at = chance.randrange(len(result) + 1)
        end = min(len(result), at + chance.randint(1, 200))
        match chance.randrange(6):
            case 0 if result:
                result[at % len(result)] = chance.randrange(256)
            case 1:
                result[at:at] = chance.choice(TOKENS)
            case 2:
                del result[at:end]
            case 3:
                result[at:at] = result[at:end] * chance.choice([1, 2, 50])
            case 4:
                result[at:at] = chance.choice(TOKENS) * chance.choice([10, 300])
            case _:
                result[at:at] = chance.randbytes(chance.randint(1, 40))
    return bytes(result)


def repacked(chance: random.Random, data: bytes) -> bytes:
    """Mutate the members of an archive: of the packed bytes, hardly any change reaches a reader."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return mutated(chance, data, 4)
    changed = chance.sample(sorted(members), min(len(members), chance.randint(1, 3)))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            if chance.random() > 0.03:
                archive.writestr(name, mutated(chance, content, 6) if name in changed else content)
    return mutated(chance, buffer.getvalue(), 2) if chance.random() < 0.1 else buffer.getvalue()


def outcome(reader: ReaderProcess, data: bytes, name: str) -> Document | DocumentError | NoTextError:
    try:
        return complete(reader.read(Payload(data, name), {}, lambda: False))
    except (DocumentError, NoTextError) as error:
        return error


def wrong(found: Document | DocumentError | NoTextError, name: str) -> str | None:
    if isinstance(found, Document):
        at = 0
        for block in found.blocks:
            if not at <= block.start <= block.end <= len(found.text):
                return "a block lies outside of the text"
            at = block.end
        return None
    said = str(found)
    if "report this file" in said or "made the reader crash" in said or "\n" in said or name not in said:
        return said
    return said if "takes too long" in said or "did not come any further" in said else None


def difference(one: Document | DocumentError | NoTextError, two: Document | DocumentError | NoTextError) -> str | None:
    same = one == two if isinstance(one, Document) else str(one) == str(two)
    return None if same else "two processes read it otherwise than one"


@pytest.mark.slow
def test_damaged_files(tmp_path: Path) -> None:
    chance, seeds = random.Random(SEED), samples()
    reader, pair = ReaderProcess(LIMITS, second_from=0), ReaderProcess(LIMITS, second_from=1)
    failed: dict[str, str] = {}
    end, tried = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        name, data = chance.choice(seeds)
        data = repacked(chance, data) if data.startswith(b"PK") else mutated(chance, data, 8)
        tried += 1
        found = outcome(reader, data, name)
        why = wrong(found, name)
        if why is None and name.endswith(".pdf"):  # two processes read it, from both ends
            why = difference(found, outcome(pair, data, name))
        if why is not None:
            (tmp_path / f"{tried}-{name}").write_bytes(data)
            failed.setdefault(f"{name}: {why}"[:160], f"{tmp_path / f'{tried}-{name}'}")
    reader.close()
    pair.close()
    print(f"{tried} files of {len(seeds)} kinds were damaged and read")
    assert tried
    assert not failed, f"{len(failed)} of {tried}: {failed}"
