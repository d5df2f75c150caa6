"""Which chunk the router finds first, on real questions among many paragraphs, beside plain BM25.

    python -m benchmarks.routing DATA [--paragraphs 2000] [--questions 1000] [--mixed FOLDER ...]

DATA holds squadshifts/, fairytaleqa/ and ropes/. Each set is a library of its own: the paragraphs, one chunk each, with
adapters of no size; the questions are real and their paragraph is known. MIXED are folders of source files and texts in
other languages, of which up to 1,000 join every library a second time. "FTS5" is SQLite's own ranking, "bm25s" the
package of that name where it is installed. Questions are paired: "won, lost" are those that the router alone, or the
other way alone, finds first, "p" how likely so uneven a split is by chance (McNemar, exact, two sides).
"""

from __future__ import annotations

import math
import random
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import harness
from mlx_hypernet.blas import preload_blas
from thoth.ingest import Document
from thoth.ingest.chunks import Chunk
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.library.schema import TOKENIZER
from thoth.retrieval import router
from torch_train.english.passages import passages

TOP = 4
MOST_MIXED = 1000
LETTERS = 800  # of a foreign text


@dataclass(frozen=True)
class Trial:
    """Paragraphs, and questions with the number of their paragraph."""

    name: str
    paragraphs: Sequence[str]
    questions: Sequence[tuple[str, int]]


def trial(data: Path, source: str, paragraphs: int, questions: int) -> Trial:
    """Paragraphs of a source, and questions about them drawn evenly."""
    rows = [one for one in passages(data, lambda text: len(text.split()), 10_000) if one.source == source][:paragraphs]
    asked = [(question.text, place) for place, row in enumerate(rows) for question in row.questions]
    random.Random(0).shuffle(asked)
    return Trial(source, [row.text for row in rows], asked[:questions])


def fill(library: Library, name: str, texts: Sequence[str]) -> StoredDocument:
    """Texts as the chunks of one document."""
    import mlx.core as mx

    from mlx_hypernet.adapter import ChunkAdapters

    text, chunks = "", []
    for part in texts:
        chunks.append(Chunk([0] * max(1, round(len(part.split()) * 1.35)), part, None, (), len(text)))
        text += part + "\n"
    stored = library.begin(Document(name, text), "bundle", "meaning", chunks, None)
    for start in range(0, len(texts), 64):
        numbers = range(start, min(len(texts), start + 64))
        pairs, bias = {"m": mx.zeros((len(numbers), 1, 1, 1))}, {"m": mx.zeros((1, 1, 1))}
        features = np.zeros((len(numbers), 2), np.float32)
        stored = library.store(stored.id, numbers, ChunkAdapters(pairs, pairs, bias, bias, 1.0), features)
    return stored


Search = Callable[[str], list[int]]  # question -> places of paragraphs, best first


def routed(library: Library, documents: Sequence[StoredDocument], own: str) -> Search:
    """The router; a chunk of another document counts as a wrong place."""

    def search(question: str) -> list[int]:
        ranked = router.ranking(library, question, documents, TOP, lambda _: np.zeros(2, np.float32))
        return [one.ref.number if one.ref.document == own else -1 for one in ranked]

    return search


def fts5(texts: Sequence[str]) -> Search:
    """SQLite's own BM25 over the words of the question."""
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE VIRTUAL TABLE texts USING fts5 (text, tokenize='{TOKENIZER}')")
    database.executemany("INSERT INTO texts (rowid, text) VALUES (?, ?)", enumerate(texts))

    def search(question: str) -> list[int]:
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
        query = "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank LIMIT ?"
        return [place for (place,) in database.execute(query, (words, TOP))]

    return search


def bm25s(texts: Sequence[str]) -> Search | None:
    """The package bm25s with its English stop words and stemmer; None where it is not installed."""
    try:
        import bm25s as package
        import Stemmer
    except ImportError:
        return None
    stemmer = Stemmer.Stemmer("english")
    index = package.BM25()
    index.index(
        package.tokenize(list(texts), stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False
    )

    def search(question: str) -> list[int]:
        words = package.tokenize([question], stopwords="en", stemmer=stemmer, show_progress=False)
        return list(map(int, index.retrieve(words, k=TOP, show_progress=False)[0][0]))

    return search


def measure(
    table: harness.Table,
    name: str,
    way: str,
    search: Search,
    questions: Sequence[tuple[str, int]],
    router: Sequence[bool] | None = None,
) -> list[bool]:
    """Print recall at 1 and among at most `TOP`, chunks and milliseconds a question.

    Args:
        table: to print to.
        name: of the set.
        way: name of the search.
        search: what is measured.
        questions: with the places of their paragraphs.
        router: which questions the router finds first, to be compared with.

    Returns:
        Which questions are found first.
    """
    started = time.perf_counter()
    found = [search(question) for question, _ in questions]
    each = (time.perf_counter() - started) / len(questions) * 1000
    first = [places[:1] == [right] for places, (_, right) in zip(found, questions, strict=True)]
    among = sum(right in places for places, (_, right) in zip(found, questions, strict=True)) / len(questions)
    chunks = sum(map(len, found)) / len(questions)
    compared = ("", "") if router is None else paired(router, first)
    share = sum(first) / len(questions)
    table.row(name, way, len(questions), f"{share:.1%}", *compared, f"{among:.1%}", f"{chunks:.2f}", f"{each:.1f}")
    return first


def paired(router: Sequence[bool], other: Sequence[bool]) -> tuple[str, str]:
    """Questions won and lost by the router, and McNemar's exact p."""
    won = sum(mine and not its for mine, its in zip(router, other, strict=True))
    lost = sum(its and not mine for mine, its in zip(router, other, strict=True))
    tail = sum(math.comb(won + lost, k) for k in range(min(won, lost) + 1)) / 2 ** (won + lost)
    return f"{won}, {lost}", f"{min(1.0, 2 * tail):.1g}"


def foreign(folders: Sequence[Path]) -> list[str]:
    """Texts of other kinds, the beginning of each file."""
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    random.Random(0).shuffle(files)
    texts = (file.read_text("utf-8", errors="replace")[:LETTERS] for file in files[:MOST_MIXED])
    return [text for text in texts if text.strip()]


def main() -> None:
    """The command line."""
    parser = harness.argument_parser(__doc__)
    parser.add_argument("data", type=Path, help="folder with squadshifts/, fairytaleqa/ and ropes/")
    parser.add_argument("--paragraphs", type=int, default=2000, help="of each set at most (%(default)s)")
    parser.add_argument("--questions", type=int, default=1000, help="of each set at most (%(default)s)")
    parser.add_argument("--mixed", type=Path, nargs="*", default=[], help="folders of other texts")
    parser.add_argument("--sets", nargs="+", default=["squadshifts-wiki", "squadshifts-reddit", "squadshifts-amazon",
                                                      "fairytaleqa", "ropes"])  # fmt: skip
    options = parser.parse_args()
    preload_blas()
    others = foreign(options.mixed)
    table = harness.Table("set", "way", "questions", "recall@1", "won, lost", "p", f"recall@{TOP}", "chunks", "ms")
    for source in options.sets:
        made = trial(options.data, source, options.paragraphs, options.questions)
        with tempfile.TemporaryDirectory() as folder:
            library = Library(Path(folder))
            stored = fill(library, "paragraphs.txt", made.paragraphs)
            first = measure(table, source, "router", routed(library, [stored], stored.id), made.questions)
            measure(table, source, "FTS5", fts5(made.paragraphs), made.questions, first)
            if packaged := bm25s(made.paragraphs):
                measure(table, source, "bm25s", packaged, made.questions, first)
            if others:
                mixed = fill(library, "others.txt", others)
                name = f"{source} + {len(others)} others"
                measure(table, name, "router", routed(library, [stored, mixed], stored.id), made.questions, first)
            library.close()


if __name__ == "__main__":
    main()
