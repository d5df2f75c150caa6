"""Hypernetwork, gradients and optimiser spread over processes (FSDP2), a block at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Shard

from torch_train.training.distillation import DistillationModel


def shard(model: DistillationModel, processes: int, device: torch.device) -> None:
    """Leave each process its part of every parameter; a block's are gathered while it runs, and given back after it.

    The optimiser is built after it, of these parts. Base and encoder are no parameters of the model, and stay whole.

    Args:
        model: On its device, with its weights.
        processes: How many share it.
        device: Of this process.
    """
    mesh = init_device_mesh(device.type, (processes,))

    def placement(parameter: nn.Parameter) -> Shard:
        # 26 layers over 8 processes would leave one with none: along an axis that they divide, if there is one.
        even = (axis for axis, size in enumerate(parameter.shape) if size % processes == 0)
        return Shard(next(even, 0))

    for block in sharded_alone(model):
        fully_shard(block, mesh=mesh, shard_placement_fn=placement)
    fully_shard(model, mesh=mesh, shard_placement_fn=placement)


def sharded_alone(model: DistillationModel) -> Iterator[nn.Module]:
    """The parts that are gathered by themselves, each called as a module; what is left is gathered with the model."""
    hypernet = model.hypernet
    yield hypernet.modality_projection
    for perceiver in (hypernet.encoder, hypernet.decoder):
        yield from perceiver.blocks
    yield from hypernet.pre_head
    yield hypernet.head


def own_bytes(tensors: Iterator[Tensor]) -> int:
    """Bytes that this process holds of them."""
    return sum(one.numel() * one.element_size() for one in map(_local, tensors))


def is_sharded(model: nn.Module) -> bool:
    """Whether `shard` took the model apart."""
    return isinstance(model, FSDPModule)


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
