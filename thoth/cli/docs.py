"""`thoth docs`: list and change the documents of the library."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from thoth import settings
from thoth.actions.wording import count
from thoth.cli import answers, console, table
from thoth.cli.edge import Command, Group
from thoth.cli.start import started
from thoth.errors import Stopped, ThothError, UsageError
from thoth.system import paths
from thoth.system.machine import size

if TYPE_CHECKING:
    from thoth.actions.about import About
    from thoth.library.library import Library
    from thoth.library.records import StoredChunk, StoredDocument

docs = typer.Typer(cls=Group, help="List and change the documents of the library.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ID", help="An id, its first letters, or a name.")]
Names = Annotated[list[str], typer.Argument(metavar="ID", help="Ids, their first letters, or names.")]
Collection = Annotated[str, typer.Argument(metavar="COLLECTION", help="Its name; upper and lower case are the same.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Model = Annotated[str | None, typer.Option("--model", metavar="NAME|PATH", help="The model pair.")]

_COLUMNS = ("id", "name", "state", "active", "pages", "chunks", "tokens", "size", "added")
_NUMBERS = ("pages", "chunks", "tokens", "size")
_SPARE = ("added", "tokens", "pages")
_SHORT_ID = 8


@docs.command("list", cls=Command)
def list_documents(
    inside: Annotated[
        str | None, typer.Option("--in", metavar="COLLECTION", help="Only those of this collection.")
    ] = None,
    json: Json = False,
    model: Model = None,
) -> None:
    """List the documents, newest first."""
    library, bundle = _library(), _bundle(model)
    documents = library.documents() if inside is None else library.collection(inside)
    if json:
        typer.echo(answers.dump({"documents": [answers.facts(document, bundle) for document in documents]}))
    elif documents:
        typer.echo(_table(documents, bundle))
        stale = sum(document.state(bundle) == "stale" for document in documents)
        if stale:
            console.say(f"{stale} stale: absorbed with another model; `thoth docs update` absorbs them again")
    else:
        console.say("the library is empty; add documents with `thoth absorb PATH`")


@docs.command(cls=Command)
def show(
    name: Name,
    text: Annotated[bool, typer.Option("--text", help="Print the text as it was read.")] = False,
    chunks: Annotated[bool, typer.Option("--chunks", help="Print the text of each chunk.")] = False,
    json: Json = False,
    model: Model = None,
) -> None:
    """Show facts, text or chunks of a document."""
    from thoth.actions import about

    library = _library()
    document = library.get(name, loosely=True)
    bundle, told = _bundle(model), about.of(library, document.id)
    parts = library.chunks(document.id) if chunks else []
    if json:
        extra: dict[str, object] = {"text": library.document(document.id).text} if text else {}
        extra |= {"parts": [_part(chunk) for chunk in parts]} if chunks else {}
        typer.echo(answers.dump(answers.facts(document, bundle) | told | extra))
        return
    if not (text or chunks):
        typer.echo(table.labelled(_described(document, bundle, told)))
    if text:
        typer.echo(library.document(document.id).text)
    for chunk in parts:
        typer.echo(f"--- {_place(chunk)}\n{chunk.text.strip()}\n")


@docs.command(cls=Command)
def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    json: Json = False,
) -> None:
    """Rename a document."""
    library = _library()
    _say([library.rename(library.get(name).id, new)], "renamed", json)


@docs.command(cls=Command)
def remove(
    names: Names,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    json: Json = False,
) -> None:
    """Remove documents and their adapters.

    The files that they were read from stay.
    """
    library = _library()
    documents = _chosen(library, names)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("confirmation needed, but stdin is not a terminal; pass --yes")
        shown = ", ".join(document.name for document in documents)
        typer.confirm(f"Remove {count(len(documents), 'document')} ({table.cut(shown, 200)})?", abort=True, err=True)
    for document in documents:
        library.remove(document.id)
    _say(documents, "removed", json)


@docs.command(cls=Command)
def activate(names: Names, json: Json = False) -> None:
    """Use documents for answers."""
    _activate(names, True, json)


@docs.command(cls=Command)
def deactivate(names: Names, json: Json = False) -> None:
    """Keep documents, but do not use them for answers."""
    _activate(names, False, json)


@docs.command(cls=Command)
def tag(collection: Collection, names: Names, json: Json = False) -> None:
    """Put documents into a collection.

    `thoth ask --in COLLECTION` answers from its documents, active or not.
    """
    library = _library()
    ids = [document.id for document in _chosen(library, names)]
    name = library.tag(collection, ids)
    _say(library.known(ids), "tagged", json, f"in {name}")


@docs.command(cls=Command)
def untag(
    collection: Collection,
    names: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Which documents; all without any.")] = None,
    json: Json = False,
) -> None:
    """Take documents out of a collection; they stay in the library."""
    library = _library()
    inside = library.collection(collection)
    ids = [document.id for document in (_chosen(library, names) if names else inside)]
    library.untag(collection, ids)
    _say(library.known(ids), "untagged", json, f"no longer in {collection}")


@docs.command(cls=Command)
def update(
    names: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Which documents; all without any.")] = None,
    json: Json = False,
    model: Model = None,
) -> None:
    """Absorb changed, stale and incomplete documents again.

    These are documents whose file has changed, that another model absorbed, or that are not completely absorbed. Web
    pages are fetched again only if they are named.
    """
    from thoth.actions import readable
    from thoth.actions import update as updating
    from thoth.actions.sources import Failure
    from thoth.events import Progress

    library, name = _library(), ""
    documents = _chosen(library, names) if names else library.documents()
    report = updating.Report()

    def listen(stored: "StoredDocument", step: Progress | updating.Updated | Failure) -> None:
        match step:
            case Progress():
                console.progress_line.show(f"absorbing {stored.name}", step)
            case Failure():
                console.say(f"{stored.name} not updated: {step.error}")
            case updating.Updated():
                console.progress_line.clear()
                if not json:
                    typer.echo(f"{step.document.id}  {stored.name}: {step.update.reason}, absorbed again")
                if warning := readable.warning(step.document, name):
                    console.say(warning)

    if documents:
        chosen = settings.load(paths.settings(), model=model)
        with started(chosen) as session:
            name = session.pair.name
            try:
                report = updating.update(
                    session.engine,
                    session.library,
                    documents,
                    listen,
                    fetch=bool(names),
                    ask=console.may_fetch,
                    recognize=chosen.ocr == "on",
                )
            except KeyboardInterrupt:
                raise Stopped("stopped; finished chunks are kept, run the same command to resume") from None
    if json:
        changed = [
            answers.facts(one.document) | {"was": one.update.stored.id, "reason": one.update.reason}
            for one in report.done
        ]
        failed = [{"id": failure.source, "error": str(failure.error)} for failure in report.failed]
        typer.echo(answers.dump({"updated": changed, "up_to_date": report.up_to_date, "failed": failed}))
    elif not report.done and not report.failed:
        console.say(f"{count(len(documents), 'document')} up to date")
    raise typer.Exit(report.exit_code)


def _library() -> "Library":
    from thoth.library.library import Library

    return Library(paths.home())


def _bundle(model: str | None) -> str | None:
    """Return the id of the bundle in use, or None: the library can be listed without a model."""
    from thoth.models import registry

    try:
        return registry.bundle_id(registry.choose(settings.load(paths.settings(), model=model).model))
    except ThothError as error:
        if model is not None:
            raise
        console.say(str(error))
        return None


def _chosen(library: "Library", names: Sequence[str]) -> "list[StoredDocument]":
    """Return the named documents, each once; all are found before one is changed."""
    return list({document.id: document for document in map(library.get, names)}.values())


def _activate(names: Sequence[str], active: bool, json: bool) -> None:
    library = _library()
    documents = _chosen(library, names)
    library.activate([document.id for document in documents], active)
    changed = [library.get(document.id) for document in documents]
    _say(changed, "activated" if active else "deactivated", json)


def _say(documents: "Sequence[StoredDocument]", what: str, json: bool, words: str = "") -> None:
    if json:
        typer.echo(answers.dump({what: [answers.facts(document) for document in documents]}))
    else:
        for document in documents:
            typer.echo(f"{document.id}  {document.name}: {words or what}")


def _table(documents: "Sequence[StoredDocument]", bundle: str | None) -> str:
    """Return the documents as a table; a column says which collections they are in, if there are any."""
    rows = [_row(document, bundle) for document in documents]
    if not any(document.collections for document in documents):
        return table.show(_COLUMNS, rows, right=_NUMBERS, spare=_SPARE)
    rows = [[*row, ", ".join(one.collections) or "-"] for row, one in zip(rows, documents, strict=True)]
    return table.show((*_COLUMNS, "in"), rows, right=_NUMBERS, spare=(*_SPARE, "size", "chunks"))


def _described(document: "StoredDocument", bundle: str | None, about: "About") -> dict[str, str]:
    """Return what is shown of one document: labels and values."""
    state = document.state(bundle)
    readable = {None: "-", True: "yes", False: "no"}[document.readable]
    return {
        "id": document.id,
        "name": document.name,
        "source": document.source or "-",
        "state": f"{document.absorbed} of {document.chunks} chunks absorbed" if state == "absorbing" else state,
        "active": "yes" if document.active else "no",
        "pages": "-" if document.pages is None else str(document.pages),
        "chunks": f"{document.chunks}, cut by {document.chunking}",
        "tokens": f"{document.tokens:,}",
        "size": size(document.bytes),
        "added": f"{document.added.astimezone():%Y-%m-%d %H:%M}",
        "collections": ", ".join(document.collections) or "-",
        "model": document.bundle,
        "readable": readable if document.loss is None else f"{readable}, a loss of {document.loss:.1f} nats a token",
        "summary": about["summary"] or "-",
        "questions": "\n".join(about["questions"]) or "-",
    }


def _row(document: "StoredDocument", bundle: str | None) -> list[str]:
    state = document.state(bundle)
    return [
        document.id[:_SHORT_ID],
        document.name,
        f"{document.absorbed}/{document.chunks}" if state == "absorbing" else state,
        "yes" if document.active else "no",
        "-" if document.pages is None else str(document.pages),
        str(document.chunks),
        f"{document.tokens:,}",
        size(document.bytes),
        f"{document.added.astimezone():%Y-%m-%d}",
    ]


def _part(chunk: "StoredChunk") -> dict[str, object]:
    return {
        "number": chunk.ref.number,
        "pages": chunk.pages,
        "headings": chunk.headings,
        "tokens": chunk.tokens,
        "text": chunk.text,
    }


def _place(chunk: "StoredChunk") -> str:
    from thoth.ingest.names import shown

    pages = "" if chunk.pages is None else f", pages {chunk.pages[0]} to {chunk.pages[1]}"
    headings = "".join(f", {shown(heading)}" for heading in chunk.headings)
    return f"chunk {chunk.ref.number + 1}{pages}{headings}, {chunk.tokens} tokens"
