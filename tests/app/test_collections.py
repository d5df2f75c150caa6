"""Collections of documents, and names that are nearly right."""

from __future__ import annotations

import shutil
import sqlite3
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from tests.app import made_up
from thoth.errors import DocumentError, UsageError
from thoth.library.library import Library

BEFORE = Path(__file__).parents[1] / "fixtures" / "home-0.1"
LEASE = made_up.document(["The rent is 900 a month."], "lease.pdf")
HARBOUR = made_up.document(["The mayor of Harpool is Osra Kelland."], "harbour.txt")
MILL = made_up.document(["The mill grinds rye."], "mill.txt")


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


def test_documents_are_in_collections(library: Library) -> None:
    lease, harbour, mill = (made_up.begin(library, one) for one in (LEASE, HARBOUR, MILL))
    assert library.tag("Contracts", [lease.id, mill.id]) == "Contracts"
    assert library.tag(" contracts ", [harbour.id]) == "Contracts"  # found in any case
    assert library.tag("towns", [harbour.id]) == "towns"
    assert library.collections() == {"Contracts": [mill.id, harbour.id, lease.id], "towns": [harbour.id]}
    assert library.get(harbour.id).collections == ("Contracts", "towns")
    assert [one.name for one in library.collection("CONTRACTS")] == ["mill.txt", "harbour.txt", "lease.pdf"]

    library.untag("contracts", [mill.id])
    library.remove(lease.id)
    assert library.collections()["Contracts"] == [harbour.id]
    library.untag("contracts", [])
    assert library.collections() == {"towns": [harbour.id]}
    assert len(library.documents()) == 2
    with pytest.raises(DocumentError, match="there is no collection contracts; there are: towns"):
        library.collection("contracts")
    with pytest.raises(DocumentError, match="not in the library"):
        library.tag("towns", ["0123"])
    for name in ("", "two\nlines", "x" * 61):
        with pytest.raises(UsageError, match="needs a name"):
            library.tag(name, [harbour.id])
    with pytest.raises(DocumentError, match=r"there is no collection \\udcff; there are: towns"):
        library.collection("\udcff")  # an argument that is no UTF-8


def test_names_are_found_as_they_are_typed(library: Library) -> None:
    """A Mac's disk may have "é" as two characters, where a keyboard types one; and not only ASCII has two cases."""
    decomposed = unicodedata.normalize("NFD", "Résumé de Zoë.txt")
    stored = made_up.begin(library, replace(MILL, name=decomposed))
    assert library.get("résumé de zoë.txt") == library.get("Résumé de Zoë.txt") == stored
    assert library.get("sumé", loosely=True) == stored

    assert library.tag("Übungen", [stored.id]) == "Übungen"
    assert library.tag(unicodedata.normalize("NFD", "übungen"), [stored.id]) == "Übungen"
    assert [one.id for one in library.collection("ÜBUNGEN")] == [stored.id]


def test_a_new_version_takes_the_place_in_collections(library: Library) -> None:
    old, new = made_up.begin(library, LEASE), made_up.begin(library, MILL)
    library.tag("contracts", [old.id])
    library.supersede(old.id, new.id)
    assert library.collections() == {"contracts": [new.id]}
    assert library.get(new.id).collections == ("contracts",)


def test_the_library_of_an_older_thoth_learns_collections(home: Path) -> None:
    shutil.copytree(BEFORE, home)
    library = Library(home)
    workshop, harbour = library.documents()
    assert workshop.collections == ()
    library.tag("towns", [harbour.id])
    assert Library(home).collections() == {"towns": [harbour.id]}
    with sqlite3.connect(home / "library.db") as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_part_of_a_name_is_enough_where_it_is_asked_for(library: Library) -> None:
    harbour = made_up.begin(library, HARBOUR)
    made_up.begin(library, LEASE)
    assert library.get("har", loosely=True) == harbour
    assert library.get("HARBOUR", loosely=True) == harbour
    with pytest.raises(DocumentError, match=r"no document har in the library \(similar: harbour.txt\): see"):
        library.get("har")
    with pytest.raises(DocumentError, match=r"\(similar: harbour.txt\)"):
        library.get("harbur", loosely=True)
    made_up.begin(library, made_up.document(["Harbours are wet."], "harbours.md"))
    with pytest.raises(DocumentError, match=r"\(similar: harbours.md, harbour.txt\)"):
        library.get("har", loosely=True)
    with pytest.raises(DocumentError, match=r"in the library: see `thoth docs list`"):
        library.get("zebra", loosely=True)
