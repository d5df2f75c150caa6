"""`thoth absorb`: files, folders, addresses and standard input become documents of the library."""

from typing import TYPE_CHECKING, Annotated

import typer

from thoth import settings
from thoth.actions.wording import count
from thoth.cli import answers, console
from thoth.cli.start import started
from thoth.errors import DocumentError, Stopped
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.actions.absorb import Done, Report, Step
    from thoth.actions.sources import Source
    from thoth.events import Progress
    from thoth.library.records import StoredDocument

_MOST_NAMES = 5


def absorb(
    sources: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders, addresses; - for standard input.")
    ],
    chunking: Annotated[
        str | None,
        typer.Option("--chunking", metavar="meaning|tokens", help="Cut where a thought ends, or equally. [meaning]"),
    ] = None,
    ocr: Annotated[bool | None, typer.Option("--ocr/--no-ocr", help=console.OCR_HELP)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME|PATH", help="The model pair.")] = None,
) -> None:
    """Turn documents into weights, for `thoth ask` to use.

    A source that cannot be read does not stop the others. The exit code is then that of its error, or 1 if there are
    several kinds. An interrupted document resumes where it left off, and no text is absorbed twice.
    """
    chosen = settings.load(paths.settings(), model=model, chunking=chunking, ocr=console.switch(ocr))
    from thoth.actions import absorb as absorbing
    from thoth.actions.sources import expand, permit, present
    from thoth.ingest.names import shown

    named = permit(present(expand(sources, stdin=True)), console.may_fetch, recognize=chosen.ocr == "on")
    for failure in named.failed:
        console.say(str(failure.error))
    report, view = absorbing.Report(failed=[*named.failed]), _View(quiet=json)
    if named.documents:
        with started(chosen) as session:
            view.model = session.pair.name
            try:
                report = absorbing.absorb(session.engine, session.library, named, chosen.chunking, view.listen)
            except KeyboardInterrupt:
                raise Stopped(view.interrupted()) from None
    if json:
        typer.echo(answers.dump(_as_object(report)))
    _summarize(report)
    if not report.done and not report.failed:
        raise DocumentError(f"no document in {', '.join(map(shown, sources))}; name files or folders")
    raise typer.Exit(report.exit_code)


class _View:
    """What is printed while documents are absorbed.

    Args:
        quiet: the documents are printed as JSON at the end, not as lines.

    Attributes:
        model: name of the pair that absorbs them.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self.model = ""
        self._finished = 0
        self._label = ""
        self._last: Progress | None = None
        self._warned: set[str] = set()

    def listen(self, source: "Source", step: "Step") -> None:
        """Show a step."""
        from thoth.actions.absorb import Done
        from thoth.events import Progress

        if isinstance(step, Progress):
            self._label, self._last = source.label, step
            if step.document is not None:
                self._warn(step.document)
            console.progress_line.show(f"absorbing {source.label}", step)
            return
        console.progress_line.clear()
        self._last = None  # of the next one, which has no chunks yet
        if not isinstance(step, Done):
            console.say(str(step.error))
            return
        self._finished += 1
        if not self._quiet:
            typer.echo(_line(step))
        self._warn(step.document)

    def _warn(self, document: "StoredDocument") -> None:
        """Say once if the model cannot read a document: as soon as that is known."""
        from thoth.actions import readable

        if document.id not in self._warned and (warning := readable.warning(document, self.model)):
            self._warned.add(document.id)
            console.progress_line.clear()
            console.say(warning)

    def interrupted(self) -> str:
        """Return what to say when the user stops the command."""
        kept = [count(self._finished, "document")] if self._finished else []
        if self._last and self._last.stage == "absorb" and self._last.done:
            kept.append(f"{self._last.done} of {self._last.total} chunks of {self._label}")
        return f"stopped after {' and '.join(kept) or 'nothing'}; run the same command to resume"


def _line(done: "Done") -> str:
    document = done.document
    pages = "" if document.pages is None else f"{count(document.pages, 'page')}, "
    size = f"{pages}{count(document.chunks, 'chunk')}, {count(document.tokens, 'token')}"
    return f"{document.id}  {document.name}: {size}{'' if done.is_new else ', already known'}"


def _summarize(report: "Report") -> None:
    """Name what was left out, where more than one source was given."""
    from thoth.ingest.names import shown

    if report.skipped:
        console.say(f"skipped {count(report.skipped, 'unsupported file')}")
    tried = len(report.failed) + len(report.done)
    if report.failed and tried > 1:
        names = [shown(failure.source) for failure in report.failed]
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        console.say(f"could not absorb {len(names)} of {tried}: {', '.join(names[:_MOST_NAMES])}{more}")
    if report.untried:
        console.say(f"stopped there; {count(report.untried, 'source')} not tried")


def _as_object(report: "Report") -> dict[str, object]:
    from thoth.ingest.names import shown

    return {
        "documents": [answers.facts(done.document) | {"new": done.is_new} for done in report.done],
        "failed": [{"source": shown(failure.source), "error": str(failure.error)} for failure in report.failed],
        "skipped": report.skipped,
    }
