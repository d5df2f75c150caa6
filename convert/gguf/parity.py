"""The reference of a GGUF conversion: transformers' own reading of the file, or ours in torch where it has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convert.errors import FOREIGN, CheckpointError, one_line
from convert.gguf.tensors import Weights
from convert.torch_base import require_torch


def obstacle(config: dict[str, Any]) -> str | None:
    """Why transformers' own reading of a GGUF file is of no use for this base; None where it is right.

    transformers 5.24 reads neither RoPE scaling nor `rope_freqs.weight`, takes the heads of a qwen3 to have 128
    dimensions, and does not know mistral3.
    """
    if config["model_type"] == "ministral3":
        return "transformers reads no mistral3 from GGUF"
    if config.get("rope_scaling"):
        return "transformers ignores RoPE scaling in GGUF"
    if config["model_type"] == "qwen3" and config["head_dim"] != 128:
        return "transformers ignores the head dimension of a qwen3 in GGUF"
    return None


def load_torch_reading(file: Path, weights: Weights, config: dict[str, Any]) -> Any:
    """The base in transformers and fp32, ready to run.

    Raises:
        ConversionError: when torch is not installed.
        CheckpointError: when transformers cannot load it.
    """
    require_torch()
    import torch
    from transformers import AutoModelForCausalLM

    if obstacle(config) is not None:
        return _our_reading(weights, config)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=torch.float32, trust_remote_code=False
        )
    except (OSError, ImportError, *FOREIGN) as error:
        raise CheckpointError(f"transformers cannot load {file}: {one_line(error)}") from error
    return model.eval()


def _our_reading(weights: Weights, config: dict[str, Any]) -> Any:
    """The dequantised tensors in transformers' model of the same configuration."""
    import torch
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    settings = CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
    state = {name: torch.tensor(weights.read(name)) for name in weights.places}
    model = MODEL_FOR_CAUSAL_LM_MAPPING[type(settings)].from_pretrained(
        None, config=settings, state_dict=state, dtype=torch.float32
    )
    return model.eval()
