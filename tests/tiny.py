"""Tiny random models for the tests of inference and conversion: real architectures at toy size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlx_hypernet.format.config import BaseInfo, BundleConfig, HypernetConfig

REFERENCE = Path(__file__).parent / "fixtures" / "sakana-tiny"

# Ministral-3's own YaRN parameters, scaled down so that a short text crosses the original length.
ROPE = {
    "rope_type": "yarn",
    "type": "yarn",
    "rope_theta": 1_000_000.0,
    "factor": 16.0,
    "original_max_position_embeddings": 32,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
    "llama_4_scaling_beta": 0.1,
}
BASE = {
    "model_type": "ministral3",
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-5,
    "rope_parameters": ROPE,
}

HYPERNET = HypernetConfig(
    num_layers=3,
    hidden_size=64,
    modules={"down_proj": (96, 64)},
    rank=4,
    scale=4**1.5 * 2,
    latent_size=32,
    num_latents=5,
    num_blocks=2,
    num_heads=4,
    num_kv_heads=2,
    head_dim=8,
)

# The options of smol's hypernetwork: the last two layers, standardised features, no tokens of the template, pairs of
# tokens.
SMOL: dict[str, Any] = {
    "num_layers": 2,
    "first_layer": 1,
    "feature_norm": True,
    "reads_template": False,
    "projection_factor": 2,
    "token_pairs": True,
}

# What a hypernetwork may be made of: several modules of different widths, shared or several pre-head MLPs.
VARIANTS = {
    "plain": HYPERNET,
    "shared MLP": replace(HYPERNET, per_layer_processing=False),
    "three MLPs": replace(HYPERNET, num_pre_head_layers=3),
    "two shared MLPs": replace(HYPERNET, num_pre_head_layers=2, per_layer_processing=False),
    "three modules": replace(HYPERNET, modules={"q_proj": (64, 64), "down_proj": (96, 64), "v_proj": (64, 32)}, rank=3),
    "one of each": replace(HYPERNET, rank=1, num_latents=1, num_blocks=1, num_kv_heads=4),
    "last two layers": replace(HYPERNET, num_layers=2, first_layer=1),
    "middle layer": replace(HYPERNET, num_layers=1, first_layer=1),
    "early exit": replace(HYPERNET, exit_layer=1, modules={"q_proj": (64, 64), "down_proj": (96, 64)}),
    "as smol": replace(HYPERNET, **SMOL),
    "token pairs of two": replace(HYPERNET, token_pairs=True, modules={"o_proj": (64, 64), "down_proj": (96, 64)}),
}


def save_base(folder: Path, seed: int = 0, model_type: str = "ministral3") -> Path:
    """A random base in Hugging Face's format; YaRN only for `ministral3`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    settings = BASE | {"initializer_range": 0.1, "model_type": model_type}
    if model_type != "ministral3":
        settings["rope_parameters"] = {"rope_type": "default", "rope_theta": 10_000.0}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:  # all ones would hide a norm that is missing or in the wrong place
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return folder


def load_torch_base(folder: Path) -> Any:
    """The base at `folder` in transformers, fp32."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def load_base(folder: Path) -> Any:
    """The base at `folder` in mlx-lm."""
    from mlx_lm.utils import load_model

    return load_model(folder)[0]


def torch_hypernet(config: HypernetConfig, seed: int = 0) -> Any:
    """A random hypernetwork in torch, with no parameter left at a value that would hide a mistake."""
    import torch

    from torch_train.model.hypernet import HyperNetwork

    torch.manual_seed(seed)
    network = HyperNetwork(config)
    with torch.no_grad():
        for parameter in network.state_dict().values():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network.eval()


def to_mlx(network: Any) -> Any:
    """The same hypernetwork in MLX."""
    import mlx.core as mx

    from mlx_hypernet.hypernet import HyperNetwork

    twin = HyperNetwork(HypernetConfig.from_dict(network.config.to_dict()))
    twin.load_weights([(name, mx.array(value.numpy())) for name, value in network.state_dict().items()])
    return twin


def bundle_config(hypernet: HypernetConfig = HYPERNET) -> BundleConfig:
    """The configuration of a bundle for the base of `save_base`."""
    base = BaseInfo(None, "ministral3", BASE["hidden_size"], BASE["num_hidden_layers"], BASE["vocab_size"])
    return BundleConfig(hypernet, base, 16, (1, 3), (4,), "float32", {"step": 0}, "test")


def make_bundle(hypernet: HypernetConfig = HYPERNET, seed: int = 0) -> Any:
    """A random bundle in memory."""
    from mlx_hypernet.bundle import Bundle

    return Bundle(bundle_config(hypernet), to_mlx(torch_hypernet(hypernet, seed)), f"seed-{seed}")


def save_checkpoint(folder: Path, base: Path | None, hypernet: HypernetConfig = HYPERNET) -> Path:
    """A training checkpoint as the trainer writes it."""
    from safetensors.torch import save_file

    folder.mkdir()
    save_file(torch_hypernet(hypernet).state_dict(), folder / "model.safetensors")
    bundle = bundle_config(hypernet).to_dict()
    config = {key: bundle[key] for key in ("hypernet", "base", "max_chunk_tokens", "prefix_ids", "suffix_ids")}
    config |= {"step": 7, "base_path": None if base is None else str(base)}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
