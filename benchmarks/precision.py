"""The same training in both precisions: `optimizer.precision` inference and autocast, loss by loss.

    python -m benchmarks.precision [--steps 20] [--notes 400]

Nano's base and a fresh hypernetwork in nano's shape learn the known answers of nano's notes, in the same order and from
the same weights. On CUDA the base is in bf16, on a CPU in fp32: there `inference` is fp32 throughout, and `autocast`
rounds every product to bf16, as it does on a GPU.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from benchmarks import harness
from thoth import nano
from torch_train.data.row import ContextRow
from torch_train.model.tokenizer import load_tokenizer
from torch_train.nano.language import Language
from torch_train.teacher.teach import KNOWN, TeacherSettings, teach
from torch_train.training.journal import read_log
from torch_train.training.settings import read_settings
from torch_train.training.train import train

CONFIG = Path(__file__).parents[1] / "torch_train" / "configs" / "nano.yaml"
PRECISIONS = ("inference", "autocast")


def rows(count: int) -> list[ContextRow]:
    """Notes with their questions and the answers that nano's language knows."""
    language = Language(0, "train")
    notes = [language.note(2, 1) for _ in range(count)]
    asked = [{question.text: question.answer for question in note.questions} for note in notes]
    return [
        ContextRow(note.text, tuple(questions), tuple((answer,) for answer in questions.values()), "notes")
        for note, questions in zip(notes, asked, strict=True)
    ]


def losses(folder: Path, teacher: Path, steps: int, precision: str) -> list[float]:
    """The loss of every step of one run."""
    fixed = {
        "base.path": nano.folder() / "base",
        "base.dtype": "bfloat16" if torch.cuda.is_available() else "float32",
        "hypernet.start": "null",
        "hypernet.scaler_start": 0.05,
        "data.teacher": f"[{teacher}]",
        "data.dev": "[]",
        "packing.context_tokens": 512,
        "packing.input_tokens": 512,
        "optimizer.steps": steps,
        "optimizer.warmup": 2,
        "optimizer.precision": precision,
        "run.folder": folder / precision,
        "run.device": "auto",
        "run.log_every": 1,
    }
    train(read_settings(CONFIG, [f"{key}={value}" for key, value in fixed.items()]))
    return [entry["loss"] for entry in read_log(folder / precision) if "loss" in entry]


def main() -> None:
    """Print both curves."""
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--notes", type=int, default=400)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = nano.folder() / "base"
        settings = TeacherSettings(answers=KNOWN)
        teach(rows(options.notes), _no_engine, load_tokenizer(base), base, folder / "teacher", settings)
        curves = [losses(folder, folder / "teacher", options.steps, precision) for precision in PRECISIONS]
    table = harness.Table("step", *PRECISIONS, "difference")
    for step, (one, other) in enumerate(zip(*curves, strict=True), start=1):
        if step == 1 or step % max(1, options.steps // 10) == 0:
            table.row(step, f"{one:.4f}", f"{other:.4f}", f"{abs(one - other) / one:.2%}")
    worst = max(abs(one - other) / one for one, other in zip(*curves, strict=True))
    print(f"largest difference of {options.steps} steps: {worst:.2%}")


def _no_engine() -> None:
    raise AssertionError("known answers need no engine")


if __name__ == "__main__":
    main()
