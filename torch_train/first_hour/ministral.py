"""Ministral-3-3B's text model and its hypernetwork at random weights, and one full batch for them: what is timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from torch_train.model.base import FrozenBase
from torch_train.model.chunking import Chunking
from torch_train.model.hypernet import HyperNetwork
from torch_train.training.distillation import DistillationModel
from torch_train.training.dry_run import random_rows
from torch_train.training.packing import PackedBatch, Packer
from torch_train.training.settings import TrainingSettings, read_settings
from torch_train.training.shape import hypernet_config

CONFIG = Path(__file__).parents[1] / "configs" / "ministral-3-3b.yaml"


def base_model(device: torch.device, divisor: int, dtype: torch.dtype | None = None) -> FrozenBase:
    """The text model.

    Args:
        device: Where it goes.
        divisor: What its widths are divided by.
        dtype: Of its weights; None for bf16 on CUDA and fp32 elsewhere.
    """
    from transformers import Ministral3Config, Ministral3ForCausalLM

    config = Ministral3Config(
        vocab_size=131_072 // divisor,
        hidden_size=3072 // divisor,
        intermediate_size=9216 // divisor,
        num_hidden_layers=26,
        num_attention_heads=32 // divisor,
        num_key_value_heads=8 // divisor,
        head_dim=128,
        max_position_embeddings=262_144,
        tie_word_embeddings=True,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 1_000_000.0,
            "factor": 16.0,
            "original_max_position_embeddings": 16_384,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "mscale": 1.0,
            "mscale_all_dim": 1.0,
            "llama_4_scaling_beta": 0.1,
        },
    )
    with torch.device(device):
        model = Ministral3ForCausalLM(config)
    return FrozenBase(model.to(dtype or (torch.bfloat16 if device.type == "cuda" else torch.float32)))


def settings_of(tokens: int, more: Sequence[str] = ()) -> TrainingSettings:
    """The published run's settings, with batches of so many tokens of contexts and of inputs."""
    return read_settings(CONFIG, [f"packing.context_tokens={tokens}", f"packing.input_tokens={tokens}", *more])


def trained_model(
    base: FrozenBase, settings: TrainingSettings, divisor: int, *, recompute: bool = False
) -> DistillationModel:
    """The hypernetwork of a base that is `divisor` times narrower, at random weights, ready to be trained."""
    small = replace(settings.hypernet, latent_size=settings.hypernet.latent_size // divisor)
    config = hypernet_config(small, base.layers[0], base.config)
    with torch.device(base.device):
        hypernet = HyperNetwork(config)
    for scaler in hypernet.scaler_B.values():  # at zero, most of the network has no gradient
        torch.nn.init.constant_(scaler, 0.05)
    precision = settings.optimizer.precision
    return DistillationModel(hypernet, base, base, recompute=recompute, precision=precision)


def full_batch(settings: TrainingSettings, vocabulary: int) -> PackedBatch:
    """The fullest of some batches of random rows, on the host."""
    packing = settings.packing
    packer = Packer(
        random_rows(settings, vocabulary),
        packing.context_tokens,
        packing.input_tokens,
        Chunking(packing.max_chunk_tokens),
        0,
    )
    batches = packer.batches(0)
    return max((next(batches) for _ in range(4)), key=tokens_of)


def tokens_of(batch: PackedBatch) -> int:
    """Tokens of contexts and inputs."""
    return batch.context_ids.numel() + batch.input_ids.numel()
