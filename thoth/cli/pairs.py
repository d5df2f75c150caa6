"""Pairs of base and hypernetwork as rows, as JSON and as sentences, for `thoth models`."""

from collections.abc import Callable

import typer

from thoth import settings
from thoth.cli import answers, console, fits
from thoth.errors import ThothError
from thoth.models import fitting, registry
from thoth.system import machine, paths
from thoth.system.machine import size

_LITTLE = 0.5  # share of facts; of a pair that recalls less, three wrong answers are no sign of damage

INCOMPLETE = f"the base of smol is here; {registry.NO_HYPERNET}"


def show_known() -> None:
    """Print what each known pair takes here, with the bits that would be pulled."""
    total = machine.total_memory()
    found = {name: fitting.proposed(fitting.choices(known, total)) for name, known in registry.KNOWN.items()}
    typer.echo(fits.of_pairs(found, registry.KNOWN))
    console.say(
        f"this machine has {size(total)} of memory and {size(machine.free_disk(paths.home()))} of free disk space; "
        "sizes are estimates, minutes those of a connection with 100 Mbit/s"
    )
    console.say("fits: at most 60% of the memory; tight: at most all of it; no: more")
    console.say(f"run by us: no: this project has run the pair {fits.REPLICA_ONLY}")
    if not registry.pulled(registry.SMOL).bundle.is_dir():
        console.say(registry.NO_HYPERNET)


def checked(name: str, say: Callable[[str], None]) -> dict[str, object]:
    """Check a pair, say a line for each thing measured, and return them.

    Raises:
        ModelError: The pair is damaged, or not on this machine.
        ResourceError: Not enough memory.
    """
    from thoth.actions import selftest

    pair = registry.resolve(name)
    parity = selftest.parity(pair.bundle)
    test = selftest.run(pair, console.progress(f"checking {name}"))
    console.progress_line.clear()
    for line in fits.checked(name, parity, test):
        say(line)
    recall = registry.recall(pair)
    if recall is not None and recall < _LITTLE:
        console.say(
            f"{name} is half trained and recalls {recall:.0%} of the facts in short notes: where nothing supports its "
            "answer, `thoth ask` reads a passage for another one"
        )
    elif test.right == 0:
        console.say(f"no answer is right: pull it again with `thoth models pull {name} --force`, or report it")
    return fits.checked_facts(parity, test)


def ready(name: str) -> str:
    """Say that a pair is there, and whether it is the one in use."""
    then = "Thoth uses it from now on" if used() == name else f"choose it with `thoth models use {name}`"
    return f"{name} is ready; {then}"


def used() -> str | None:
    """Return the name of the pair in use; None, and a line on stderr, if there is none."""
    try:
        return registry.choose(settings.load(paths.settings()).model).name
    except ThothError as error:
        console.say(str(error))
        return None


def show(name: str, **more: object) -> None:
    """Print a pair on this machine as one JSON object."""
    here = {registry.NANO: registry.resolve(registry.NANO)} | registry.installed()
    typer.echo(answers.dump(facts(name, here.get(name), name == used()) | more))


def facts(name: str, pair: registry.Pair | None, used: bool) -> dict[str, object]:
    """Return what JSON says about a pair; None: it is not on this machine."""
    known = registry.KNOWN.get(name)
    return {
        "name": name,
        "used": used,
        "installed": pair is not None or (used and known is None),
        "bytes": pair.weight_bytes if pair else 0,
        "download_bytes": known.published_bytes if known else None,
        "base": known.base if known else None,
        "hypernet": known.hypernet if known else None,
        "licence": known.licence if known else None,
        "recall": registry.recall(pair) if pair else known.recall if known else None,
        "fit": fits.facts(fitting.proposed(fitting.choices(known, machine.total_memory()))) if known else None,
        "tried": known.tried if known else None,
    }


def row(facts: dict[str, object]) -> list[str]:
    """Return the cells of a pair in the table of `thoth models list`."""
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
