"""The engine as a view sees it: streams of events, turns, and `stop` at every chunk and token."""

import threading
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from thoth.engine.answering import Answerer
from thoth.engine.engine import Engine
from thoth.errors import DocumentError, InternalError, NoTextError, Stopped, ThothError
from thoth.events import Absorbed, Answer, Event, Failed, Progress, Token, is_last
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.library.records import ChunkRef, StoredDocument
from thoth.models import registry
from thoth.retrieval.routing import Routing

QUESTION = [{"role": "user", "content": "Who is the founder of Velmar?"}]
NOTE = Document("note.txt", "The founder of Velmar is Ana Dor.")
OTHER = Document("other.txt", "The mayor of Tolquin is Berin Asto.")
LONG = Document("long.txt", "The founder of Velmar is Ana Dor. " * 30)
ALL = Routing("all")


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def engine(library: Library, tiny_pair: Path) -> Iterator[Engine]:
    with Engine(library) as engine:
        assert list(engine.load(registry.resolve(str(tiny_pair)))) == [
            Progress("load", 0, 1),
            Progress("load", 1, 1),
        ]
        yield engine


@pytest.fixture
def log(library: Library, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens on the MLX thread: the id of a document for each stored batch, "answer" for each question."""
    happened: list[str] = []
    store, begin = library.store, Answerer.begin

    def logged_store(id: str, *arguments: Any) -> StoredDocument:
        happened.append(id)
        return store(id, *arguments)

    def logged_begin(*arguments: Any) -> None:
        happened.append("answer")
        begin(*arguments)

    monkeypatch.setattr(library, "store", logged_store)
    monkeypatch.setattr(Answerer, "begin", logged_begin)
    return happened


@pytest.fixture
def gate(library: Library, monkeypatch: pytest.MonkeyPatch, log: list[str]) -> Iterator[threading.Event]:
    """The first batch of chunks is not stored before this is set."""
    gate, store = threading.Event(), library.store

    def gated_store(*arguments: Any) -> StoredDocument:
        assert gate.wait(60)
        return store(*arguments)

    monkeypatch.setattr(library, "store", gated_store)
    yield gate
    gate.set()


def last(events: Iterator[Event]) -> Event:
    return list(events)[-1]


def answer(events: Iterator[Event]) -> Answer:
    event = last(events)
    assert isinstance(event, Answer)
    return event


def absorbed(events: Iterator[Event]) -> StoredDocument:
    event = last(events)
    assert isinstance(event, Absorbed)
    return event.document


def error(events: Iterator[Event]) -> ThothError:
    event = last(events)
    assert isinstance(event, Failed)
    return event.error


def until(events: Iterator[Event], wanted: Callable[[Event], bool]) -> Event:
    return next(event for event in events if wanted(event))


def in_background(events: Iterator[Event]) -> Callable[[], list[Event]]:
    """Read events on a thread of their own; the result waits for them."""
    read: list[Event] = []
    thread = threading.Thread(target=lambda: read.extend(events))
    thread.start()

    def result() -> list[Event]:
        thread.join(60)
        return read

    return result


def test_absorb_then_ask(engine: Engine) -> None:
    events = list(engine.absorb(LONG))
    stored = absorbed(iter(events))
    assert events[:2] == [Progress("read", 0, 1), Progress("read", 1, 1)]
    progress = [event for event in events if isinstance(event, Progress) and event.stage == "absorb"]
    done = [event.done for event in progress]
    assert (done[0], done[-1]) == (0, stored.chunks)
    assert all(1 <= step <= 4 for step in (b - a for a, b in pairwise(done)))
    assert progress[0].seconds_left is None
    assert progress[1].seconds_left > 0 < progress[1].tokens_per_second
    assert progress[-1].seconds_left == 0

    *tokens, answered = engine.ask(QUESTION, [stored], routing=ALL, max_tokens=5)
    assert isinstance(answered, Answer)
    assert all(isinstance(token, Token) for token in tokens)
    assert "".join(token.text for token in tokens).strip() == answered.text
    stats = answered.stats
    assert stats.document_tokens_in_context == 0
    assert (stats.active_documents, stats.rank) == (1, 2 * (stored.chunks + 1))
    assert 1 <= stats.generated_tokens <= 5
    assert stats.absorb_seconds > 0
    assert stats.time_to_first_token_seconds > stats.attach_seconds > 0


def test_routes(engine: Engine) -> None:
    documents = [absorbed(engine.absorb(document)) for document in (LONG, NOTE, OTHER)]

    def chosen(route: Any, **settings: int) -> list[tuple[str, int]]:
        routing = Routing(route, **settings)
        stats = answer(engine.ask(QUESTION, documents, routing=routing, max_tokens=1)).stats
        assert stats.rank == (2 * (len(stats.chunks) + 1) if stats.chunks else 0)
        assert stats.active_documents == len({chunk.document for chunk in stats.chunks})
        return [(chunk.name, chunk.number) for chunk in stats.chunks]

    chunks = documents[0].chunks
    assert chosen("none") == []
    assert chosen("all") == [*(("long.txt", n) for n in range(chunks)), ("note.txt", 0), ("other.txt", 0)]
    assert len(chosen("auto", top_k=2)) == 2
    assert ("other.txt", 0) not in chosen("auto", top_k=3)


def test_the_last_adapter_is_kept(engine: Engine, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    before = answer(engine.ask(QUESTION, max_tokens=8)).text
    one, other = (absorbed(engine.absorb(document)) for document in (NOTE, OTHER))
    loads: list[object] = []
    each = library.each
    monkeypatch.setattr(library, "each", lambda refs: loads.append(refs) or each(refs))
    attached = answer(engine.ask(QUESTION, [one, other], routing=ALL, max_tokens=8)).text
    assert attached != before
    assert answer(engine.ask(QUESTION, [other, one], routing=ALL, max_tokens=8)).text == attached
    assert len(loads) == 1
    assert answer(engine.ask(QUESTION, max_tokens=8)).text == before
    assert answer(engine.ask(QUESTION, [one, other], routing=ALL, max_tokens=8)).text == attached
    assert len(loads) == 1
    answer(engine.ask(QUESTION, [one], routing=ALL, max_tokens=8))
    assert answer(engine.ask(QUESTION, [one, other], routing=ALL, max_tokens=8)).text == attached
    assert len(loads) == 3


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
    pairs = [(one.A, two.A), (one.B, two.B)]
    return all(np.allclose(np.array(a[name]), np.array(b[name]), atol=1e-5) for a, b in pairs for name in a)


def test_passages_are_read_in_document_order(engine: Engine) -> None:
    notes = [Document("second.txt", "The founder of Velmar is Berin Asto."), NOTE]
    documents = [absorbed(engine.absorb(document)) for document in notes]

    def asked(with_text: int, route: Any = "auto") -> Answer:
        return answer(engine.ask(QUESTION, documents, routing=Routing(route, with_text=with_text), max_tokens=8))

    tokens = [asked(with_text).stats.document_tokens_in_context for with_text in range(4)]
    assert tokens[0] == 0 < tokens[1] < tokens[2] == tokens[3]
    whole = answer(engine.ask(QUESTION, context=notes, max_tokens=8)).stats
    assert whole.document_tokens_in_context == tokens[2]
    passages = asked(2, "none").stats  # the same prompt: all of it but the last token is in the cache
    assert passages.cached_tokens == passages.prompt_tokens - 1 == whole.prompt_tokens - 1


def test_a_second_look_reads_the_passage_that_fits(engine: Engine) -> None:
    document = absorbed(engine.absorb(NOTE))
    events = list(engine.ask(QUESTION, [document], routing=Routing(fallback="text"), max_tokens=8))
    found = events[-1]
    assert isinstance(found, Answer)
    assert found.support == "unsupported"  # a random model says nothing that stands in a note
    assert (found.stats.second_look, found.stats.passages) == (True, 1)
    assert found.stats.document_tokens_in_context > 0
    assert "".join(event.text for event in events if isinstance(event, Token)).strip() == found.text
    plain = answer(engine.ask(QUESTION, [document], routing=Routing("none", with_text=1), max_tokens=8))
    assert plain.text == found.text
    assert not plain.stats.second_look


def test_passages_that_do_not_fit_are_dropped(engine: Engine) -> None:
    """The tiny base reads 512 tokens, a chunk of the long document has up to 64 of them."""
    document = absorbed(engine.absorb(Document("long.txt", LONG.text * 2)))
    stats = answer(engine.ask(QUESTION, [document], routing=Routing(with_text=20), max_tokens=100)).stats
    assert 0 < stats.document_tokens_in_context < stats.prompt_tokens <= 412
    assert stats.prompt_tokens > 412 - 67
    long_question = [{"role": "user", "content": "Who " * 500}]
    assert "shorten" in str(error(engine.ask(long_question, [document], routing=Routing(with_text=2))))


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
    assert again[2] == Progress("absorb", begun.absorbed, begun.chunks)
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


def test_stop_while_answering(engine: Engine) -> None:
    before = answer(engine.ask(QUESTION, max_tokens=8)).text
    stored = absorbed(engine.absorb(NOTE))
    events = engine.ask(QUESTION, [stored], max_tokens=400)
    assert isinstance(next(events), Token)
    engine.stop()
    assert isinstance(error(events), Stopped)
    assert answer(engine.ask(QUESTION, max_tokens=8)).text == before


def test_stop_reaches_what_is_waiting(engine: Engine) -> None:
    streams = [engine.absorb(LONG), engine.ask(QUESTION)]
    engine.stop()
    for events in streams:
        assert isinstance(error(events), Stopped)


def test_whoever_stops_listening_stops_that_request_alone(engine: Engine) -> None:
    dropped, closed = (engine.ask(QUESTION, max_tokens=400) for _ in range(2))
    next(dropped)
    other = engine.ask(QUESTION, max_tokens=2)
    del dropped
    closing = threading.Thread(target=closed.close)
    closing.start()
    closing.join()
    assert isinstance(error(closed), Stopped)
    answer(other)


def test_one_thread_for_everything(engine: Engine) -> None:
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("mlx")]
    assert len(threads) == 1
    results = [in_background(engine.ask(QUESTION, max_tokens=4)) for _ in range(3)]
    answers = {answer(iter(result())).text for result in results}
    assert len(answers) == 1


def test_without_a_model(home: Path) -> None:
    with Engine(Library(home)) as engine:
        assert engine.bundle_id is None
        for events in (engine.ask(QUESTION), engine.absorb(NOTE)):
            assert "load" in str(error(events))
    assert not home.exists()
    for events in (engine.ask(QUESTION), engine.absorb(NOTE)):  # it is closed now
        assert isinstance(error(events), Stopped)


def test_a_fast_worker_loses_no_error(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The MLX thread may be done with a request before the thread that queued it knows that it was queued."""
    queue = engine._on_thread

    def slowly_queue(*work: Any) -> Any:
        turn = queue(*work)
        if not threading.current_thread().name.startswith("mlx"):
            for _ in range(20):  # each one waits behind a turn of the request
                queue(int).result()
        return turn

    def fail(*_: object) -> None:
        raise KeyError("nobody foresaw this")

    absorbed(engine.absorb(NOTE))
    monkeypatch.setattr(engine, "_on_thread", slowly_queue)
    assert absorbed(engine.absorb(OTHER)).complete
    answer(engine.ask(QUESTION, max_tokens=2))
    monkeypatch.setattr("thoth.engine.absorbing._absorb", fail)
    with pytest.raises(KeyError, match="nobody foresaw"):
        list(engine.absorb(LONG))


class Listening:
    """A listener that keeps what it hears, and the threads it hears it on."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.threads: set[str] = set()
        self._ended = threading.Event()

    def __call__(self, event: Event) -> None:
        self.heard.append(event)
        self.threads.add(threading.current_thread().name.partition("_")[0])
        if is_last(event):
            self._ended.set()

    def all(self) -> list[Event]:
        """Wait for the last event."""
        assert self._ended.wait(60)
        return self.heard


def test_a_listener_hears_what_an_iterator_gives(engine: Engine) -> None:
    absorbing, answering = Listening(), Listening()
    engine.absorb(NOTE, listener=absorbing)
    events = absorbing.all()
    assert events[:2] == [Progress("read", 0, 1), Progress("read", 1, 1)]
    stored = absorbed(iter(events))
    assert absorbing.threads == {"reading", "mlx"}
    request = engine.ask(QUESTION, [stored], max_tokens=5, listener=answering)
    assert list(request) == []  # nothing is left for an iterator
    *tokens, answered = answering.all()
    assert answering.threads == {"mlx"}
    again = list(engine.ask(QUESTION, [stored], max_tokens=5))
    assert [*tokens, answered.text] == [*again[:-1], again[-1].text]
    loading = Listening()
    engine.load(registry.resolve("nano"), listener=loading)
    assert loading.all() == [Progress("load", 0, 1), Progress("load", 1, 1)]


def test_a_request_with_a_listener_needs_nobody_to_hold_it(engine: Engine) -> None:
    listening = Listening()
    engine.ask(QUESTION, max_tokens=3, listener=listening)
    assert isinstance(listening.all()[-1], Answer)


def test_each_request_has_one_end(engine: Engine) -> None:
    every = [Listening() for _ in range(4)]
    requests = [engine.ask(QUESTION, max_tokens=3, listener=listening) for listening in every]
    requests[1].close()
    requests[3].close()
    engine.absorb(NOTE, listener=(note := Listening()))
    note.all()  # it queued after them
    for at, listening in enumerate(every):
        last_event = listening.all()[-1]
        assert [is_last(event) for event in listening.heard].count(True) == 1
        if at in (1, 3):
            assert isinstance(last_event, Failed)
            assert isinstance(last_event.error, Stopped)
        else:
            assert isinstance(last_event, Answer)


def test_a_listener_hears_of_bugs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("nobody foresaw this")

    listening = Listening()
    with monkeypatch.context() as broken:
        broken.setattr("thoth.engine.absorbing._absorb", fail)
        engine.absorb(NOTE, listener=listening)
        failed = listening.all()[-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, InternalError)
    assert isinstance(failed.error.__cause__, KeyError)
    absorbed(engine.absorb(NOTE))


def test_a_listener_that_raises_ends_its_own_request(engine: Engine) -> None:
    def listen(event: Event) -> None:
        raise ValueError(event)

    engine.ask(QUESTION, max_tokens=3, listener=listen)
    engine.absorb(NOTE, listener=listen)
    absorbed(engine.absorb(OTHER))
    answer(engine.ask(QUESTION, max_tokens=1))


def test_stop_while_reading(engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reading, path = threading.Event(), tmp_path / "note.txt"
    path.write_text(NOTE.text)

    def read_forever(_source: object, _options: object, should_stop: Callable[[], bool]) -> Iterator[tuple[int, int]]:
        reading.set()
        while not should_stop():
            threading.Event().wait(0.01)
        raise Stopped("stopped")
        yield

    monkeypatch.setattr("thoth.ingest.reading", read_forever)
    listening = Listening()
    request = engine.absorb(path, listener=listening)
    assert reading.wait(60)
    request.close()
    assert isinstance(error(iter(listening.all())), Stopped)
