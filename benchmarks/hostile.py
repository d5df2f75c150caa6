"""Hostile models and documents through the commands that meet them: crashes, hangs, lines, executed code.

python -m benchmarks.hostile models [--only TEXT] [--kinds bundle base template code pickle gguf]
python -m benchmarks.hostile documents|web [--only TEXT]

Models: each is loaded (`thoth ask --model`), inspected and converted (`convert-weights`), added (`thoth models add`)
and read by the trainer (`python -m torch_train.data`), "y" on standard input. Each must end in a result or in one line.
Documents: `thoth absorb BAD GOOD`; the line must name the bad one, the good one must be absorbed, within 20 s of
processor time and 1 GB. The cases are made here (`hostile_models.py`, `hostile_documents.py`); those of
`../shared/cases/hostile` are added where they are.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

from benchmarks import harness, hostile_documents, hostile_models, hostile_runs
from benchmarks.hostile_models import Case
from benchmarks.hostile_runs import Ended, convert_weights, thoth, training_data

SHARED = hostile_runs.ROOT.parent / "shared" / "cases" / "hostile"
KINDS = ("bundle", "base", "template", "code", "pickle", "gguf")
COMMANDS = ("ask", "add", "inspect", "convert", "to torch", "training data")
FAULTS = ("code executed", "crash", "hang", "internal error", "not one line", "over 4 GB")
_MOST_BYTES = 4 << 30
_QUESTION = "Who is the mayor of Harpool?"

_CONVERT = "from convert.cli import main; main()"


@dataclass(frozen=True)
class Command:
    """One command over one case.

    Attributes:
        name: in the listing.
        run: runs it.
        with_torch: it runs in a process that may import torch.
    """

    name: str
    run: Callable[[], Ended]
    with_torch: bool


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("what", choices=("models", "documents", "web"))
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--begin", default="", help="of models: with the case of this name, and not those before it")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of models")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=COMMANDS, help="over models")
    parser.add_argument("--shared", type=Path, default=SHARED, help="cases of others (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        work = Path(name)
        hostile_runs.prepare(work)
        (work / "note.txt").write_text("The mayor of Harpool is Osra Kelland.\n")
        if arguments.what != "models":
            hostile_documents.measure(work, arguments.shared, arguments.only, {arguments.what})
        else:
            models(work, arguments.shared, arguments.only, arguments.begin, arguments.kinds, arguments.commands)


def models(work: Path, shared: Path, only: str, begin: str, kinds: Sequence[str], commands: Sequence[str]) -> None:
    """Run commands over every model, name each fault, and print a table of them by kind."""
    cases = [case for case in _cases(work, shared, kinds) if case.kind in kinds and only in case.name]
    cases = list(dropwhile(lambda case: bool(begin) and case.name != begin, cases))
    runs = Counter[str]()
    faults = Counter[tuple[str, str]]()
    for with_torch in (False, True):  # `thoth` runs without torch, where it is installed too
        for kind, fault in _run_all(cases, work, commands, with_torch):
            if fault is None:
                runs[kind] += 1
            else:
                faults[kind, fault] += 1
    table = harness.Table("kind", "cases", "runs", *FAULTS)
    for kind in kinds:
        number = sum(case.kind == kind for case in cases)
        table.row(kind, number, runs[kind], *(faults[kind, fault] for fault in FAULTS))
    table.row("all", len(cases), runs.total(), *(sum(faults[kind, fault] for kind in kinds) for fault in FAULTS))


def _run_all(
    cases: Sequence[Case], work: Path, commands: Sequence[str], with_torch: bool
) -> Iterator[tuple[str, str | None]]:
    """Run the commands with or without torch in a process that has imported it or not.

    Yields:
        A kind and None for each run, a kind and a fault for each fault.
    """
    log = work / "faults"
    if (pid := os.fork()) == 0:
        code = 1
        try:
            hostile_runs.preload(with_torch)
            hostile_runs.warm(work, _warming(work, with_torch))
            with log.open("w") as file:
                for case in cases:
                    for found in _run(case, work, commands, with_torch):
                        print(json.dumps([case.kind, found]), file=file, flush=True)
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("the process that runs the commands ended early")
    for line in log.read_text().splitlines():
        kind, found = json.loads(line)
        yield kind, found


def _run(case: Case, work: Path, commands: Sequence[str], with_torch: bool) -> Iterator[str | None]:
    for command in _commands(case, work):
        if command.with_torch != with_torch or command.name not in commands:
            continue
        ended = command.run()
        found = ended.faults() + (["over 4 GB"] if ended.peak_bytes > _MOST_BYTES else [])
        if found:
            said = " / ".join(ended.errors.strip().splitlines()[-6:])[-600:]
            print(f"FAULT {case.kind} {case.name!r}, {command.name}: {', '.join(found)} (exit {ended.code}): {said!r}")
        print(f"{ended.code:4} {ended.cpu_seconds:5.1f} s  {command.name:13} {case.kind} {case.name!r}", flush=True)
        yield None
        yield from found
        shutil.rmtree(work / "out-folder", ignore_errors=True)


def _warming(work: Path, with_torch: bool) -> Callable[[], object]:
    """A command over nano itself that imports what the others need."""
    if not with_torch:
        return thoth("ask", "--model", hostile_models.NANO, "--doc", work / "note.txt", _QUESTION)
    tokenizer = hostile_models.NANO / "base"
    return training_data("niah", work / "needles.parquet", "--rows", 2, "--tokenizer", tokenizer)


def _cases(work: Path, shared: Path, kinds: Sequence[str]) -> Iterator[Case]:
    folder = work / "cases"
    folder.mkdir()
    yield from hostile_models.ours(folder, kinds)
    if (shared / "models").is_dir():
        yield from hostile_models.foreign(work, shared / "models", kinds)
    else:
        print(f"No shared cases in {shared / 'models'}: only our own run.", file=sys.stderr)


def _commands(case: Case, work: Path) -> list[Command]:
    """Return what meets a case: the commands that read the part that is hostile."""

    def forked(name: str, command: Callable[[], object]) -> Command:
        return Command(name, lambda: hostile_runs.fork(work, command), with_torch=name not in ("ask", "add"))

    def started(name: str, arguments: Sequence[object], folder: Path) -> Command:
        return Command(name, lambda: hostile_runs.start(work, arguments, folder), with_torch=False)

    path, out, base = case.path, work / "out-folder", case.path / "base"
    ask = ("ask", "--model", path, "--doc", work / "note.txt", _QUESTION)
    add = ("models", "add", path, "--name", "hostile", "--force", "--hypernet", hostile_models.NANO / "hypernet")
    needles = ("niah", out / "needles.parquet", "--rows", 2, "--tokenizer", base)
    match case.kind:
        case "bundle":
            return [
                forked("ask", thoth(*ask)),
                forked("inspect", convert_weights(path / "hypernet", "--inspect")),
                forked("to torch", convert_weights(path / "hypernet", out, "--to-torch")),
            ]
        case "base" | "template":
            return [
                forked("ask", thoth(*ask)),
                forked("inspect", convert_weights(base, "--inspect")),
                forked("convert", convert_weights(base, out, "--verify", 0)),
                forked("training data", training_data(*needles)),
            ]
        case "code":
            # Processes of their own. Installed programs (-P) run where files of the folder could shadow their imports.
            return [
                started("ask", ["-P", "-m", "thoth", *ask], base),
                started("convert", ["-P", "-c", _CONVERT, base, out], base),
                started("training data", ["-m", "torch_train.data", *needles], work),
            ]
        case "pickle":
            return [
                forked("inspect", convert_weights(path, "--inspect")),
                forked("convert", convert_weights(path, out)),
            ]
    return [
        forked("add", thoth(*add)),
        forked("inspect", convert_weights(path, "--inspect")),
        forked("convert", convert_weights(path, out)),
    ]


if __name__ == "__main__":
    main()
