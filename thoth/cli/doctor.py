"""`thoth doctor`: what is installed, what fits, what is slow or broken, and how to fix it."""

from dataclasses import asdict
from typing import Annotated

import typer

from thoth.cli import answers
from thoth.system import paths

_MARKS = {"ok": "ok   ", "slow": "slow ", "wrong": "WRONG"}


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Repair the library first.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check the installation, and say how to fix what is wrong.

    The exit code is 1 if anything is wrong.
    """
    from thoth.actions import doctor as examination

    home = paths.home()
    done = examination.repair(home) if repair else []
    if not json:
        for line in done or (["Nothing to repair"] if repair else []):
            typer.echo(line)
    findings = []
    for finding in examination.examine(home):
        findings.append(finding)
        if not json:
            remedy = f"; {finding.remedy}" if finding.remedy else ""
            typer.echo(f"{_MARKS[finding.verdict]}  {finding.about}: {finding.text}{remedy}")
    if json:
        typer.echo(answers.dump({"repaired": done, "findings": [asdict(finding) for finding in findings]}))
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)
