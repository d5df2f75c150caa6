"""`thoth ask`: answer a question from the documents that are named, or from the library's active ones."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from thoth import ingest, settings
from thoth.cli import answers, console, follow
from thoth.cli.answers import Source
from thoth.cli.start import Started, started
from thoth.errors import UsageError
from thoth.ingest import Document
from thoth.retrieval.routing import Route
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.events import Answer
    from thoth.ingest.chunks import Chunking
    from thoth.library.records import StoredDocument


def ask(
    question: Annotated[
        str | None, typer.Argument(help="The question; - or nothing on a pipe: standard input.")
    ] = None,
    doc: Annotated[
        list[str] | None,
        typer.Option(
            "--doc",
            metavar="FILE",
            help="Answer from this document alone: any file, an address, - for standard input. May be repeated."
            " Without it: from the library's active documents.",
        ),
    ] = None,
    no_doc: Annotated[bool, typer.Option("--no-doc", help="Answer without the documents.")] = False,
    in_context: Annotated[bool, typer.Option("--in-context", help="Answer with the documents in the context.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Answer all three ways, in a table.")] = False,
    sources: Annotated[bool, typer.Option("--sources", help="Print the passages that support the answer.")] = False,
    route: Annotated[
        Route | None, typer.Option("--route", help="Attach the chunks that fit the question, all, or none. [auto]")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", min=1, metavar="N", help="Most chunks that are attached. [4]")
    ] = None,
    with_text: Annotated[
        int | None,
        typer.Option("--with-text", min=0, metavar="N", help="Put the N best passages into the context too. [0]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME|PATH", help="The model pair; else THOTH_MODEL, or the best there is."),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, metavar="N", help="Where to cut the answer off. [256]")
    ] = None,
) -> None:
    """Answer a question from the weights that documents became.

    What --doc names is absorbed, or found in the library, and kept there for the next time; it does not join the
    active documents: `thoth absorb` and `thoth docs activate` do that.
    """
    if no_doc + in_context + compare > 1:
        raise UsageError("--no-doc, --in-context and --compare exclude each other: choose one")
    if compare and (json or sources):
        raise UsageError("--compare prints a table: with --json or --sources, ask one way at a time")
    if sources and (no_doc or in_context):
        raise UsageError("--sources looks in absorbed documents: leave out --no-doc and --in-context")
    if question in (None, "-") and doc and ingest.STANDARD_INPUT in doc:
        raise UsageError("standard input is the document: write the question behind the options")
    chosen = settings.load(
        paths.settings(), model=model, route=route, top_k=top_k, with_text=with_text, max_tokens=max_tokens
    )
    messages = [{"role": "user", "content": _question(question)}]
    # Files first, then the model: a mistyped name should not take seconds to find.
    named = [] if no_doc else _read(doc or [])
    if not (no_doc or named):
        _require_library()

    with started(chosen) as session:
        engine, limit, routing = session.engine, chosen.max_tokens, chosen.routing()
        known, read = _documents(session, named, in_context or compare, not (no_doc or in_context), chosen.chunking)
        if compare:
            ways = {
                "from the weights": engine.ask(messages, known, routing=routing, max_tokens=limit),
                "without the document": engine.ask(messages, max_tokens=limit),
                "document in context": engine.ask(messages, context=read, max_tokens=limit),
            }
            typer.echo(answers.compared({way: follow.answer(events) for way, events in ways.items()}))
            return
        events = engine.ask(messages, known, read, routing, limit)
        if json:
            answer = follow.answer(events)
            stands_on = _stands_on(answer, known, all_of_them=bool(named))
            stands_on += [Source(engine.document_id(document), document.name, 0) for document in read]
            typer.echo(answers.as_json(answer, session.pair.name, stands_on))
            return
        if sys.stdout.isatty():
            answer = follow.answer(events, follow.write_now)
            typer.echo()
        else:
            answer = follow.answer(events)
            typer.echo(answer.text)
        if sources:
            typer.echo(f"\n{answers.sources(answer.sources)}")


def _question(argument: str | None) -> str:
    """Return the question from the command line or, for `-` or none on a pipe, from standard input."""
    if argument is None and sys.stdin.isatty():
        raise UsageError("ask a question: thoth ask --doc FILE QUESTION")
    if argument in (None, "-"):
        try:
            argument = sys.stdin.read()
        except UnicodeDecodeError as error:
            raise UsageError("the question on standard input is not text: send it as UTF-8") from error
    question = argument.strip()
    if not question:
        raise UsageError("the question is empty: write it behind the options, or on standard input")
    return question


class _Named(NamedTuple):
    """A document that --doc names, and where it came from: an absolute path, an address, or standard input."""

    document: Document
    origin: str | None


def _read(sources: Iterable[str]) -> list[_Named]:
    """Read the documents; the same text twice counts once, for two equal adapters would double its weight."""
    documents = [_Named(ingest.read(source), _origin(source)) for source in sources]
    return list({named.document.sha256: named for named in documents}.values())


def _origin(source: str) -> str | None:
    if source == ingest.STANDARD_INPUT:
        return None
    return source if ingest.is_address(source) else os.path.abspath(source)


def _require_library() -> None:
    from thoth.library.library import Library

    if not Library(paths.home()).documents(active=True):
        raise UsageError(
            "the library has no active document: name one with --doc FILE, absorb some with `thoth absorb`, or ask "
            "without any with --no-doc"
        )


def _documents(
    session: Started, named: Sequence[_Named], in_context: bool, from_weights: bool, chunking: "Chunking"
) -> tuple[list["StoredDocument"], list[Document]]:
    """Return the documents known from the weights, and those to be read in the context."""
    if named:
        known = [_absorbed(session, one, chunking) for one in named] if from_weights else []
        return known, [one.document for one in named] if in_context else []
    if not (in_context or from_weights):
        return [], []
    active = session.library.documents(active=True)
    fitting = [document for document in active if document.bundle == session.engine.bundle_id and document.absorbed]
    if left_out := len(active) - len(fitting):
        console.say(f"{left_out} active documents are not ready for {session.pair.name}: run `thoth docs update`")
    read = [session.library.document(document.id) for document in active] if in_context else []
    return fitting if from_weights else [], read


def _absorbed(session: Started, named: _Named, chunking: "Chunking") -> "StoredDocument":
    """Absorb a document for this question; one that is new in the library does not become active by it."""
    engine, library, (document, origin) = session.engine, session.library, named
    id = engine.document_id(document, chunking)
    is_new = library.find(document.sha256, engine.bundle_id or "", chunking) is None
    try:
        return follow.document(engine.absorb(document, chunking=chunking, source_name=origin), document.name)
    finally:
        if is_new and library.find(document.sha256, engine.bundle_id or "", chunking):
            library.activate([id], False)


def _stands_on(answer: "Answer", known: Sequence["StoredDocument"], all_of_them: bool) -> list[Source]:
    """Return what was named or, of a whole library, the documents with a chunk attached."""
    attached = {chunk.document for chunk in answer.stats.chunks}
    return [Source(one.id, one.name, one.chunks) for one in known if all_of_them or one.id in attached]
