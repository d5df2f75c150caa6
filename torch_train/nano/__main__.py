"""`python -m torch_train.nano FOLDER`: train nano from nothing; a killed run resumes where it left off.

Nano's own loop trains the base, alone and together with the hypernetwork; all else is the trainer that also trains the
big ones. docs/LOG.md has the curves and detours that led to these settings.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from torch_train.errors import TrainingError
from torch_train.nano import base, curves, joint, pool, teacher, tokenizer
from torch_train.nano.run import LoopSettings
from torch_train.training import checkpoint
from torch_train.training.heap import keep_freed_memory
from torch_train.training.settings import read_settings
from torch_train.training.train import train

BASE = LoopSettings(steps=6000, batch=32, learning_rate=3e-3)
JOINT = LoopSettings(steps=2800, batch=24, learning_rate=1e-3, decay=0.6)
CONFIGS = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True)
class Lesson:
    """What the hypernetwork learns against a frozen base.

    Attributes:
        name: Of its folder.
        config: `configs/nano-CONFIG.yaml`.
        facts, shards, recall, strangers: Of its notes, see `teacher.teach`.
        seed: Of its notes, added to the run's.
    """

    name: str
    config: str
    facts: int
    shards: int
    recall: bool = False
    strangers: bool = False
    seed: int = 0


# From nothing: one bare fact, then a few, each note recited as well. Questions alone once it knows how.
FIRST = (
    Lesson("first", "first", facts=1, shards=48, recall=True),
    Lesson("few", "few", facts=3, shards=24, recall=True),
)
NOTES = Lesson("notes", "notes", facts=pool.MOST_FACTS, shards=480)
# Whether an entity is the note's at all is learnt last, and needs its own questions.
LAST = tuple(
    Lesson(name, config, pool.MOST_FACTS, 480, strangers=True, seed=seed)
    for seed, (name, config) in enumerate((("more", "more"), ("again", "last"), ("last", "last")))
)


def learn(lessons: Sequence[Lesson], folder: Path, base: Path, start: Path | None, seed: int, device: str) -> Path:
    """One lesson after the other: the base reads notes, and the hypernetwork is trained on what it says about them.

    Args:
        lessons: In their order.
        folder: Each has its own in there.
        base: Folder of the base.
        start: Checkpoint of the hypernetwork to start from, None for a new one.
        seed: Of notes and weights.
        device: That everything runs on.

    Returns:
        The last checkpoint.

    Raises:
        TrainingError: The run was stopped.
    """
    for lesson in lessons:
        place = folder / lesson.name
        asked = (lesson.facts, lesson.recall, lesson.strangers)
        teacher.teach(place / "teacher", base, lesson.shards, seed + lesson.seed, device, *asked)
        paths = [f"base.path={base}", f"data.teacher=[{place}/teacher]", f"run.folder={place}"]
        here = [f"hypernet.start={start or 'null'}", f"run.device={device}", f"run.seed={seed}"]
        if not train(read_settings(CONFIGS / f"nano-{lesson.config}.yaml", [*paths, *here])):
            raise TrainingError("stopped; the same command resumes where it left off")
        start = checkpoint.checkpoints(place)[-1]
    if start is None:
        raise ValueError("no lessons")
    return start


def make(folder: Path, seed: int, device: str) -> None:
    """Train tokenizer, base and hypernetwork: the pair is FOLDER/joint/base and the last checkpoint in FOLDER/last."""
    if not (folder / "tokenizer" / "tokenizer.json").exists():
        tokenizer.train(folder / "tokenizer", seed)
    words = tokenizer.load(folder / "tokenizer")
    model = base.train(folder / "base", words, replace(BASE, seed=seed, device=device))
    tokenizer.copy(folder / "tokenizer", folder / "base" / "base")
    start = learn(FIRST, folder, folder / "base" / "base", None, seed + 1, device)
    hypernet = checkpoint.load_hypernet(start)
    joint.train(folder / "joint", words, model, hypernet, replace(JOINT, seed=seed + 2, device=device))
    tokenizer.copy(folder / "tokenizer", folder / "joint" / "base")
    curves.draw(folder)
    learn([NOTES, *LAST], folder, folder / "joint" / "base", folder / "joint" / "hypernet", seed + 3, device)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.nano", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the run and its results")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--base", type=Path, help="train the hypernetwork alone, from nothing, for this base")
    options = parser.parse_args(arguments)
    try:
        if options.base is None:
            make(options.folder, options.seed, options.device)
        else:
            learn([*FIRST, NOTES, *LAST], options.folder, options.base, None, options.seed, options.device)
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    keep_freed_memory()
    main()
