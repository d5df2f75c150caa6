"""A GGUF file to a text-only MLX base: read, rebuild, write, compare; one tensor in memory at a time."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from convert.base.config import CONFIG_FILE
from convert.base.mlx_model import check_bits
from convert.base.model import REPORT_FILE, write_record
from convert.base.options import BaseOptions
from convert.base.parity import BaseReport, Reference, compare, torch_logits
from convert.base.tokenizer import check_streaming
from convert.base.writing import write_config, write_weights
from convert.destination import check_destination
from convert.errors import ConversionError
from convert.gguf.config import PERMUTED, model_config
from convert.gguf.header import GgufFile, read_header
from convert.gguf.metadata import Metadata
from convert.gguf.parity import load_torch_reading, obstacle
from convert.gguf.stored import Stored
from convert.gguf.tensors import ROPE_FACTORS, Weights, read_values, text_tensors
from convert.gguf.tokenizer import write_tokenizer
from mlx_hypernet.format.atomic import appearing


def convert_gguf(source: Path, destination: Path, options: BaseOptions, *, keep: bool) -> BaseReport:
    """Turn a GGUF file into a text-only MLX base.

    Args:
        source: the file, of a `llama`, `qwen2`, `qwen3` or `mistral3` model.
        destination: folder of the result; appears complete or not at all.
        options: how it is written.
        keep: whether blocks that MLX has too (`PACKINGS`) keep their quantisation.

    Raises:
        ConversionError: saying what to do; `destination` is then as it was before.
    """
    dtype, q_bits, down_proj_bits = options.dtype, options.q_bits, options.down_proj_bits
    check_bits(q_bits, down_proj_bits)
    check_destination(source, destination, options.force, (CONFIG_FILE, REPORT_FILE))
    file = read_header(source)
    weights, config = read_base(file)
    stored = Stored(weights, config, dtype, keep=keep, q_bits=q_bits, down_proj_bits=down_proj_bits)
    with appearing(destination) as folder:
        write_weights(folder, stored.layout, stored.read, dtype)
        write_config(folder, stored.config)
        write_tokenizer(Metadata(file), folder, config["vocab_size"], config["max_position_embeddings"])
        check_streaming(folder, config)
        report = compare(folder, _reference(stored), dtype, q_bits, options.verify)
        if not report.passed:
            raise ConversionError(f"transformers and MLX disagree ({report.summary()}): nothing was written")
        write_record(folder, [source], report)
    return report


def read_base(file: GgufFile) -> tuple[Weights, dict[str, Any]]:
    """The tensors under Hugging Face's names, and the configuration."""
    tensors = text_tensors(file)

    def rope_factors() -> np.ndarray | None:
        stored = file.tensors.get(ROPE_FACTORS)
        return None if stored is None else read_values(file.path, stored)

    config = model_config(file, tensors, rope_factors)
    heads: dict[str, int] = {}
    if Metadata(file).architecture in PERMUTED:
        counts = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
        heads = {name: counts[part] for name in tensors if (part := name.split(".")[-2]) in counts}
    return Weights(file, tensors, heads), config


def _reference(stored: Stored) -> Reference:
    weights, config = stored.weights, stored.config
    path = weights.file.path
    read = obstacle(config)
    notes = [f"compared with our own reading in torch: {read}"] if read else []
    if stored.kept:
        bits = Counter(stored.kept.values())
        notes.append("kept as quantised: " + ", ".join(f"{count} matrices at {b} bits" for b, count in bits.items()))
    return Reference(
        logits=lambda prompts: torch_logits(load_torch_reading(path, weights, config), prompts),
        parameters=sum(math.prod(tensor.shape) for tensor in weights.places.values()),
        dropped=0,
        exact=stored.exact,
        vocab_size=config["vocab_size"],
        context_length=config["max_position_embeddings"],
        notes=tuple(notes),
    )
