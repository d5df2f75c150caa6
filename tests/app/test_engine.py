"""The engine as a view sees it: streams of events, and `stop` at every chunk and token."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from thoth import models
from thoth.engine import Engine
from thoth.errors import DocumentError, Stopped, ThothError
from thoth.events import Absorbed, Answer, Event, Failed, Progress, Token
from thoth.ingest import Document
from thoth.library import Library

QUESTION = [{"role": "user", "content": "Who is the founder of Velmar?"}]
NOTE = Document("note.txt", "The founder of Velmar is Ana Dor.")
LONG = Document("long.txt", "The founder of Velmar is Ana Dor. " * 200)


@pytest.fixture
def engine(home: Path, tiny_pair: Path) -> Iterator[Engine]:
    with Engine(Library(home / "documents")) as engine:
        assert list(engine.load(models.resolve(str(tiny_pair)))) == [
            Progress("load", 0, 1),
            Progress("load", 1, 1),
        ]
        yield engine


def last(events: Iterator[Event]) -> Event:
    return list(events)[-1]


def answer(events: Iterator[Event]) -> Answer:
    event = last(events)
    assert isinstance(event, Answer)
    return event


def test_absorb_then_ask(engine: Engine, home: Path) -> None:
    *progress, absorbed = engine.absorb(LONG)
    assert isinstance(absorbed, Absorbed)
    chunks = absorbed.document.chunks
    assert progress[-1] == Progress("absorb", chunks, chunks)
    assert absorbed.document.folder == home / "documents" / absorbed.document.id

    *tokens, answered = engine.ask(QUESTION, [absorbed.document], max_tokens=5)
    assert isinstance(answered, Answer)
    assert all(isinstance(token, Token) for token in tokens)
    assert "".join(token.text for token in tokens).strip() == answered.text
    assert answered.stats.document_tokens_in_context == 0
    assert answered.stats.active_documents == 1
    assert 1 <= answered.stats.generated_tokens <= 5


def test_nothing_stays_attached(engine: Engine) -> None:
    before = answer(engine.ask(QUESTION, max_tokens=8)).text
    absorbed = last(engine.absorb(NOTE))
    assert isinstance(absorbed, Absorbed)
    attached = answer(engine.ask(QUESTION, [absorbed.document], max_tokens=8)).text
    assert attached != before
    assert answer(engine.ask(QUESTION, max_tokens=8)).text == before


def test_order_and_company_of_documents_count(engine: Engine) -> None:
    other = Document("other.txt", "The mayor of Tolquin is Berin Asto.")
    documents = []
    for document in (NOTE, other):
        absorbed = last(engine.absorb(document))
        assert isinstance(absorbed, Absorbed)
        documents.append(absorbed.document)
    alone, both = (answer(engine.ask(QUESTION, chosen, max_tokens=8)) for chosen in (documents[:1], documents))
    assert (alone.stats.rank, both.stats.rank) == (4, 6)
    assert both.stats.active_documents == 2


def test_absorb_reads_files(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text(NOTE.text)
    absorbed = last(engine.absorb(path))
    assert isinstance(absorbed, Absorbed)
    assert absorbed.document.id == engine.document_id(NOTE)
    failed = last(engine.absorb(tmp_path / "nothing.md"))
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DocumentError)


def test_stop_while_absorbing_leaves_nothing(engine: Engine, home: Path) -> None:
    events = engine.absorb(Document("huge.txt", LONG.text * 10))
    assert isinstance(next(events), Progress)
    stopped_at = time.monotonic()
    engine.stop()
    failed = last(events)
    assert time.monotonic() - stopped_at < 1  # a busy machine; on an idle one it takes milliseconds
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Stopped)
    assert not home.exists()
    assert isinstance(last(engine.absorb(NOTE)), Absorbed)  # and the engine goes on


def test_stop_while_answering(engine: Engine) -> None:
    before = answer(engine.ask(QUESTION, max_tokens=8)).text
    absorbed = last(engine.absorb(NOTE))
    assert isinstance(absorbed, Absorbed)
    events = engine.ask(QUESTION, [absorbed.document], max_tokens=400)
    assert isinstance(next(events), Token)
    engine.stop()
    failed = last(events)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Stopped)
    assert answer(engine.ask(QUESTION, max_tokens=8)).text == before


def test_stop_reaches_what_is_waiting(engine: Engine) -> None:
    streams = [engine.absorb(LONG), engine.ask(QUESTION)]
    engine.stop()
    for events in streams:
        failed = last(events)
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, Stopped)


def test_whoever_stops_listening_stops_the_work(engine: Engine) -> None:
    events = engine.ask(QUESTION, max_tokens=400)
    next(events)
    events.close()  # type: ignore[attr-defined]
    asked = time.monotonic()
    answer(engine.ask(QUESTION, max_tokens=1))
    assert time.monotonic() - asked < 1


def test_one_thread_for_everything(engine: Engine) -> None:
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("mlx")]
    assert len(threads) == 1
    results: list[str] = []

    def ask() -> None:
        results.append(answer(engine.ask(QUESTION, max_tokens=4)).text)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(results) == 3
    assert len(set(results)) == 1


def test_without_a_model(home: Path) -> None:
    with Engine(Library(home / "documents")) as engine:
        failed = last(engine.ask(QUESTION))
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ThothError)
    assert "load" in str(failed.error)
