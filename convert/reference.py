"""Reading a checkpoint of the Doc-to-LoRA reference implementation (`pytorch_model.bin`).

Its tensors come with pickled configuration objects. Nothing of a pickle is executed here: the classes on the
list below become inert records, and any other name is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from convert.errors import CheckpointError
from mlx_hypernet.config import ConfigError, HypernetConfig
from mlx_hypernet.hypernet import HyperNetwork

# Every class a reference checkpoint may mention.
INERT_CLASSES = (
    "ctx_to_lora.configs.CTX_ENCODER_TYPE",
    "ctx_to_lora.configs.CtxEncoderArguments",
    "ctx_to_lora.modeling.aggregator.AGGREGATOR_TYPE",
    "ctx_to_lora.modeling.aggregator.AggregatorConfig",
    "ctx_to_lora.modeling.hypernet.HypernetConfig",
    "ctx_to_lora.pooling.POOL_FN",
    "peft.tuners.lora.config.LoraConfig",
    "peft.tuners.lora.config.LoraRuntimeConfig",
    "peft.utils.peft_types.PeftType",
    "peft.utils.peft_types.TaskType",
)

# The one map from the reference's names to ours: pattern, replacement.
_PERCEIVER = r"aggregator\.perceiver\."
_STACK, _BLOCK = _PERCEIVER + r"(encoder|decoder)\.", _PERCEIVER + r"(encoder|decoder)\.layers\.(\d+)\."
KEY_MAP = (
    (_PERCEIVER + r"(modality_projection\..+)", r"\1"),
    (_STACK + r"latents_q", r"\1.latents"),
    (_STACK + r"layernorm\.weight", r"\1.norm.weight"),
    (_BLOCK + r"input_latents_layernorm\.weight", r"\1.blocks.\2.latents_norm.weight"),
    (_BLOCK + r"input_context_layernorm\.weight", r"\1.blocks.\2.context_norm.weight"),
    (_BLOCK + r"self_attn\.(.+)", r"\1.blocks.\2.attention.\3"),
    (_BLOCK + r"post_attention_layernorm\.weight", r"\1.blocks.\2.post_attention_norm.weight"),
    (_BLOCK + r"pre_ff_layernorm\.weight", r"\1.blocks.\2.pre_mlp_norm.weight"),
    (_BLOCK + r"mlp\.(.+)", r"\1.blocks.\2.mlp.\3"),
    (_BLOCK + r"post_ff_layernorm\.weight", r"\1.blocks.\2.post_mlp_norm.weight"),
    # Pre-head MLPs: `layers` where each base layer has its own weights, `mlp` where one serves them all.
    (r"layers\.(\d+)\.(?:layers|mlp)\.0\.(weight|bias)", r"pre_head.\1.norm_in.\2"),
    (r"layers\.(\d+)\.(?:layers\.1|mlp\.2)\.(weight|bias)", r"pre_head.\1.up.\2"),
    (r"layers\.(\d+)\.(?:layers\.3|mlp\.5)\.(weight|bias)", r"pre_head.\1.down.\2"),
    (r"layers\.(\d+)\.(?:layers\.4|mlp\.6)\.(weight|bias)", r"pre_head.\1.norm_out.\2"),
    (r"(head\.weight|(?:bias|scaler)_[AB]\..+)", r"\1"),
)
# Shared pre-head MLPs are torch Linears, stored (out, in).
_TRANSPOSED = re.compile(r"layers\.\d+\.mlp\.[25]\.weight")

# Options of the reference that this project does not build: name -> the value a checkpoint must have.
_HYPERNET_MUST = {
    "use_light_weight_lora": False,
    "per_rank_gen": True,
    "use_per_rank_bias": False,
    "use_bias": True,
    "use_token_mixing": False,
    "extra_modules": None,
}
_AGGREGATOR_MUST = {
    "aggregator_type": "perceiver",
    "num_self_attn_per_block": 0,
    "shared_weights": False,
    "layer_to_layer_ctx_encoder": True,
}


@dataclass(frozen=True)
class ReferenceCheckpoint:
    """What a reference checkpoint holds, in our names.

    Attributes:
        hypernet: shape of the hypernetwork.
        weights: our parameter name -> array.
        base: name or path of the base model, as the trainer knew it.
    """

    hypernet: HypernetConfig
    weights: dict[str, mx.array]
    base: str


class _Inert:
    """Keeps what a pickle says about an object, and does nothing."""

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def read_reference(path: Path) -> ReferenceCheckpoint:
    """Read `pytorch_model.bin`.

    Raises:
        CheckpointError: when it is missing or damaged, mentions a class that is not on the list, uses options
            this project does not build, or its keys or shapes are not the expected ones (all named at once).
    """
    data = unpickle(path)
    try:
        hypernet = hypernet_config(data["hypernet_config"], data["ctx_encoder_args"])
        base = str(data["base_model_name_or_path"])
    except (KeyError, AttributeError, TypeError, ConfigError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of the reference implementation: {error}") from error
    tensors = {name: value.float().numpy() for name, value in data.items() if hasattr(value, "numpy")}
    return ReferenceCheckpoint(hypernet, translate(tensors, hypernet), base)


def unpickle(path: Path) -> dict[str, Any]:
    """Load the file with torch's restricted unpickler and inert records for the classes on the list."""
    import pickle

    import torch

    records: list[Any] = [(type(name.rpartition(".")[2], (_Inert,), {}), name) for name in INERT_CLASSES]
    try:
        # `set` is harmless; protocol 2 calls it by its old name.
        with torch.serialization.safe_globals([*records, (set, "__builtin__.set")]):
            data = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist") from error
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        why = f"it wants to run {refused[1]}, which is not on the list" if refused else "it is damaged"
        raise CheckpointError(f"{path} is refused: {why}") from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged or no checkpoint: download it again") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} is not a checkpoint of the reference implementation")
    return data


def hypernet_config(config: Any, encoder: Any) -> HypernetConfig:
    """Our configuration from the reference's `hypernet_config` and `ctx_encoder_args`."""
    lora, aggregator = config.lora_config, config.aggregator_config
    unsupported = [
        f"{name}={_value(getattr(record, name))!r}"
        for record, wanted in ((config, _HYPERNET_MUST), (aggregator, _AGGREGATOR_MUST))
        for name, value in wanted.items()
        if _value(getattr(record, name, value)) != value
    ]
    if _value(encoder.ctx_encoder_type) != "per_layer_activations":
        unsupported.append(f"ctx_encoder_type={_value(encoder.ctx_encoder_type)!r}")
    if config.layer_indices.tolist() != list(range(len(config.layer_indices))):
        unsupported.append(f"layer_indices={config.layer_indices.tolist()}")
    if unsupported:
        raise CheckpointError(f"the checkpoint uses options that are not supported: {', '.join(unsupported)}")
    d_in, d_out = config.feature_sizes
    return HypernetConfig(
        num_layers=len(config.layer_indices),
        hidden_size=aggregator.feature_size,
        modules={name: (d_in[name], d_out[name]) for name in lora.target_modules},
        rank=lora.r,
        scale=float(lora.lora_alpha),
        latent_size=config.latent_size,
        num_latents=aggregator.n_latent_queries,
        num_blocks=aggregator.num_blocks,
        # Early checkpoints do not say it: the reference then takes 4.
        num_pre_head_layers=getattr(config, "num_pre_head_layers", None) or 4,
        per_layer_processing=config.per_layer_processing,
    )


def translate(tensors: dict[str, np.ndarray], hypernet: HypernetConfig) -> dict[str, mx.array]:
    """Rename the reference's tensors by `KEY_MAP` and drop its axes of length 1.

    Raises:
        CheckpointError: naming all unknown keys, missing keys and wrong shapes at once.
    """
    expected = HyperNetwork(hypernet).parameter_shapes()
    weights, faults = {}, []
    for key, tensor in tensors.items():
        name = _rename(key)
        if name not in expected:
            faults.append(f"unknown {key}")
            continue
        tensor = tensor.T if _TRANSPOSED.fullmatch(key) else tensor
        if _long_axes(tensor.shape) != _long_axes(expected[name]):
            faults.append(f"{key} has shape {tensor.shape}, expected {expected[name]} for {name}")
            continue
        weights[name] = mx.array(tensor.reshape(expected[name]))
    faults += [f"missing {name}" for name in expected if name not in {_rename(key) for key in tensors}]
    if faults:
        raise CheckpointError(f"the checkpoint's tensors do not match its configuration: {'; '.join(faults)}")
    return weights


def _rename(key: str) -> str | None:
    for pattern, replacement in KEY_MAP:
        match = re.fullmatch(pattern, key)
        if match:
            return match.expand(replacement)
    return None


def _long_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _value(value: Any) -> Any:
    """An enumeration's value, whether it was pickled as a plain string or as a member."""
    return value.args[0] if isinstance(value, _Inert) and value.args else value
