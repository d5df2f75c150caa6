"""Words of a question -> chunks: BM25 within the documents that are asked about, whatever the question is."""

import math
import re
import sqlite3
from pathlib import Path

import pytest

from tests.app import made_up
from thoth.library import bm25, schema
from thoth.library.library import Library
from thoth.library.records import ChunkRef

SENTENCES = [
    "The founder of Velmar is Ana Dor.",
    "Velmar makes lamps, and the lamps of Velmar are green.",
    "Korvan was founded by the Müller family, who sell rope in the old harbour and who live above the shop.",
    "The harbour has a lighthouse.",
]


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


def found(library: Library, query: str, *documents: str) -> list[int]:
    return [ref.number for ref, _ in library.search(query, documents, 10)]


def test_scores_are_bm25(library: Library) -> None:
    stored = made_up.absorb(library, made_up.document(SENTENCES))
    lengths = [chunk.tokens for chunk in library.chunks(stored.id)]
    mean = sum(lengths) / 4

    def score(chunk: int, *words: tuple[int, int]) -> float:
        """Robertson's formula for words that stand `times` times in the chunk and in `chunks` of all four."""
        return sum(
            math.log(1 + (4 - chunks + 0.5) / (chunks + 0.5))
            * times
            * 2.2
            / (times + 1.2 * (0.25 + 0.75 * lengths[chunk] / mean))
            for times, chunks in words
        )

    results = library.search("velmar's green lamp", [stored.id], 10)
    assert [ref for ref, _ in results] == [ChunkRef(stored.id, 1), ChunkRef(stored.id, 0)]
    assert [value for _, value in results] == pytest.approx([score(1, (2, 2), (1, 1), (2, 1)), score(0, (1, 2))])


def test_accents_endings_and_case_do_not_matter(library: Library) -> None:
    stored = made_up.absorb(library, made_up.document(SENTENCES))
    for query in ("muller", "MÜLLERS", "ropes", "families"):
        assert found(library, query, stored.id) == [2]


def test_only_the_documents_asked_about_count(library: Library) -> None:
    note = made_up.absorb(library, made_up.document(SENTENCES))
    alike = [made_up.absorb(library, made_up.document([f"Velmar is number {n}.", f"Nothing {n}."])) for n in range(5)]
    assert found(library, "Velmar", note.id) == [1, 0]
    before = library.search("Velmar", [alike[0].id], 10)
    assert [ref for ref, _ in before] == [ChunkRef(alike[0].id, 0)]
    for document in alike[1:]:
        library.remove(document.id)
    assert library.search("Velmar", [alike[0].id], 10) == before  # its rarity was never that of the whole library
    assert found(library, "Velmar") == []


def test_only_absorbed_chunks_are_found(library: Library) -> None:
    stored = made_up.begin(library, made_up.document(SENTENCES))
    assert found(library, "Velmar", stored.id) == []
    library.store(stored.id, [1], made_up.adapters([1]), made_up.features([1]))
    assert found(library, "Velmar", stored.id) == [1]


def test_limit_and_repeated_words(library: Library) -> None:
    stored = made_up.absorb(library, made_up.document(SENTENCES))
    assert found(library, "harbour lamps", stored.id)[0] == 1
    assert found(library, "harbour harbour harbour lamps", stored.id)[0] == 3
    assert len(library.search("the harbour", [stored.id], 2)) == 2


@pytest.mark.parametrize("query", ["", " ", '"', "'", '"" OR', "NOT", "-", "\0", "😀", "\udcff", "%", "*", "column:"])
def test_text_without_words_of_the_library_finds_nothing(library: Library, query: str) -> None:
    stored = made_up.absorb(library, made_up.document(SENTENCES))
    assert found(library, query, stored.id) == []
    assert found(library, f"{query} Dor {query}", stored.id) == [0]


@pytest.mark.parametrize(
    "query", ["lamps*", "^lamps", "text:lamps", "NEAR(lamps, 5)", "lamps) OR (", '"lamps', "(lamps NOT lamps"]
)
def test_a_query_has_no_syntax(library: Library, query: str) -> None:
    stored = made_up.absorb(library, made_up.document(SENTENCES))
    assert found(library, query, stored.id) == [1]


def test_a_word_that_fills_the_library_does_not_hide_the_others(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = made_up.absorb(library, made_up.document(SENTENCES))
    monkeypatch.setattr(bm25, "_MOST_PLACES", 2)
    assert found(library, "the lighthouse", stored.id) == [3]
    assert set(found(library, "the", stored.id)) == {0, 1, 2, 3}
    assert found(library, "the lighthouse " * 10_000, stored.id) == [3]


TOWN = {
    "library": "\u56fe\u4e66\u9986\u4e5d\u70b9\u5f00\u95e8\u3002",
    "school": "\u5b66\u6821\u516b\u70b9\u5f00\u95e8\u3002",
    "harbour": "\u6e2f\u53e3\u7531\u6234\u5b89\u5a1c\u7ba1\u7406\u3002",
    "japanese": "\u56f3\u66f8\u9928\u306f\u4e5d\u6642\u306b\u958b\u304d\u307e\u3059\u3002",
    "thai": "ห้องสมุดเปิดเก้าโมง",
    "thai ship": "เรือออกจากท่าเรือ",
    "korean": "\ub3c4\uc11c\uad00\uc740 \uc544\ud649 \uc2dc\uc5d0 \uc5f0\ub2e4.",
}


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("\u56fe\u4e66\u9986\u51e0\u70b9\u5f00\u95e8\uff1f", "library"),
        ("\u5b66\u6821\u4ec0\u4e48\u65f6\u5019\u5f00\u95e8\uff1f", "school"),
        ("\u8c01\u7ba1\u7406\u6e2f\u53e3\uff1f", "harbour"),
        ("\u56f3\u66f8\u9928\u306f\u4f55\u6642\u306b\u958b\u304d\u307e\u3059\u304b", "japanese"),
        (
            "ห้องสมุดเปิดกี่โมง",
            "thai",
        ),
        ("\ub3c4\uc11c\uad00\uc774 \uba87 \uc2dc\uc5d0 \uc5ec\ub098\uc694?", "korean"),
    ],
)
def test_scripts_without_spaces(library: Library, question: str, name: str) -> None:
    stored = {key: made_up.absorb(library, made_up.document([text])) for key, text in TOWN.items()}
    (best, _), *_ = library.search(question, [one.id for one in stored.values()], 5)
    assert best.document == stored[name].id


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The keeper of the Light\u00adhouse is Tova.", "Lighthouse"),
        ("The captain of the Fire\ufb02y is Berin.", "Firefly"),
        ("Die Hafenstra\u00dfe liegt am Meer.", "Hafenstrasse"),
        ("Die Hafenstrasse liegt am Meer.", "Hafenstra\u00dfe"),
        ("Cafe\u0301 by the sea", "caf\u00e9"),
        ("Osra\u00a0Kelland is the mayor.", "kelland"),
        ("\uff28arpool is a town.", "harpool"),
        ("\u56fe\u4e66\n\u9986\u4e5d\u70b9\u5f00\u95e8", "\u4e66\u9986"),
    ],
)
def test_spellings_that_read_alike(library: Library, text: str, query: str) -> None:
    stored = made_up.absorb(library, made_up.document([text, "Nothing of the kind."]))
    assert found(library, query, stored.id) == [0]


def test_a_library_of_an_older_thoth_is_indexed_anew(library: Library, home: Path) -> None:
    stored = made_up.absorb(library, made_up.document([TOWN["library"], TOWN["school"]]))
    library.close()
    later = "\n".join(statement for step in schema.MIGRATIONS[2:] for statement in step)
    added = re.findall(r"ALTER TABLE (\w+) ADD COLUMN (\w+)", later)
    with sqlite3.connect(home / "library.db") as database:  # as the first version left it
        for statement in (
            "DROP TRIGGER text_added",
            "DROP TRIGGER text_removed",
            "DROP TABLE word_counts",
            "DROP TABLE word_places",
            "DROP TABLE chunk_words",
            "DROP TABLE search_texts",
            *(f"DROP TABLE {table}" for table in re.findall(r"CREATE TABLE (\w+)", later)),
            *(f"ALTER TABLE {table} DROP COLUMN {column}" for table, column in added),
            *schema.MIGRATIONS[0][-5:],
            "INSERT INTO chunk_words (chunk_words) VALUES ('rebuild')",
            "PRAGMA user_version = 1",
        ):
            database.execute(statement)
    database.close()
    again = Library(home)
    assert found(again, "\u5b66\u6821\u51e0\u70b9\u5f00\u95e8", stored.id)[0] == 1
    again.remove(stored.id)
    assert found(again, "\u5b66\u6821", stored.id) == []
