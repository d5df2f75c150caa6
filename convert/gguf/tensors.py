"""The tensors of a GGUF file under Hugging Face's names, dequantised one at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf.constants import GGMLQuantizationType
from gguf.quants import dequantize

from convert.base.shards import listed
from convert.errors import CheckpointError
from convert.gguf.header import GgufFile, GgufTensor

SUPPORTED = tuple("F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K".split())
# Factors of RoPE's wavelengths, which the configuration expresses.
ROPE_FACTORS = "rope_freqs.weight"
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
# The dequantiser takes these as numbers, all others as bytes.
_NUMBERS = {GGMLQuantizationType.F32: "<f4", GGMLQuantizationType.F16: "<f2"}
_TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_IN_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_BLOCK = re.compile(r"blk\.(?P<block>\d{1,5})\.(?P<part>\w+)\.(?P<kind>weight|bias)")


@dataclass(frozen=True)
class Weights:
    """The tensors of a file under the names of mlx-lm's and transformers' text models.

    Attributes:
        file: where they are.
        places: name -> tensor.
        heads: name -> number of heads whose rows llama.cpp permuted.
    """

    file: GgufFile
    places: dict[str, GgufTensor]
    heads: dict[str, int]

    def read(self, name: str) -> np.ndarray:
        """One tensor in fp32, rows in Hugging Face's order."""
        return np.ascontiguousarray(self.in_order(name, read_values(self.file.path, self.places[name])))

    def blocks(self, name: str) -> np.ndarray:
        """The stored bytes of a quantised matrix (rows, bytes), rows in Hugging Face's order."""
        return self.in_order(name, _stored(self.file.path, self.places[name]))

    def in_order(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Undo llama.cpp's permutation of query and key rows; other tensors stay as they are.

        llama.cpp rotates neighbouring dimensions of a head, Hugging Face dimension i with i + d/2, so its converter
        (`LlamaModel.permute`) interleaves the two halves of every head.
        """
        heads = self.heads.get(name)
        if heads is None:
            return rows
        return rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def text_tensors(file: GgufFile) -> dict[str, GgufTensor]:
    """Hugging Face's name -> tensor of every weight of the text model.

    Raises:
        CheckpointError: naming tensors that belong to another architecture, or whose type is not supported.
    """
    named: dict[str, GgufTensor] = {}
    unknown: list[str] = []
    for stored, tensor in file.tensors.items():
        if stored == ROPE_FACTORS:
            continue
        if (name := _text_name(stored)) is None or name in named:
            unknown.append(stored)
        else:
            named[name] = tensor
    if unknown:
        raise CheckpointError(f"{file.path} holds tensors that no supported model has: {listed(unknown)}")
    if types := sorted({tensor.type.name for tensor in file.tensors.values()} - set(SUPPORTED)):
        raise CheckpointError(
            f"{file.path} holds {', '.join(types)} weights: get one of the types {', '.join(SUPPORTED)}"
        )
    return named


def _text_name(stored: str) -> str | None:
    module, _, kind = stored.rpartition(".")
    if kind == "weight" and module in _TOP:
        return f"{_TOP[module]}.weight"
    found = _BLOCK.fullmatch(stored)
    if found is None or found["part"] not in _IN_BLOCK:
        return None
    return f"model.layers.{int(found['block'])}.{_IN_BLOCK[found['part']]}.{found['kind']}"


def read_values(path: Path, tensor: GgufTensor) -> np.ndarray:
    """A tensor of the file at `path`, dequantised to fp32, with the axes of the file."""
    values = dequantize(_stored(path, tensor), tensor.type)
    return values.astype(np.float32, copy=False).reshape(tensor.shape)


def _stored(path: Path, tensor: GgufTensor) -> np.ndarray:
    """What the file holds, mapped: F32 and F16 as numbers, everything else as bytes; a row to a row."""
    stored = np.memmap(path, np.uint8, "r", tensor.offset, (tensor.size,))
    return stored.view(_NUMBERS.get(tensor.type, "u1")).reshape(*tensor.shape[:-1], -1)
