"""`python -m torch_train.nano FOLDER`: train nano from nothing; a killed run goes on where it was.

The settings below are what the run that made the shipped pair led to; docs/LOG.md has its curves and detours.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import Ministral3ForCausalLM

from torch_train.nano import base, curves, distil, tokenizer
from torch_train.nano.run import Settings

BASE = Settings(steps=6000, batch=32, learning_rate=3e-3)
HYPERNET = Settings(steps=8000, batch=32, learning_rate=2.5e-3)


def main() -> None:
    """Train tokenizer, base and hypernetwork."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.nano", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the run is kept, and where its results go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--base-steps", type=int, default=BASE.steps)
    parser.add_argument("--hypernet-steps", type=int, default=HYPERNET.steps)
    parser.add_argument("--start", type=Path, help="go on from a pair's weights (base/, hypernet/), not from nothing")
    arguments = parser.parse_args()
    folder: Path = arguments.folder

    def settings(default: Settings, steps: int) -> Settings:
        return Settings(steps, default.batch, default.learning_rate, arguments.seed, arguments.device)

    if not (folder / "base" / "tokenizer.json").exists():
        if arguments.start is None:
            tokenizer.train(folder / "base", arguments.seed)
        else:
            tokenizer.copy(arguments.start / "base", folder / "base")
    words = tokenizer.load(folder / "base")
    if not (folder / "base" / "model.safetensors").exists():
        base.train(folder, words, settings(BASE, arguments.base_steps), arguments.start)
    model = Ministral3ForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    distil.train(folder, words, model, settings(HYPERNET, arguments.hypernet_steps), arguments.start)
    curves.draw(folder)


if __name__ == "__main__":
    main()
