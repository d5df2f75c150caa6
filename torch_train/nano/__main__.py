"""`python -m torch_train.nano FOLDER`: train nano from nothing; a killed run goes on where it was.

The settings below are those of the shipped pair; their measured curves are in docs/LOG.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import Ministral3ForCausalLM

from torch_train.nano import base, curves, distil, tokenizer
from torch_train.nano.run import Settings

BASE = Settings(steps=3000, batch=32, learning_rate=3e-3)
HYPERNET = Settings(steps=4000, batch=32, learning_rate=2e-3)


def main() -> None:
    """Train tokenizer, base and hypernetwork."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.nano", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the run is kept, and where its results go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--base-steps", type=int, default=BASE.steps)
    parser.add_argument("--hypernet-steps", type=int, default=HYPERNET.steps)
    arguments = parser.parse_args()
    folder: Path = arguments.folder

    def settings(default: Settings, steps: int) -> Settings:
        return Settings(steps, default.batch, default.learning_rate, arguments.seed, arguments.device)

    if not (folder / "base" / "tokenizer.json").exists():
        tokenizer.train(folder / "base", arguments.seed)
    words = tokenizer.load(folder / "base")
    if not (folder / "base" / "model.safetensors").exists():
        base.train(folder, words, settings(BASE, arguments.base_steps))
    model = Ministral3ForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    distil.train(folder, words, model, settings(HYPERNET, arguments.hypernet_steps))
    curves.draw(folder)


if __name__ == "__main__":
    main()
