"""Documents to the engine: read, absorbed once, in turns with questions, for one bundle."""

import threading
from itertools import groupby
from pathlib import Path

from tests.app.engines import LONG, NOTE, OTHER, QUESTION, absorbed, answer, error, in_background, last, until
from thoth.engine.engine import Engine
from thoth.errors import DocumentError, NoTextError, Stopped
from thoth.events import Absorbed, Failed, Progress
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.library.records import ChunkRef, StoredDocument
from thoth.models import registry


def test_absorb_reads_files(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text(NOTE.text)
    stored = absorbed(engine.absorb(path))
    assert stored.id == engine.document_id(NOTE)
    assert stored.source == str(path)
    assert absorbed(engine.absorb(OTHER, source_name="https://example.org/")).source == "https://example.org/"
    assert isinstance(error(engine.absorb(tmp_path / "nothing.md")), DocumentError)
    assert isinstance(error(engine.absorb(Document("blank", " \n "))), NoTextError)


def test_nothing_is_absorbed_twice(engine: Engine, log: list[str]) -> None:
    stored = absorbed(engine.absorb(NOTE))
    assert list(engine.absorb(NOTE))[2:] == [Absorbed(stored)]
    assert log == [stored.id]
    tokens = absorbed(engine.absorb(NOTE, chunking="tokens"))
    assert (tokens.chunking, tokens.id) == ("tokens", engine.document_id(NOTE, "tokens"))
    assert tokens.id != stored.id


def test_a_stopped_absorb_goes_on_later(engine: Engine, library: Library, tiny_pair: Path) -> None:
    events = engine.absorb(LONG)
    until(events, lambda event: isinstance(event, Progress) and event.stage == "absorb" and event.done > 0)
    engine.stop()
    assert isinstance(error(events), Stopped)
    (begun,) = library.documents()
    assert 0 < begun.absorbed < begun.chunks
    answer(engine.ask(QUESTION, [begun], max_tokens=1))  # the chunks that are there can be asked about
    again = list(engine.absorb(LONG))
    assert again[2] == Progress("absorb", begun.absorbed, begun.chunks, document=begun)
    assert same_adapters(library, absorbed(iter(again)), Library(library_of(tiny_pair, LONG)))


def test_a_question_is_answered_between_two_batches(engine: Engine, log: list[str], gate: threading.Event) -> None:
    events = engine.absorb(LONG)
    until(events, lambda event: isinstance(event, Progress) and event.stage == "absorb")
    asked = engine.ask(QUESTION, max_tokens=1)
    gate.set()
    answer(asked)
    stored = absorbed(events)
    assert log == [stored.id, "answer", *[stored.id] * (len(log) - 2)]
    assert len(log) > 3


def test_documents_are_absorbed_one_after_the_other(
    engine: Engine, library: Library, log: list[str], gate: threading.Event
) -> None:
    first = engine.absorb(LONG)
    until(first, lambda event: isinstance(event, Progress) and event.stage == "absorb")
    other = Document("other.txt", OTHER.text * 30)
    twice, second, third = (engine.absorb(document) for document in (LONG, other, NOTE))
    waiting = [in_background(events) for events in (twice, second, third)]
    while len(library.documents()) < 3:
        gate.wait(0.01)
    third.close()
    gate.set()
    done = absorbed(first)
    assert waiting[0]()[-1] == Absorbed(done)
    stored = absorbed(iter(waiting[1]()))
    stopped = waiting[2]()[-1]
    assert isinstance(stopped, Failed)
    assert isinstance(stopped.error, Stopped)
    assert [id for id, _ in groupby(log)] == [done.id, stored.id]


def test_a_removed_document_is_not_absorbed_on(engine: Engine, library: Library, gate: threading.Event) -> None:
    events = engine.absorb(LONG)
    until(events, lambda event: isinstance(event, Progress) and event.stage == "absorb")
    (stored,) = library.documents()
    library.remove(stored.id)
    gate.set()
    assert isinstance(error(events), DocumentError)
    assert library.documents() == []


def test_absorbing_goes_on_with_the_same_bundle(engine: Engine, gate: threading.Event, tiny_pair: Path) -> None:
    events = engine.absorb(LONG)
    until(events, lambda event: isinstance(event, Progress) and event.stage == "absorb")
    loading = engine.load(registry.resolve(str(tiny_pair)))
    gate.set()
    assert absorbed(events).complete
    assert last(loading) == Progress("load", 1, 1)


def test_another_bundle_ends_absorbing(
    engine: Engine, library: Library, gate: threading.Event, tiny_pair: Path, tmp_path: Path
) -> None:
    events = engine.absorb(LONG)
    until(events, lambda event: isinstance(event, Progress) and event.stage == "absorb")
    loading = engine.load(registry.resolve(str(other_bundle(tiny_pair, tmp_path))))
    gate.set()
    assert "another model" in str(error(events))
    assert last(loading) == Progress("load", 1, 1)
    (stored,) = library.documents()
    assert 0 < stored.absorbed < stored.chunks  # the batch that was on its way is kept
    assert engine.bundle_id != stored.bundle
    assert f"thoth docs update {stored.id}" in str(error(engine.ask(QUESTION, [stored])))


def other_bundle(pair: Path, folder: Path) -> Path:
    """A pair of the same base and a bundle with other weights."""
    import mlx.core as mx

    bundle = folder / "pair" / "hypernet"
    bundle.mkdir(parents=True)
    (bundle.parent / "base").symlink_to(pair / "base")
    (bundle / "config.json").write_text((pair / "hypernet" / "config.json").read_text())
    weights = mx.load(str(pair / "hypernet" / "model.safetensors"))
    mx.save_safetensors(str(bundle / "model.safetensors"), {name: 2 * weight for name, weight in weights.items()})
    return bundle.parent


def test_absorbing_does_not_see_what_is_attached(engine: Engine, library: Library, tiny_pair: Path) -> None:
    note = absorbed(engine.absorb(NOTE))
    answer(engine.ask(QUESTION, [note], max_tokens=1))
    assert same_adapters(library, absorbed(engine.absorb(OTHER)), Library(library_of(tiny_pair, OTHER)))


def library_of(pair: Path, document: Document) -> Path:
    """A library in which a fresh engine has absorbed one document alone."""
    home = pair / document.sha256
    with Engine(Library(home)) as engine:
        list(engine.load(registry.resolve(str(pair))))
        absorbed(engine.absorb(document))
    return home


def same_adapters(library: Library, document: StoredDocument, other: Library) -> bool:
    import numpy as np

    refs = [ChunkRef(document.id, number) for number in range(document.chunks)]
    one, two = library.adapters(refs), other.adapters(refs)
    pairs = [(side[name], again[name]) for side, again in ((one.A, two.A), (one.B, two.B)) for name in side]
    # Other batches add in another order, which can round a number to the fp16 beside it: one step, 2^-10 of it.
    exact = [(np.array(a, np.float32), np.array(b, np.float32)) for a, b in pairs]
    return all(np.allclose(a, b, atol=1e-5, rtol=2.0**-10) for a, b in exact)
