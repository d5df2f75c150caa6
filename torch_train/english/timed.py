"""Smol's hypernetwork, trained within a time: the lessons of `stages.py` share it.

A process beside this one makes the contexts meanwhile. A second call resumes: an interrupted lesson has what is left of
its schedule, and after the last lesson come further rounds of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from mlx_hypernet.format.atomic import write_text
from torch_train.english.attempts import train_stage
from torch_train.english.leaks import check
from torch_train.english.lesson_data import is_ready, material, read_passages
from torch_train.english.stages import PACES, Pace, Stage, contexts_for, seconds_of, stages
from torch_train.errors import TrainingError
from torch_train.training import checkpoint

PLAN = "plan.json"
_LAST_SECONDS = 2.0  # a lesson that has less time left is not begun


class Timed:
    """One call.

    Args:
        folder: Of data, checkpoints and logs.
        base: Folder of SmolLM2-135M-Instruct.
        deadline: When the last step must be done, by `time.monotonic`.
        device: `cuda` or `cpu`.
        passages: File of real passages, or None.
        workers: Processes that make contexts.
        overrides: `section.key=value` for the trainer's settings.
    """

    def __init__(
        self,
        folder: Path,
        base: Path,
        deadline: float,
        device: str,
        passages: Path | None,
        workers: int,
        overrides: Sequence[str],
    ) -> None:
        self._folder, self._base, self._deadline = folder, base, deadline
        self._passages, self._workers, self._overrides = passages, workers, [*_running(device), *overrides]
        self._pace: Pace = PACES[device]

    def run(self, start: Path | None = None) -> bool:
        """Train until the deadline.

        Args:
            start: Checkpoint that the first lesson starts from; None starts from nothing.

        Returns:
            False where SIGTERM ended it before.

        Raises:
            TrainingError: With a message that says what to change.
        """
        planned = self._planned()
        check(read_passages(self._passages))
        maker = self._make_contexts(planned)
        try:
            for index, stage in enumerate(planned):
                place = self._folder / stage.lesson.name
                left = self._left(planned[index:])
                if self._done(stage) < 1 and left > _LAST_SECONDS:
                    self._wait(place, maker)
                    left = self._left(planned[index:])
                    print(f"lesson {stage.lesson.name}: {left:.0f} s", flush=True)
                    if not train_stage(place, self._base, stage, left / 60, start, self._overrides):
                        return False
                start = self._last(place) or start
        finally:
            maker.terminate()
            maker.wait()
        return True

    def _planned(self) -> list[Stage]:
        """The stages with their numbers of contexts, which the first call decides."""
        path = self._folder / PLAN
        contexts: dict[str, int] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        further = 0
        while all(self._done(stage) >= 1 for stage in stages(further)):
            further += 1
        planned = stages(further)
        times = seconds_of(planned, list(map(self._done, planned)), self._deadline - time.monotonic())
        for stage, seconds in zip(planned, times, strict=True):
            contexts.setdefault(stage.lesson.name, contexts_for(stage, seconds, self._pace))
        write_text(path, json.dumps(contexts, indent=2) + "\n")
        return [
            replace(
                stage,
                lesson=replace(stage.lesson, contexts=contexts[stage.lesson.name]),
                tokens=min(stage.tokens, self._pace.tokens),
            )
            for stage in planned
        ]

    def _make_contexts(self, planned: Sequence[Stage]) -> subprocess.Popen[bytes]:
        """Begin to make what is missing, in a process that knows nothing of the GPU."""
        material(self._folder, self._base, read_passages(self._passages))  # the base's own answers, made here if at all
        lessons = self._folder / "lessons.json"
        write_text(lessons, json.dumps([asdict(stage.lesson) for stage in planned if self._done(stage) < 1]))
        command = [sys.executable, "-m", "torch_train.english.lesson_data", str(self._folder), str(lessons)]
        command += ["--base", str(self._base), "--workers", str(self._workers)]
        command += [] if self._passages is None else ["--passages", str(self._passages)]
        with (self._folder / "lesson-data.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def _wait(self, place: Path, maker: subprocess.Popen[bytes]) -> None:
        """Wait for the contexts of a lesson."""
        begun = time.monotonic()
        while not is_ready(place):
            if maker.poll() is not None and not is_ready(place):
                log = self._folder / "lesson-data.log"
                said = " / ".join(log.read_text("utf-8", "replace").splitlines()[-3:])
                raise TrainingError(f"the contexts of lesson {place.name} could not be made: {said}; see {log}")
            if time.monotonic() > self._deadline:
                raise TrainingError(f"there was no time left when the contexts of lesson {place.name} were ready")
            time.sleep(0.2)
        if (waited := time.monotonic() - begun) > 1:
            print(f"waited {waited:.1f} s for the contexts of lesson {place.name}", flush=True)

    def _left(self, rest: Sequence[Stage]) -> float:
        """Seconds of the first of the stages that are left."""
        return seconds_of(rest, list(map(self._done, rest)), self._deadline - time.monotonic())[0]

    def _done(self, stage: Stage) -> float:
        last = self._last(self._folder / stage.lesson.name)
        return 0.0 if last is None else checkpoint.progress_of(last)

    def _last(self, place: Path) -> Path | None:
        """The last checkpoint of a lesson, over all its attempts."""
        found = [one for run in sorted(place.glob("run-*")) for one in checkpoint.checkpoints(run)]
        return found[-1] if found else None


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of a run that was written last, in whatever lesson."""
    found = [one for run in folder.glob("*/run-*") for one in checkpoint.checkpoints(run)]
    return max(found, key=lambda one: (one / checkpoint.CONFIG).stat().st_mtime, default=None)


def _running(device: str) -> list[str]:
    """The trainer's settings that depend on the device."""
    save, measure, log = PACES[device].every
    return [f"run.device={device}", f"run.save_every={save}", f"run.measure_every={measure}", f"run.log_every={log}"]


def prepare_device(name: str) -> torch.device:
    """The device, with what suits packed batches, no two of which have the same shape."""
    if name == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32 for what follows the Perceiver, and for Muon
        torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every shape
        print("fp32 products in TF32; attention without cuDNN", flush=True)
    return torch.device(name)
