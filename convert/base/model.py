"""A published base model to a text-only MLX base: read, resolve, quantise, write, read back, compare.

mlx-lm's own model classes, quantisation and layout are used throughout; what is done here is what it gets wrong
or leaves out: vision parts are dropped, FP8 is resolved, tied embeddings are found out, and the tokenizer's files
are copied as they are. Arrays stay lazy until they are written, so that one tensor at a time is in memory.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten

from convert.base.config import CONFIG_FILE, PublishedConfig, read_published_config
from convert.base.fp8 import dequantise
from convert.base.mlx_model import build_model, check_bits, check_weights, quantise
from convert.base.options import BaseOptions
from convert.base.parity import EXACT, BaseReport, Reference, compare, torch_logits
from convert.base.shards import Shards, find_shards
from convert.base.tokenizer import check_streaming, copy_tokenizer
from convert.base.writing import write_config, write_weights
from convert.checkpoint import file_hash
from convert.destination import check_destination
from convert.errors import FOREIGN, CheckpointError, ConversionError, one_line
from mlx_hypernet.format.atomic import appearing, write_json

REPORT_FILE = "base_conversion.json"
_VISION = ("vision_tower.", "multi_modal_projector.")
# transformers 4 and the published repositories; transformers 5.
_TEXT_PREFIXES = {"language_model.model.": "model.", "model.language_model.": "model.", "language_model.": ""}
_HEAD, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


def convert_base(source: Path, destination: Path, options: BaseOptions) -> BaseReport:
    """Turn a published base into a text-only MLX base.

    Args:
        source: folder of a `mistral3` wrapper, or of a model of `TEXT_MODELS`.
        destination: folder of the result; appears complete or not at all.
        options: how it is written.

    Raises:
        ConversionError: saying what to do; `destination` is then as it was before.
    """
    dtype, q_bits = options.dtype, options.q_bits
    check_bits(q_bits, options.down_proj_bits)
    check_destination(source, destination, options.force, (CONFIG_FILE, REPORT_FILE))
    published = read_published_config(source)
    shards = find_shards(source)
    tensors, config = _build(published, shards, options)
    with appearing(destination) as folder:
        layout = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
        write_weights(folder, layout, tensors.pop, dtype)  # forgotten as they are written
        write_config(folder, config)
        copy_tokenizer(source, folder)
        check_streaming(folder, config)
        report = compare(folder, _reference(source, shards, published, dtype, q_bits), dtype, q_bits, options.verify)
        if not report.passed:
            raise ConversionError(f"transformers and MLX disagree ({report.summary()}): nothing was written")
        write_record(folder, [source / CONFIG_FILE, *shards.files], report)
    return report


def _build(
    published: PublishedConfig, shards: Shards, options: BaseOptions
) -> tuple[dict[str, mx.array], dict[str, Any]]:
    """Every tensor of the result, none of it computed yet, and its configuration."""
    names = _text_names(list(shards.tensors))
    opened = shards.open()
    infos = {name: shards.tensors[stored] for name, stored in names.items()}
    weights = {name: opened[stored] for name, stored in names.items()}
    if published.fp8:
        weights = dequantise(weights, infos, published.block_size)
    config = published.text | {"dtype": options.dtype, "tie_word_embeddings": _tied(published, weights)}
    if config["tie_word_embeddings"]:
        weights.pop(_HEAD, None)
    model = build_model(config)
    if hasattr(model, "sanitize"):
        try:
            weights = model.sanitize(weights)
        except FOREIGN as error:
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise CheckpointError(f"mlx-lm cannot take the weights ({reason}): get the repository again") from error
    check_weights(model, {name: tuple(weight.shape) for name, weight in weights.items()})
    target = getattr(mx, options.dtype)
    model.load_weights([(name, weight.astype(target)) for name, weight in weights.items()])
    if options.q_bits is not None:
        model, config = quantise(model, config, options.q_bits, options.down_proj_bits)
    return dict(tree_flatten(model.parameters())), config


def _text_names(stored: list[str]) -> dict[str, str]:
    """Name in mlx-lm's text model -> name in the file, without the vision parts."""
    names: dict[str, str] = {}
    for name in stored:
        if name.removeprefix("model.").startswith(_VISION):
            continue
        prefix = next((prefix for prefix in _TEXT_PREFIXES if name.startswith(prefix)), "")
        text_name = _TEXT_PREFIXES.get(prefix, "") + name.removeprefix(prefix)
        if text_name in names:
            raise CheckpointError(f"the source holds {text_name} twice, as {names[text_name]} and as {name}")
        names[text_name] = name
    return names


def _tied(published: PublishedConfig, weights: dict[str, mx.array]) -> bool:
    """Whether the LM head is the embedding; like transformers >= 5, the weights have the last word.

    mlx-lm's wrapper takes a configuration that does not say for untied, its text model for tied.
    """
    if _HEAD not in weights:
        return published.declared_tied is not False
    if not published.text.get("tie_word_embeddings") or _EMBEDDING not in weights:
        return False
    return bool(mx.array_equal(weights[_HEAD], weights[_EMBEDDING]))


def write_record(folder: Path, read: list[Path], report: BaseReport) -> None:
    """Write `base_conversion.json`: the report, and hashes of what was read and written."""
    written = sorted(path for path in folder.iterdir() if path.is_file())
    record = report.to_dict() | {
        "source": {path.name: file_hash(path) for path in read},
        "result": {path.name: file_hash(path) for path in written},
    }
    write_json(folder / REPORT_FILE, record)


def _reference(source: Path, shards: Shards, published: PublishedConfig, dtype: str, q_bits: int | None) -> Reference:
    from convert.torch_base import load_torch_base

    sizes = {name: math.prod(tensor.shape) for name, tensor in shards.tensors.items()}
    return Reference(
        logits=lambda prompts: torch_logits(load_torch_base(source), prompts),
        parameters=sum(size for name, size in sizes.items() if not name.endswith("_scale_inv")),
        dropped=sum(size for name, size in sizes.items() if any(part in name for part in _VISION)),
        exact=q_bits is None and {tensor.dtype for tensor in shards.tensors.values()} <= EXACT[dtype],
        vocab_size=published.text["vocab_size"],
        context_length=published.text["max_position_embeddings"],
        notes=published.notes,
    )
