"""A GGUF file's metadata to the `config.json` that both mlx-lm and transformers read.

Shapes come from the tensors and must agree with the metadata, so that no count in a header decides how much is built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convert.errors import CheckpointError
from convert.gguf.header import GgufFile, GgufTensor
from convert.gguf.metadata import Metadata
from convert.gguf.rope import rope_parameters
from convert.gguf.tensors import EMBEDDING, HEAD

# llama.cpp's architecture -> model type and class. Mistral-7B is a `llama` there: its name tells.
_MODELS = {
    "llama": ("llama", "LlamaForCausalLM"),
    "qwen2": ("qwen2", "Qwen2ForCausalLM"),
    "qwen3": ("qwen3", "Qwen3ForCausalLM"),
    "mistral3": ("ministral3", "Ministral3ForCausalLM"),
}
_MISTRAL = ("mistral", "MistralForCausalLM")
# These store query and key rows in llama.cpp's order.
PERMUTED = ("llama", "mistral3")
_NAMES = ("general.name", "general.basename")


def model_config(
    file: GgufFile, tensors: dict[str, GgufTensor], rope_factors: Callable[[], np.ndarray | None]
) -> dict[str, Any]:
    """The configuration of the text model.

    Args:
        file: the checked header.
        tensors: Hugging Face's name -> tensor.
        rope_factors: reads `rope_freqs.weight`, if the file has it.

    Raises:
        CheckpointError: when the architecture is not supported, or metadata and tensors contradict each other.
    """
    metadata = Metadata(file)
    architecture = metadata.architecture
    if architecture not in _MODELS:
        known = ", ".join(_MODELS)
        raise CheckpointError(f"{file.path} is a {architecture or 'model without a type'}: GGUF bases can be {known}")
    if metadata.integer("split.count", 1) > 1:
        raise CheckpointError(f"{file.path} is one part of several: join them with llama-gguf-split --merge first")
    if metadata.integer("{arch}.expert_count", 0) > 0:
        raise CheckpointError(f"{file.path} is a mixture of experts: only dense models can be converted")
    model_type, class_name = _MODELS[architecture]
    if architecture == "llama" and any("mistral" in metadata.text(name, "").lower() for name in _NAMES):
        model_type, class_name = _MISTRAL
    shape = _shape(metadata, tensors)
    rope = rope_parameters(metadata, shape["head_dim"], rope_factors())
    config = {"architectures": [class_name], "model_type": model_type, "hidden_act": "silu", **shape}
    config |= {
        "max_position_embeddings": metadata.integer("{arch}.context_length"),
        "rms_norm_eps": metadata.number("{arch}.attention.layer_norm_rms_epsilon"),
        # llama.cpp leaves the head out where it is the embedding.
        "tie_word_embeddings": HEAD not in tensors,
    }
    if model_type == "ministral3":
        config["rope_parameters"] = rope | _ministral(metadata, rope)
    else:
        config["rope_theta"] = rope.pop("rope_theta")
        config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config |= _biases(model_type, tensors)
    if model_type == "mistral":
        config["sliding_window"] = None
    return config | token_ids(metadata, shape["vocab_size"])


def token_ids(metadata: Metadata, vocab_size: int) -> dict[str, Any]:
    """The special tokens' ids; `eos_token_id` is a list where several tokens end an answer."""
    ids = {}
    for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
        found = metadata.optional_integer(f"tokenizer.ggml.{key}_token_id")
        if found is not None and found < vocab_size:
            ids[f"{name}_token_id"] = found
    turn = [metadata.optional_integer(f"tokenizer.ggml.{key}_token_id") for key in ("eot", "eom")]
    ends = dict.fromkeys(found for found in (ids.get("eos_token_id"), *turn) if found is not None)
    return ids | ({"eos_token_id": list(ends)} if len(ends) > 1 else {})


def _shape(metadata: Metadata, tensors: dict[str, GgufTensor]) -> dict[str, int]:
    """Sizes, after making sure that metadata and tensors say the same."""
    path = metadata.file.path
    blocks = {int(name.split(".")[2]) for name in tensors if name.startswith("model.layers.")}
    try:
        vocabulary, hidden = tensors[EMBEDDING].shape
        query, key = (tensors[f"model.layers.0.self_attn.{part}_proj.weight"].shape[0] for part in "qk")
        intermediate = tensors["model.layers.0.mlp.up_proj.weight"].shape[0]
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} lacks a tensor, or has one of a wrong shape: {error}: download it again"
        ) from error
    heads = metadata.integer("{arch}.attention.head_count")
    kv_heads = metadata.integer("{arch}.attention.head_count_kv", heads)
    head_dim = metadata.integer("{arch}.attention.key_length", hidden // heads if heads else 0)
    stated = {
        "block_count": (metadata.integer("{arch}.block_count"), len(blocks)),
        "embedding_length": (metadata.integer("{arch}.embedding_length"), hidden),
        "feed_forward_length": (metadata.integer("{arch}.feed_forward_length"), intermediate),
        "vocab_size": (metadata.integer("{arch}.vocab_size", vocabulary), vocabulary),
        "attention.head_count": (heads * head_dim, query),
        "attention.head_count_kv": (kv_heads * head_dim, key),
        "attention.value_length": (metadata.integer("{arch}.attention.value_length", head_dim), head_dim),
    }
    wrong = [f"{name} gives {said}, the tensors {held}" for name, (said, held) in stated.items() if said != held]
    if wrong or min(head_dim, kv_heads) < 1 or head_dim % 2 or heads % kv_heads or blocks != set(range(len(blocks))):
        reason = "; ".join(wrong) or f"{heads} and {kv_heads} heads of {head_dim}, blocks {len(blocks)}"
        raise CheckpointError(f"metadata and tensors of {path} contradict each other ({reason}): download it again")
    if metadata.architecture == "qwen2" and head_dim * heads != hidden:
        raise CheckpointError(f"{path} is a qwen2 with heads of {head_dim} dimensions, which mlx-lm does not know")
    return {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": len(blocks),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
    }


def _ministral(metadata: Metadata, rope: dict[str, Any]) -> dict[str, Any]:
    if rope["rope_type"] != "yarn":
        raise CheckpointError(f"{metadata.file.path} is a mistral3 without YaRN: mlx-lm and transformers know none")
    return {
        # llama.cpp stores `mscale_all_dim` under this name; `mscale` is 1 in every release.
        "mscale": 1.0,
        "mscale_all_dim": metadata.number("{arch}.rope.scaling.yarn_log_multiplier", 0.0),
        "llama_4_scaling_beta": metadata.number("{arch}.attention.temperature_scale", 0.0),
    }


def _biases(model_type: str, tensors: dict[str, GgufTensor]) -> dict[str, bool]:
    if model_type != "llama":
        return {}
    return {
        "attention_bias": "model.layers.0.self_attn.q_proj.bias" in tensors,
        "mlp_bias": "model.layers.0.mlp.up_proj.bias" in tensors,
    }
