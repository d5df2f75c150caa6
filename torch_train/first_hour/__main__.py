"""`python -m torch_train.first_hour OUT --minutes 10`: everything that the first hour on a GPU should show.

Parts that an earlier call finished are not repeated. The training is smol's by the clock (`english/lease.py`); without
a parcel or a base it takes nano's base, which is in this repository, to show that everything works.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlx_hypernet.format.atomic import write_json, write_text
from torch_train.errors import TrainingError
from torch_train.first_hour.environment import environment, told
from torch_train.first_hour.page import page

NANO = Path(__file__).parents[2] / "thoth" / "nano" / "base"
NUMBERS, PAGE = "first_hour.json", "first_hour.md"
_CONVERSION_SECONDS, _LEAST_SECONDS = 60.0, 60.0


class FirstHour:
    """One call: numbers are written after each part.

    Args:
        options: Of the command line.
        ends: When everything must be done, by `time.monotonic`.
    """

    def __init__(self, options: argparse.Namespace, ends: float) -> None:
        self._options, self._ends = options, ends
        self._result: Path = options.result or options.out
        path = self._result / NUMBERS
        earlier = path if path.exists() else options.out / NUMBERS
        self.numbers: dict[str, Any] = json.loads(earlier.read_text("utf-8")) if earlier.exists() else {"seconds": {}}
        self.numbers["date"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
        self.numbers["command"] = f"runs/first_hour.sh --minutes {options.minutes:g} --device {options.device}"

    def run(self) -> None:
        """All parts.

        Raises:
            TrainingError: A package is missing, the device does not agree with the CPU, or the training failed.
        """
        found = environment(self._options.device)
        print("\n".join(told(found)), flush=True)
        self.numbers["environment"] = found
        self._keep()
        if found["missing"] or (self._options.device == "cuda" and "CUDA" not in found):
            raise TrainingError(f"this machine lacks {', '.join(found['missing']) or 'a CUDA device'}")
        import torch

        from torch_train.first_hour.agreement import agreement
        from torch_train.first_hour.ceilings import ceilings
        from torch_train.first_hour.speed import speed

        device = torch.device(self._options.device)
        self._part("agreement", lambda: agreement(device))
        self._part("ceilings", lambda: ceilings(device))
        best = self.numbers["ceilings"]
        products = [value for name, value in best.items() if name.startswith("bf16")] or [
            best["fp32 product (TFLOP/s)"]
        ]
        self._part("speed", lambda: speed(device, max(products) * 1e12))
        if not self.numbers["agreement"]["agrees"]:
            raise TrainingError(f"the device does not compute what the CPU computes: see {self._result / PAGE}")
        self._train()

    def _train(self) -> None:
        from torch_train.english.lease import lease
        from torch_train.english.timed import last_checkpoint

        options = self._options
        base, overrides = options.base, list(options.overrides)
        if options.parcel is None and base is None:
            base, overrides = NANO, ["hypernet.layers=null", *overrides]
        converts = find_spec("mlx") is not None
        left = self._ends - time.monotonic() - (_CONVERSION_SECONDS if converts else 0)
        if left < _LEAST_SECONDS:
            raise TrainingError("no time is left for the training: the same command resumes with it")
        out = options.out / "training"
        with_time = argparse.Namespace(
            **{**vars(options), "out": out, "base": base, "minutes": left / 60, "result": self._result / "training"},
            start=None,
        )
        with_time.overrides = overrides
        began = time.monotonic()
        status = lease(with_time)
        self.numbers["seconds"]["training"] = round(time.monotonic() - began, 1)
        self.numbers["training"] = (self._result / "training" / "page.md").read_text("utf-8")
        last = last_checkpoint(out)
        base = out / "base" if options.parcel is not None else base
        self.numbers["bundle"] = self._converted(last, base) if converts and last and not status else (
            "Not converted: there is no MLX here. Where there is, run "
            "`python -m torch_train.parcel unpack training/parcel FOLDER`, then "
            "`convert-weights FOLDER/checkpoint BUNDLE --base BASE`."
        )  # fmt: skip
        self._keep()

    def _converted(self, last: Path, base: Path) -> str:
        bundle = self._options.out / "bundle"
        start = "import sys; from convert.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", start, str(last), str(bundle), "--base", str(base), "--force"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        whole = done.returncode == 0 and (bundle / "config.json").is_file()
        said = [line for line in (done.stdout if whole else done.stderr).splitlines() if line.strip()]
        verdict = "converted" if whole else f"not converted (exit code {done.returncode})"
        return f"`{last.name}` {verdict}: {' / '.join(said[-3:])}"

    def _part(self, name: str, measured: Callable[[], dict[str, Any]]) -> None:
        if name in self.numbers:
            print(f"{name} is known from an earlier call", flush=True)
            return
        print(f"== {name}", flush=True)
        began = time.monotonic()
        self.numbers[name] = measured()
        self.numbers["seconds"][name] = round(time.monotonic() - began, 1)
        self._keep()

    def _keep(self) -> None:
        for folder in {self._result, self._options.out}:  # the result is brought back, OUT is resumed from
            write_json(folder / NUMBERS, self.numbers)
            write_text(folder / PAGE, page(self.numbers))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.first_hour", description=__doc__)
    parser.add_argument("out", type=Path, help="folder of the run; the same command resumes")
    parser.add_argument("--minutes", type=float, default=60, help="time of the whole command (%(default)s)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="(%(default)s)")
    parser.add_argument(
        "--parcel", type=Path, help="folder of the parts that `python -m torch_train.parcel pack` wrote"
    )
    parser.add_argument("--base", type=Path, help="folder of a base in transformers' layout, instead of a parcel")
    parser.add_argument("--result", type=Path, help="folder that is brought back (OUT)")
    parser.add_argument("--workers", type=int, default=12, help="processes that make contexts (%(default)s)")
    parser.add_argument("overrides", nargs="*", help="section.key=value, settings of the trainer")
    options = parser.parse_intermixed_args(arguments)
    ends = time.monotonic() + 60 * options.minutes
    try:
        FirstHour(options, ends).run()
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: interrupted; the same command resumes\n")


if __name__ == "__main__":
    main()
