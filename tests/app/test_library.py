"""The library: documents come in chunk by chunk, are found, changed and removed; all of it stays on disk."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mlx_hypernet.marks import Marks
from tests.app import made_up
from thoth.errors import DocumentError, ThothError, UsageError
from thoth.library.library import Library
from thoth.library.records import ChunkRef, document_id

NOTE = made_up.document(["The founder of Velmar is Ana Dor.", "Velmar makes lamps.", "Its lamps are green."])
OTHER = made_up.document(["Korvan sells rope.", "Its rope is blue."], "other.txt")


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


def files(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home / "documents")) for path in (home / "documents").rglob("*.safetensors"))


def test_reading_creates_nothing(library: Library, home: Path) -> None:
    assert library.documents() == []
    assert library.find("0" * 64, made_up.BUNDLE, "meaning") is None
    assert library.search("anything", ["0123"], 5) == []
    assert [*library.absorbed(["0123"])] == []
    assert library.revision() == 0
    assert library.repair() == []
    with pytest.raises(DocumentError, match="docs list"):
        library.get("note.pdf")
    assert not home.exists()


def test_a_document_from_begin_to_end(library: Library, home: Path) -> None:
    before = datetime.now(UTC)
    stored = made_up.begin(library, NOTE, "/papers/note.pdf")
    assert stored.id == document_id(NOTE.sha256, made_up.BUNDLE, "meaning")
    assert (stored.name, stored.source, stored.active, stored.pages) == ("note.pdf", "/papers/note.pdf", True, 3)
    assert (stored.chunks, stored.absorbed, stored.bytes, stored.complete) == (3, 0, 0, False)
    assert stored.tokens == sum(len(chunk.ids) for chunk in made_up.chunks(NOTE))
    assert before <= stored.added <= datetime.now(UTC)
    assert stored.state(made_up.BUNDLE) == stored.state(None) == "absorbing"
    assert library.missing(stored.id) == [0, 1, 2]

    stored = library.store(stored.id, [2, 0], made_up.adapters([2, 0]), made_up.features([2, 0]))
    assert (stored.absorbed, library.missing(stored.id)) == (2, [1])
    stored = library.store(stored.id, [1], made_up.adapters([1]), made_up.features([1]))
    assert stored.complete
    assert (stored.state(made_up.BUNDLE), stored.state(None), stored.state("another")) == ("ready", "ready", "stale")
    assert stored.bytes == sum(path.stat().st_size for path in (home / "documents" / stored.id).iterdir())

    again = Library(home)
    assert again.documents() == [stored] == [again.find(NOTE.sha256, made_up.BUNDLE, "meaning")]
    assert again.document(stored.id) == NOTE
    chunks = again.chunks(stored.id)
    assert [(chunk.text, chunk.start, chunk.pages, chunk.headings) for chunk in chunks] == [
        (chunk.text, chunk.start, chunk.pages, chunk.headings) for chunk in made_up.chunks(NOTE)
    ]
    assert again.chunk(ChunkRef(stored.id, 1)) == chunks[1]
    with pytest.raises(DocumentError, match="no chunk 4"):
        again.chunk(ChunkRef(stored.id, 3))


def test_the_same_text_comes_in_once(library: Library) -> None:
    stored = made_up.absorb(library, NOTE)
    revision = library.revision()
    assert made_up.begin(library, replace(NOTE, name="a copy.pdf")) == stored
    assert library.revision() == revision
    tokens = library.begin(NOTE, made_up.BUNDLE, "tokens", made_up.chunks(NOTE), None)
    bundle = library.begin(NOTE, "another", "meaning", made_up.chunks(NOTE), None)
    assert len({stored.id, tokens.id, bundle.id}) == 3


def test_documents_of_thoth_0_1_belong_to_the_bundle_with_the_same_weights(library: Library) -> None:
    before, now, rescaled = "0123456789abcdef", "0123456789abcdef-11111111", "0123456789abcdef-22222222"
    old = made_up.absorb(library, NOTE, bundle=before)
    assert [old.state(bundle) for bundle in (now, before, "another-11111111")] == ["ready", "ready", "stale"]
    assert library.find(NOTE.sha256, now, "meaning") == made_up.begin(library, NOTE, bundle=now) == old
    new = made_up.absorb(library, made_up.document(["Another note."]), bundle=now)
    assert [new.state(bundle) for bundle in (now, before, rescaled)] == ["ready", "stale", "stale"]
    refs = [ChunkRef(old.id, 0), ChunkRef(new.id, 0)]
    assert library.adapters(refs).num_chunks == 2
    other = made_up.absorb(library, made_up.document(["A third note."]), bundle=rescaled)
    with pytest.raises(ThothError, match="different models"):
        library.adapters([*refs, ChunkRef(other.id, 0)])


def test_a_document_of_thoth_0_1_that_was_absorbed_with_another_scale_is_not_mixed(library: Library) -> None:
    before, now = "0123456789abcdef", "0123456789abcdef-11111111"
    old = made_up.absorb(library, NOTE, bundle=before)
    new = made_up.begin(library, made_up.document(["Another note."]), bundle=now)
    library.store(new.id, [0], replace(made_up.adapters([0]), scale=2.0), made_up.features([0]))
    with pytest.raises(ThothError, match="different scales"):
        library.adapters([ChunkRef(old.id, 0), ChunkRef(new.id, 0)])


def test_an_incomplete_document_that_is_cut_in_another_way_begins_anew(library: Library) -> None:
    stored = made_up.begin(library, NOTE)
    library.store(stored.id, [0], made_up.adapters([0]), made_up.features([0]))
    library.rename(stored.id, "mine")
    library.activate([stored.id], False)
    whole = [replace(made_up.chunks(NOTE)[0], text=NOTE.text)]
    new = library.begin(NOTE, made_up.BUNDLE, "meaning", whole, None)
    assert (new.id, new.name, new.active, new.chunks, new.absorbed) == (stored.id, "mine", False, 1, 0)
    assert [chunk.text for chunk in library.chunks(new.id)] == [NOTE.text]


def test_adapters_of_any_chunks_in_any_order(library: Library, home: Path) -> None:
    note, other = made_up.absorb(library, NOTE), made_up.absorb(library, OTHER)
    wanted = [ChunkRef(other.id, 1), ChunkRef(note.id, 2), ChunkRef(note.id, 0)]
    for _ in range(2):  # from the files, from memory
        adapters = library.adapters(wanted)
        assert adapters.A["down_proj"].shape == (3, made_up.LAYERS, made_up.RANK, made_up.D_IN)
        assert adapters.A["down_proj"][:, 0, 0, 0].tolist() == [1, 2, 0]
        assert adapters.B["down_proj"][:, -1, -1, -1].tolist() == [-1, -2, 0]
        assert adapters.bias_A["down_proj"].min().item() == 1
        assert adapters.scale == 4.0
    assert len(files(home)) == 5 + 1  # the bias pair is there once


@pytest.mark.parametrize(("recent_bytes", "kept"), [(1 << 20, True), (500, False)])
def test_memory_of_recent_adapters_is_bounded(home: Path, recent_bytes: int, kept: bool) -> None:
    library = Library(home, recent_bytes)
    stored = made_up.absorb(library, NOTE)
    refs = [ChunkRef(stored.id, number) for number in range(3)]
    library.adapters(refs)
    (home / "documents" / stored.id / "00000.safetensors").unlink()
    if kept:
        assert library.adapters(refs).num_chunks == 3
    else:
        with pytest.raises(DocumentError, match="damaged"):
            library.adapters(refs)


def test_a_removed_document_leaves_the_memory(home: Path) -> None:
    library = Library(home)
    note, other = made_up.absorb(library, NOTE), made_up.absorb(library, OTHER)
    for stored in (other, note):
        library.adapters([ChunkRef(stored.id, 0)])
    recent = library._files._recent
    library.remove(note.id)
    assert {owner for owner, *_ in recent._pairs} == {other.id, made_up.BUNDLE}
    assert recent._held == sum(pairs.nbytes for pairs in recent._pairs.values()) > 0


def test_what_different_bundles_absorbed_does_not_mix(library: Library) -> None:
    ours, theirs = made_up.absorb(library, NOTE), made_up.absorb(library, OTHER, bundle="another")
    with pytest.raises(ThothError, match="docs update"):
        library.adapters([ChunkRef(ours.id, 0), ChunkRef(theirs.id, 0)])


def test_chunks_that_are_not_absorbed(library: Library) -> None:
    stored = made_up.begin(library, NOTE)
    with pytest.raises(DocumentError, match=f"docs update {stored.id}"):
        library.adapters([ChunkRef(stored.id, 0)])


def test_features(library: Library) -> None:
    note, other = made_up.absorb(library, NOTE), made_up.begin(library, OTHER)
    library.store(other.id, [1], made_up.adapters([1]), made_up.features([1]))
    refs = library.absorbed([other.id, note.id])
    assert [*refs] == refs[:] == [*(ChunkRef(note.id, number) for number in range(3)), ChunkRef(other.id, 1)]
    features = library.features(refs)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, made_up.features([0, 1, 2, 1]))
    library.store(other.id, [0], made_up.adapters([0]), made_up.features([0]))
    assert [*library.absorbed([other.id])] == [ChunkRef(other.id, 0), ChunkRef(other.id, 1)]
    library.remove(note.id)
    assert [*library.absorbed([other.id, note.id])] == [ChunkRef(other.id, 0), ChunkRef(other.id, 1)]
    with pytest.raises(DocumentError, match="not in the library"):
        library.features([ChunkRef(note.id, 0)])


def test_marks(library: Library) -> None:
    """What the matcher compares comes back as it was stored, and goes with its chunk."""
    note = made_up.begin(library, NOTE)
    marks = [Marks(np.arange(count, dtype=np.int32), np.full((count, 4), count / 3, np.float16)) for count in (0, 2, 5)]
    library.store(note.id, [2, 0], made_up.adapters([2, 0]), made_up.features([2, 0]), marks[1:])
    library.store(note.id, [1], made_up.adapters([1]), made_up.features([1]))
    refs = [ChunkRef(note.id, number) for number in (0, 2, 1)]
    long, short, none = library.marks(refs)
    assert none is None
    for found, stored in zip((long, short), (marks[2], marks[1]), strict=True):
        assert found is not None
        np.testing.assert_array_equal(found.words, stored.words)
        np.testing.assert_array_equal(found.tokens, stored.tokens)
    library.remove(note.id)
    with pytest.raises(DocumentError, match="not in the library"):
        library.marks(refs)


def test_get(library: Library) -> None:
    note, other = made_up.begin(library, NOTE), made_up.begin(library, OTHER)
    assert library.get(note.id) == library.get("note.pdf") == library.get(note.id[:4]) == note
    for unknown in (note.id[:3], "note", "", "%", "note.pdf%"):
        with pytest.raises(DocumentError, match="docs list"):
            library.get(unknown)
    library.rename(other.id, "note.pdf")
    with pytest.raises(DocumentError, match="2 documents") as error:
        library.get("note.pdf")
    assert note.id in str(error.value)
    assert other.id in str(error.value)
    assert library.get(note.id) == note


def test_a_document_of_a_chat_is_named_only_where_no_listed_one_is(library: Library) -> None:
    """The agent may have fetched the page again that is in the library: it has the same name, and nobody sees it."""
    chunks = made_up.chunks(OTHER)
    fetched = library.begin(replace(OTHER, name="note.pdf"), made_up.BUNDLE, "meaning", chunks, None, of_chat=True)
    assert library.get("note.pdf") == library.get(fetched.id) == fetched
    note = made_up.begin(library, NOTE)
    assert library.get("note.pdf") == note
    with pytest.raises(DocumentError, match="docs list"):
        library.get(fetched.id[:6])


@pytest.mark.parametrize(
    "name", ["two\nlines.pdf", "😀 'it''s\" a note; DROP TABLE documents--", "\x1b[2J\udcff", "a" * 5000]
)
def test_strange_names(library: Library, home: Path, name: str) -> None:
    stored = made_up.begin(library, replace(NOTE, name=name), source=f"/papers/{name}")
    assert stored.name.isprintable()
    assert stored.source == f"/papers/{name}"
    assert Library(home).get(name) == Library(home).get(stored.name) == stored
    other = made_up.begin(library, OTHER)
    assert library.rename(other.id, f" {name} ").name == stored.name


def test_rename(library: Library) -> None:
    stored = made_up.absorb(library, NOTE)
    assert library.rename(stored.id, "Velmar") == replace(stored, name="Velmar") == library.get("Velmar")
    assert library.document(stored.id) == replace(NOTE, name="Velmar")
    with pytest.raises(UsageError, match="name"):
        library.rename(stored.id, "  ")
    with pytest.raises(DocumentError, match="not in the library"):
        library.rename("0123", "x")
    assert library.documents() == [replace(stored, name="Velmar")]


def test_activate(library: Library) -> None:
    note, other = made_up.begin(library, NOTE), made_up.begin(library, OTHER)
    assert library.documents() == library.documents(active=True) == [other, note]  # newest first
    library.activate([note.id], False)
    assert library.documents(active=True) == [other]
    assert library.documents(active=False) == [replace(note, active=False)]
    with pytest.raises(DocumentError, match="not in the library"):
        library.activate([note.id, "0123"], True)
    assert library.documents(active=True) == [other]


def test_remove(library: Library, home: Path) -> None:
    note, other = made_up.absorb(library, NOTE), made_up.absorb(library, OTHER)
    library.remove(note.id)
    assert library.documents() == [other]
    assert not (home / "documents" / note.id).exists()
    assert library.search("Velmar", [note.id, other.id], 5) == []
    with pytest.raises(DocumentError, match="not in the library"):
        library.document(note.id)
    with pytest.raises(DocumentError, match="not in the library"):
        library.adapters([ChunkRef(note.id, 0)])
    library.remove(note.id)
    assert library.repair() == []


def test_supersede(library: Library, home: Path) -> None:
    old, new = made_up.absorb(library, NOTE), made_up.absorb(library, OTHER)
    library.rename(old.id, "mine")
    library.activate([old.id], False)
    library.supersede(old.id, old.id)
    library.supersede(old.id, new.id)
    assert library.documents() == [replace(new, name="mine", active=False)]
    assert not (home / "documents" / old.id).exists()
    with pytest.raises(DocumentError, match="not in the library"):
        library.supersede(old.id, new.id)
    assert library.documents() == [replace(new, name="mine", active=False)]


def test_a_document_that_is_removed_while_it_is_absorbed(library: Library, home: Path) -> None:
    stored = made_up.begin(library, NOTE)
    Library(home).remove(stored.id)
    with pytest.raises(DocumentError, match="not in the library"):
        library.store(stored.id, [0], made_up.adapters([0]), made_up.features([0]))
    assert files(home) == []


def test_revision_tells_of_changes_by_others(library: Library, home: Path) -> None:
    other = Library(home)
    revisions = [library.revision()]
    stored = made_up.begin(other, NOTE)
    revisions.append(library.revision())
    other.store(stored.id, [0], made_up.adapters([0]), made_up.features([0]))
    revisions.append(library.revision())
    other.rename(stored.id, "mine")
    revisions.append(library.revision())
    other.remove(stored.id)
    revisions.append(library.revision())
    assert len(set(revisions)) == 5
    other.documents()
    assert library.revision() == revisions[-1]
