"""`thoth doctor`: what is installed, what fits, what is slow or broken, and how to mend it."""

from dataclasses import asdict
from typing import Annotated

import typer

from thoth.cli import answers
from thoth.system import paths

_MARKS = {"ok": "ok   ", "slow": "slow ", "wrong": "WRONG"}


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Mend the library first.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look at everything Thoth stands on; exit code 1 where something is wrong."""
    from thoth.actions import doctor as examination

    home = paths.home()
    done = examination.repair(home) if repair else []
    if not json:
        for line in done or (["nothing had to be mended"] if repair else []):
            typer.echo(line)
    findings = []
    for finding in examination.examine(home):
        findings.append(finding)
        if not json:
            remedy = f": {finding.remedy}" if finding.remedy else ""
            typer.echo(f"{_MARKS[finding.verdict]}  {finding.about}: {finding.text}{remedy}")
    if json:
        typer.echo(answers.dump({"repaired": done, "findings": [asdict(finding) for finding in findings]}))
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)
