"""`make demo`: absorb a document of this folder, then answer questions about it three ways, each in a table.

Smol, the pair that reads English, answers about a lease. Its base is pulled first; where that cannot be done, and where
this version of Thoth has no hypernetwork for it, nano, the built-in pair, answers about a note in its own language.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from thoth import settings
from thoth.actions import ask, requests, sources, workspace
from thoth.cli import answers, console
from thoth.errors import ThothError
from thoth.models import plan, pull, registry
from thoth.system import paths
from thoth.system.machine import size


@dataclass(frozen=True)
class Demo:
    """A document of this folder, and questions about it."""

    document: str
    questions: tuple[str, ...]


DEMOS = {
    registry.SMOL: Demo(
        "lease.pdf",
        (
            "Who is the landlord?",
            "How much is the monthly rent?",
            "When does the lease begin?",
            "Who is the caretaker?",
            "Which company services the boiler?",
        ),
    ),
    registry.NANO: Demo("harbour.txt", ("Who is the mayor of Harpool?",)),
}
_MAX_TOKENS = "32"


def prepared() -> str:
    """Return the name of the pair that answers, after pulling what it lacks."""
    pair = registry.pulled(registry.SMOL)
    if not pair.bundle.is_dir():
        return registry.NANO
    if not pair.base.is_dir():
        try:
            wanted = plan.make(registry.SMOL)
            console.say(f"pulling the base of smol: {size(wanted.to_download)} from {wanted.base.repository}")
            pull.pull(wanted, console.progress("pulling smol"))
        except ThothError as error:
            console.progress_line.clear()
            console.say(f"smol, the pair that reads English, is not available; using nano ({error})")
            return registry.NANO
        console.progress_line.clear()
    return registry.SMOL


def tables(name: str) -> Iterable[str]:
    """Absorb the document of a pair's demo and ask its questions; each becomes a table of three answers."""
    demo, chosen = DEMOS[name], settings.load(paths.settings(), model=name, max_tokens=_MAX_TOKENS)
    named = ask.read(sources.expand([str(Path(__file__).parent / demo.document)]).documents)
    with workspace.load(registry.resolve(name), chosen, console.progress("loading the model")) as session:
        known = [
            ask.absorb(session.engine, session.library, one, chosen.chunking, console.progress("absorbing"))
            for one in named
        ]
        ways = {
            "from the weights": ask.from_weights(known, chosen.routing()),
            "without the document": ask.WITHOUT,
            "document in context": ask.from_context([one.document for one in named]),
        }
        for question in demo.questions:
            message = [{"role": "user", "content": question}]
            found = {}
            for label, way in ways.items():
                events = session.engine.ask(message, way.documents, way.context, way.routing, chosen.max_tokens)
                found[label] = requests.answer(events, console.progress("answering"))
            yield f"{question}\n{answers.compared(found)}"


def main() -> int:
    """Run the demo; errors are one line on stderr."""
    try:
        name = prepared()
        console.say(f"{name} absorbs examples/{DEMOS[name].document} and answers from its weights")
        for number, table in enumerate(tables(name)):
            print(table if number == 0 else f"\n{table}", flush=True)
    except ThothError as error:
        console.say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
