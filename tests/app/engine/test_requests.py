"""The engine as a view sees it: streams of events, listeners, and `stop` at every chunk and token."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.engines import LONG, NOTE, OTHER, QUESTION, absorbed, answer, error, in_background
from thoth.engine.answering import Answerer
from thoth.engine.engine import Engine
from thoth.engine.reply import Question
from thoth.engine.request import Task
from thoth.errors import InternalError, Stopped
from thoth.events import Answer, Event, Failed, Progress, Token, is_last
from thoth.library.library import Library
from thoth.models import registry


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
        raise KeyError("not foreseen")

    absorbed(engine.absorb(NOTE))
    monkeypatch.setattr(engine, "_on_thread", slowly_queue)
    assert absorbed(engine.absorb(OTHER)).complete
    answer(engine.ask(QUESTION, max_tokens=2))
    monkeypatch.setattr("thoth.engine.absorbing._absorb", fail)
    with pytest.raises(KeyError, match="not foreseen"):
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
        raise KeyError("not foreseen")

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


def test_an_error_at_the_last_token_ends_that_request_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    hear = Answerer._hear

    def fail_at_the_end(answerer: Answerer, reply: Any, decoded: Any) -> None:
        if decoded.finish and reply.max_tokens == 3:
            raise IndexError("a token without a text")
        hear(answerer, reply, decoded)

    monkeypatch.setattr(Answerer, "_hear", fail_at_the_end)
    failing, other = engine.ask(QUESTION, max_tokens=3), engine.ask(QUESTION, max_tokens=6)
    with pytest.raises(IndexError, match="without a text"):
        list(failing)
    assert answer(other).stats.generated_tokens > 0


def test_after_a_step_that_failed_others_are_answered(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlx_lm.generate import BatchGenerator

    def fail(*_: object) -> None:
        raise RuntimeError("not foreseen")

    with monkeypatch.context() as broken:
        broken.setattr(BatchGenerator, "_next", fail)
        broken.setattr(BatchGenerator, "remove", fail)  # what is inside may be in any state
        with pytest.raises(RuntimeError, match="not foreseen"):
            list(engine.ask(QUESTION, max_tokens=3))
    assert answer(engine.ask(QUESTION, max_tokens=3)).text


def test_what_waits_for_a_model_ends_when_the_engine_closes(home: Path) -> None:
    engine = Engine(Library(home))
    engine._waiting_loads = 1
    engine.close()
    listening = Listening()
    engine._ask(Question(QUESTION), Task(listening))
    assert isinstance(listening.heard[-1], Failed)
    assert isinstance(listening.heard[-1].error, Stopped)
