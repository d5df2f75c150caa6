"""The training loop: batches to losses, losses to steps, steps to checkpoints."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, cast

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.tensor import DTensor

from torch_train.data.storage import locked
from torch_train.errors import BrokenLossError, TrainingError
from torch_train.training import checkpoint
from torch_train.training.checkpoint import BaseRecord, TrainerState
from torch_train.training.distillation import DistillationModel
from torch_train.training.journal import Journal, Recent
from torch_train.training.optimizer import learning_rate
from torch_train.training.packing import Packer
from torch_train.training.progress import Progress
from torch_train.training.settings import TrainingSettings, default_values
from torch_train.training.sharding import is_sharded, own_bytes
from torch_train.training.stream import Ahead, Step, Stream, Ticket

_PREFIX = "hypernet."  # of the hypernetwork inside `DistillationModel`
_FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)


class Loop:
    """One run.

    Args:
        settings: Of the run.
        accelerator: Of `accelerate`; knows processes and devices.
        model: What is trained, not yet prepared.
        optimizer: Of its parameters.
        stream: The order of batches.
        dev: Batches to measure on, None for none.
        base: What checkpoints remember of the base.
        state: What an earlier session left, None for a fresh run. The model has its weights already.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        accelerator: Accelerator,
        model: DistillationModel,
        optimizer: torch.optim.AdamW,
        stream: Stream,
        dev: Packer | None,
        base: BaseRecord,
        state: TrainerState | None,
    ) -> None:
        self._settings, self._accelerator, self._base = settings, accelerator, base
        self._hypernet_config = model.hypernet.config
        self._sharded = is_sharded(model)
        self._model: Any = model if self._sharded else accelerator.prepare(model)
        self._optimizer = optimizer
        self._stream, self._dev = stream, dev
        self._folder = Path(settings.run.folder)
        processes, rank = accelerator.num_processes, accelerator.process_index
        self._per_step = settings.optimizer.accumulation * processes
        self._ahead = Ahead(stream, self._per_step, rank, processes, pin=accelerator.device.type == "cuda")
        self._position = stream.state()
        self.step = 0 if state is None else state.step
        before = 0.0 if state is None else state.progress
        self._progress = Progress(settings.optimizer.steps, settings.run.minutes, before)
        if state is not None:
            self._restore(state)
        self._terminated = False

    def run(self) -> bool:
        """Train to the last step; True when it is reached, False where SIGTERM ended the run before.

        Raises:
            TrainingError: The loss is not a number, a checkpoint cannot be written, or SIGTERM came to another process
                alone: torchrun restarts processes that fail and not those that end well.
        """
        previous = signal.signal(signal.SIGTERM, self._terminate)
        try:
            with self._journal() as journal:
                return self._train(journal)
        finally:
            signal.signal(signal.SIGTERM, previous)
            self._ahead.close()

    def _train(self, journal: Journal | None) -> bool:
        run = self._settings.run
        recent = Recent()
        while not self._progress.over(self.step):
            values, tokens, stop = self._step()
            self.step += 1
            recent.add(values, tokens)
            last = self._progress.over(self.step)
            if journal and (self.step % run.log_every == 0 or last):
                journal.record(self.step, **recent.means())
            # Told to stop, there may be seconds left: they are for the checkpoint.
            if self._dev is not None and ((self.step % run.measure_every == 0 and not stop) or last):
                with recent.paused():
                    measured = self._measure(self._dev)
                if journal:
                    journal.record(self.step, **measured)
            if self.step % run.save_every == 0 or last or stop:
                with recent.paused():
                    self._save(self._position)
            if stop and not last:
                if not self._terminated:
                    raise TrainingError(
                        f"another process was stopped; step {self.step} is saved, and the same command resumes from it"
                    )
                return False
        return True

    def state_bytes(self) -> int:
        """Bytes of parameters and optimiser that this process holds."""
        states = [value for state in self._optimizer.state.values() for value in state.values()]
        return own_bytes(tensor for tensor in [*self._model.parameters(), *states] if isinstance(tensor, Tensor))

    def seconds_per_step(self, warm_up: int, steps: int) -> float:
        """Make some real steps, and say how long one takes after the first few."""
        started = time.perf_counter()
        for step in range(warm_up + steps):
            if step == warm_up:
                _wait(self._accelerator.device)
                started = time.perf_counter()
            self._step()
        _wait(self._accelerator.device)
        return (time.perf_counter() - started) / steps

    def _step(self) -> tuple[dict[str, float], int, bool]:
        """One step: its numbers, its tokens, and whether any process was asked to stop."""
        step = self._ahead.step()
        values, stop = self._update(step)
        self._position = step.after
        return values, sum(sum(unit.tokens) for ticket in step.tickets for unit in ticket.units), stop

    def _update(self, step: Step) -> tuple[dict[str, float], bool]:
        """One update from the batches of all processes."""
        settings, device = self._settings.optimizer, self._accelerator.device
        processes = self._accelerator.num_processes
        count = sum(ticket.weight(settings.weight) for ticket in step.tickets)  # of all batches and all processes
        rate = learning_rate(settings, self.step, self._progress.scheduled(self.step))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        sums: list[Tensor] = []
        for number, (ticket, packed) in enumerate(step.own, 1):
            batch = packed.to(device)
            noise = self._stream.noise(ticket, device) if settings.neftune else None
            # Sharded gradients are brought together after every batch: until then they are whole.
            alone = not self._sharded and number < len(step.own)
            with self._accelerator.no_sync(self._model) if alone else nullcontext():
                losses = self._model(batch, noise)
                total = self._total(*losses)
                # Gradients are averaged over processes, the denominator counts what all have: hence the factor.
                self._accelerator.backward(total / count * processes)
            sums.append(torch.stack(losses).detach())
        told = torch.tensor([float(self._terminated)], device=device)
        *parts, stop = self._accelerator.reduce(torch.cat([torch.stack(sums).sum(0), told])).tolist()
        distillation, decision, magnitude = (part / count for part in parts)
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), settings.clip)
        length = float(norm.full_tensor() if isinstance(norm, DTensor) else norm)  # sharded: a part on every process
        values = {
            "loss": self._total(distillation, decision, magnitude),
            "distillation": distillation,
            "decision": decision,
            "magnitude": magnitude,
            "gradient norm": length,
            "learning rate": rate,
            "contexts": sum(len(ticket.units) for ticket in step.tickets),
        }
        if not all(map(math.isfinite, (values["loss"], length))):
            self._fail([ticket for ticket, _ in step.own], sums, step.before)
        self._optimizer.step()
        return values, stop > 0

    def _total(self, distillation: Any, decision: Any, magnitude: Any) -> Any:
        """What is minimised, of tensors or of numbers."""
        settings = self._settings.optimizer
        return distillation + settings.decision * decision + settings.l1 * magnitude

    def _fail(self, own: list[Ticket], sums: list[Tensor], position: dict[str, int]) -> None:
        """Save what was before this step, and name the batches whose loss is not a number."""
        from accelerate.utils import gather_object

        broken = [str(ticket) for ticket, values in zip(own, sums, strict=True) if not values.isfinite().all()]
        named = gather_object(broken) or ["a gradient of " + ", ".join(gather_object(list(map(str, own))))]
        self._save(position)
        raise BrokenLossError(
            f"step {self.step + 1} is not a number, from {', '.join(named)}: look at these rows, or lower "
            "optimizer.learning_rate in another run.folder, with hypernet.start: "
            f"{checkpoint.place_of(self._folder, self.step)}, the state before it"
        )

    def _measure(self, packer: Packer) -> dict[str, float]:
        """Mean distillation loss over the contexts, or questions, of some batches that are never trained on.

        With each context's own adapter, and with another one's: the gap says whether content flows.
        """
        own, another, count = 0.0, 0.0, 0
        weight = self._settings.optimizer.weight
        for number, batch in enumerate(packer.batches(0)):
            if number == self._settings.run.measure_batches:
                break
            batch = batch.to(self._accelerator.device)
            with torch.no_grad():
                own += self._model(batch).distillation.item()
                another += self._model(batch, swapped=True).distillation.item()
            count += len(batch.context_groups if weight == "context" else batch.input_contexts)
        return {"dev loss": own / count, "dev loss, another's adapter": another / count}

    def _save(self, position: dict[str, int]) -> None:
        # Gathered from all processes, and whole in the first one alone.
        weights = get_model_state_dict(self._model, options=_FULL)
        optimizer = get_optimizer_state_dict(self._model, self._optimizer, options=_FULL)
        if self._accelerator.is_main_process:
            tensors = {
                f"{name.removeprefix(_PREFIX)}:{key}": torch.as_tensor(value)
                for name, state in cast(dict[str, dict[str, Any]], optimizer["state"]).items()
                for key, value in state.items()
            }
            named = cast(dict[str, Tensor], weights)
            whole = {name.removeprefix(_PREFIX): tensor for name, tensor in named.items()}
            progress = self._progress.share(self.step)
            state = TrainerState(self.step, position, self._resumable, tensors, progress)
            keep = self._settings.run.keep
            checkpoint.save(self._folder, self._hypernet_config, whole, self._base, state, keep)
        self._accelerator.wait_for_everyone()

    def _restore(self, state: TrainerState) -> None:
        checkpoint.refuse_other_settings(state.settings, self._resumable, default_values())
        if not state.optimizer:  # of a run whose first step failed
            return
        restored: dict[str, dict[str, Tensor]] = {}
        for name, tensor in state.optimizer.items():
            parameter, _, key = name.rpartition(":")
            restored.setdefault(_PREFIX + parameter, {})[key] = tensor
        groups = get_optimizer_state_dict(self._model, self._optimizer)["param_groups"]
        set_optimizer_state_dict(
            self._model,
            self._optimizer,
            cast(Any, {"state": restored, "param_groups": groups}),
            options=StateDictOptions(full_state_dict=True),
        )

    @property
    def _resumable(self) -> dict[str, Any]:
        """The settings that a resumed run must share."""
        settings = self._settings.to_dict()
        run = {"seed": settings.pop("run")["seed"], "batches per step": self._per_step}
        settings["optimizer"].pop("accumulation")
        return {**settings, "run": run}

    @contextmanager
    def _journal(self) -> Iterator[Journal | None]:
        """The log, of the first process alone, which holds the folder meanwhile."""
        if not self._accelerator.is_main_process:
            yield None
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder):
            journal = Journal(self._folder, self.step, self._settings.run.wandb, self._settings.to_dict())
            try:
                yield journal
            finally:
                journal.close()

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self._terminated = True  # the step that is under way is finished first


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
