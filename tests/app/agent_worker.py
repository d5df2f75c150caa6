"""Asks an agent question after question until it is killed; says on stdout what it stored.

Reads homes from stdin and works on each in a child process: it says the child's process id when it begins, and its exit
status when it ends.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from types import SimpleNamespace

from tests.app import made_up
from tests.app.agents import ScriptedEngine, script
from thoth.actions.ask import from_weights
from thoth.actions.chat import Chat
from thoth.agent.bench import Bench
from thoth.agent.loop import Agent
from thoth.agent.permissions import Grants, Permissions
from thoth.agent.tool import Result, Tool, parameters
from thoth.agent.tools import BUILT_IN
from thoth.chats.sessions import Sessions
from thoth.events import Call, Event, Step
from thoth.library.library import Library
from thoth.retrieval.routing import Routing
from thoth.settings import Settings


def main() -> None:
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            work(Path(line.strip()))
        print(child, flush=True)
        print("ended", os.waitpid(child, 0)[1], flush=True)


def work(home: Path) -> None:
    library, sessions = Library(home), Sessions(home)
    counter = itertools.count()

    def page(*_: object) -> Result:
        number = next(counter)
        document = made_up.document([f"Page {number} says {line}." for line in range(200)], f"page {number}")
        return Result(document.text, document)

    tools = [*BUILT_IN, Tool("page", "A long page.", parameters(), page)]
    engine = ScriptedEngine(library, lambda _: "unused")
    workspace = SimpleNamespace(
        engine=engine, library=library, settings=Settings(), pair=SimpleNamespace(name="script")
    )
    chat = Chat(workspace, sessions, lambda error: print("not saved", error, flush=True))  # type: ignore[arg-type]
    for number in itertools.count():
        text = {"kind": "text", "content": f"Fact {number}: the house has {number} doors."}
        engine.model = script(
            [Call("page", {}), Call("remember", text)], [Call("list_documents", {})], f"Done {number}."
        )

        def respond(messages, way, listener):  # type: ignore[no-untyped-def]
            def listen(event: Event) -> None:
                listener(event)
                if isinstance(event, Step) and event.ended:
                    print("step", flush=True)

            bench = Bench(engine, library, workspace.settings, sessions, chat.session.id, [])  # type: ignore[arg-type,union-attr]
            permissions = Permissions(Grants(home / "permissions.json"), chat={"write"})
            return Agent(bench, tools, permissions, listen).answer(messages)

        chat.ask(f"Question {number}?", from_weights([], Routing()), respond=respond)
        print("turn", flush=True)


if __name__ == "__main__":
    main()
