"""What a run will take, before it is begun: parameters, memory, tokens, and the time of a few real steps."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from torch_train.model.base import base_config
from torch_train.model.fetching import fetch_base
from torch_train.model.generation import TOP
from torch_train.teacher.teacher_rows import TeacherRow
from torch_train.training.memory import memory_by_part, memory_watched
from torch_train.training.settings import TrainingSettings
from torch_train.training.shape import hypernet_config, meta_base, parameter_counts
from torch_train.training.train import prepare

WARM_UP, STEPS = 2, 10


def dry_run(settings: TrainingSettings) -> None:
    """Print everything; the folder of the run is not changed."""
    base = meta_base(base_config(fetch_base(settings.base.path)))
    config = hypernet_config(settings.hypernet, base.model.layers[0], base.config)
    counts = parameter_counts(config)
    print(f"hypernetwork: {sum(counts.values()):,} parameters")
    for part, count in counts.items():
        print(f"  {part:22} {count:>13,}")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    memory = dict(memory_by_part(settings, config, base, counts, processes, recompute=settings.run.recompute != "off"))
    print(f"memory: {sum(memory.values()) / 1e9:.2f} GB on each device, besides what single operations need")
    for part, size in memory.items():
        print(f"  {part:48} {size / 1e9:>8.2f} GB")
    packing, optimizer = settings.packing, settings.optimizer
    with tempfile.TemporaryDirectory() as folder:
        missing = [name for name in settings.data.teacher if not Path(name).is_dir()]
        rows = random_rows(settings, base.config.vocab_size) if missing else None
        elsewhere = replace(settings, run=replace(settings.run, folder=folder))
        if missing:
            elsewhere = replace(elsewhere, data=replace(settings.data, dev=()))
        with memory_watched(elsewhere):
            run = prepare(elsewhere, rows)
            seconds = run.loop.seconds_per_step(WARM_UP, STEPS)
        state = run.loop.state_bytes()
        tokens = optimizer.accumulation * processes * (packing.context_tokens + packing.input_tokens)
        print(f"tokens per step: {tokens:,} = {processes} processes x {optimizer.accumulation} batches x "
              f"({packing.context_tokens:,} context + {packing.input_tokens:,} input tokens)")  # fmt: skip
        print(f"an epoch: {run.stream.plan}" if not missing else f"random rows, since {missing[0]} does not exist yet")
    print(f"state: {state:,} bytes of parameters and optimiser on each of {processes} processes, as measured")
    print(f"time per step: {seconds:.3g} s, the mean of {STEPS} real steps on {run.accelerator.device}")
    hours = optimizer.steps * seconds / 3600
    print(f"{optimizer.steps:,} steps: {optimizer.steps * tokens / 1e6:,.1f}M tokens, {hours:.2f} h")
    if torch.cuda.is_available():
        print(f"peak memory: {torch.cuda.max_memory_allocated() / 1e9:.2f} GB")


def random_rows(settings: TrainingSettings, vocabulary: int, count: int = 512) -> list[TeacherRow]:
    """Rows of random tokens with lengths like a data set's: for measuring where there is no data."""
    draw = np.random.default_rng(settings.run.seed)
    longest = settings.packing.context_tokens
    return [_random_row(draw, vocabulary, min(longest // 2, int(draw.integers(100, 400)))) for _ in range(count)]


def _random_row(draw: np.random.Generator, vocabulary: int, context: int) -> TeacherRow:
    answers = [int(draw.integers(5, 30)) for _ in range(5)]
    return TeacherRow(
        id=draw.bytes(16).hex(),
        source="random",
        context_ids=_ids(draw, vocabulary, context),
        questions=tuple(_ids(draw, vocabulary, int(draw.integers(15, 30))) for _ in answers),
        answers=tuple(_ids(draw, vocabulary, length) for length in answers),
        relevant=np.ones(len(answers), dtype=bool),
        top_ids=draw.integers(0, vocabulary, (sum(answers), TOP)).astype(np.int32),
        top_log_probabilities=np.full((sum(answers), TOP), np.log(1 / TOP), dtype=np.float16),
    )


def _ids(draw: np.random.Generator, vocabulary: int, length: int) -> np.ndarray:
    return draw.integers(0, vocabulary, length).astype(np.int32)
