"""`thoth models`: the pairs of base and hypernetwork there are, which one is used, and how to get more."""

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from thoth import settings
from thoth.cli import answers, console, table
from thoth.errors import ThothError, UsageError
from thoth.models import registry
from thoth.system import machine, paths
from thoth.system.machine import size

group = typer.Typer(help="Model pairs: list, pull, use.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_COLUMNS = ("", "name", "base", "on disk", "download", "licence")


class Bits(StrEnum):
    """Bits of a quantised base."""

    eight = "8"
    six = "6"
    four = "4"


@group.command("list")
def list_pairs(json: Json = False) -> None:
    """List the pairs on this machine and those that can be pulled; * is the one in use."""
    used = _used()
    here = {registry.NANO: registry.resolve(registry.NANO)} | registry.installed()
    names = [*registry.KNOWN, *(name for name in here if name not in registry.KNOWN)]
    if used is not None and used not in names:
        names.append(used)
    rows = [_facts(name, here.get(name), name == used) for name in names]
    if json:
        typer.echo(answers.dump({"models": rows}))
        return
    typer.echo(table.show(_COLUMNS, [_row(row) for row in rows], right=("on disk", "download")))
    free = machine.free_memory()
    memory = f"{size(machine.total_memory())} of memory" + ("" if free is None else f", {size(free)} free")
    console.say(f"this machine has {memory}; {size(machine.free_disk(paths.home()))} of disk are free")


@group.command()
def pull(
    name: Annotated[str, typer.Argument(help="A pair of `thoth models list`.")],
    bits: Annotated[Bits | None, typer.Option("--bits", help="Quantise the base; smaller and faster.")] = None,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", metavar="FOLDER", help="Which, where a repository has several.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the pair where it is here already.")] = False,
    json: Json = False,
) -> None:
    """Download a pair and convert it; what was downloaded before goes on where it stopped."""
    from thoth.models import plan
    from thoth.models import pull as pulling

    if name in registry.installed() and not force:
        console.say(f"{name} is here already: `thoth models use {name}`, or pull it again with --force")
        if json:
            _print(name)
        return
    console.say(f"asking the hub about {name}")
    wanted = plan.make(name, int(bits) if bits else None, checkpoint)
    console.say(f"{wanted.base.repository} ({size(wanted.base.bytes)})")
    console.say(f"{wanted.hypernet.repository} ({size(wanted.hypernet.bytes)})")
    free = size(machine.free_disk(paths.home()))
    console.say(
        f"{size(wanted.to_download)} to download, {size(wanted.to_write)} to write ({free} free); "
        f"{size(wanted.memory)} of memory to run (of {size(machine.total_memory())}); "
        f"licence: {registry.KNOWN[name].licence}"
    )
    plan.check(wanted)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("pulling asks first, and nobody is there to answer: say --yes")
        typer.confirm("Go on?", abort=True, err=True)
    pulling.pull(wanted, lambda progress: console.progress_line.show(f"{progress.stage}ing {name}", progress))
    console.progress_line.clear()
    if json:
        _print(name)
    else:
        typer.echo(f"{name} is ready: `thoth models use {name}` makes it the one that answers")


@group.command()
def use(
    name: Annotated[str, typer.Argument(help="A pair of `thoth models list`, or a folder.")], json: Json = False
) -> None:
    """Let a pair answer from now on, where neither --model nor THOTH_MODEL says another."""
    pair = registry.resolve(name)
    is_named = name == registry.NANO or name in registry.installed()
    settings.save(paths.settings(), model=name if is_named else os.path.abspath(os.path.expanduser(name)))
    if json:
        _print(name)
    else:
        typer.echo(f"{pair.name} answers from now on")
    if (variable := os.environ.get("THOTH_MODEL")) and variable != name:
        console.say(f"THOTH_MODEL says {variable}, which beats the settings: unset it")


def _used() -> str | None:
    """Return the pair that answers; None, and a line that says why, where there is none."""
    try:
        return registry.choose(settings.load(paths.settings()).model).name
    except ThothError as error:
        console.say(str(error))
        return None


def _print(name: str) -> None:
    """Print a pair on this machine as one JSON object."""
    typer.echo(answers.dump(_facts(name, registry.resolve(name), name == _used())))


def _facts(name: str, pair: registry.Pair | None, used: bool) -> dict[str, object]:
    known = registry.KNOWN.get(name)
    weights = [file for folder in (pair.base, pair.bundle) for file in folder.glob("*.safetensors")] if pair else []
    return {
        "name": name,
        "used": used,
        "installed": pair is not None or (used and known is None),
        "bytes": sum(file.stat().st_size for file in weights),
        # Published in bf16 and fp32.
        "download_bytes": 2 * known.base_parameters + 4 * (known.hypernet_parameters or 0) if known else None,
        "base": known.base if known else None,
        "hypernet": known.hypernet if known else None,
        "licence": known.licence if known else None,
    }


def _row(facts: dict[str, object]) -> list[str]:
    on_disk, download = facts["bytes"], facts["download_bytes"]
    assert isinstance(on_disk, int)
    builtin = facts["name"] == registry.NANO
    return [
        "*" if facts["used"] else "",
        str(facts["name"]),
        "built in" if builtin else str(facts["base"] or "-"),
        size(on_disk) if on_disk else "-",
        f"about {size(download)}" if isinstance(download, int) and not (builtin or on_disk) else "-",
        str(facts["licence"] or "-"),
    ]
