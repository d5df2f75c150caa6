"""An agent whose model is a script, with a real library: what the tests of the loop share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.app import made_up
from thoth.agent.bench import Bench
from thoth.agent.loop import Agent
from thoth.agent.permissions import Ask, Grants, Permissions, refuse
from thoth.agent.tool import Tool
from thoth.agent.tools import BUILT_IN
from thoth.chats.sessions import Sessions
from thoth.engine.request import Request
from thoth.errors import Stopped
from thoth.events import Absorbed, Answer, Call, Event, Failed, Stats, Step, Token
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.library.records import StoredDocument, document_id
from thoth.settings import Settings

STATS = Stats(0, 10, 5, 0.0, 0.1, 9.0, 0, 0, 0)

# What the model does next, given everything it reads: an answer, or calls.
Model = Callable[[Sequence[Mapping[str, Any]]], str | Sequence[Call]]


class ScriptedEngine:
    """Stands in for `thoth.engine.engine.Engine`: the model is a function, a word is a token.

    Attributes:
        model: the function.
        asked: the messages of each round.
        choices: whether the model could call a tool in each round.
        hold: requests are not answered until they are closed.
    """

    bundle_id = made_up.BUNDLE

    def __init__(self, library: Library, model: Model) -> None:
        self.library, self.model = library, model
        self.asked: list[list[Mapping[str, Any]]] = []
        self.choices: list[str] = []
        self.hold = False

    def ask(
        self,
        messages: Sequence[Mapping[str, Any]],
        documents: Sequence[StoredDocument] = (),
        *,
        calls: str = "auto",
        **_: object,
    ) -> Request:
        self.asked.append([*messages])
        self.choices.append(calls)
        request = Request(None)
        if self.hold:
            return _Held()
        said = self.model(messages)
        if isinstance(said, str) or calls == "none":
            text = said if isinstance(said, str) else "no calls left"
            request.task.tell(Token(text))
            request.task.tell(Answer(text, STATS))
        else:
            request.task.tell(Answer("", STATS, calls=tuple(said)))
        return request

    def absorb(
        self, source: Document, *, source_name: str | None = None, of_chat: bool = False, **_: object
    ) -> Request:
        request = Request(None)
        chunks = (
            made_up.chunks(source) if source.blocks else made_up.chunks(made_up.document([source.text], source.name))
        )
        stored = self.library.begin(source, self.bundle_id, "meaning", chunks, source_name, of_chat=of_chat)
        missing = self.library.missing(stored.id)
        if missing:
            stored = self.library.store(stored.id, missing, made_up.adapters(missing), made_up.features(missing))
        request.task.tell(Absorbed(stored))
        return request

    def document_id(self, document: Document, chunking: str = "meaning") -> str:
        return document_id(document.sha256, self.bundle_id, chunking)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def has_tools(self) -> bool:
        return True

    def reads_system(self) -> bool:
        return True


class _Held(Request):
    """A request that waits until it is stopped."""

    def __init__(self) -> None:
        super().__init__(None)

    def close(self) -> None:
        super().close()
        self.task.tell(Failed(Stopped("stopped")))


@dataclass
class Stage:
    """An agent, what it may use, and what it reported.

    Attributes:
        events: all events so far.
    """

    agent: Agent
    engine: ScriptedEngine
    library: Library
    events: list[Event] = field(default_factory=list)

    def ask(self, question: str) -> Answer:
        return self.agent.answer([{"role": "user", "content": question}])

    @property
    def steps(self) -> list[Step]:
        """The steps as they stand now."""
        last: dict[int, Step] = {}
        for event in self.events:
            if isinstance(event, Step):
                last[event.number] = event
        return [last[number] for number in sorted(last)]


def stage(
    folder: Path,
    model: Model,
    *,
    ask: Ask = refuse,
    allowed: Sequence[str] = (),
    tools: Sequence[Tool] = BUILT_IN,
    **settings: Any,
) -> Stage:
    """Set up an agent in a folder."""
    library = Library(folder)
    sessions = Sessions(folder)
    engine = ScriptedEngine(library, model)

    bench = Bench(engine, library, replace(Settings(), **settings), sessions, "chat", library.documents(active=True))  # type: ignore[arg-type]
    permissions = Permissions(Grants(folder / "permissions.json"), ask, set(allowed))
    events: list[Event] = []
    agent = Agent(bench, tools, permissions, events.append)
    return Stage(agent, engine, library, events)


def script(*rounds: str | Call | Sequence[Call]) -> Model:
    """A model that does one thing after the other."""
    left: Iterator[str | Call | Sequence[Call]] = iter(rounds)

    def next_one(_: Sequence[Mapping[str, Any]]) -> str | Sequence[Call]:
        one = next(left)
        return [one] if isinstance(one, Call) else one

    return next_one


def results(messages: Sequence[Mapping[str, Any]]) -> str:
    """What a model reads of its results."""
    return json.dumps([message["content"] for message in messages if message["role"] == "tool"])
