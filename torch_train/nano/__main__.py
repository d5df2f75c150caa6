"""`python -m torch_train.nano FOLDER`: train nano from nothing, in five stages; a killed run goes on where it was.

The settings below are what the run that made the shipped pair led to; docs/LOG.md has its curves and detours.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from torch_train.nano import base, curves, distil, joint, pool, teacher, tokenizer
from torch_train.nano.run import Settings
from torch_train.nano.widen import widen
from torch_train.settings import read_settings
from torch_train.train import train

BASE = Settings(steps=4000, batch=32, learning_rate=3e-3)
DISTIL = Settings(steps=1500, batch=32, learning_rate=2.5e-3)
JOINT = Settings(steps=2800, batch=24, learning_rate=1e-3, decay=0.6)
WIDE = Settings(steps=1850, batch=24, learning_rate=7e-4, decay=0.9)
OTHER_NOTES = 7  # added to the seed from stage to stage: not the notes of the one before
RANK, LATENTS = 32, 64  # of the last two stages and of what is shipped
LAST = Path(__file__).parents[1] / "configs" / "nano-notes.yaml"
SHARDS = 56  # of notes for the last stage


def main() -> None:
    """Train tokenizer, base and hypernetwork; the pair is FOLDER/wide/base and the last checkpoint in FOLDER/last."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.nano", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the run is kept, and where its results go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--start", type=Path, help="go on from a finished pair (base/, hypernet/): the last two stages")
    arguments = parser.parse_args()
    folder, start = arguments.folder, arguments.start
    here = {"seed": arguments.seed, "device": arguments.device}

    if start is not None:
        tokenizer.copy(start / "base", folder / "tokenizer")
    elif not (folder / "tokenizer" / "tokenizer.json").exists():
        tokenizer.train(folder / "tokenizer", arguments.seed)
    words = tokenizer.load(folder / "tokenizer")
    if start is None:
        model = base.train(folder / "base", words, replace(BASE, **here))
        hypernet = distil.train(folder / "distil", words, model, replace(DISTIL, **here))
        joint.train(folder / "joint", words, model, hypernet, replace(JOINT, **here), first=2)
    else:
        model = base.load(start / "base")
        hypernet = distil.load(start / "hypernet")
    wide = widen(hypernet, RANK, LATENTS, arguments.seed)
    here["seed"] += OTHER_NOTES
    joint.train(folder / "wide", words, model, wide, replace(WIDE, **here), first=pool.MOST_FACTS)
    tokenizer.copy(folder / "tokenizer", folder / "wide" / "base")
    here["seed"] += OTHER_NOTES
    teacher.teach(folder / "teacher", folder / "wide" / "base", SHARDS, here["seed"], arguments.device)
    train(
        read_settings(
            LAST,
            [
                f"base.path={folder}/wide/base",
                f"hypernet.start={folder}/wide/hypernet",
                f"data.teacher=[{folder}/teacher]",
                f"run.folder={folder}/last",
                f"run.device={arguments.device}",
            ],
        )
    )
    curves.draw(folder)


if __name__ == "__main__":
    main()
