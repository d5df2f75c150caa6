"""`thoth ask`: answer a question from the documents that are named, or from the library's active ones."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from thoth import settings
from thoth.cli import agent as tools
from thoth.cli import answers, console, options, piped
from thoth.cli.answers import Source
from thoth.cli.chat import not_saved, resumed
from thoth.cli.start import started
from thoth.errors import ThothError, UsageError
from thoth.system import paths

UNSUPPORTED_EXIT = 7  # of --strict

if TYPE_CHECKING:
    from thoth.actions import sources as places
    from thoth.actions.ask import Named, Way
    from thoth.actions.chat import Chat
    from thoth.actions.workspace import Workspace
    from thoth.events import Answer
    from thoth.ingest import Document
    from thoth.ingest.chunks import Chunking
    from thoth.library.records import StoredDocument


def ask(
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="The question; - or a pipe: standard input.")
    ] = None,
    doc: Annotated[
        list[str] | None,
        typer.Option(
            "--doc",
            metavar="FILE|NAME",
            help="Answer from this document only: a file, an address, - for standard input, or the name or id of a"
            " document of the library. May be repeated."
            " Without it: from a pipe beside the question, else from the active documents.",
        ),
    ] = None,
    inside: options.Inside = None,
    go_on: options.GoOn = False,
    chat: options.ChatName = None,
    template: Annotated[
        str | None,
        typer.Option("--template", "-t", metavar="NAME", help="Put the question into a template of `thoth templates`."),
    ] = None,
    system: options.System = None,
    agent: options.Agent = False,
    allow: options.Allow = None,
    no_doc: Annotated[bool, typer.Option("--no-doc", help="Answer without the documents.")] = False,
    in_context: Annotated[bool, typer.Option("--in-context", help="Answer with the documents in the context.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Answer all three ways, in a table.")] = False,
    sources: Annotated[bool, typer.Option("--sources", help="Print the passages that support the answer.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 7 if nothing in the documents supports the answer.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print what supports the answer.")] = False,
    route: options.Route = None,
    top_k: options.TopK = None,
    with_text: options.WithText = None,
    fallback: options.Fallback = None,
    temp: options.Temp = None,
    top_p: options.TopP = None,
    seed: options.Seed = None,
    ocr: Annotated[bool | None, typer.Option("--ocr/--no-ocr", help=console.OCR_HELP)] = None,
    json: options.Json = False,
    no_save: Annotated[bool, typer.Option("--no-save", help="Do not keep question and answer as a chat.")] = False,
    model: options.Model = None,
    max_tokens: options.MaxTokens = None,
) -> None:
    """Answer a question from the weights that documents became.

    Documents given with --doc are absorbed, or found in the library, and kept there, but not activated: `thoth absorb`
    and `thoth docs activate` do that.
    """
    from thoth import ingest
    from thoth.actions import ask as asking
    from thoth.actions import templates
    from thoth.actions.chat import Chat
    from thoth.chats.sessions import Sessions
    from thoth.library.library import Library

    if no_doc + in_context + compare > 1:
        raise UsageError("--no-doc, --in-context and --compare exclude each other; use one")
    if compare and (json or sources):
        raise UsageError("--compare prints a table; use it without --json and --sources")
    if strict and (compare or no_doc or in_context):
        raise UsageError("--strict needs an answer from the weights; use it without --compare, --no-doc, --in-context")
    if sources and (no_doc or in_context):
        raise UsageError("--sources needs absorbed documents; use it without --no-doc and --in-context")
    if question in (None, "-") and doc and ingest.STANDARD_INPUT in doc:
        raise UsageError("standard input is the document; give the question as an argument")
    if compare and (go_on or chat):
        raise UsageError("--compare answers one question; use it without --continue and --chat")
    if inside is not None and (doc or no_doc):
        raise UsageError("--in names the documents; use it without --doc and --no-doc")
    if agent and (compare or in_context):
        raise UsageError("--agent answers from memory and tools; use it without --compare and --in-context")
    if allow is not None and not agent:
        raise UsageError("--allow is for tools; use it with --agent")
    form = templates.load(paths.templates(), template) if template else templates.Template("")
    flags = {
        "model": model,
        "route": route,
        "top_k": top_k,
        "with_text": with_text,
        "fallback": fallback,
        "temp": temp,
        "top_p": top_p,
        "seed": seed,
        "max_tokens": max_tokens,
        "ocr": console.switch(ocr),
    }
    given = {name: value for name, value in flags.items() if value is not None}
    chosen = settings.load(paths.settings(), **{**form.settings, **given})
    permitted = tools.allowed(allow, [*chosen.mcp])
    sessions = Sessions(paths.home())
    earlier = resumed(sessions, go_on, chat)
    typed = "" if question is None and template and not form.needs_input else _question(question)
    is_piped = not (doc or no_doc or inside) and (question or not typed) and question != "-" and piped.is_document()
    # Files first, then the model: a misspelt name should not take seconds to find.
    names = [ingest.STANDARD_INPUT] if is_piped else doc or []
    sources_named = () if no_doc else _sources(names, recognize=chosen.ocr == "on")
    named = asking.read(sources_named, Library(paths.home())) if sources_named else []
    collection = None if inside is None else Library(paths.home()).collection(inside)
    if not (no_doc or named or earlier or agent or collection):
        _require_library()

    with started(chosen) as session, ExitStack() as ending:
        stored = None if no_save or compare else sessions
        worker = ending.enter_context(tools.begun(session, stored, permitted, quiet=quiet)) if agent else None
        own = form.system if system is None else system
        talk = Chat(session, sessions, not_saved, earlier, own, keeps=stored is not None)

        def answer(way: "Way", write: bool = False) -> "Answer":
            respond = partial(worker.answer, talk) if worker else None
            return talk.ask(form.fill(typed), way, answers.listener(write), respond)

        before = None if named or earlier is None else asking.named_in(session.library, earlier.documents)
        before = before if collection is None else collection
        known, read = _documents(
            session, named, before, in_context or compare, not (no_doc or in_context), chosen.chunking
        )
        from_weights = asking.from_weights(known, chosen.routing())
        if compare:
            ways = {
                "from the weights": asking.from_weights(known, replace(chosen.routing(), fallback="none")),
                "without the document": asking.WITHOUT,
                "document in context": asking.from_context(read),
            }
            alone = {name: Chat(session, None, not_saved, system=talk.system) for name in ways}
            asked = form.fill(typed)
            typer.echo(answers.compared({name: alone[name].ask(asked, way) for name, way in ways.items()}))
            return
        way = asking.WITHOUT if no_doc else asking.from_context(read) if in_context else from_weights
        if json:
            found = answer(way)
            based_on = _based_on(found, [*known, *talk.remembered.documents], all_of_them=bool(named))
            based_on += [Source(session.engine.document_id(document), document.name, 0) for document in read]
            chat_id = talk.session.id if stored and talk.session else None
            steps = worker.facts() if worker else {}
            typer.echo(answers.as_json(found, session.pair.name, based_on, chat_id, steps))
            _remember(talk)
            _require_support(found, strict)
            return
        is_terminal = sys.stdout.isatty()
        found = answer(way, write=is_terminal)
        typer.echo("" if is_terminal else found.text)
        if sources:
            typer.echo(f"\n{answers.sources(found.sources)}")
        elif way.knowledge == "weights" and not quiet and (known or talk.remembered.documents):
            console.label(asking.support(found), good=found.support == "supported")
        _remember(talk)
        _require_support(found, strict)


def _remember(talk: "Chat") -> None:
    """Absorb turns that no longer fit in the window; what fails or is stopped is tried again with the next question."""
    try:
        talk.remember(console.progress("absorbing the oldest turns of this chat"))
    except ThothError as error:
        console.say(f"the oldest turns stay in the context: {error}")
    finally:
        console.progress_line.clear()


def _require_support(answer: "Answer", strict: bool) -> None:
    """End with the exit code for an answer that nothing supports, where that was asked for."""
    if strict and answer.support != "supported":
        raise typer.Exit(UNSUPPORTED_EXIT)


def _sources(names: list[str], *, recognize: bool) -> "tuple[places.Source, ...]":
    """Return the sources that --doc names; one that may not be fetched ends the command."""
    from thoth.actions import sources as places

    named = places.Sources(tuple(places.Source(places.path_of(name)) for name in names))
    named = places.permit(named, console.may_fetch, recognize=recognize)
    if named.failed:
        raise named.failed[0].error
    return named.documents


def _question(argument: str | None) -> str:
    """Return the question from the command line or, for `-` or none on a pipe, from standard input."""
    if argument is None and sys.stdin.isatty():
        raise UsageError("no question; run: thoth ask --doc FILE QUESTION")
    if argument in (None, "-"):
        try:
            argument = sys.stdin.read()
        except UnicodeDecodeError as error:
            raise UsageError("the question on standard input is not text; send it as UTF-8") from error
    question = argument.strip()
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the question is not text; type it as UTF-8") from error
    if not question:
        raise UsageError("the question is empty; give it as an argument or on standard input")
    return question


def _require_library() -> None:
    from thoth.library.library import Library

    if not Library(paths.home()).documents(active=True):
        raise UsageError(
            "no active documents in the library; name one with --doc FILE, absorb some with `thoth absorb`, or ask "
            "without documents: --no-doc"
        )


def _documents(
    session: "Workspace",
    named: "Sequence[Named]",
    before: "Sequence[StoredDocument] | None",
    in_context: bool,
    from_weights: bool,
    chunking: "Chunking",
) -> "tuple[list[StoredDocument], list[Document]]":
    """Return the documents to answer from weights, and those to read in the context.

    Those that are named now, else those that were named earlier in the chat (`before`), else the active ones.
    """
    from thoth.actions import ask as asking
    from thoth.actions import readable

    if named:
        known = []
        for one in named if from_weights else []:
            label = console.progress(f"absorbing {one.document.name}")
            known.append(asking.absorb(session.engine, session.library, one, chunking, label))
            if warning := readable.warning(known[-1], session.pair.name):
                console.say(warning)
        return known, [one.document for one in named] if in_context else []
    if not (in_context or from_weights):
        return [], []
    active = session.library.documents(active=True) if before is None else [*before]
    ready, left_out = asking.ready(active, session.engine.bundle_id, partial=True, inactive=before is not None)
    if left_out:
        console.say(asking.not_ready(len(left_out), "active document" if before is None else "document"))
    read = [session.library.document(document.id) for document in active] if in_context else []
    return ready if from_weights else [], read


def _based_on(answer: "Answer", known: "Sequence[StoredDocument]", all_of_them: bool) -> list[Source]:
    """Return the documents that were named or, from the whole library, those with a chunk attached."""
    attached = {chunk.document for chunk in answer.stats.chunks}
    return [Source(one.id, one.name, one.chunks) for one in known if all_of_them or one.id in attached]
