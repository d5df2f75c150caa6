"""`thoth doctor`: what is installed, what fits, what is slow or broken, and how to fix it."""

from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from thoth.cli import answers, console, table
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.events import Progress
    from thoth.library.records import StoredDocument

_MARKS = {"ok": "ok   ", "slow": "slow ", "wrong": "WRONG"}


def _show(stored: "StoredDocument", progress: "Progress") -> None:
    console.progress_line.show(f"absorbing {stored.name}", progress)


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair the library first; absorb again what is damaged.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check the installation, and say how to fix what is wrong.

    The exit code is 1 if anything is wrong.
    """
    from thoth.actions import doctor as examination
    from thoth.tui import appearance

    home = paths.home()
    done = []
    for line in examination.repair(home, _show) if repair else ():
        console.progress_line.clear()
        done.append(line)
        if not json:
            typer.echo(line)
    if repair and not done and not json:
        typer.echo("Nothing to repair")
    findings = []
    for finding in chain(examination.examine(home), appearance.check(paths.settings())):
        findings.append(finding)
        if not json:
            remedy = f"; {finding.remedy}" if finding.remedy else ""
            typer.echo(table.labelled({_MARKS[finding.verdict]: f"{finding.about}: {finding.text}{remedy}"}))
    if json:
        typer.echo(answers.dump({"repaired": done, "findings": [asdict(finding) for finding in findings]}))
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)
