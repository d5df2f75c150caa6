"""Many questions at a time: each is answered from its own documents, as if it were the only one."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from thoth.engine.answering import Answerer
from thoth.engine.engine import Engine
from thoth.errors import Stopped
from thoth.events import Absorbed, Answer, Event, Failed, Progress
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.models import registry

TOWNS = {
    "Harpool": "Osra Kelland",
    "Velmar": "Ana Dorsen",
    "Tolquin": "Berin Asto",
    "Merrow": "Lida Fenwick",
    "Osterby": "Jarn Holt",
    "Dunmere": "Pell Orvin",
    "Calder": "Ines Rook",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(Library(tmp_path_factory.mktemp("home"))) as engine:
        list(engine.load(registry.resolve("nano")))
        yield engine


@pytest.fixture(scope="module")
def documents(engine: Engine) -> list[StoredDocument]:
    absorbed = []
    for town, mayor in TOWNS.items():
        *_, last = engine.absorb(Document(f"{town}.txt", f"The mayor of {town} is {mayor}."))
        assert isinstance(last, Absorbed)
        absorbed.append(last.document)
    return absorbed


def question(town: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Who is the mayor of {town}?"}]


def test_each_answer_is_that_of_its_document(engine: Engine, documents: list[StoredDocument]) -> None:
    asked = [(question(town), [document]) for town, document in zip(TOWNS, documents, strict=True)]
    asked.append((question("Harpool"), []))
    alone = [list(engine.ask(messages, chosen, max_tokens=24)) for messages, chosen in asked]
    requests = [engine.ask(messages, chosen, max_tokens=24) for messages, chosen in asked]
    together = [list(request) for request in requests]

    def texts(answers: list[list[Event]]) -> list[str]:
        return [events[-1].text if isinstance(events[-1], Answer) else repr(events[-1]) for events in answers]

    assert texts(together) == texts(alone)
    assert len(set(texts(together))) >= len(TOWNS) - 1
    for mayor, text in zip(list(TOWNS.values())[:3], texts(together), strict=False):
        assert mayor.split()[0][:3] in text


def test_questions_that_come_one_by_one_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once if few are being answered, after a few tokens if many are, and no later."""
    answerer = Answerer.__new__(Answerer)
    answerer._held = 0
    answerer._replies = []
    answerer._decoder = SimpleNamespace(has_room=lambda tokens: True)  # type: ignore[assignment]

    def enter(self: Answerer, reply: Any, adapter: None) -> int:
        reply.row = 1
        return 0

    monkeypatch.setattr(Answerer, "_enter", enter)

    def joined_after(come: int) -> int:
        """How many steps the last of some new questions waits, of which one comes before each step."""
        new: list[Any] = [
            SimpleNamespace(row=None, adapter=None, max_tokens=1, asking=SimpleNamespace(ids=[1])) for _ in range(come)
        ]
        for step in range(20):
            answerer._replies += new[step : step + 1]
            answerer._join()
            if step >= come - 1 and all(reply.row for reply in new):
                return step - (come - 1)
        raise AssertionError("a question waits for ever")

    assert [joined_after(1) for _ in range(3)] == [0, 0, 4]  # none, one, two are being answered
    assert joined_after(3) == 0  # together with the other two, as they are as many as those in flight
    assert [joined_after(1), joined_after(5)] == [4, 0]
    answerer._replies[1:] = []
    assert joined_after(1) == 0


def test_one_that_is_stopped_leaves_the_others(engine: Engine, documents: list[StoredDocument]) -> None:
    expected = list(engine.ask(question("Velmar"), documents[1:2], max_tokens=24))[-1]
    stopped = engine.ask(question("Harpool"), documents[:1], max_tokens=400)
    other = engine.ask(question("Velmar"), documents[1:2], max_tokens=24)
    next(stopped)
    stopped.close()
    *_, last = stopped
    assert isinstance(last, Failed | Answer)
    *_, last = other
    assert isinstance(last, Answer)
    assert isinstance(expected, Answer)
    assert last.text == expected.text


def test_absorbing_goes_on_beside_questions(engine: Engine, documents: list[StoredDocument]) -> None:
    long = Document("long.txt", "\n\n".join(f"The owner of house {n} is Bela Roth." for n in range(60)))
    events = engine.absorb(long)
    while not (isinstance(event := next(events), Progress) and event.stage == "absorb"):
        pass
    requests = [engine.ask(question(town), documents, max_tokens=24) for town in TOWNS]
    assert all(isinstance(list(request)[-1], Answer) for request in requests)
    assert isinstance(list(events)[-1], Absorbed)


def test_a_pair_that_is_loaded_later_answers_only_what_is_asked_later(
    engine: Engine, documents: list[StoredDocument], tiny_pair: Path
) -> None:
    before = engine.ask(question("Harpool"), documents[:1], max_tokens=24)
    loading = engine.load(registry.resolve(str(tiny_pair)))
    after = engine.ask(question("Harpool"), documents[:1], max_tokens=24)
    assert isinstance(list(before)[-1], Answer)
    assert isinstance(list(loading)[-1], Progress)
    *_, last = after
    assert isinstance(last, Failed)  # the document belongs to the other pair
    assert not isinstance(last.error, Stopped)
    list(engine.load(registry.resolve("nano")))


def test_more_questions_than_rows(engine: Engine, documents: list[StoredDocument]) -> None:
    requests = [engine.ask(question("Calder"), documents[6:7], max_tokens=4) for _ in range(40)]
    answers = [list(request)[-1] for request in requests]
    assert len({answer.text for answer in answers if isinstance(answer, Answer)}) == 1
    assert all(isinstance(answer, Answer) for answer in answers)
