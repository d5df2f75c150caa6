"""What both front ends do, each action by itself: on a real library, with an engine that needs no model."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.app.tui.fakes import BUNDLE, FakeEngine
from thoth import ingest
from thoth.actions import absorb, ask, introduction, requests, sources, update
from thoth.actions.absorb import Done
from thoth.actions.sources import Failure, Source, Sources, expand
from thoth.actions.update import Updated
from thoth.errors import (
    DocumentError,
    NoTextError,
    ResourceError,
    Stopped,
    ThothError,
    UnknownFormatError,
    exit_code,
)
from thoth.events import Absorbed, Answer, Failed, Passage, Progress, Token
from thoth.ingest import Document, Options
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.retrieval.routing import Routing
from thoth.system import crash_log, paths

ADDRESS = "https://example.org/lamps/page.html"


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def engine(library: Library) -> FakeEngine:
    engine = FakeEngine(library)
    engine.bundle_id = BUNDLE
    return engine


Store = Callable[..., StoredDocument]


@pytest.fixture
def store(engine: FakeEngine, library: Library) -> Store:
    """Absorb a text as if it came from somewhere."""

    def run(text: str, source: str | None = None, chunking: Any = "meaning", name: str = "note.txt") -> StoredDocument:
        *_, last = engine.absorb(Document(name, text), chunking=chunking, source_name=source)
        assert isinstance(last, Absorbed)
        return library.get(last.document.id)

    return run


def ignore(*_: object) -> None:
    pass


# Absorbing


def test_many_sources_with_progress_and_failures(engine: FakeEngine, library: Library, tmp_path: Path) -> None:
    for name, content in (("a.txt", b"Ana Dor founded Velmar."), ("b.txt", b""), ("c.bin", bytes(range(256)))):
        (tmp_path / name).write_bytes(content)
    closed = Failure("closed", DocumentError("closed"))
    wanted = Sources(
        (Source(str(tmp_path / "a.txt")), Source(str(tmp_path / "b.txt")), Source(str(tmp_path / "c.bin"), False)),
        (closed,),
    )
    steps: list[tuple[str, object]] = []
    report = absorb.absorb(engine, library, wanted, "meaning", lambda source, step: steps.append((source.label, step)))
    [done] = report.done
    assert (done.document.name, done.document.active, done.is_new) == ("a.txt", True, True)
    assert done.document.source == str(tmp_path / "a.txt")
    assert [failure.source for failure in report.failed] == ["closed", str(tmp_path / "b.txt")]
    assert (report.skipped, report.untried, report.exit_code) == (1, 0, 1)
    stages = [step.stage for label, step in steps if label == "a.txt" and isinstance(step, Progress)]
    assert [*dict.fromkeys(stages)] == ["read", "absorb"]
    assert [step for label, step in steps if isinstance(step, Done | Failure)] == [done, report.failed[1]]


def test_an_error_that_concerns_all_ends_the_run(
    engine: FakeEngine, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "absorb", lambda *_, **__: iter([Failed(ResourceError("disk full"))]))
    wanted = Sources(tuple(Source(str(tmp_path / name)) for name in "abc"))
    report = absorb.absorb(engine, library, wanted, "meaning", ignore)
    assert (len(report.failed), report.untried, report.exit_code) == (1, 2, 6)


def test_a_stop_is_no_failure(
    engine: FakeEngine, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "absorb", lambda *_, **__: iter([Failed(Stopped("stopped"))]))
    with pytest.raises(Stopped):
        absorb.absorb(engine, library, Sources((Source("a"),)), "meaning", ignore)


def test_an_inactive_document_that_is_absorbed_again_becomes_active(
    engine: FakeEngine, library: Library, note: Path
) -> None:
    [first] = absorb.absorb(engine, library, expand([str(note)]), "meaning", ignore).done
    library.activate([first.document.id], False)
    [again] = absorb.absorb(engine, library, expand([str(note)]), "meaning", ignore).done
    assert (again.document.id, again.document.active) == (first.document.id, True)


def test_exit_codes_of_several_errors() -> None:
    assert exit_code([]) == 0
    assert exit_code([NoTextError(""), NoTextError("")]) == 4
    assert exit_code([NoTextError(""), DocumentError("")]) == 1
    assert exit_code([UnknownFormatError(""), DocumentError("")]) == 3


# Updating


@pytest.mark.parametrize("chunking", ["meaning", "tokens"])
def test_an_unchanged_document_needs_no_update(library: Library, store: Store, note: Path, chunking: str) -> None:
    stored = store(note.read_text(), str(note), chunking)
    assert update.find(library, stored, BUNDLE) is None
    os.utime(note)  # written, with the same text
    assert update.find(library, stored, BUNDLE) is None


@pytest.mark.parametrize("chunking", ["meaning", "tokens"])
def test_a_changed_document_keeps_name_place_and_chunking(
    engine: FakeEngine, library: Library, store: Store, note: Path, chunking: str
) -> None:
    stored = store(note.read_text(), str(note), chunking)
    library.rename(stored.id, "lamps")
    library.activate([stored.id], False)
    note.write_text("Berin Asto founded Velmar.")
    steps: list[object] = []
    report = update.update(engine, library, [library.get(stored.id)], lambda _, step: steps.append(step))
    [done] = report.done
    assert done.update.reason == "changed"
    assert [document.id for document in library.documents()] == [done.document.id] != [stored.id]
    new = done.document
    assert (new.name, new.active, new.chunking, new.source) == ("lamps", False, chunking, str(note))
    assert steps[-1] == done
    assert any(isinstance(step, Progress) for step in steps)


def test_a_stale_document_is_absorbed_from_its_stored_text(
    engine: FakeEngine, library: Library, store: Store, note: Path
) -> None:
    stored = store("The founder of Velmar is Ana Dor.", str(note), "tokens")
    note.unlink()
    found = update.find(library, stored, "another bundle")
    assert found is not None
    assert (found.reason, found.text.text) == ("stale", "The founder of Velmar is Ana Dor.")
    assert (found.absorption.chunking, found.absorption.source_name) == ("tokens", str(note))


def test_an_unfinished_document_is_resumed(library: Library, store: Store) -> None:
    stored = replace(store("The founder of Velmar is Ana Dor."), complete=False)
    found = update.find(library, stored, BUNDLE)
    assert found is not None
    assert found.reason == "unfinished"


def test_web_pages_are_fetched_only_where_that_is_wanted(
    engine: FakeEngine, library: Library, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, fetched = store("The old page.", ADDRESS), []

    def read(source: str, _: Options) -> Document:
        fetched.append(source)
        return Document("page.html", "The new page.")

    monkeypatch.setattr(ingest, "read", read)
    monkeypatch.setattr(sources, "is_private", lambda _: False)
    report = update.update(engine, library, [stored], ignore)
    assert (report.up_to_date, report.done, fetched) == (1, [], [])
    [done] = update.update(engine, library, [stored], ignore, fetch=True).done
    assert (done.update.reason, fetched) == ("changed", [ADDRESS])
    assert library.document(done.document.id).text == "The new page."


def test_a_private_page_is_fetched_again_if_a_person_says_so(
    engine: FakeEngine, library: Library, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, how = store("The old page.", "http://127.0.0.1:9/page.html"), []

    def read(_: str, options: Options) -> Document:
        how.append(options)
        return Document("page.html", "The new page.")

    monkeypatch.setattr(ingest, "read", read)
    monkeypatch.setattr(sources, "is_private", lambda _: True)
    for ask_person in ({}, {"ask": lambda _: False}):
        [failed] = update.update(engine, library, [stored], ignore, fetch=True, **ask_person).failed
        assert "was not fetched" in str(failed.error)
    assert how == []
    [done] = update.update(engine, library, [stored], ignore, fetch=True, ask=lambda _: True, recognize=True).done
    assert how == [Options(recognize=True, allow_private=True)]
    assert library.document(done.document.id).text == "The new page."


def test_what_cannot_be_read_stays_as_it_is(
    engine: FakeEngine, library: Library, store: Store, note: Path, tmp_path: Path
) -> None:
    first = store(note.read_text(), str(note))
    other = tmp_path / "other.txt"
    other.write_text("One.")
    second = store("One.", str(other), name="other.txt")
    note.write_bytes(b"")
    other.write_text("Two.")
    steps: list[object] = []
    report = update.update(engine, library, [first, second], lambda _, step: steps.append(step))
    assert [failure.source for failure in report.failed] == [first.id]
    assert (len(report.done), report.exit_code) == (1, 4)
    assert {type(step) for step in steps} == {Failure, Progress, Updated}
    assert library.get(first.id) == first


# Asking


def test_the_same_text_is_named_once(library: Library, note: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.txt"
    copy.write_text(note.read_text())
    other = tmp_path / "other.txt"
    other.write_text("Something else.")
    named = ask.read([Source(str(note)), Source(str(copy)), Source(str(other))], library)
    assert [one.origin for one in named] == [str(copy), str(other)]
    with pytest.raises(DocumentError):
        ask.read([Source(str(tmp_path))], library)


def test_where_no_file_is_a_document_of_the_library_is_named(
    engine: FakeEngine, library: Library, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = store("Velmar makes lamps.", "/gone/velmar.txt", name="velmar.txt")
    for name in ("velmar.txt", "Velmar.TXT", stored.id, stored.id[:6]):
        [named] = ask.read([Source(name)], library)
        assert (named.stored, named.origin, named.document.text) == (stored, "/gone/velmar.txt", "Velmar makes lamps.")
    assert ask.absorb(engine, library, named, "tokens") == stored  # not once more, cut in another way
    with pytest.raises(DocumentError) as unknown:
        ask.read([Source("velmer.txt")], library)
    assert str(unknown.value) == (
        "there is no file velmer.txt and no document of this name in the library (similar: velmar.txt): check the name"
    )
    other = store("Velmar is old.", name="velmar.txt")
    with pytest.raises(DocumentError, match=r"'velmar\.txt' matches 2 documents; use an id") as both:
        ask.read([Source("velmar.txt")], library)
    assert stored.id in str(both.value)
    assert other.id in str(both.value)
    (tmp_path / "velmar.txt").write_text("A file comes first.")
    assert ask.read([Source("velmar.txt")], library)[0].stored is None


def test_a_document_for_one_question_does_not_become_active(engine: FakeEngine, library: Library, note: Path) -> None:
    [named] = ask.read([Source(str(note))], library)
    stored = ask.absorb(engine, library, named, "meaning")
    assert not library.get(stored.id).active
    library.activate([stored.id], True)
    ask.absorb(engine, library, named, "meaning")
    assert library.get(stored.id).active  # it was known before


def test_an_interrupted_document_for_one_question_is_not_active_either(
    engine: FakeEngine, library: Library, note: Path
) -> None:
    [named] = ask.read([Source(str(note))], library)

    def interrupt(event: object) -> None:
        if isinstance(event, Progress) and event.stage == "absorb" and event.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask.absorb(engine, library, named, "meaning", interrupt)
    [begun] = library.documents()
    assert (begun.complete, begun.active, begun.absorbed) == (False, False, 1)


def test_ready_documents(library: Library, store: Store) -> None:
    whole, partial, stale, inactive = (store(f"Document number {number}.") for number in range(4))
    partial = replace(partial, complete=False)
    stale = replace(stale, bundle="another")
    inactive = replace(inactive, active=False)
    begun = replace(partial, absorbed=0)
    every = [whole, partial, begun, stale, inactive]
    assert ask.ready(every, BUNDLE) == ([whole], [partial, begun, stale])
    assert ask.ready(every, BUNDLE, partial=True) == ([whole, partial], [begun, stale])


def test_three_ways(engine: FakeEngine, library: Library, store: Store) -> None:
    stored = store("The founder of Velmar is Ana Dor.")
    text = library.document(stored.id)
    ways = [ask.from_weights([stored], Routing(top_k=7)), ask.from_context([text]), ask.WITHOUT]
    for way in ways:
        requests.answer(
            engine.ask([{"role": "user", "content": "Who?"}], way.documents, way.context, way.routing, max_tokens=3)
        )
    asked = [(one.documents, one.context, one.routing.route) for one in engine.asked]
    assert asked == [([stored], [], "auto"), ([], [text], "none"), ([], [], "none")]
    assert engine.asked[0].routing.top_k == 7


def test_where_support_is() -> None:
    passage = Passage("id", "manual.pdf", 3, 7, ("Safety", "Brakes"), "Check the\n  brakes.", 0.9)
    assert ask.explain([passage, replace(passage, page=None, headings=())]) == [
        ("manual.pdf, page 7, Safety > Brakes", "Check the brakes."),
        ("manual.pdf", "Check the brakes."),
    ]


# Requests, and what both front ends say


def test_a_request_is_followed_to_its_result(engine: FakeEngine) -> None:
    heard: list[object] = []
    engine.answers = ["Ana Dor."]
    answer = requests.answer(engine.ask([{"role": "user", "content": "Who?"}]), heard.append)
    assert "".join(event.text for event in heard if isinstance(event, Token)) == answer.text == "Ana Dor."
    assert isinstance(heard[-1], Answer)
    engine.answer_error = ThothError("no")
    with pytest.raises(ThothError, match="no"):
        requests.answer(engine.ask([{"role": "user", "content": "Who?"}]))


def test_nano_is_introduced_once(home: Path) -> None:
    assert not introduction.is_due("ministral-3-3b")
    assert introduction.is_due("nano")
    assert not introduction.is_due("nano")
    assert (home / "nano-introduced").exists()


def test_the_home_of_nobody_is_a_folder_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Path.expanduser` raises there, in the code that explains errors too."""
    monkeypatch.setenv("THOTH_HOME", "~nobody-here/thoth")
    assert paths.home() == Path("~nobody-here/thoth")


def test_a_home_for_a_block(home: Path, tmp_path: Path) -> None:
    with paths.at(tmp_path / "other"):
        assert paths.home() == tmp_path / "other"
        assert paths.settings() == tmp_path / "other" / "settings.toml"
    assert paths.home() == home


def test_unexpected_errors_leave_a_traceback(home: Path) -> None:
    with pytest.raises(KeyError) as raised:
        raise KeyError("x")
    assert crash_log.keep(raised.value) == f"internal error; please report the contents of {home / 'error.log'}"
    assert "raise KeyError" in (home / "error.log").read_text()
    (home / "error.log").unlink()
    (home / "error.log").mkdir()
    assert crash_log.keep(ValueError("y")) == "internal error; please report it: ValueError('y')"
