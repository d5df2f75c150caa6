"""The way between the engine and a screen, without a screen: which messages come, on which thread, and how they end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from textual.message import Message

from tests.app.tui.fakes import FakeEngine
from thoth.actions.sources import Source
from thoth.errors import InternalError, ModelError, Stopped, ThothError
from thoth.library.library import Library
from thoth.tui.engine_client import EngineClient
from thoth.tui.messages import (
    AbsorbDone,
    AbsorbFailed,
    AbsorbProgress,
    AnswerDone,
    AnswerFailed,
    AnswerToken,
    LibraryChanged,
    ModelFailed,
    ModelReady,
)

QUESTION = [{"role": "user", "content": "What colour is the door?"}]
PATIENCE_SECONDS = 60


class Client(EngineClient):
    """A client whose messages are read here, each with the name of the thread that posted it."""

    def __init__(self, home: Path) -> None:
        self.posted: queue.SimpleQueue[tuple[Message, str]] = queue.SimpleQueue()
        library = Library(home)
        self.engine = FakeEngine(library)
        super().__init__(library, lambda _: self.engine, self.note)

    def note(self, message: Message) -> None:
        self.posted.put((message, threading.current_thread().name))

    def until(self, *kinds: type[Message]) -> list[tuple[Message, str]]:
        """Wait for a message of these kinds; returns all messages up to it."""
        read = [self.posted.get(timeout=PATIENCE_SECONDS)]
        while not isinstance(read[-1][0], kinds):
            read.append(self.posted.get(timeout=PATIENCE_SECONDS))
        return read


@pytest.fixture
def client(home: Path) -> Iterator[Client]:
    made = Client(home)
    yield made
    made.close()


def ready(client: Client) -> Client:
    client.load("nano")
    client.until(ModelReady)
    return client


def test_messages_are_posted_by_the_thread_of_the_engine(client: Client) -> None:
    ready(client).ask(1, QUESTION)
    read = client.until(AnswerDone)
    assert [type(message) for message, _ in read] == [*[AnswerToken] * (len(read) - 1), AnswerDone]
    assert len(read) > 2
    assert {thread for _, thread in read} == {"mlx_0"}


def test_a_question_waits_for_the_model(client: Client) -> None:
    client.engine.hold("load")
    client.load("nano")
    client.ask(1, QUESTION)
    client.ask(2, QUESTION)
    assert client.stop_answer(2)
    client.until(AnswerFailed)
    assert client.engine.asked == []
    client.engine.release("load")
    assert isinstance(client.until(AnswerDone)[-1][0], AnswerDone)
    assert len(client.engine.asked) == 1


def test_a_question_waits_until_it_is_stored(client: Client) -> None:
    """An answer, or what a tool did, would else be of a chat that a crash takes."""
    ready(client)
    stored: Future[None] = Future()
    client.ask(1, QUESTION, after=stored)
    client.ask(2, QUESTION, after=stored)
    assert client.stop_answer(2)
    client.until(AnswerFailed)
    assert client.engine.asked == []
    stored.set_result(None)
    assert client.until(AnswerDone)[-1][0].turn == 1  # type: ignore[attr-defined]
    assert len(client.engine.asked) == 1


def test_a_question_fails_as_the_model_did(client: Client) -> None:
    assert isinstance(client.failure, ModelError)
    client.engine.load_error = ModelError("the bundle is damaged")
    client.engine.hold("load")
    client.load("nano")
    client.ask(1, QUESTION)
    client.engine.release("load")
    assert client.until(ModelFailed)[-1][0].error is client.failure
    failed = client.until(AnswerFailed)[-1][0]
    assert isinstance(failed, AnswerFailed)
    assert str(failed.error) == "the bundle is damaged"
    ready_again(client)


def ready_again(client: Client) -> None:
    client.engine.load_error = None
    client.engine.release("load")
    ready(client).ask(2, QUESTION)
    client.until(AnswerDone)


def test_a_stopped_answer_ends_at_once_and_says_nothing_more(client: Client) -> None:
    client.engine.hold("answer")
    ready(client).ask(1, QUESTION)
    client.engine.release("answer")
    client.until(AnswerToken)
    assert client.stop_answer(1)
    assert not client.stop_answer(1)
    failed = client.until(AnswerFailed)[-1][0]
    assert isinstance(failed, AnswerFailed)
    assert isinstance(failed.error, Stopped)
    client.engine.gates.clear()
    client.ask(2, QUESTION)
    assert {message.turn for message, _ in client.until(AnswerDone)} == {2}  # type: ignore[attr-defined]


def test_a_bug_is_one_line_and_its_traceback_is_kept(client: Client, home: Path) -> None:
    try:
        raise KeyError("surprise")
    except KeyError as cause:
        bug = InternalError("unexpected")
        bug.__cause__ = cause
    client.engine.answer_error = bug
    ready(client).ask(1, QUESTION)
    failed = client.until(AnswerFailed)[-1][0]
    assert isinstance(failed, AnswerFailed)
    assert "error.log" in str(failed.error)
    assert "KeyError: 'surprise'" in (home / "error.log").read_text()


def test_documents_are_absorbed_one_after_the_other(client: Client, tmp_path: Path) -> None:
    ready(client).engine.hold("absorb")
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.txt").write_text(f"This is note {name}, about a harbour town.")
    one, two, three = (client.absorb(Source(str(tmp_path / f"{name}.txt"))) for name in ("one", "two", "three"))
    client.until(AbsorbProgress)
    assert client.cancel(two)
    assert client.until(AbsorbFailed)[-1][0].job == two
    client.engine.gates.clear()
    done = [client.until(AbsorbDone)[-1][0].job for _ in range(2)]
    assert done == [one, three]
    assert client.engine.absorbed == ["one.txt", "three.txt"]
    client.until(LibraryChanged)
    assert all(document.active and document.complete for document in client.documents())


def test_a_source_that_cannot_be_prepared_fails_alone(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Callable[[], None]:
        raise ThothError("the settings are broken")

    (tmp_path / "note.txt").write_text("A note about a harbour town.")
    ready(client)
    with monkeypatch.context() as broken:
        broken.setattr("thoth.tui.engine_client.absorb.new", fail)
        client.absorb(Source(str(tmp_path / "note.txt")))
        assert "settings" in str(client.until(AbsorbFailed)[-1][0].error)
    client.absorb(Source(str(tmp_path / "note.txt")))
    client.until(AbsorbDone)
