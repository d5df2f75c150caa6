"""A published base's `config.json` to the one mlx-lm reads for its text model.

The two libraries differ in their defaults (mlx-lm ties the embeddings of a `mistral` whose configuration does
not say, transformers does not; mlx-lm takes `rope_theta` to be 10,000), so transformers resolves every default
first, and mlx-lm gets all of it.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.base.shards import file_in
from convert.errors import FOREIGN, CheckpointError, one_line
from mlx_hypernet.format.vetting import VettingError, check_code, check_sizes

CONFIG_FILE = "config.json"
WRAPPER = "mistral3"
TEXT_MODELS = ("ministral3", "mistral", "gemma2", "gemma3_text", "qwen3", "llama", "qwen2")
# mlx-lm reads RoPE of these from flat keys, that of the others from `rope_parameters`.
_FLAT_ROPE = ("mistral", "gemma2", "llama", "qwen2")
# Every layer of these has the window, whatever `layer_types` says.
_ONE_WINDOW = ("ministral3", "mistral")
GEMMA3 = "gemma3_text"
_OF_THE_REPOSITORY = ("bos_token_id", "eos_token_id", "pad_token_id", "transformers_version")


@dataclass(frozen=True)
class PublishedConfig:
    """What the `config.json` of a base says.

    Attributes:
        text: the text model's configuration as mlx-lm reads it, every default written out.
        declared_tied: whether the LM head is the embedding, as the text model's configuration says itself;
            None where it leaves that open.
        fp8: whether weights may be FP8.
        block_size: rows and columns of an FP8 weight that share a scale; None for one scale a tensor.
        notes: what the user should know about the result.
    """

    text: dict[str, Any]
    declared_tied: bool | None
    fp8: bool
    block_size: tuple[int, int] | None
    notes: tuple[str, ...]


def read_published_config(folder: Path) -> PublishedConfig:
    """Read the configuration of a published base.

    Raises:
        CheckpointError: when it is missing, damaged, quantised in a way that cannot be resolved, or of a model
            that is not supported.
    """
    published = _read(file_in(folder, CONFIG_FILE))
    section = published.get("text_config", {}) if published.get("model_type") == WRAPPER else published
    kind = section.get("model_type", "mistral" if section is not published else None)
    if kind not in TEXT_MODELS:
        known = ", ".join(TEXT_MODELS)
        raise CheckpointError(f"{folder} is a {kind or 'model without a type'}: bases can be {known}, or {WRAPPER}")
    fp8, block_size = _quantisation(folder, published, section)
    text, notes = _resolved(folder, published, kind)
    # The wrapper's token ids are those of the whole repository; by the version, which must be that of the copied
    # files, transformers decides how to read the tokenizer.
    text.pop("transformers_version", None)
    text |= {key: published[key] for key in _OF_THE_REPOSITORY if published.get(key) is not None}
    return PublishedConfig(text, section.get("tie_word_embeddings"), fp8, block_size, notes)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"{path.parent} holds no {CONFIG_FILE}: it is not a model's folder")
    try:
        config = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {one_line(error)}") from error
    if not isinstance(config, dict) or not isinstance(config.get("text_config", {}), dict):
        raise CheckpointError(f"{path} is not a model's configuration")
    try:
        check_code(path.parent)
        check_sizes(config)
        check_sizes(config.get("text_config", {}))
    except VettingError as error:
        raise CheckpointError(f"{path.parent} is refused: {error}") from error
    return config


def _quantisation(
    folder: Path, published: dict[str, Any], section: dict[str, Any]
) -> tuple[bool, tuple[int, int] | None]:
    if "quantization" in published:
        raise CheckpointError(f"{folder} is already a quantised MLX model: use it directly, or convert its source")
    found = published.get("quantization_config") or section.get("quantization_config")
    if not found:
        return False, None
    method = found.get("quant_method") if isinstance(found, dict) else None
    if method != "fp8":
        raise CheckpointError(f"{folder} is quantised by {method}: start from the repository with BF16 or FP8 weights")
    block = found.get("weight_block_size")
    if block is None:
        return True, None
    if not isinstance(block, list) or len(block) != 2 or not all(isinstance(size, int) and size > 0 for size in block):
        raise CheckpointError(f"{folder / CONFIG_FILE}: weight_block_size {block} is not two sizes")
    return True, (block[0], block[1])


def _resolved(folder: Path, published: dict[str, Any], kind: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The text model's configuration with the defaults of transformers' own class, and notes, as `_for_mlx_lm`."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    try:
        config = CONFIG_MAPPING[published["model_type"]].from_dict(copy.deepcopy(published))
        return _for_mlx_lm(json.loads(config.get_text_config().to_json_string()), kind)
    except (*FOREIGN, StrictDataclassError) as error:
        raise CheckpointError(f"transformers cannot read {folder / CONFIG_FILE}: {one_line(error)}") from error


def _for_mlx_lm(text: dict[str, Any], kind: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    text = {key: value for key, value in text.items() if key not in ("quantization_config", "_name_or_path", "dtype")}
    text |= {"model_type": kind, "architectures": [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind]]}
    if kind in _FLAT_ROPE:
        rope = dict(text.pop("rope_parameters", None) or {})
        text["rope_theta"] = rope.pop("rope_theta", 10_000.0)
        if rope.get("rope_type", "default") != "default":
            if kind == "gemma2":
                raise CheckpointError(
                    f"mlx-lm's gemma2 knows no {rope['rope_type']} RoPE: this base cannot be converted"
                )
            text["rope_scaling"] = rope
    if kind == GEMMA3:
        return _gemma3(text), ()
    notes = []
    window, length = text.get("sliding_window"), text["max_position_embeddings"]
    if window and window < length:
        # mlx-lm lets these models see everything: the same as a window only as far as the window reaches.
        text["max_position_embeddings"] = window
        notes.append(f"context limited to the sliding window, {window} of {length} tokens: mlx-lm has none for {kind}")
    if kind in _ONE_WINDOW:
        text.pop("layer_types", None)  # transformers pays no attention to it, mlx-lm would
    return text, tuple(notes)


def _gemma3(text: dict[str, Any]) -> dict[str, Any]:
    """Gemma 3's windows and rotations, which differ from layer to layer, as mlx-lm has them.

    mlx-lm knows one pattern, in which every n-th layer sees everything, one RoPE for these layers, one for the others,
    and no soft caps.

    Raises:
        CheckpointError: The base has something else.
    """
    ropes, types = text.pop("rope_parameters"), text.pop("layer_types")
    whole, sliding = dict(ropes["full_attention"]), dict(ropes["sliding_attention"])
    every = types.index("full_attention") + 1 if "full_attention" in types else 0
    expected = (
        ["sliding_attention" if (i + 1) % every else "full_attention" for i in range(len(types))] if every else []
    )
    refused = {
        "layers that do not alternate regularly": types != expected,
        f"a {sliding.get('rope_type')} RoPE in layers with a window": sliding.get("rope_type", "default") != "default",
        "soft caps": text.get("final_logit_softcapping") or text.get("attn_logit_softcapping"),
        "attention to later tokens": text.get("use_bidirectional_attention"),
    }
    if what := [name for name, found in refused.items() if found]:
        raise CheckpointError(f"mlx-lm's gemma3_text has no {' and no '.join(what)}: this base cannot be converted")
    text |= {"rope_theta": whole.pop("rope_theta"), "rope_local_base_freq": sliding["rope_theta"]}
    if whole.get("rope_type", "default") != "default":
        text["rope_scaling"] = whole
    return text | {"sliding_window_pattern": every}
