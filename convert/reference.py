"""Reading a checkpoint of the Doc-to-LoRA reference implementation (`pytorch_model.bin`).

Its tensors come with pickled configuration objects (`pickles.py` opens them safely) and under other names
(`reference_keys.py`). It names its base, and no more: vocabulary, template and chunk length come from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx

from convert.base_facts import KNOWN_BASES, KnownBase, Template, base_type, template_ids
from convert.checkpoint import Checkpoint, existing, file_hash
from convert.errors import CheckpointError
from convert.pickles import Inert, load
from convert.reference_keys import to_ours
from convert.source import Source
from mlx_hypernet.format import installing
from mlx_hypernet.format.config import BaseInfo, BundleConfig, HypernetConfig

if TYPE_CHECKING:
    from torch import Tensor

# Longest chunk of the published checkpoints' second stage of training, where nothing says another.
MAX_CHUNK_TOKENS = 512
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
class PickledWeights:
    """The parameters of a reference checkpoint; each use maps the file again, so that its pages are released between.

    Attributes:
        file: the `pytorch_model.bin`.
        config: what it says of the hypernetwork.
    """

    file: Path
    config: HypernetConfig

    def arrays(self) -> Iterator[tuple[str, mx.array]]:
        """See `checkpoint.Weights`."""
        for name, tensor in _tensors(load(self.file), self.config).items():
            yield name, mx.array(tensor.float().numpy())

    def state_dict(self) -> dict[str, Tensor]:
        """See `checkpoint.Weights`."""
        return {name: tensor.float() for name, tensor in _tensors(load(self.file), self.config).items()}


@dataclass(frozen=True)
class Reference:
    """What a reference checkpoint says.

    Attributes:
        hypernet: shape of the hypernetwork.
        tensors: our parameter name -> torch tensor.
        base: name or path of the base model, as the trainer knew it.
        max_chunk_tokens: where the checkpoint or the run beside it says so.
    """

    hypernet: HypernetConfig
    tensors: dict[str, Tensor]
    base: str
    max_chunk_tokens: int | None


def read_reference(path: Path) -> Reference:
    """Read `pytorch_model.bin`.

    Raises:
        CheckpointError: when it is missing or damaged, mentions a class that is not on the list, uses options
            this project does not build, or its keys or shapes are not the expected ones (all named at once).
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise CheckpointError(f"reading {path.name} needs torch: {installing.command(installing.TORCH)}") from error
    data = load(path)
    try:
        base, encoder = str(data["base_model_name_or_path"]), data["ctx_encoder_args"]
        hypernet = hypernet_config(data["hypernet_config"], encoder, base)
        chunk = getattr(encoder, "max_ctx_chunk_len", None) or _chunk_length_beside(path)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise CheckpointError(f"{path} is not a checkpoint of the reference implementation: {reason}") from error
    # -1 is the reference's "whole document".
    chunk = chunk if isinstance(chunk, int) and chunk > 0 else None
    return Reference(hypernet, _tensors(data, hypernet), base, chunk)


def _tensors(data: dict[str, Any], config: HypernetConfig) -> dict[str, Tensor]:
    import torch

    return to_ours(
        {str(name): value.detach() for name, value in data.items() if isinstance(value, torch.Tensor)}, config
    )


def read_reference_checkpoint(
    source: Source, base: Source | None, template: Template, dtype: str, tool_version: str
) -> Checkpoint:
    """Read a reference checkpoint, and complete it with what is known of its base.

    Args:
        source: its path is the `pytorch_model.bin`.
        base: the base model; when not given, the folder the checkpoint names, if there, or `KNOWN_BASES`.
        template: what the caller says of chunks; what it leaves open is looked up.
        dtype: of the bundle to be.
        tool_version: is recorded in the bundle.

    Raises:
        CheckpointError: as `read_reference`, and when nothing is known of the base.
    """
    reference = read_reference(source.path)
    beside = existing(source.path.parent, reference.base)
    base_path = base.path if base else beside
    known = KNOWN_BASES.get(reference.base)
    if base_path is not None:
        model_type, vocab_size = base_type(base_path)
    elif known is not None:
        model_type, vocab_size = known.model_type, known.vocab_size
    else:
        raise CheckpointError(
            f"the checkpoint's base is {reference.base!r}, which is not known here: give it with --base"
        )
    prefix, suffix = _affixes(template, known, base_path)
    sha256 = file_hash(source.path)
    step = re.search(r"(\d+)$", source.path.parent.name)
    config = BundleConfig(
        hypernet=reference.hypernet,
        base=BaseInfo(
            repository=reference.base if known else base.repository if base else None,
            model_type=model_type,
            hidden_size=reference.hypernet.hidden_size,
            num_layers=reference.hypernet.num_layers,
            vocab_size=vocab_size,
        ),
        max_chunk_tokens=template.max_chunk_tokens or reference.max_chunk_tokens or MAX_CHUNK_TOKENS,
        prefix_ids=prefix,
        suffix_ids=suffix,
        dtype=dtype,
        source={
            "repository": source.repository or source.path.resolve().parent.name,
            "revision": source.revision or sha256[:16],
            "step": int(step[1]) if step else None,
        },
        tool_version=tool_version,
    )
    return Checkpoint(config, PickledWeights(source.path, config.hypernet), source.path, sha256, base_path)


def _affixes(
    template: Template, known: KnownBase | None, base_path: Path | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids around a chunk: as given, else as the reference has them, else by the base's tokenizer, else none."""
    found: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    if known is not None:
        found = known.prefix_ids, known.suffix_ids
    elif base_path is not None and None in (template.prefix_ids, template.suffix_ids):
        # A base without a tokenizer has no template: its documents are ids already.
        found = template_ids(base_path) or found
    prefix, suffix = template.prefix_ids, template.suffix_ids
    return found[0] if prefix is None else prefix, found[1] if suffix is None else suffix


def hypernet_config(config: Any, encoder: Any, base: str | None = None) -> HypernetConfig:
    """Our configuration from the reference's `hypernet_config` and `ctx_encoder_args`."""
    lora, aggregator = config.lora_config, config.aggregator_config
    num_layers = len(config.layer_indices)
    unsupported = [
        f"{name}={_value(getattr(record, name))!r}"
        for record, wanted in ((config, _HYPERNET_MUST), (aggregator, _AGGREGATOR_MUST))
        for name, value in wanted.items()
        if _value(getattr(record, name, value)) != value
    ]
    if _value(encoder.ctx_encoder_type) != "per_layer_activations":
        unsupported.append(f"ctx_encoder_type={_value(encoder.ctx_encoder_type)!r}")
    if getattr(encoder, "ctx_encoder_model_name_or_path", None) not in (None, base):
        unsupported.append(f"ctx_encoder_model_name_or_path={encoder.ctx_encoder_model_name_or_path!r}")
    if getattr(encoder, "ctx_encoder_last_layer", None) not in (None, num_layers):
        unsupported.append(f"ctx_encoder_last_layer={encoder.ctx_encoder_last_layer!r}")
    if config.layer_indices.tolist() != list(range(num_layers)):
        unsupported.append(f"layer_indices={config.layer_indices.tolist()}")
    if unsupported:
        raise CheckpointError(f"the checkpoint uses options that are not supported: {', '.join(unsupported)}")
    d_in, d_out = config.feature_sizes
    return HypernetConfig(
        num_layers=num_layers,
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


def _chunk_length_beside(path: Path) -> int | None:
    """What the run's `args.yaml`, beside the checkpoint or one folder up, gives as longest chunk."""
    for folder in (path.parent, path.parent.parent):
        if (folder / "args.yaml").is_file():
            text = (folder / "args.yaml").read_text("utf-8", errors="replace")
            found = re.search(r"^max_ctx_chunk_len:\s*(-?\d+)\s*$", text, re.MULTILINE)
            return int(found[1]) if found else None
    return None


def _value(value: Any) -> Any:
    """An enumeration's value, whether it was pickled as a plain string or as a member."""
    return value.args[0] if isinstance(value, Inert) and value.args else value
