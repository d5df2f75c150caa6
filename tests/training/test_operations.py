"""What a forward pass asks of a device: how many operations, and that it never waits to read something back."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoConfig, AutoModelForCausalLM

from mlx_hypernet.format.config import HypernetConfig
from tests.training import tiny_run
from torch_train.model.base import FrozenBase
from torch_train.model.chunking import Chunking
from torch_train.model.hypernet import HyperNetwork
from torch_train.training.distillation import DistillationModel

LAYERS, CONTEXTS = 30, 40
BEFORE, READS_BEFORE = 14_500, 19  # with a loop over contexts in every layer, counted in the same way
READING = ("_local_scalar_dense", "nonzero", "masked_select", "bincount", "unique", "repeat_interleave.Tensor")


class _Counter(TorchDispatchMode):
    """Counts operations, and those whose result a GPU's host must wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.reads = 0, []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(function)
        self.operations += 1
        masked = name == "aten.index.Tensor" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if masked or any(part in name for part in READING):
            self.reads.append(name)
        return function(*args, **kwargs or {})


class _Listed(TorchFunctionMode):
    """Counts what leaves PyTorch without an operation on CPUs."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__name__", "") in ("tolist", "numpy", "cpu"):
            self.reads.append(function.__name__)
        return function(*args, **kwargs or {})


def _model(vocabulary: int = 96) -> DistillationModel:
    torch.manual_seed(0)
    rope = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "original_max_position_embeddings": 64}
    rope |= {"beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1}
    sizes = tiny_run.SIZES | {"num_hidden_layers": LAYERS, "vocab_size": vocabulary, "rope_parameters": rope}
    base = FrozenBase(AutoModelForCausalLM.from_config(AutoConfig.for_model("ministral3", **sizes)))
    config = HypernetConfig(LAYERS, 32, {"down_proj": (48, 32)}, 3, 5.0, 16, 4, 9, 4, 2, 8)
    return DistillationModel(HyperNetwork(config), base, base, recompute=False)


def test_a_forward_pass_takes_a_third_of_the_operations_and_reads_nothing_back() -> None:
    rows = [tiny_run.teacher_row(seed, 20 + seed, [(7, 4), (9, 3)]) for seed in range(CONTEXTS)]
    batch = tiny_run.packed(rows, Chunking(256, (1, 3), (4,)))
    model = _model()
    with _Listed() as listed, _Counter() as counter:
        model(batch)
    print(f"{counter.operations} operations")
    assert counter.operations < BEFORE / 3
    assert (counter.reads, listed.reads) == ([], [])


def test_the_counter_sees_what_is_read_back() -> None:
    with _Listed() as listed, _Counter() as counter:
        numbers = torch.arange(4)
        _ = numbers[numbers > 1], int(numbers.max()), numbers.tolist(), torch.repeat_interleave(numbers)
    assert len(counter.reads) == 3
    assert listed.reads == ["tolist"]
