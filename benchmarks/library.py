"""How fast a library of many documents is opened, listed and searched, and the memory it takes, beside one of 100.

python -m benchmarks.library [--documents 10000] [--chunks 4] [--features 256]

The text has the word statistics of language (Zipf's law), without which an index of words cannot be measured. Rows are
written as the library writes them; the files of adapters are left out, as none of these steps opens one.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks import harness
from thoth.ingest import Block, Document
from thoth.ingest.chunks import Chunk
from thoth.library import queries, schema
from thoth.library.adapters import Receipt
from thoth.library.library import Library
from thoth.library.records import ChunkRef, StoredDocument, document_id
from thoth.retrieval import router
from thoth.retrieval.routing import Routing
from thoth.system.sqlite import Database

WORDS_IN_A_CHUNK, VOCABULARY, REPEATS = 180, 50_000, 5


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--chunks", type=int, default=4, help="of each document")
    parser.add_argument("--features", type=int, default=256, help="length of a chunk's features")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    few = _measured(100, arguments.chunks, arguments.features)
    many = _measured(arguments.documents, arguments.chunks, arguments.features)
    table = harness.Table("", "100 documents", f"{arguments.documents:,} documents", "ratio")
    for name in few:
        table.row(name, f"{few[name]:.4f}", f"{many[name]:.4f}", f"{many[name] / few[name]:.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"100": few, str(arguments.documents): many}, indent=2))


def _measured(documents: int, chunks: int, features: int) -> dict[str, float]:
    """Fill and measure in processes of their own, so that neither leaves memory to the other."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as home:
        for target in (_fill, _measure):
            with spawn.Pool(1) as pool:
                result = pool.apply(target, (Path(home), documents, chunks, features))
    return result


def _fill(home: Path, documents: int, chunks: int, size: int) -> None:
    random = np.random.default_rng(0)
    letters = np.array([*"abcdefghijklmnopqrstuvwxyz"])
    vocabulary = ["".join(random.choice(letters, 3 + int(random.integers(7)))) for _ in range(VOCABULARY)]
    weights = 1 / np.arange(1, VOCABULARY + 1)
    weights /= weights.sum()
    with Database(home / "library.db", schema.SCHEMA).writing() as database:
        for number in range(documents):
            drawn = random.choice(VOCABULARY, (chunks, WORDS_IN_A_CHUNK), p=weights)
            texts = [" ".join(vocabulary[i] for i in row) + f" serial{number}. " for row in drawn]
            document = Document(f"paper {number}.pdf", "".join(texts), 1, (Block("paragraph", 0, 100),))
            stored = StoredDocument(
                id=document_id(document.sha256, "bundle", "meaning"),
                name=document.name,
                source=f"/papers/{document.name}",
                bundle="bundle",
                chunking="meaning",
                complete=False,
                active=True,
                pages=1,
                chunks=chunks,
                absorbed=0,
                tokens=chunks * 256,
                bytes=0,
                added=datetime.now(UTC),
            )
            queries.insert(database, stored, document, [Chunk([0] * 256, text, (1, 1), (), 0) for text in texts])
            receipt = Receipt(100_000, hashlib.sha256().digest())
            for key in queries.missing(database, stored.id).values():
                queries.insert_adapter(database, key, receipt, random.standard_normal(size))
            queries.update_sums(database, stored.id)


def _measure(home: Path, documents: int, *_: int) -> dict[str, float]:
    before, seconds = _peak_memory_mb(), {}
    library = Library(home)

    started = time.perf_counter()
    everything = library.documents()
    seconds["open and list, first time, s"] = time.perf_counter() - started
    ids = [document.id for document in everything]
    middle = everything[documents // 2]
    text = library.document(middle.id).text
    question = " ".join(text.split()[:12]) + f" serial{documents // 2}"
    (vector,) = library.features([ChunkRef(middle.id, 0)])

    def route(query: str) -> None:
        router.route(library, query, everything, Routing(), 8, lambda _: vector)

    started = time.perf_counter()
    route(question)
    seconds["route, first time, s"] = time.perf_counter() - started
    for name, task in (
        ("list, s", library.documents),
        ("route, s", lambda: route(question)),
        ("route with a question of 2,000 words, s", lambda: route(" ".join((text * 20).split()[:2000]))),
        ("route among one document, s", lambda: library.search(question, ids[:1], 64)),
        ("open one document with its text, s", lambda: (library.get(middle.name), library.document(middle.id))),
        ("open one document's chunks, s", lambda: library.chunks(middle.id)),
    ):
        seconds[name] = min(harness.seconds_of(task) for _ in range(REPEATS))
    peak = _peak_memory_mb()
    for _ in range(20):
        library.documents()
        route(question)
        route(text)
    return seconds | {
        "peak memory of all this, MB": peak - before,
        "peak memory after 20 more rounds, MB": _peak_memory_mb() - before,
        "database, MB": (home / "library.db").stat().st_size / 1e6,
    }


def _peak_memory_mb() -> float:
    return harness.peak_memory_bytes() / 1e6


if __name__ == "__main__":
    main()
