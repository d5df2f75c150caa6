"""A published base model to a text-only MLX base: read, resolve, quantise, write, read back, compare.

mlx-lm's own model classes, quantisation and layout are used throughout; what is done here is what it gets wrong
or leaves out: vision parts are dropped, FP8 is resolved, tied embeddings are found out, and the tokenizer's files
are copied as they are. Arrays stay lazy until they are written, so that one tensor at a time is in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten

from convert.base.config import CONFIG_FILE, PublishedConfig, read_published_config
from convert.base.fp8 import dequantise
from convert.base.parity import BaseReport, compare
from convert.base.shards import INDEX_FILE, SINGLE_FILE, Shards, find_shards, listed
from convert.base.tokenizer import check_streaming, copy_tokenizer
from convert.checkpoint import file_hash
from convert.destination import appearing, check_destination
from convert.errors import CheckpointError, ConversionError, one_line
from mlx_hypernet.storage import write_json, write_stream

REPORT_FILE = "base_conversion.json"
Q_BITS, DOWN_PROJ_BITS, GROUP_SIZE = (8, 6, 4), (8, 16), 64
_VISION = ("vision_tower.", "multi_modal_projector.")
# transformers 4 and the published repositories; transformers 5.
_TEXT_PREFIXES = {"language_model.model.": "model.", "model.language_model.": "model.", "language_model.": ""}
_HEAD, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


def convert_base(
    source: Path,
    destination: Path,
    *,
    dtype: str,
    q_bits: int | None,
    down_proj_bits: int | None,
    verify: int,
    force: bool,
) -> BaseReport:
    """Turn a base as it is published into a text-only MLX base.

    Args:
        source: folder of a `mistral3` wrapper, or of a `ministral3`, `mistral`, `gemma2` or `qwen3` text model.
        destination: folder of the result; appears complete or not at all.
        dtype: of the weights that are not quantised: `float32`, `bfloat16` or `float16`.
        q_bits: bits of quantised weights (affine, groups of 64): 8, 6 or 4; None for no quantisation.
        down_proj_bits: bits of the `down_proj` weights, where adapters sit: 8, or 16 for not quantised; None for
            `q_bits`.
        verify: number of seeded prompts on which transformers and MLX are compared; 0 for none.
        force: whether to replace a base that is at `destination`.

    Raises:
        ConversionError: saying what to do; `destination` is then as it was before.
    """
    _check_bits(q_bits, down_proj_bits)
    check_destination(source, destination, force, (CONFIG_FILE, REPORT_FILE))
    published = read_published_config(source)
    shards = find_shards(source)
    tensors, config = _build(published, shards, dtype, q_bits, down_proj_bits)
    with appearing(destination) as folder:
        _write_weights(folder, tensors, dtype)
        _write_config(folder, config)
        copy_tokenizer(source, folder)
        check_streaming(folder, config)
        report = compare(source, folder, shards, published, dtype, q_bits, verify)
        if not report.passed:
            raise ConversionError(f"transformers and MLX disagree ({report.summary()}): nothing was written")
        write_json(folder / REPORT_FILE, _record(source, folder, shards, report))
    return report


def _check_bits(q_bits: int | None, down_proj_bits: int | None) -> None:
    if q_bits not in (None, *Q_BITS):
        raise ConversionError(f"a base can have {', '.join(map(str, Q_BITS))} bits, not {q_bits}")
    if down_proj_bits is None:
        return
    if q_bits is None or down_proj_bits not in DOWN_PROJ_BITS or down_proj_bits < q_bits:
        raise ConversionError(f"--down-proj-bits {down_proj_bits}: give 8 or 16, together with a --q-bits not above it")


def _build(
    published: PublishedConfig, shards: Shards, dtype: str, q_bits: int | None, down_proj_bits: int | None
) -> tuple[dict[str, mx.array], dict[str, Any]]:
    """Every tensor of the result, none of it computed yet, and its configuration."""
    names = _text_names(list(shards.tensors))
    opened = shards.open()
    infos = {name: shards.tensors[stored] for name, stored in names.items()}
    weights = {name: opened[stored] for name, stored in names.items()}
    if published.fp8:
        weights = dequantise(weights, infos, published.block_size)
    config = published.text | {"dtype": dtype, "tie_word_embeddings": _tied(published, weights)}
    if config["tie_word_embeddings"]:
        weights.pop(_HEAD, None)
    model = _model(config)
    if hasattr(model, "sanitize"):
        weights = model.sanitize(weights)
    _check_weights(model, weights)
    target = getattr(mx, dtype)
    model.load_weights([(name, weight.astype(target)) for name, weight in weights.items()])
    if q_bits is not None:
        model, config = _quantise(model, config, q_bits, down_proj_bits)
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


def _model(config: dict[str, Any]) -> nn.Module:
    from mlx_lm.utils import _get_classes

    try:
        model_class, arguments_class = _get_classes(config)
        return model_class(arguments_class.from_dict(config))
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise CheckpointError(
            f"mlx-lm cannot build a {config['model_type']} from {CONFIG_FILE} ({reason}): get the repository again"
        ) from error


def _check_weights(model: nn.Module, weights: dict[str, mx.array]) -> None:
    expected: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    missing, unknown = sorted(expected.keys() - weights.keys()), sorted(weights.keys() - expected.keys())
    misshapen = [
        f"{name} is {weights[name].shape}, not {expected[name].shape}"
        for name in sorted(expected.keys() & weights.keys())
        if weights[name].shape != expected[name].shape
    ]
    faults = {"missing": missing, "unknown": unknown, "wrong shape:": misshapen}
    if found := [f"{fault} {listed(names)}" for fault, names in faults.items() if names]:
        raise CheckpointError(f"the weights do not fit {CONFIG_FILE}: {'; '.join(found)}")


def _quantise(
    model: nn.Module, config: dict[str, Any], bits: int, down_proj_bits: int | None
) -> tuple[nn.Module, dict[str, Any]]:
    from mlx_lm.utils import quantize_model

    def how(path: str, module: nn.Module) -> bool | dict[str, Any]:
        if down_proj_bits is None or path.rpartition(".")[2] != "down_proj":
            return True
        return False if down_proj_bits == 16 else {"group_size": GROUP_SIZE, "bits": down_proj_bits, "mode": "affine"}

    with redirect_stdout(sys.stderr):  # mlx-lm prints the bits per weight
        return quantize_model(model, config, GROUP_SIZE, bits, quant_predicate=how)


def _write_weights(folder: Path, tensors: dict[str, mx.array], dtype: str) -> None:
    """Write shards of mlx-lm's size, tensor by tensor; empties `tensors`."""
    from mlx_lm.utils import make_shards

    layouts = [
        {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in shard.items()} for shard in make_shards(tensors)
    ]
    files = [f"model-{i + 1:05d}-of-{len(layouts):05d}.safetensors" for i in range(len(layouts))]
    if len(layouts) == 1:
        files = [SINGLE_FILE]
    for file, layout in zip(files, layouts, strict=True):
        write_stream(folder / file, layout, _consumed(tensors, list(layout), dtype))
    if len(layouts) > 1:
        size = sum((folder / file).stat().st_size for file in files)
        places = {name: file for file, layout in zip(files, layouts, strict=True) for name in layout}
        write_json(folder / INDEX_FILE, {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))})


def _consumed(tensors: dict[str, mx.array], names: list[str], dtype: str) -> Iterator[tuple[str, mx.array]]:
    """Hand over and forget; a number that is not finite came from the source, or does not fit the dtype."""
    for name in names:
        tensor = tensors.pop(name)
        if mx.issubdtype(tensor.dtype, mx.floating) and not mx.isfinite(tensor).all().item():
            raise ConversionError(f"{name} holds numbers that are not finite in {dtype}: try another --dtype")
        yield name, tensor


def _write_config(folder: Path, config: dict[str, Any]) -> None:
    from mlx_lm.utils import save_config

    save_config(config, folder / CONFIG_FILE)


def _record(source: Path, folder: Path, shards: Shards, report: BaseReport) -> dict[str, Any]:
    read = [source / CONFIG_FILE, *shards.files]
    written = sorted(path for path in folder.iterdir() if path.is_file())
    return report.to_dict() | {
        "source": {path.name: file_hash(path) for path in read},
        "result": {path.name: file_hash(path) for path in written},
    }
