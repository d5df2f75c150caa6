"""An engine with a small pair, a log of what its thread does, and a gate that holds it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thoth.engine.answering import Answerer
from thoth.engine.engine import Engine
from thoth.events import Progress
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.models import registry


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
