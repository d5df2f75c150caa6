"""`thoth docs`: what is in the library, and what is done with it."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from thoth import ingest, settings
from thoth.actions.wording import count
from thoth.cli import answers, console, follow, table
from thoth.cli.start import started
from thoth.errors import DocumentError, NoTextError, Stopped, ThothError, UsageError
from thoth.models import registry
from thoth.system import paths
from thoth.system.machine import size

if TYPE_CHECKING:
    from thoth.ingest.chunks import Chunking
    from thoth.library.library import Library
    from thoth.library.records import StoredChunk, StoredDocument

docs = typer.Typer(help="The library: list, show, rename, remove, activate, deactivate, update.", no_args_is_help=True)

Names = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, their first letters, or names.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Model = Annotated[str | None, typer.Option("--model", metavar="NAME|PATH", help="The model pair.")]

_COLUMNS = ("id", "name", "state", "active", "pages", "chunks", "tokens", "size", "added")
_NUMBERS = ("pages", "chunks", "tokens", "size")
_SPARE = ("added", "tokens", "pages")
_SHORT_ID = 8


@docs.command("list")
def list_documents(json: Json = False, model: Model = None) -> None:
    """List the documents, the newest first."""
    library, bundle = _library(), _bundle(model)
    documents = library.documents()
    if json:
        typer.echo(answers.dump({"documents": [answers.facts(document, bundle) for document in documents]}))
    elif documents:
        typer.echo(table.show(_COLUMNS, [_row(one, bundle) for one in documents], right=_NUMBERS, spare=_SPARE))
        stale = sum(document.state(bundle) == "stale" for document in documents)
        if stale:
            console.say(f"{stale} stale: another model absorbed them; `thoth docs update` absorbs them again")
    else:
        console.say("the library is empty: `thoth absorb PATH` fills it")


@docs.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="An id, its first letters, or a name.")],
    text: Annotated[bool, typer.Option("--text", help="Print the text as it was read.")] = False,
    chunks: Annotated[bool, typer.Option("--chunks", help="Print the text of each chunk.")] = False,
    json: Json = False,
    model: Model = None,
) -> None:
    """Show what is known of a document."""
    library = _library()
    document = library.get(name)
    facts = answers.facts(document, _bundle(model))
    parts = library.chunks(document.id) if chunks else []
    if json:
        extra: dict[str, object] = {"text": library.document(document.id).text} if text else {}
        extra |= {"parts": [_part(chunk) for chunk in parts]} if chunks else {}
        typer.echo(answers.dump(facts | extra))
        return
    if not (text or chunks):
        width = max(map(len, facts))
        for fact, value in facts.items():
            typer.echo(f"{fact:<{width}}  {'-' if value is None else value}")
    if text:
        typer.echo(library.document(document.id).text)
    for chunk in parts:
        typer.echo(f"--- {_place(chunk)}\n{chunk.text.strip()}\n")


@docs.command()
def rename(
    name: Annotated[str, typer.Argument(metavar="ID", help="An id, its first letters, or a name.")],
    new: Annotated[str, typer.Argument(metavar="NAME", help="What it is to be called.")],
    json: Json = False,
) -> None:
    """Give a document another name."""
    library = _library()
    _say([library.rename(library.get(name).id, new)], "renamed", json)


@docs.command()
def remove(
    names: Names,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove documents and what they became; the files they were read from stay."""
    library = _library()
    documents = _chosen(library, names)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("removing asks first, and nobody is there to answer: say --yes")
        shown = ", ".join(document.name for document in documents)
        typer.confirm(f"Remove {count(len(documents), 'document')} ({table.cut(shown, 200)})?", abort=True, err=True)
    for document in documents:
        library.remove(document.id)
    _say(documents, "removed", json)


@docs.command()
def activate(names: Names, json: Json = False) -> None:
    """Let documents be used for answers."""
    _activate(names, True, json)


@docs.command()
def deactivate(names: Names, json: Json = False) -> None:
    """Keep documents, and leave them out of answers."""
    _activate(names, False, json)


@docs.command()
def update(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Which; all of them if none.")] = None,
    json: Json = False,
    model: Model = None,
) -> None:
    """Absorb again what changed on disk, what another model absorbed, and what was left unfinished.

    Web pages are fetched again only where they are named.
    """
    from thoth.actions import update as updates

    library = _library()
    documents = _chosen(library, names) if names else library.documents()
    done: Counter[str] = Counter()
    failed: list[dict[str, str]] = []
    changed: list[dict[str, object]] = []
    if documents:
        with started(settings.load(paths.settings(), model=model)) as session:
            for stored in documents:
                try:
                    found = updates.find(library, stored, session.engine.bundle_id or "", fetch=bool(names))
                    if found is None:
                        done["up to date"] += 1
                        continue
                    chunking: Chunking = "tokens" if stored.chunking == "tokens" else "meaning"
                    events = session.engine.absorb(found.text, chunking=chunking, source_name=stored.source)
                    new = follow.document(events, stored.name)
                    library.supersede(stored.id, new.id)
                except KeyboardInterrupt:
                    raise Stopped("stopped: what is absorbed is kept, the same command goes on from there") from None
                except (DocumentError, NoTextError) as error:
                    console.say(f"{stored.name} stays as it is: {error}")
                    failed.append({"id": stored.id, "error": str(error)})
                    continue
                done[found.reason] += 1
                changed.append(answers.facts(library.get(new.id)) | {"was": stored.id, "reason": found.reason})
                if not json:
                    typer.echo(f"{new.id}  {stored.name}: {found.reason}, absorbed again")
    if json:
        typer.echo(answers.dump({"updated": changed, "up_to_date": done["up to date"], "failed": failed}))
    elif not changed and not failed:
        console.say(f"up to date: {count(len(documents), 'document')}")
    if failed and not changed and not done:
        raise typer.Exit(DocumentError.exit_code)


def _library() -> "Library":
    from thoth.library.library import Library

    return Library(paths.home())


def _bundle(model: str | None) -> str | None:
    """Return the id of the bundle in use; without one, the library can be looked at all the same."""
    try:
        return registry.bundle_id(registry.choose(settings.load(paths.settings(), model=model).model))
    except ThothError as error:
        if model is not None:
            raise
        console.say(str(error))
        return None


def _chosen(library: "Library", names: Sequence[str]) -> "list[StoredDocument]":
    """Return the documents that are meant, each once, before anything is done to one of them."""
    return list({document.id: document for document in map(library.get, names)}.values())


def _activate(names: Sequence[str], active: bool, json: bool) -> None:
    library = _library()
    documents = _chosen(library, names)
    library.activate([document.id for document in documents], active)
    changed = [library.get(document.id) for document in documents]
    _say(changed, "activated" if active else "deactivated", json)


def _say(documents: "Sequence[StoredDocument]", what: str, json: bool) -> None:
    if json:
        typer.echo(answers.dump({what: [answers.facts(document) for document in documents]}))
    else:
        for document in documents:
            typer.echo(f"{document.id}  {document.name}: {what}")


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
    pages = "" if chunk.pages is None else f", pages {chunk.pages[0]} to {chunk.pages[1]}"
    headings = "".join(f", {ingest.shown(heading)}" for heading in chunk.headings)
    return f"chunk {chunk.ref.number}{pages}{headings}, {chunk.tokens} tokens"
