"""The shape of a hypernetwork: what its settings leave open, the base decides. Nothing is allocated for it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mlx_hypernet.format.config import ConfigError, HypernetConfig
from torch_train.errors import TrainingError
from torch_train.model.hypernet import HyperNetwork
from torch_train.training.settings import HypernetSettings


def meta_base(base_config: Any) -> Any:
    """The base's text model without weights, on the meta device."""
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(base_config.get_text_config(), trust_remote_code=False)


def hypernet_config(settings: HypernetSettings, block: nn.Module, base: Any) -> HypernetConfig:
    """The shape that a base's hypernetwork has.

    Args:
        settings: Of the run.
        block: One of the base's blocks, on any device.
        base: The configuration of the base's text model.

    Raises:
        TrainingError: The base has no linear modules of these names, or the sizes do not fit each other.
    """
    linear = {
        path.rpartition(".")[2]: (module.in_features, module.out_features)
        for path, module in block.named_modules()
        if isinstance(module, nn.Linear)
    }
    unknown = sorted(set(settings.modules) - linear.keys())
    if unknown:
        raise TrainingError(f"hypernet.modules: the base has no {', '.join(unknown)}, but {', '.join(linear)}")
    first, after = settings.layers or (0, base.num_hidden_layers)
    if not 0 <= first < after <= base.num_hidden_layers:
        raise TrainingError(f"hypernet.layers: {[first, after]} is not a range of its {base.num_hidden_layers} blocks")
    if settings.exit_layer is not None and not 0 < settings.exit_layer < base.num_hidden_layers:
        raise TrainingError(f"hypernet.exit_layer: the base has no block {settings.exit_layer} after its first")
    try:
        return HypernetConfig(
            num_layers=after - first,
            first_layer=first,
            feature_norm=settings.feature_norm,
            reads_template=settings.reads_template,
            projection_factor=settings.projection_factor,
            token_pairs=settings.token_pairs,
            exit_layer=settings.exit_layer,
            hidden_size=base.hidden_size,
            modules={name: linear[name] for name in settings.modules},
            rank=settings.rank,
            # The reference's alpha, 2 r^1.5, not divided by the rank.
            scale=2 * settings.rank**1.5 if settings.scale is None else settings.scale,
            latent_size=settings.latent_size,
            num_latents=settings.num_latents,
            num_blocks=settings.num_blocks,
            num_heads=settings.num_heads,
            num_kv_heads=settings.num_kv_heads,
            head_dim=settings.head_dim,
            num_pre_head_layers=settings.num_pre_head_layers,
            per_layer_processing=settings.per_layer_processing,
        )
    except ConfigError as error:
        raise TrainingError(f"hypernet: {error}") from error


def parameter_counts(config: HypernetConfig) -> dict[str, int]:
    """Parameters of a hypernetwork by part, counted on the meta device."""
    with torch.device("meta"):
        network = HyperNetwork(config)
    counts: dict[str, int] = {}
    for name, parameter in network.named_parameters():
        part = name.partition(".")[0]
        counts[part] = counts.get(part, 0) + parameter.numel()
    return counts
