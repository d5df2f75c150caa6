"""`python -m torch_train.english.recipe FOLDER --base BASE`: train the hypernetwork of smol; a killed run resumes.

Each lesson starts from the checkpoint of the one before: its contexts are drawn, then the trainer runs. docs/LOG.md has
the curves that led to these numbers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from mlx_hypernet.format.atomic import write_json
from torch_train.english.leaks import check
from torch_train.english.lessons import LESSONS, Lesson, Material, draw
from torch_train.english.nothing import prompts_of
from torch_train.english.passages import Passage, read_written, with_strangers
from torch_train.english.split import Split
from torch_train.english.teacher import teach
from torch_train.errors import TrainingError
from torch_train.model.base import fast_dtype
from torch_train.model.generation import open_engine
from torch_train.model.prompt import question_ids
from torch_train.model.tokenizer import load_tokenizer
from torch_train.training import checkpoint
from torch_train.training.settings import read_settings
from torch_train.training.train import train

CONFIG = Path(__file__).parents[1] / "configs" / "smol.yaml"
DEV_CONTEXTS = 256
ANSWER_TOKENS = 48  # of the base to a prompt about nothing; longer answers are left out


def run(
    folder: Path,
    base: Path,
    passages: Sequence[Passage] = (),
    start: Path | None = None,
    overrides: Sequence[str] = (),
) -> bool:
    """Go through the lessons, from wherever an earlier run stopped.

    Args:
        folder: Of the data and checkpoints of all lessons.
        base: Folder of SmolLM2-135M-Instruct in transformers' layout.
        passages: Real passages of all splits; without any, all contexts are notes.
        start: Training checkpoint to start the first lesson from; None starts from nothing.
        overrides: `section.key=value` for the trainer's settings.

    Returns:
        False where SIGTERM ended the run before its last step.

    Raises:
        TrainingError: With a message that says what to change.
    """
    check(passages)
    splits: tuple[Split, ...] = ("train", "dev")
    material = {split: _material(folder, base, passages, split) for split in splits}
    for lesson in LESSONS:
        place = folder / lesson.name
        _teach(place, base, lesson, material)
        first, last = lesson.rates
        settings = read_settings(
            CONFIG,
            [
                f"base.path={base}",
                f"data.teacher=[{place / 'train'}]",
                f"data.dev=[{place / 'dev'}]",
                f"optimizer.steps={lesson.steps}",
                f"optimizer.learning_rate={first}",
                f"optimizer.final_learning_rate={last}",
                f"packing.compose={lesson.compose}",
                f"run.folder={place / 'run'}",
                *([] if start is None else [f"hypernet.start={start}"]),
                *overrides,
            ],
        )
        print(f"lesson {lesson.name}", flush=True)
        if not train(settings):
            return False
        start = checkpoint.checkpoints(place / "run")[-1]
    return True


def _teach(place: Path, base: Path, lesson: Lesson, material: dict[Split, Material]) -> None:
    sizes: dict[Split, int] = {"train": lesson.contexts, "dev": DEV_CONTEXTS}
    for split, contexts in sizes.items():
        made_from = {
            "lesson": asdict(lesson),
            "split": split,
            "passages": len(material[split].passages),
            "nothing": len(material[split].nothing),
        }
        teach(place / split, base, contexts, made_from, partial(draw, lesson, split, material[split]))


def _material(folder: Path, base: Path, passages: Sequence[Passage], split: Split) -> Material:
    own = with_strangers([passage for passage in passages if passage.split == split], "lessons")
    return Material(own, _nothing(folder / f"nothing-{split}.json", base, split))


def _nothing(path: Path, base: Path, split: Split) -> list[tuple[str, str]]:
    """Prompts about nothing with the base's own answers; generated once, then kept in `path`."""
    if not path.exists():
        prompts, tokenizer = prompts_of(split), load_tokenizer(base)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        engine = open_engine("transformers", base, device, fast_dtype(torch.device(device)), batch_size=16)
        written = engine.generate([question_ids(tokenizer, prompt) for prompt in prompts], ANSWER_TOKENS)
        answers = [
            (prompt, tokenizer.decode(answer.ids, skip_special_tokens=True).strip())
            for prompt, answer in zip(prompts, written, strict=True)
            if answer.finished
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"answers": answers})
    return [(prompt, answer) for prompt, answer in json.loads(path.read_text("utf-8"))["answers"]]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.english.recipe", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the run; an interrupted one resumes")
    parser.add_argument("--base", type=Path, required=True, help="folder of SmolLM2-135M-Instruct")
    parser.add_argument("--passages", type=Path, help="JSONL of `python -m torch_train.english passages`")
    parser.add_argument("--start", type=Path, help="checkpoint to start from (`convert-weights --to-torch`)")
    parser.add_argument("overrides", nargs="*", help="section.key=value, settings of the trainer")
    options = parser.parse_intermixed_args(arguments)
    try:
        passages = [] if options.passages is None else read_written(options.passages)
        finished = run(options.folder, options.base, passages, options.start, options.overrides)
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    if not finished:
        parser.exit(1, f"{parser.prog}: stopped; the same command resumes\n")


if __name__ == "__main__":
    main()
