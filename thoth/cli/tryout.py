"""`thoth try`: the first command of a new user, which shows what Thoth does with documents that come with it."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thoth import settings
from thoth.cli import answers, console, options
from thoth.cli.start import started
from thoth.errors import ThothError
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.actions.ask import Knowledge
    from thoth.actions.tryout import Tour
    from thoth.events import Answer

_LABELS = {"weights": "from the weights", "none": "without the documents", "context": "documents in context"}


def tryout(
    copy: Annotated[
        Path | None,
        typer.Option("--copy", metavar="FOLDER", help="Copy the example documents to a folder, and do nothing else."),
    ] = None,
    pull: Annotated[
        bool, typer.Option("--pull", help="First pull smol, which reads English, if it is not here.")
    ] = False,
    json: options.Json = False,
    model: options.Model = None,
) -> None:
    """Show what Thoth does, with documents that come with it.

    The documents become weights and stay in the library. Some questions and one that no document answers are then
    answered three ways: from the weights, without the documents, and with their text in the context.
    """
    from thoth import examples
    from thoth.actions import tryout as touring
    from thoth.models import registry

    if copy is not None:
        names = examples.copy(copy)
        typer.echo(f"copied {', '.join(names)} to {copy}")
        return
    if pull and touring.can_complete_smol():
        _pull()
    chosen = settings.load(paths.settings(), model=model)
    tour = touring.tour(registry.choose(chosen.model).name)
    with started(chosen) as session:
        name = session.pair.name
        come = "comes" if len(tour.documents) == 1 else "come"
        console.say(f"{name} absorbs {', '.join(tour.documents)}, which {come} with Thoth")
        documents = session.absorb(*tour.paths)
        asked: list[dict[str, Any]] = []
        for question in (*tour.questions, tour.unknown):
            found = touring.answers(session, documents, question)
            asked.append({"question": question, "answerable": question != tour.unknown, **_texts(found)})
            if not json:
                typer.echo(f"{_shown(question, found, known=question != tour.unknown)}\n")
    if json:
        typer.echo(answers.dump({"model": name, "documents": [*map(answers.facts, documents)], "questions": asked}))
    else:
        typer.echo(_next(name, tour))


def _shown(question: str, found: "Mapping[Knowledge, Answer]", *, known: bool) -> str:
    """Return a question, its three answers, and the sentence that supports the one from the weights."""
    table = answers.compared({_LABELS[way]: answer for way, answer in found.items()})
    head = question if known else f"{question} (no document says)"
    return "\n".join(filter(None, (head, table, answers.sources(found["weights"].sources) if known else "")))


def _texts(found: "Mapping[Knowledge, Answer]") -> dict[str, str]:
    return {way: answer.text for way, answer in found.items()}


def _next(name: str, tour: "Tour") -> str:
    """Return what to do now."""
    from thoth.actions import tryout as touring
    from thoth.models import registry

    thoth = _program()
    lines = [
        ("ask", f"{thoth} ask {shlex.quote(tour.next)}"),
        ("see all of it", f"{thoth}   (the terminal app)"),
        ("your own documents", f"{thoth} absorb FILE..."),
        ("remove these", f"{thoth} docs remove {' '.join(tour.documents)}"),
    ]
    if name == registry.NANO:
        english = f"pull {registry.SMOL}" if touring.can_complete_smol() else "list --known"
        lines[2:2] = [("a model for English", f"{thoth} models {english}")]
    width = max(len(what) for what, _ in lines) + 2
    return "\n".join(["What next:", *(f"  {what:{width}}{command}" for what, command in lines)])


def _program() -> str:
    """Return what to type for `thoth`: its path, if the PATH does not lead to this installation."""
    here = Path(sys.argv[0])
    found = shutil.which("thoth")
    if here.name != "thoth" or (found and Path(found).resolve() == here.resolve()):
        return "thoth"
    return shlex.quote(str(here))


def _pull() -> None:
    """Pull smol's base; where that is not possible, nano is shown."""
    from thoth.actions import tryout as touring

    try:
        touring.complete_smol(console.progress("pulling smol, which reads English"))
    except ThothError as error:
        console.say(f"smol, the pair that reads English, is not available; using nano ({error})")
    finally:
        console.progress_line.clear()
