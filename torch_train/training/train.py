"""From settings to a trained hypernetwork: resolve, load, build, train, tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as compute
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from mlx_hypernet.format.template import affixes
from torch_train.errors import TrainingError
from torch_train.model.base import FrozenBase, load_base
from torch_train.model.chunking import STAGE_2_COUNTS, Chunking
from torch_train.model.fetching import fetch_base
from torch_train.model.fingerprint import base_fingerprint, tokenizer_fingerprint
from torch_train.model.hypernet import HyperNetwork
from torch_train.model.tokenizer import load_tokenizer
from torch_train.teacher.teacher_rows import TeacherData, TeacherRow
from torch_train.training import card, checkpoint, curves
from torch_train.training.checkpoint import BaseRecord
from torch_train.training.compiling import compiles
from torch_train.training.distillation import DistillationModel
from torch_train.training.lengths import row_ids
from torch_train.training.loop import Loop
from torch_train.training.memory import free_bytes, memory_watched, recomputes
from torch_train.training.optimizer import build_optimizer
from torch_train.training.packing import Packer
from torch_train.training.plan_cache import PlanCache
from torch_train.training.settings import PackingSettings, TrainingSettings
from torch_train.training.shape import hypernet_config
from torch_train.training.sharding import shard
from torch_train.training.statistics import standardise
from torch_train.training.stream import Stream


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to go."""

    loop: Loop
    accelerator: Accelerator
    stream: Stream


def train(settings: TrainingSettings) -> bool:
    """Train, or resume training, until the last step; write curves and a model card at the end.

    Returns:
        False where SIGTERM ended the run before its last step.

    Raises:
        TrainingError: With a message that says what to change.
    """
    with memory_watched(settings):
        run = prepare(settings)
        main = run.accelerator.is_main_process
        if main:
            print(f"an epoch is {run.stream.plan}", flush=True)
        finished = run.loop.run()
    if finished and main:
        folder = Path(settings.run.folder)
        curves.draw(folder)
        card.write(folder, settings)
        print(f"{checkpoint.checkpoints(folder)[-1]} is ready for convert-weights", flush=True)
    run.accelerator.end_training()
    return finished


def prepare(settings: TrainingSettings, rows: Sequence[TeacherRow] | None = None) -> Prepared:
    """Load everything and build the loop.

    Args:
        settings: Of the run.
        rows: What to train on instead of `data.teacher`.
    """
    accelerator = make_accelerator(settings)
    folder = fetch_base(settings.base.path)
    tokenizer = load_tokenizer(folder)
    chunking = make_chunking(settings.packing, tokenizer)
    read = _Reader(folder, tokenizer)
    rows = read.rows(settings.data.teacher) if rows is None else rows
    packing, optimiser = settings.packing, settings.optimizer
    packed = partial(
        Packer,
        context_tokens=packing.context_tokens,
        input_tokens=packing.input_tokens,
        chunking=chunking,
        seed=settings.run.seed,
        max_questions=packing.max_questions,
        max_input_tokens=packing.max_input_tokens,
    )
    sizes = rows.sizes if isinstance(rows, _Joined) else ()
    floor = settings.data.floor
    packer = packed(rows, compose=packing.compose, sizes=sizes, floor=floor, cache=plan_cache(settings, rows, chunking))
    dev = None
    if settings.data.dev:
        dev_rows = read.rows(settings.data.dev)
        refuse_leaks(rows, dev_rows)
        dev = packed(dev_rows)

    base = load_base(folder, settings.base.dtype, accelerator.device)
    bits = settings.base.encoder_bits
    double = settings.base.encoder_double
    encoder = base if bits is None else load_base(folder, settings.base.dtype, accelerator.device, bits, double)
    torch.manual_seed(settings.run.seed)
    hypernet = HyperNetwork(hypernet_config(settings.hypernet, base.layers[0], base.config))
    for scaler in hypernet.scaler_B.values():
        torch.nn.init.constant_(scaler, settings.hypernet.scaler_start)
    earlier = last_checkpoint(Path(settings.run.folder))
    state = None if earlier is None else checkpoint.load_trainer(earlier)
    start = earlier or settings.hypernet.start
    if earlier is not None:
        checkpoint.load_into(hypernet, checkpoint.load_weights(earlier, hypernet.config)[1], earlier)
    elif start is not None:
        checkpoint.load_start(hypernet, Path(start))
    hypernet = hypernet.to(accelerator.device)
    parameters = sum(parameter.numel() for parameter in hypernet.parameters())
    if settings.run.sharding == "fsdp":
        parameters //= accelerator.num_processes
    free = free_bytes(accelerator.device)
    model = DistillationModel(
        hypernet,
        base,
        encoder,
        recompute=recomputes(settings, hypernet.config, base.model, parameters, free),
        neftune=optimiser.neftune,
        loss=optimiser.loss,
        weight=optimiser.weight,
        precision=optimiser.precision,
    )
    if start is None and hypernet.config.feature_norm:
        standardise(model, packer)
    if compiles(settings, accelerator.device):
        hypernet.compile_parts()
    if settings.run.sharding == "fsdp" and accelerator.num_processes > 1:
        shard(model, accelerator.num_processes, accelerator.device)
    optimizer = build_optimizer(model.named_parameters(), optimiser)
    stream = Stream(packer, settings.run.seed, **(state.stream if state else {}))
    record = base_record(settings.base.path, base, chunking)
    return Prepared(Loop(settings, accelerator, model, optimizer, stream, dev, record, state), accelerator, stream)


def last_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint of a run that was begun, the same for all processes.

    Raises:
        TrainingError: It is not on this machine.
    """
    found = checkpoint.checkpoints(folder)
    (name,) = broadcast_object_list([found[-1].name if found else None])
    if name is not None and not (folder / name).is_dir():
        raise TrainingError(
            f"{folder / name} is not on this machine: run.folder must be on a disk that all machines share"
        )
    return None if name is None else folder / name


def make_accelerator(settings: TrainingSettings) -> Accelerator:
    """One process, or what torchrun started.

    Raises:
        TrainingError: The settings ask for CUDA where there is none.
    """
    run = settings.run
    if run.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("run.device is cuda, but no CUDA device is available: set run.device: cpu")
    cpu = run.device == "cpu" or not torch.cuda.is_available()
    if settings.optimizer.precision == "autocast":
        torch.set_float32_matmul_precision("high")  # TF32, on CUDA
    accelerator = Accelerator(cpu=cpu)
    if run.minutes is not None and accelerator.num_processes > 1:  # their clocks, hence their rates, would differ
        raise TrainingError("run.minutes works with one process: set optimizer.steps instead")
    return accelerator


def make_chunking(packing: PackingSettings, tokenizer: Any) -> Chunking:
    """How the run cuts documents, with the template's ids of this base."""
    prefix, suffix = affixes(tokenizer)
    stage_2 = packing.chunks == "random"
    return Chunking(
        packing.max_chunk_tokens,
        prefix,
        suffix,
        counts=STAGE_2_COUNTS if stage_2 else None,
        min_tokens=packing.min_chunk_tokens if stage_2 else 1,
    )


def base_record(path: str, base: FrozenBase, chunking: Chunking) -> BaseRecord:
    """What checkpoints remember of a base."""
    local = Path(path).is_dir()
    return BaseRecord(
        path=str(Path(path).resolve()) if local else path,
        repository=None if local else path,
        **base.shape,
        max_chunk_tokens=chunking.max_tokens,
        prefix_ids=chunking.prefix_ids,
        suffix_ids=chunking.suffix_ids,
    )


def refuse_leaks(train: Sequence[TeacherRow], dev: Sequence[TeacherRow]) -> None:
    """Refuse contexts that are measured on and learnt from.

    Raises:
        TrainingError: Says how many there are, and names one.
    """
    ids = row_ids(train)
    leaking = np.flatnonzero(compute.is_in(ids, value_set=row_ids(dev).combine_chunks()))
    if len(leaking):
        first = train[int(leaking[0])]
        raise TrainingError(
            f"{len(leaking)} contexts of data.dev are also in data.teacher, such as {first.source} "
            f"{first.id[:12]}: make the splits again with python -m torch_train.data"
        )


def plan_cache(settings: TrainingSettings, rows: Sequence[TeacherRow], chunking: Chunking) -> PlanCache | None:
    """Where the plans of a run are kept; None for rows that are no files."""
    files = getattr(rows, "files", None)
    if files is None:
        return None
    made_from = {"files": files, "packing": asdict(settings.packing), "seed": settings.run.seed}
    made_from |= {"floor": settings.data.floor, "affixes": [chunking.prefix_ids, chunking.suffix_ids]}
    return PlanCache(Path(settings.run.folder) / "plans", made_from)


class _Reader:
    """Reads folders of teacher shards that were made with one base and tokenizer."""

    def __init__(self, base: Path, tokenizer: Any) -> None:
        self._base, self._tokenizer = base_fingerprint(base), tokenizer_fingerprint(tokenizer)

    def rows(self, folders: Sequence[str]) -> Sequence[TeacherRow]:
        parts = [TeacherData(Path(folder), self._base, self._tokenizer) for folder in folders]
        return parts[0] if len(parts) == 1 else _Joined(parts)


class _Joined(Sequence[TeacherRow]):
    """Several folders as one."""

    def __init__(self, parts: Sequence[TeacherData]) -> None:
        self._parts, self.sizes = parts, tuple(map(len, parts))
        self._starts = np.cumsum([0, *self.sizes])
        self.tables = [table for part in parts for table in part.tables]
        self.files = [file for part in parts for file in part.files]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._parts[part][index - int(self._starts[part])]
