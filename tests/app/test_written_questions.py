"""Questions over written libraries: leases, manuals, minutes, notes, code, seven languages; the share routed rightly.

All documents are in one library, so each question finds its own among those of all languages. A question is routed
rightly if the first chunk that is attached is the one that answers it; where a whole document is asked for, if all
chunks are of that document; where no document is about it, if none is attached. `pytest -s` prints the percentages.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import examples
from thoth import ingest
from thoth.ingest import Document
from thoth.ingest.chunks import Chunk
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.retrieval import router
from thoth.retrieval.choosing import ref
from thoth.retrieval.query import conversation_query
from thoth.retrieval.routing import Routing

# Where the sections of the examples begin; their headings are no headings of the files.
_SECTION = re.compile(r"\n\n+(?=## |\d\. [A-Z])")
FOLDER = Path(__file__).parent.parent / "fixtures" / "questions"


@dataclass(frozen=True)
class Written:
    """A question, the turns before it, and what it is about.

    Attributes:
        turns: messages of the user and of the model in turn, the question last.
        name: the document; None: it is about none.
        chunk: the chunk in it; None: all of it is asked for.
    """

    turns: tuple[str, ...]
    name: str | None
    chunk: int | None


def documents(path: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Names of documents, each with its chunks: heading and text."""
    for part in path.read_text("utf-8").split("=== ")[1:]:
        name, _, body = part.partition("\n")
        chunks = []
        for text in body.strip().split("\n\n"):
            first, _, _ = text.partition("\n")
            chunks.append((first.lstrip("# ") if first.startswith("#") else "", text))
        yield name, chunks


def questions(path: Path) -> Iterator[Written]:
    """Questions of a file: turns, a tab, the document and its chunk; a hyphen for none."""
    for line in path.read_text("utf-8").splitlines():
        asked, _, about = line.partition("\t")
        name, _, chunk = about.partition(" ")
        yield Written(
            tuple(asked.split(" || ")), None if name == "-" else name, int(chunk) if chunk.isdigit() else None
        )


def store(library: Library, name: str, parts: list[tuple[str, str]]) -> StoredDocument:
    import mlx.core as mx

    from mlx_hypernet.adapter import ChunkAdapters

    chunks, start = [], 0
    for heading, text in parts:
        chunks.append(Chunk([1, 2, 3], text, None, (heading,) if heading else (), start))
        start += len(text) + 1
    stored = library.begin(Document(name, "\n".join(text for _, text in parts)), "bundle", "meaning", chunks, None)
    pairs, bias = {"m": mx.zeros((len(parts), 1, 2, 3))}, {"m": mx.zeros((1, 2, 3))}
    features = np.zeros((len(parts), 4), np.float32)  # words alone decide
    return library.store(stored.id, range(len(parts)), ChunkAdapters(pairs, pairs, bias, bias, 1.0), features)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library(tmp_path_factory.mktemp("written"))
    for path in ("chinese.txt", "japanese.txt", "mixed.txt"):  # the newest document is in the last one
        for name, parts in documents(FOLDER / path):
            store(library, name, parts)
    return library


def is_right(library: Library, asked: Written, active: list[StoredDocument]) -> bool:
    messages = [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(asked.turns)]
    query = conversation_query(messages)
    chosen = router.route(library, query, active, Routing(), 8, lambda _: np.zeros(4, np.float32))
    if asked.chunk is None:
        return {one.name for one in chosen} == ({asked.name} if asked.name else set())
    return [(one.name, one.number) for one in chosen[:1]] == [(asked.name, asked.chunk)]


@pytest.mark.parametrize(("name", "least"), [("mixed", 0.95), ("chinese", 0.9), ("japanese", 0.9)])
def test_questions_are_routed_to_what_they_are_about(library: Library, name: str, least: float) -> None:
    active, asked = library.documents(), list(questions(FOLDER / f"{name}.tsv"))
    wrong = [one.turns[-1] for one in asked if not is_right(library, one, active)]
    share = 1 - len(wrong) / len(asked)
    print(f"\n{name}: {share:.1%} of {len(asked)} routed rightly")
    assert share >= least, "\n".join(wrong)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The examples, and documents that are easily taken for them: another lease, another device, mails, code."""
    library = Library(tmp_path_factory.mktemp("office"))
    for path in sorted(examples.folder().glob("*.*")):
        if path.suffix in (".pdf", ".md", ".txt"):
            title, *parts = _SECTION.split(ingest.read(str(path)).text)
            parts = [f"{title}\n{parts[0]}", *parts[1:]] if parts else [title]
            store(library, path.name, [(part.strip().partition("\n")[0], part) for part in parts])
    for name, chunks in documents(FOLDER / "english.txt"):
        store(library, name, chunks)
    return library


def about(library: Library, line: str, active: list[StoredDocument]) -> tuple[bool, bool]:
    """Whether what a question of `english.tsv` is about comes first, and whether it is attached."""
    asked, _, meant = line.partition("\t")
    messages = [
        {"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(asked.split(" || "))
    ]
    query = conversation_query(messages)
    chosen = router.route(library, query, active, Routing(), 8, lambda _: np.zeros(4, np.float32))
    names = {one.name for one in chosen}
    name, _, words = meant.partition(" ")
    if meant == "-" or not words:
        right = names == (set() if meant == "-" else {name})
    elif " + " in meant:
        right = names.issuperset(meant.split(" + "))
    else:
        texts = [library.chunk(ref(one)).text if one.name == name else "" for one in chosen]
        holds = [
            text and one.number == int(words) if words.isdigit() else words.strip('"') in text
            for text, one in zip(texts, chosen, strict=True)
        ]
        return bool(holds) and bool(holds[0]), any(holds)
    return right, right


def test_questions_over_the_examples_and_their_like(office: Library) -> None:
    active, lines = office.documents(), (FOLDER / "english.tsv").read_text("utf-8").splitlines()
    found = [about(office, line, active) for line in lines]
    first, attached = (sum(one[place] for one in found) / len(lines) for place in (0, 1))
    print(f"\nenglish: {first:.1%} of {len(lines)} first, {attached:.1%} attached")
    missed = [line for line, one in zip(lines, found, strict=True) if not one[1]]
    assert first >= 0.85, "\n".join(missed)
    assert attached >= 0.94, "\n".join(missed)
