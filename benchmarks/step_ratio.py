"""A training step against the same step of another commit: seconds of processor time, their ratio, and equal losses.

    python -m benchmarks.step_ratio COMMIT [--of nano ministral] [--steps 2] [--tokens 2048]

Both trees take turns in processes of their own, so a busy machine slows both. Both make the same steps from the same
weights: the batches are those that this tree plans, since trees may plan differently. `nano` is a step of
`torch_train/configs/nano-notes.yaml` from random weights, Muon included; `ministral` is Ministral-3-3B at an eighth
of its width, in fp32 (benchmarks/train_step.py). Pin it (`taskset -c 1`) where other programs run.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks import harness

ROOT = Path(__file__).parents[1]
PACKAGES = ("torch_train", "mlx_hypernet", "benchmarks")


def nano(folder: Path, tokens: int) -> Callable[[], float]:
    """A step of nano's training on its own notes; returns its loss."""
    from torch_train.nano.teacher import teach
    from torch_train.training.settings import read_settings
    from torch_train.training.stream import Ticket
    from torch_train.training.train import prepare

    base, teacher = ROOT / "thoth/nano/base", folder.parent / "teacher"  # the same for both
    if not teacher.is_dir():
        teach(teacher, base, shards=1, seed=0)
    places = [f"base.path={base}", f"data.teacher=[{teacher}]", f"run.folder={folder / 'run'}", "hypernet.start=null"]
    sizes = [f"packing.context_tokens={tokens}", f"packing.input_tokens={tokens}", "hypernet.scaler_start=0.05"]
    run = prepare(read_settings(Path("torch_train/configs/nano-notes.yaml"), [*places, *sizes]))
    planned = iter(same_units(folder, lambda: run.stream.plan.batches))
    run.stream.take = lambda count: [Ticket(0, i, next(planned)) for i in range(count)]  # type: ignore[method-assign]
    return lambda: float(run.loop._step()[0]["loss"])


def ministral(folder: Path, tokens: int) -> Callable[[], float]:
    """A step of Ministral's shape at an eighth of its width, without recomputation; returns its loss."""
    import torch

    from benchmarks.train_step import CONFIG, DIVISOR, Bench
    from torch_train.model.chunking import Chunking
    from torch_train.training.dry_run import random_rows
    from torch_train.training.packing import Packer
    from torch_train.training.settings import read_settings

    settings = read_settings(CONFIG, [f"packing.context_tokens={tokens}", f"packing.input_tokens={tokens}"])
    bench = Bench(settings, torch.device("cpu"), DIVISOR)
    for scaler in bench.hypernet.scaler_B.values():  # at zero, most of the network has no gradient
        torch.nn.init.constant_(scaler, 0.05)
    rows = random_rows(settings, bench.base.config.vocab_size)
    packer = Packer(rows, tokens, tokens, Chunking(settings.packing.max_chunk_tokens), 0)
    units = same_units(folder, lambda: packer.plan(0).batches)
    bench.batch = packer.pack(max(units, key=lambda batch: sum(sum(unit.tokens) for unit in batch)), 0)
    losses: list[float] = []
    forward = bench.model.forward

    def told(*arguments: Any, **named: Any) -> Any:
        found = forward(*arguments, **named)
        losses.append(found.distillation.item())
        return found

    bench.model.forward = told  # type: ignore[method-assign]

    def step() -> float:
        bench.step(recompute=False)
        return losses[-1]

    return step


def same_units(folder: Path, plan: Callable[[], Iterable[Any]]) -> list[list[Any]]:
    """The units of each batch, in this process' class: those that the first process to ask has planned."""
    from torch_train.training.packing import Unit

    kept = folder.parent / "units.json"
    if not kept.is_file():
        planned = [[(unit.row, unit.inputs, unit.tokens) for unit in units] for units in plan()]
        kept.write_text(json.dumps(planned))
    return [
        [Unit(row, tuple(inputs), tuple(tokens)) for row, inputs, tokens in units]
        for units in json.loads(kept.read_text())
    ]


def work(tree: Path, name: str, tokens: int, folder: Path, pipe: Connection) -> None:
    """In a process of its own: a step of `tree` for every message, answered by (seconds of processor time, loss)."""
    os.chdir(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if path not in ("", str(ROOT)))]
    for module in [module for module in sys.modules if module.partition(".")[0] in PACKAGES]:
        del sys.modules[module]
    if (tree / "torch_train/training/heap.py").is_file():  # as its command does first
        importlib.import_module("torch_train.training.heap").keep_freed_memory()
    step = {"nano": nano, "ministral": ministral}[name](folder, tokens)
    pipe.send(None)
    while pipe.recv():
        started = time.process_time()
        loss = step()
        pipe.send((time.process_time() - started, loss))


def compare(trees: dict[str, Path], name: str, steps: int, tokens: int) -> dict[str, list[tuple[float, float]]]:
    """(seconds, loss) of each step by tree; a first step that warms up is among the losses, not the seconds."""
    context = multiprocessing.get_context("fork")  # what was imported here, both have
    results: dict[str, list[tuple[float, float]]] = {tree: [] for tree in trees}
    with tempfile.TemporaryDirectory() as folder:
        pipes = {}
        for tree, path in sorted(trees.items(), key=lambda tree: tree[1] != ROOT):
            (Path(folder) / tree).mkdir()
            pipes[tree], other = context.Pipe()
            context.Process(target=work, args=(path, name, tokens, Path(folder) / tree, other), daemon=True).start()
            pipes[tree].recv()  # ready: the next one takes the same batches
        for _ in range(steps + 1):
            for tree, pipe in pipes.items():
                pipe.send(True)
                results[tree].append(pipe.recv())
        for pipe in pipes.values():
            pipe.send(False)
    return results


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("commit")
    parser.add_argument("--of", nargs="+", default=["nano", "ministral"], choices=("nano", "ministral"))
    parser.add_argument("--steps", type=int, default=2, help="timed ones, after one that warms up")
    parser.add_argument("--tokens", type=int, default=2048, help="of contexts, and of inputs")
    options = parser.parse_args()
    import torch  # noqa: F401
    import transformers  # noqa: F401

    table = harness.Table("step", "before, s", "now, s", "ratio", "losses differ by")
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "--detach", "-q", before, options.commit], cwd=ROOT, check=True)
        try:
            for name in options.of:
                found = compare({"before": before, "now": ROOT}, name, options.steps, options.tokens)
                seconds = {tree: sum(one for one, _ in steps[1:]) / options.steps for tree, steps in found.items()}
                apart = max(abs(a - b) / abs(a) for (_, a), (_, b) in zip(found["before"], found["now"], strict=True))
                ratio = f"{seconds['now'] / seconds['before']:.2f}"
                table.row(name, f"{seconds['before']:.2f}", f"{seconds['now']:.2f}", ratio, f"{apart:.1e}")
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", before], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
