"""`thoth absorb`: files, folders, addresses and standard input become documents of the library."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from thoth import ingest, settings
from thoth.actions.wording import count
from thoth.cli import answers, console
from thoth.cli.start import Started, started
from thoth.errors import DocumentError, NoTextError, Stopped, ThothError, UnknownFormatError
from thoth.events import Absorbed, Failed, Progress
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.ingest.chunks import Chunking
    from thoth.library.records import StoredDocument


@dataclass
class _Result:
    """What became of everything that was named."""

    quiet: bool  # the documents are printed as JSON at the end, not as lines
    documents: "list[tuple[StoredDocument, bool]]" = field(default_factory=list)  # and whether it is new
    failed: list[tuple[str, ThothError]] = field(default_factory=list)
    skipped: int = 0

    def fail(self, source: str, error: ThothError) -> None:
        self.failed.append((source, error))
        console.say(str(error))


def absorb(
    sources: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, addresses; - for standard input.")
    ],
    chunking: Annotated[
        Literal["meaning", "tokens"] | None,
        typer.Option("--chunking", help="Cut where meaning ends, or into equal lengths. [meaning]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME|PATH", help="The model pair.")] = None,
) -> None:
    """Turn documents into weights; from then on `thoth ask` knows them.

    What cannot be read is named and left out. Chunks that are absorbed are kept, whatever happens: the same
    command goes on from there, and absorbs nothing twice.
    """
    chosen = settings.load(paths.settings(), model=model, chunking=chunking)
    result = _Result(quiet=json)
    # Mistyped names first: they should not take as long to find as a model takes to load.
    here = [source for source in sources if _is_here(source, result)]
    if here:
        with started(chosen) as session:
            for source, is_named in _expanded(here, result):
                _absorb(session, source, is_named, chosen.chunking, result)
    if json:
        typer.echo(answers.dump(_as_object(result)))
    if result.skipped:
        console.say(f"left out {result.skipped} files of other kinds")
    if not result.documents:
        _nothing(sources, result)
    if result.failed:
        console.say(f"could not absorb {len(result.failed)} of {len(result.failed) + len(result.documents)}")


def _is_here(source: str, result: _Result) -> bool:
    if source == ingest.STANDARD_INPUT or ingest.is_address(source) or os.path.lexists(source):
        return True
    result.fail(source, DocumentError(f"there is no file {ingest.shown(source)}: check the name"))
    return False


def _expanded(sources: list[str], result: _Result) -> Iterator[tuple[str, bool]]:
    """Yield every file, and whether it was named itself rather than found in a folder."""
    from thoth.ingest import folder

    for source in sources:
        if source == ingest.STANDARD_INPUT or ingest.is_address(source) or not os.path.isdir(source):
            yield source, True
            continue
        for found in folder.files(Path(source)):
            if isinstance(found, DocumentError):
                result.fail(source, found)
            else:
                yield str(found), False


def _absorb(session: Started, source: str, is_named: bool, chunking: "Chunking", result: _Result) -> None:
    name = ingest.shown(source if ingest.is_address(source) else os.path.basename(source) or source)
    last, is_new = Progress("read", 0, 1), False
    try:
        for event in session.engine.absorb(source, chunking=chunking):
            match event:
                case Progress():
                    last, is_new = event, is_new or event.stage == "absorb"
                    console.progress_line.show(f"absorbing {name}", event)
                case Failed():
                    raise event.error
                case Absorbed():
                    _keep(session, event.document, is_new, result)
    except UnknownFormatError as error:
        if is_named:
            result.fail(source, error)
        else:
            result.skipped += 1
    except (DocumentError, NoTextError) as error:
        result.fail(source, error)
    except KeyboardInterrupt:
        raise Stopped(_interrupted(name, last, len(result.documents))) from None


def _keep(session: Started, document: "StoredDocument", is_new: bool, result: _Result) -> None:
    session.library.activate([document.id], True)  # it may have been put aside, or come from `ask --doc`
    result.documents.append((document, is_new))
    console.progress_line.clear()
    if not result.quiet:
        pages = "" if document.pages is None else f"{count(document.pages, 'page')}, "
        size = f"{pages}{count(document.chunks, 'chunk')}, {count(document.tokens, 'token')}"
        typer.echo(f"{document.id}  {document.name}: {size}{'' if is_new else ', known already'}")


def _interrupted(name: str, last: Progress, finished: int) -> str:
    kept = [count(finished, "document")] if finished else []
    kept += [f"{last.done} of {last.total} chunks of {name}"] if last.stage == "absorb" and last.done else []
    return f"stopped, {' and '.join(kept) or 'nothing yet'} absorbed: run the same command to go on from there"


def _nothing(sources: list[str], result: _Result) -> None:
    """End as the last error would have it: everything was named already."""
    if not result.failed:
        raise DocumentError(f"there is no document in {', '.join(map(ingest.shown, sources))}: name files or folders")
    only_empty = all(isinstance(error, NoTextError) for _, error in result.failed)
    raise typer.Exit(NoTextError.exit_code if only_empty else DocumentError.exit_code)


def _as_object(result: _Result) -> dict[str, object]:
    return {
        "documents": [answers.facts(document) | {"new": is_new} for document, is_new in result.documents],
        "failed": [{"source": ingest.shown(source), "error": str(error)} for source, error in result.failed],
        "skipped": result.skipped,
    }
