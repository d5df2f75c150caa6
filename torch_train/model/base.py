"""The frozen base, taken apart: embedding, blocks, norm and head, over one packed row of many samples.

Any of transformers' (>= 5) llama, ministral3, mistral, gemma2, gemma3_text, qwen2 and qwen3, or a ministral3 inside its
multimodal wrapper mistral3, whose vision tower is dropped. Samples lie in one row side by side; none sees another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from mlx_hypernet.format.vetting import check_base, check_code
from torch_train.errors import TrainingError, one_line
from torch_train.model.attention import RowAttention
from torch_train.model.block import Rotation, block, normed, rotations
from torch_train.model.ragged import Ragged

SUPPORTED = ("llama", "ministral3", "mistral3", "mistral", "gemma2", "gemma3_text", "qwen2", "qwen3")
_DROPPED = re.compile(r"(?:^|\.)(?:vision_tower|multi_modal_projector)\.")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def fast_dtype(device: torch.device) -> str:
    """`bfloat16` on GPUs and on processors that multiply in it; elsewhere on CPUs it is many times slower than fp32."""
    fast = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if fast else "float32"


@dataclass(frozen=True)
class Layout:
    """Where the tokens of a packed row are and what they see; made once for all blocks.

    Attributes:
        turns: Type of a layer -> rotations of their positions; None where they are the same in all.
        attend: Who sees whom.
    """

    turns: dict[str | None, Rotation]
    attend: RowAttention


class FrozenBase:
    """A causal model whose weights stay as they are.

    Args:
        model: Of transformers, in any of the `SUPPORTED` architectures.
    """

    def __init__(self, model: Any) -> None:
        self.model = model.eval().requires_grad_(False)
        self.config = model.config.get_text_config()
        self.decoder = getattr(model.model, "language_model", model.model)
        self._flash = "flash" in str(self.config._attn_implementation)

    @property
    def shape(self) -> dict[str, Any]:
        """What a hypernetwork for this base depends on, as `checkpoint.BaseRecord` names it."""
        config = self.config
        return {
            "model_type": config.model_type,
            "hidden_size": config.hidden_size,
            "num_layers": config.num_hidden_layers,
            "vocab_size": config.vocab_size,
        }

    @property
    def layers(self) -> nn.ModuleList:
        """The blocks."""
        return self.decoder.layers

    @property
    def device(self) -> torch.device:
        """Where the base is."""
        return self.decoder.norm.weight.device

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids (T,) -> (T, hidden), with the base's own embedding scale."""
        return self.decoder.embed_tokens(ids)

    def shares(self, row: Ragged) -> bool:
        """Whether a folded row saves something: flash-attention's kernels read none."""
        return row.folded and not self._flash

    def layout(self, x: Tensor, row: Ragged) -> Layout:
        """Prepare a packed row.

        Args:
            x: Its embeddings, (T, hidden): for their dtype.
            row: Its samples.
        """
        turns = rotations(self.decoder.rotary_emb, x, row.positions, self.config)
        return Layout(turns, RowAttention(row, self._flash))

    def block(self, layer: nn.Module, x: Tensor, layout: Layout, kept: Tensor | None = None) -> Tensor:
        """One block over a packed row: (T, hidden) -> same, or (N, hidden) of the tokens `kept` (N,)."""
        kind = getattr(layer.self_attn, "layer_type", None)
        return block(layer, x, layout.turns[kind if kind in layout.turns else None], layout.attend, kept)

    def norm(self, x: Tensor) -> Tensor:
        """The final norm."""
        return normed(self.decoder.norm, x)

    def logits(self, hidden: Tensor) -> Tensor:
        """Normed hidden states (N, hidden) -> (N, vocabulary), with the base's own soft cap."""
        logits = self.model.lm_head(hidden)
        cap = getattr(self.config, "final_logit_softcapping", None)
        return logits if cap is None else cap * torch.tanh(logits / cap)


def base_config(folder: Path) -> Any:
    """The configuration of the base at `folder`.

    Raises:
        TrainingError: It cannot be read, or its architecture is not one of `SUPPORTED`.
    """
    from transformers import AutoConfig

    try:
        check_code(folder)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        # The sizes last: another architecture names them otherwise.
        if config.model_type in SUPPORTED:
            check_base(folder)
    except Exception as error:  # the checks of transformers raise classes of their own
        raise TrainingError(f"no base model in {folder}: {one_line(error)}") from error
    if config.model_type not in SUPPORTED:
        raise TrainingError(f"a base of type {config.model_type} is not supported: use one of {', '.join(SUPPORTED)}")
    return config


def load_base(
    folder: Path, dtype: str, device: torch.device, bits: int | None = None, double: bool = True
) -> FrozenBase:
    """Load a base for training or evaluation, with flash-attention where it is installed beside CUDA.

    Args:
        folder: A Hugging Face model; see `fingerprint.fetch_base` for one on the hub.
        dtype: One of `DTYPES`, or `auto` for `fast_dtype`.
        device: Where it goes.
        bits: 4 for a quantised copy (bitsandbytes, CUDA alone), None for the weights as they are.
        double: Quantise the scales of that copy as well, as the reference does.

    Raises:
        TrainingError: The base is missing, incomplete or not supported, or 4 bits are asked for where there are none.
    """
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.utils import is_flash_attn_2_available

    config = base_config(folder)
    dtype = fast_dtype(device) if dtype == "auto" else dtype
    wrapped = config.model_type == "mistral3"
    settings: dict[str, Any] = {"dtype": DTYPES[dtype], "trust_remote_code": False}
    if device.type == "cuda" and dtype != "float32" and is_flash_attn_2_available():  # it has no kernels for fp32
        settings["attn_implementation"] = "flash_attention_2"
    if bits is not None:
        settings |= {"quantization_config": _four_bits(device, double), "device_map": {"": device}}
    classes = AutoModelForImageTextToText if wrapped else AutoModelForCausalLM
    try:
        model, loaded = classes.from_pretrained(folder, output_loading_info=True, **settings)
    except torch.OutOfMemoryError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, SafetensorError) as error:
        raise TrainingError(f"the base in {folder} cannot be loaded: {one_line(error)}") from error
    # Transformers would draw these at random, and say so in a warning.
    missing = sorted(name for name in loaded["missing_keys"] if not _DROPPED.search(name))
    if missing and bits is None:
        raise TrainingError(f"the base in {folder} lacks {len(missing)} weights, such as {missing[0]}: get it again")
    if wrapped:
        model.model.vision_tower = model.model.multi_modal_projector = None
    return FrozenBase(model if bits is not None else model.to(device))


def _four_bits(device: torch.device, double: bool) -> Any:
    from importlib.util import find_spec

    if device.type != "cuda" or find_spec("bitsandbytes") is None:
        raise TrainingError("base.encoder_bits: 4 needs CUDA and bitsandbytes: install it, or remove the setting")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_use_double_quant=double,
    )
