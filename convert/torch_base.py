"""A base in transformers and fp32: what conversions are compared with. FP8 is resolved by torch's own arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.base.fp8 import FP8, activation_name, scale_name
from convert.base.shards import Shards, find_shards, listed
from convert.errors import FOREIGN, CheckpointError, ConversionError, one_line
from mlx_hypernet.format import installing
from mlx_hypernet.format.published import is_fp8

if TYPE_CHECKING:
    import torch


def load_torch_base(folder: Path) -> Any:
    """Load the base at `folder` in transformers, fp32, ready to run.

    Transformers itself needs accelerate for FP8, and then dequantises on a CPU; here its weights reach the same
    loader dequantised.

    Raises:
        ConversionError: when torch is not installed.
        CheckpointError: when transformers cannot load it, or would leave weights at random.
    """
    require_torch()
    import torch
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    )
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        text_only = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
        models = MODEL_FOR_CAUSAL_LM_MAPPING if text_only else MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
        settings = {"dtype": torch.float32, "output_loading_info": True}
        quantisation = getattr(config, "quantization_config", None)
        if isinstance(quantisation, dict) and is_fp8({"quantization_config": quantisation}):
            del config.quantization_config
            weights = _dequantised(find_shards(folder), quantisation.get("weight_block_size"))
            model, loaded = models[type(config)].from_pretrained(None, config=config, state_dict=weights, **settings)
        else:
            model, loaded = models[type(config)].from_pretrained(folder, **settings)
    except (OSError, *FOREIGN) as error:
        raise CheckpointError(f"transformers cannot load the base {folder}: {one_line(error)}") from error
    if wanting := sorted([*loaded["missing_keys"], *map(str, loaded["mismatched_keys"])]):
        raise CheckpointError(f"transformers does not find all weights of the base {folder}: {listed(wanting)}")
    if config.get_text_config().model_type == "gemma3_text":
        # mlx-lm multiplies by the scale in bf16, as Gemma 3 does in the type it is published in.
        scale = model.get_input_embeddings().embed_scale
        scale.copy_(scale.bfloat16())
    return model.eval()


def require_torch() -> None:
    """Make sure that torch can be imported.

    Raises:
        ConversionError: when it is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        remedy = installing.command(installing.TORCH)
        raise ConversionError(f"comparing needs torch: pass --verify 0, or {remedy}") from error


def _dequantised(shards: Shards, block_size: list[int] | None) -> dict[str, torch.Tensor]:
    from safetensors import safe_open

    files = {path: safe_open(path, framework="pt") for path in shards.files}
    quantised = {name for name, tensor in shards.tensors.items() if tensor.dtype == FP8}
    used_up = {scale_name(name) for name in quantised} | {activation_name(name) for name in quantised}
    weights: dict[str, torch.Tensor] = {}
    for name in shards.tensors.keys() - used_up:
        weight = files[shards.places[name]].get_tensor(name)
        if name in quantised:
            scale = files[shards.places[scale_name(name)]].get_tensor(scale_name(name)).float()
            if scale.numel() > 1 and block_size:
                for axis, size in enumerate(block_size):
                    scale = scale.repeat_interleave(size, axis).narrow(axis, 0, weight.shape[axis])
            weight = weight.float() * scale
        weights[name] = weight
    return weights
