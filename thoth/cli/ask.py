"""`thoth ask`: absorb the documents, or find them in the library, and answer a question about them."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from thoth import ingest, models, paths, settings
from thoth.cli import answers, console
from thoth.cli.answers import Source
from thoth.errors import UsageError
from thoth.events import Absorbed, Answer, Event, Failed, Progress, Token
from thoth.ingest import Document
from thoth.library import Library, StoredDocument

if TYPE_CHECKING:
    from thoth.engine import Engine


def ask(
    question: Annotated[
        str | None, typer.Argument(help="The question; - or nothing on a pipe: standard input.")
    ] = None,
    doc: Annotated[
        list[str] | None,
        typer.Option(
            "--doc",
            metavar="FILE",
            help="Text, Markdown, PDF, HTML, DOCX, EPUB or code; an address; - for standard input. May be repeated.",
        ),
    ] = None,
    no_doc: Annotated[bool, typer.Option("--no-doc", help="Answer without the documents.")] = False,
    in_context: Annotated[bool, typer.Option("--in-context", help="Answer with the documents in the context.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Answer all three ways, in a table.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME|PATH", help="The model pair; else THOTH_MODEL, or nano."),
    ] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, metavar="N", help="Where to cut the answer off.")
    ] = 256,
) -> None:
    """Answer a question from the weights that documents became."""
    if no_doc + in_context + compare > 1:
        raise UsageError("--no-doc, --in-context and --compare exclude each other: choose one")
    if compare and json:
        raise UsageError("--compare prints a table: with --json, ask one way at a time")
    if not doc and not no_doc:
        raise UsageError("name a document with --doc FILE, or ask without one with --no-doc")
    if question in (None, "-") and doc and ingest.STANDARD_INPUT in doc:
        raise UsageError("standard input is the document: write the question behind the options")
    messages = [{"role": "user", "content": _question(question)}]
    # Files first, then the model: a mistyped name should not take seconds to find.
    documents = [] if no_doc else _read(doc or [])
    pair = models.resolve(settings.model_name(model, paths.settings()))
    if pair.name == models.NANO:
        _introduce_nano()

    from thoth.engine import Engine

    with Engine(Library(paths.documents())) as engine:
        _last(engine.load(pair), "loading the model")
        read = documents if in_context else []
        known = [] if in_context else [_absorbed(engine, document) for document in documents]
        if compare:
            ways = {
                "from the weights": engine.ask(messages, known, max_tokens=max_tokens),
                "without the document": engine.ask(messages, max_tokens=max_tokens),
                "document in context": engine.ask(messages, context=documents, max_tokens=max_tokens),
            }
            typer.echo(answers.table({way: _answer(events) for way, events in ways.items()}))
            return
        events = engine.ask(messages, known, read, max_tokens)
        if json:
            answer = _answer(events)
            sources = [Source(stored.id, stored.name, stored.chunks) for stored in known]
            sources += [Source(engine.document_id(document), document.name, 0) for document in read]
            typer.echo(answers.as_json(answer, pair.name, sources))
        elif sys.stdout.isatty():
            _answer(events, _write)
            typer.echo()
        else:
            typer.echo(_answer(events).text)


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


def _read(sources: Iterable[str]) -> list[Document]:
    """Read the documents; the same text twice counts once, for two equal adapters would double its weight."""
    documents = [ingest.read(source) for source in sources]
    return list({document.sha256: document for document in documents}.values())


def _introduce_nano() -> None:
    """Say once what nano is; a home that cannot be written only means that it is said again."""
    marker = paths.home() / "nano-introduced"
    if marker.exists():
        return
    console.say("nano, the built-in model, is a demonstration: it reads short factual notes, and little else")
    with suppress(OSError):
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()


def _last(events: Iterator[Event], label: str = "", write: Callable[[str], None] | None = None) -> Event:
    """Follow a request to its last event; raises the error it ended with."""
    for event in events:
        match event:
            case Progress():
                console.progress_line.show(label, event)
            case Token():
                if write is not None:
                    write(event.text)
            case Failed():
                raise event.error
    console.progress_line.clear()
    return event


def _absorbed(engine: "Engine", document: Document) -> StoredDocument:
    event = _last(engine.absorb(document), f"absorbing {document.name}")
    assert isinstance(event, Absorbed)
    return event.document


def _answer(events: Iterator[Event], write: Callable[[str], None] | None = None) -> Answer:
    event = _last(events, write=write)
    assert isinstance(event, Answer)
    return event


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
