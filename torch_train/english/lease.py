"""`python -m torch_train.english.lease OUT --parcel FOLDER --minutes 10`: all that happens on a machine that is lent.

Unpack, look at the machine, train within the time, score the last checkpoint, write what is brought back; one process,
since each start of Python with torch costs seconds. `runs/smol_gpu.sh` starts it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from mlx_hypernet.format.atomic import write_json
from torch_train.errors import TrainingError
from torch_train.first_hour.environment import environment, told
from torch_train.parcel.parcel import unpack

# Of the time: scores and the way back, at least this share and at most so many seconds.
_RESERVE_SHARE, _RESERVE_SECONDS = 1 / 8, 60.0
_LEAST_SECONDS = 10.0
_QUESTIONS = {"cuda": 1000, "cpu": 16}
_TOKENS = {"cuda": 16_384, "cpu": 1280}
PHASES = "phases.json"


@dataclass
class Phases:
    """Says what begins, and remembers how long each phase took."""

    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A part of the lease."""
        before = time.monotonic()
        print(f"== {before - self.began:.0f} s: {name}", flush=True)
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - before, 1)


def unpacked(parcel: Path, out: Path) -> Path:
    """Unpack a parcel and the wheels in it, and return the base's folder."""
    unpack(parcel, out)
    site = out / "site"
    for wheel in sorted((out / "wheels").glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    sys.path.append(str(site))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(site))))
    return out / "base"


def lease(options: argparse.Namespace) -> int:
    """Go through the phases; 0 when done, 143 where SIGTERM cut the training short.

    Raises:
        TrainingError: With a message that says what to change.
    """
    phases = Phases()
    ends = phases.began + 60 * options.minutes
    out, result = options.out, options.result or options.out / "result"
    out.mkdir(parents=True, exist_ok=True)
    base = options.base
    if options.parcel is not None:
        with phases.phase("unpack"):
            base = unpacked(options.parcel, out)
    if base is None:
        raise TrainingError("there is no base: give --parcel or --base")
    with phases.phase("environment"):
        found = environment(options.device)
        print("\n".join(told(found)), flush=True)
        if found["missing"] or (options.device == "cuda" and "CUDA" not in found):
            raise TrainingError(f"this machine lacks {', '.join(found['missing']) or 'a CUDA device'}")
        from torch_train.english import outcome  # with torch, which may be missing until here
        from torch_train.english.forced import measure
        from torch_train.english.timed import Timed, last_checkpoint, prepare_device

        device = prepare_device(options.device)
    reserve = min(_RESERVE_SECONDS, 60 * options.minutes * _RESERVE_SHARE)
    deadline = ends - reserve
    if deadline - time.monotonic() < _LEAST_SECONDS:
        raise TrainingError(f"{options.minutes} minutes leave no time for training")
    passages = out / "passages.jsonl"
    timed = Timed(
        out,
        base,
        deadline,
        options.device,
        passages if passages.exists() else None,
        options.workers,
        options.overrides,
    )
    stopped = False
    try:
        with phases.phase(f"training until {deadline - phases.began:.0f} s"):
            stopped = not timed.run(options.start)
    finally:  # whatever happened: what is saved is brought back
        last = last_checkpoint(out)
        if last is not None:
            print(f"last checkpoint: {last}", flush=True)
            if not stopped and sys.exc_info()[0] is None:
                with phases.phase("scores"):
                    questions, tokens = _QUESTIONS[options.device], _TOKENS[options.device]
                    scores = measure(last, base, device, questions, tokens, ends - reserve / 3)
                    write_json(out / "scores.json", scores)
            with phases.phase("result"):
                outcome.write(out, result, found, phases.seconds)
    print(f"== {time.monotonic() - phases.began:.0f} s: done, {result}", flush=True)
    return 143 if stopped else 0


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.english.lease", description=__doc__)
    parser.add_argument("out", type=Path, help="folder of the run; the same command resumes")
    parser.add_argument(
        "--parcel", type=Path, help="folder of the parts that `python -m torch_train.parcel pack` wrote"
    )
    parser.add_argument("--base", type=Path, help="folder of SmolLM2-135M-Instruct, instead of a parcel")
    parser.add_argument("--minutes", type=float, default=10, help="time of the whole command (%(default)s)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="where it trains (%(default)s)")
    parser.add_argument("--result", type=Path, help="folder that is brought back (OUT/result)")
    parser.add_argument("--start", type=Path, help="checkpoint that the first lesson starts from")
    parser.add_argument("--workers", type=int, default=12, help="processes that make contexts (%(default)s)")
    parser.add_argument("overrides", nargs="*", help="section.key=value, settings of the trainer")
    options = parser.parse_intermixed_args(arguments)
    signal.signal(signal.SIGTERM, _interrupted)  # while nothing trains; the trainer itself saves first
    try:
        parser.exit(lease(options))
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: interrupted; the same command resumes\n")


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
