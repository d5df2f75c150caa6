"""`--inspect`: what a checkpoint, bundle or base holds, read from headers and configuration alone."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

from convert.base_facts import KNOWN_BASES
from convert.checkpoint import KEYS
from convert.errors import CheckpointError, one_line
from convert.reference import read_reference
from convert.source import Kind, Source
from mlx_hypernet.bundle import CONFIG_FILE, WEIGHTS_FILE, BundleError, read_config
from mlx_hypernet.format.config import ConfigError, HypernetConfig
from mlx_hypernet.storage import DamagedFileError, TensorInfo, read_header

Tensors = dict[str, TensorInfo]


def inspect(source: Source) -> str:
    """Lines for people: kind, architecture, base, parameters by part, dtypes and sizes.

    Raises:
        CheckpointError: when it cannot be read.
    """
    try:
        facts, tensors, files = _READERS[source.kind](source.path)
    except (BundleError, ConfigError, DamagedFileError) as error:
        raise CheckpointError(str(error)) from error
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise CheckpointError(
            f"{source.path} is not described by its {CONFIG_FILE} ({reason}): get it again"
        ) from error
    size = sum(file.stat().st_size for file in files)
    lines = [f"{source.path}: {source.kind}, {size / 1e6:,.1f} MB in {len(files)} file{'s' * (len(files) > 1)}"]
    lines += [f"  {name:<14}{value}" for name, value in facts.items()]
    parts, dtypes = Counter[str](), Counter[str]()
    for name, info in tensors.items():
        parts[_part(name)] += math.prod(info.shape)
        dtypes[info.dtype] += math.prod(info.shape)
    if source.kind is Kind.BUNDLE and "bits" in str(facts.get("stored")):
        lines.append("  numbers in the file, packed ones as the 32-bit words they are in:")
    lines += [f"  {part:<24}{count:>16,}" for part, count in parts.items()]
    lines.append(f"  {'all':<24}{sum(parts.values()):>16,}")
    lines.append("  dtypes        " + ", ".join(f"{dtype} {count:,}" for dtype, count in dtypes.most_common()))
    return "\n".join(lines)


Facts = dict[str, str]


def _training(path: Path) -> tuple[Facts, Tensors, list[Path]]:
    data = json.loads((path / CONFIG_FILE).read_text("utf-8"))
    base = data.get("base") or {}
    facts = _architecture(HypernetConfig.from_dict(data["hypernet"]))
    facts["base"] = f"{base.get('repository') or data.get('base_path') or 'unnamed'} ({base.get('model_type')})"
    facts["step"] = str(data.get("step"))
    if unknown := sorted(data.keys() - KEYS):
        facts["unknown keys"] = ", ".join(unknown)
    return facts, read_header(path / WEIGHTS_FILE), [path / WEIGHTS_FILE]


def _bundle(path: Path) -> tuple[Facts, Tensors, list[Path]]:
    config = read_config(path)
    facts = _architecture(config.hypernet)
    facts["base"] = (
        f"{config.base.repository or 'unnamed'} ({config.base.model_type}), weights {config.base.fingerprint}"
    )
    facts["chunks"] = (
        f"up to {config.max_chunk_tokens} tokens between {list(config.prefix_ids)} and {list(config.suffix_ids)}"
    )
    bits = f", matrices at {config.quantization.bits} bits" if config.quantization else ""
    facts["stored"] = f"{config.dtype}{bits}"
    facts["source"] = ", ".join(f"{key} {value}" for key, value in config.source.items())
    return facts, read_header(path / WEIGHTS_FILE), [path / WEIGHTS_FILE]


def _reference(path: Path) -> tuple[Facts, Tensors, list[Path]]:
    reference = read_reference(path)
    facts = _architecture(reference.hypernet)
    facts["base"] = f"{reference.base} ({'known' if reference.base in KNOWN_BASES else 'not known here: needs --base'})"
    facts["chunks"] = f"up to {reference.max_chunk_tokens} tokens" if reference.max_chunk_tokens else "length not said"
    tensors = {
        name: TensorInfo(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        for name, tensor in reference.tensors.items()
    }
    return facts, tensors, [path]


def _base(path: Path) -> tuple[Facts, Tensors, list[Path]]:
    from convert.base.shards import find_shards

    config = json.loads((path / CONFIG_FILE).read_text("utf-8"))
    text = config.get("text_config") or config
    sizes = ("num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size")
    facts = {
        "architecture": f"{config['model_type']}"
        + (f" around {text['model_type']}" if text is not config and "model_type" in text else "")
        + "".join(f", {name.replace('_', ' ')} {text[name]}" for name in sizes if name in text)
    }
    if quantization := config.get("quantization") or config.get("quantization_config"):
        facts["quantised"] = ", ".join(f"{k} {v}" for k, v in quantization.items() if isinstance(v, int | str))
    shards = find_shards(path)
    return facts, shards.tensors, shards.files


def _gguf(path: Path) -> tuple[Facts, Tensors, list[Path]]:
    from convert.gguf.header import read_header
    from convert.gguf.metadata import Metadata

    file = read_header(path)
    metadata = Metadata(file)
    names = ("block_count", "embedding_length", "feed_forward_length", "vocab_size")
    sizes = ((name, metadata.optional_integer(f"{{arch}}.{name}")) for name in names)
    tokenizer = (metadata.text(f"tokenizer.ggml.{key}", "") for key in ("model", "pre"))
    facts = {
        "architecture": metadata.architecture
        + "".join(f", {name.replace('_', ' ')} {size}" for name, size in sizes if size is not None),
        "name": metadata.text("general.name", "unnamed"),
        "tokenizer": " ".join(filter(None, tokenizer)) or "none",
    }
    return facts, {name: TensorInfo(tensor.type.name, tensor.shape) for name, tensor in file.tensors.items()}, [path]


_READERS = {
    Kind.TRAINING: _training,
    Kind.BUNDLE: _bundle,
    Kind.REFERENCE: _reference,
    Kind.BASE: _base,
    Kind.GGUF: _gguf,
}


def _architecture(config: HypernetConfig) -> Facts:
    modules = ", ".join(f"{name} {d_in}->{d_out}" for name, (d_in, d_out) in config.modules.items())
    per_layer = "for each base layer" if config.per_layer_processing else "shared by all base layers"
    return {
        "architecture": f"{config.num_latents} latents x {config.latent_size}, {config.num_blocks} + 1 Perceiver "
        f"blocks, {config.num_pre_head_layers} pre-head MLP{'s' * (config.num_pre_head_layers > 1)} {per_layer}",
        "adapter": f"rank {config.rank}, scale {config.scale:g}, {modules}, {config.num_layers} layers",
    }


def _part(name: str) -> str:
    """The part of a model a parameter belongs to: everything before the first number, or the first name."""
    names = name.split(".")
    number = next((i for i, part in enumerate(names) if part.isdigit()), None)
    return ".".join(names[: 1 if number is None else number])
