"""Small GGUF files, written with the `gguf` package as llama.cpp's converter writes large ones.

Query and key rows are permuted here by llama.cpp's own formula, and what a reader must get back is kept beside the
file, so that nothing of the converter's is used to check it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFWriter, RopeScalingType
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize

TYPES = tuple("F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K".split())
K_QUANTS = ("Q4_K", "Q5_K", "Q6_K")
# Name of a test's architecture -> llama.cpp's.
ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "ministral3": "mistral3"}
HIDDEN, INTERMEDIATE, LAYERS, HEADS, KV_HEADS = 256, 512, 2, 4, 2
BLOCK = 256  # the largest block of a type
CONTEXT, THETA, EPS = 512, 50_000.0, 1e-5
YARN = {"factor": 16.0, "original_max_position_embeddings": 32, "beta_fast": 32.0, "beta_slow": 1.0}
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONTROL, USER_DEFINED, NORMAL, UNKNOWN, BYTE = 3, 4, 1, 2, 6
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Merges of a tiny English: letters as in a byte-level vocabulary, where Ġ is a space.
MERGES = (
    "h e|l l|ll o|he llo|Ġ t|Ġt he|Ġ w|o r|Ġw or|l d|Ġwor ld|Ġ Ġ|i n|in g|Ġ a|n d|Ġa nd|Ã ©|a f|c af|1 2|Ġ 1|ĠĠ ĠĠ"
).split("|")
SENTENCEPIECES = (
    "▁ e t a o n i h l r d w s c f v u m ▁t he ▁the ll llo lo ▁w or ld ▁wor ▁world hello ▁hello in ing".split()
)


@dataclass
class Gguf:
    """A file and what is in it.

    Attributes:
        path: of the file.
        state: Hugging Face's name -> values, rows in its order, after quantisation.
        config: transformers' settings of the same model.
    """

    path: Path
    state: dict[str, np.ndarray] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)


def write(
    path: Path,
    model: str = "llama",
    kind: str = "F32",
    *,
    tied: bool = True,
    pre: str = "smollm",
    keys: dict[str, Any] | None = None,
    types: dict[str, str] | None = None,
    rope_factors: np.ndarray | None = None,
    bias: bool = False,
) -> Gguf:
    """Write a model with random weights.

    Args:
        path: of the file.
        model: one of `ARCHITECTURES`.
        kind: of every matrix but those in `types`.
        tied: leave out the head.
        pre: the byte-level pre-tokenizer; `llama` for a SentencePiece vocabulary.
        keys: further metadata: numbers, texts, and None for a key to leave out.
        types: part of a name -> type.
        rope_factors: for `rope_freqs.weight`.
        bias: a llama with biases in its attention.
    """
    rng = np.random.default_rng(0)
    architecture = ARCHITECTURES[model]
    head_dim = 128 if model == "qwen3" else HIDDEN // HEADS
    tokens, token_types, scores = sentencepiece() if pre == "llama" else byte_level()
    writer = GGUFWriter(path, architecture)
    metadata = _metadata(model, head_dim, tokens) | (keys or {})
    for key, value in metadata.items():
        _add(writer, key.replace("{arch}", architecture), value)
    _tokenizer(writer, pre, tokens, token_types, scores, set(metadata))
    result = Gguf(path, config=_config(model, head_dim, len(tokens), tied))
    for name, stored, shape in _tensors(model, head_dim, len(tokens), tied, bias):
        if len(shape) == 1:
            values = rng.standard_normal(shape).astype(np.float32) * 0.2 + (0 if name.endswith("bias") else 1)
            # As in published files: trained in bf16, stored in fp32.
            values = torch.from_numpy(values).bfloat16().float().numpy()
            data, encoding = values, GGMLQuantizationType.F32
        else:
            chosen = next((other for part, other in (types or {}).items() if part in stored), kind)
            encoding = GGMLQuantizationType[chosen]
            data, values = _matrix(rng, shape, encoding)
        heads = {"q_proj": HEADS, "k_proj": KV_HEADS}.get(name.split(".")[-2])
        if architecture in ("llama", "mistral3") and heads:
            # What is stored is permuted; row i of the file is row `order[i]` of Hugging Face's.
            order = permuted(np.arange(shape[0]), heads)
            restored = np.empty_like(values)
            restored[order] = values
            values = restored
        result.state[name] = values
        writer.add_tensor(stored, data, raw_dtype=encoding)
    if rope_factors is not None:
        writer.add_tensor("rope_freqs.weight", rope_factors.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return result


def permuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """Query or key rows as llama.cpp's converter stores them (`LlamaModel.permute`)."""
    return rows.reshape(heads, 2, len(rows) // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def random_blocks(rng: np.random.Generator, rows: int, columns: int, kind: GGMLQuantizationType) -> np.ndarray:
    """K-quantised rows with random numbers and sensible scales, which the `gguf` package cannot quantise itself."""
    size, stored = GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (rows, columns // size, stored), np.uint8)

    def halves(value: float) -> np.ndarray:
        values = value * (1 + rng.random(blocks.shape[:2]))
        return values.astype(np.float16)[..., None].view(np.uint8)

    if kind is GGMLQuantizationType.Q6_K:
        blocks[..., 192:208] = rng.integers(-64, 64, (*blocks.shape[:2], 16)).astype(np.int8).view(np.uint8)
        blocks[..., 208:210] = halves(4e-5)
    else:
        blocks[..., 0:2], blocks[..., 2:4] = halves(1.5e-4), halves(1e-3)
    return blocks.reshape(rows, -1)


def byte_level() -> tuple[list[str], list[int], list[float]]:
    """Tokens, types and scores of a byte-level vocabulary; the last are not used."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    merged = [merge.replace(" ", "") for merge in MERGES]
    tokens = [*SPECIAL, *letters, *dict.fromkeys(merged), "<think>"]
    types = [CONTROL] * len(SPECIAL) + [NORMAL] * (len(tokens) - len(SPECIAL) - 1) + [USER_DEFINED]
    return tokens, types, []


def sentencepiece() -> tuple[list[str], list[int], list[float]]:
    """Tokens, types and scores of a SentencePiece vocabulary with byte fallback."""
    byte_tokens = [f"<0x{i:02X}>" for i in range(256)]
    tokens = ["<unk>", "<s>", "</s>", *byte_tokens, *SENTENCEPIECES]
    types = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256, *[NORMAL] * len(SENTENCEPIECES)]
    return tokens, types, [0.0] * 259 + [-float(i) for i in range(len(SENTENCEPIECES))]


def _metadata(model: str, head_dim: int, tokens: list[str]) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "general.name": "Mistral 7B Instruct" if model == "mistral" else "Tiny",
        "{arch}.block_count": LAYERS,
        "{arch}.context_length": CONTEXT,
        "{arch}.embedding_length": HIDDEN,
        "{arch}.feed_forward_length": INTERMEDIATE,
        "{arch}.attention.head_count": HEADS,
        "{arch}.attention.head_count_kv": KV_HEADS,
        "{arch}.attention.layer_norm_rms_epsilon": EPS,
        "{arch}.rope.freq_base": THETA,
        "{arch}.vocab_size": len(tokens),
        "tokenizer.chat_template": TEMPLATE,
    }
    if model in ("llama", "mistral", "ministral3"):
        metadata["{arch}.rope.dimension_count"] = head_dim
    if model in ("qwen3", "ministral3"):
        metadata |= {"{arch}.attention.key_length": head_dim, "{arch}.attention.value_length": head_dim}
    if model == "ministral3":
        metadata |= {
            "{arch}.rope.scaling.type": RopeScalingType.YARN.value,
            "{arch}.rope.scaling.factor": YARN["factor"],
            "{arch}.rope.scaling.original_context_length": int(YARN["original_max_position_embeddings"]),
            "{arch}.rope.scaling.yarn_beta_fast": YARN["beta_fast"],
            "{arch}.rope.scaling.yarn_beta_slow": YARN["beta_slow"],
            "{arch}.rope.scaling.yarn_log_multiplier": 1.0,
            "{arch}.attention.temperature_scale": 0.1,
        }
    return metadata


def _config(model: str, head_dim: int, vocabulary: int, tied: bool) -> dict[str, Any]:
    config = {
        "model_type": model,
        "vocab_size": vocabulary,
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": head_dim,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": EPS,
        "tie_word_embeddings": tied,
        "rope_parameters": {"rope_type": "default", "rope_theta": THETA},
    }
    if model == "ministral3":
        scaling = {"mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1, "rope_type": "yarn"}
        config["rope_parameters"] = YARN | scaling | {"rope_theta": THETA}
    return config


def _tensors(
    model: str, head_dim: int, vocabulary: int, tied: bool, bias: bool
) -> list[tuple[str, str, tuple[int, ...]]]:
    """(Hugging Face's name, llama.cpp's name, shape) of every tensor."""
    tensors: list[tuple[str, str, tuple[int, ...]]] = [
        ("model.embed_tokens.weight", "token_embd.weight", (vocabulary, HIDDEN)),
        ("model.norm.weight", "output_norm.weight", (HIDDEN,)),
    ]
    if not tied:
        tensors.append(("lm_head.weight", "output.weight", (vocabulary, HIDDEN)))
    query, key = HEADS * head_dim, KV_HEADS * head_dim
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {
        "input_layernorm": ("attn_norm", (HIDDEN,)),
        "self_attn.q_proj": ("attn_q", (query, HIDDEN)),
        "self_attn.k_proj": ("attn_k", (key, HIDDEN)),
        "self_attn.v_proj": ("attn_v", (key, HIDDEN)),
        "self_attn.o_proj": ("attn_output", (HIDDEN, query)),
        "post_attention_layernorm": ("ffn_norm", (HIDDEN,)),
        "mlp.gate_proj": ("ffn_gate", (INTERMEDIATE, HIDDEN)),
        "mlp.up_proj": ("ffn_up", (INTERMEDIATE, HIDDEN)),
        "mlp.down_proj": ("ffn_down", (HIDDEN, INTERMEDIATE)),
    }
    if model == "qwen3":
        shapes |= {f"self_attn.{part}_norm": (f"attn_{part}_norm", (head_dim,)) for part in "qk"}
    biased = [part for part in shapes if part.startswith("self_attn.") and part.endswith("_proj")] if bias else []
    if model == "qwen2":
        biased = [f"self_attn.{part}_proj" for part in "qkv"]
    for i in range(LAYERS):
        for part, (stored, shape) in shapes.items():
            tensors.append((f"model.layers.{i}.{part}.weight", f"blk.{i}.{stored}.weight", shape))
            if part in biased:
                tensors.append((f"model.layers.{i}.{part}.bias", f"blk.{i}.{stored}.bias", shape[:1]))
    return tensors


def _matrix(
    rng: np.random.Generator, shape: tuple[int, ...], kind: GGMLQuantizationType
) -> tuple[np.ndarray, np.ndarray]:
    """What is stored, and its values."""
    rows, columns = shape
    stored, values = _rows(kind)
    chosen = rng.integers(0, len(values), rows * columns // BLOCK)
    return stored[chosen].reshape(rows, -1), values[chosen].reshape(shape)


@cache
def _rows(kind: GGMLQuantizationType) -> tuple[np.ndarray, np.ndarray]:
    """Rows that all matrices are made of, as they are stored and their values: to quantise takes longest."""
    rng = np.random.default_rng(1)
    if kind.name in K_QUANTS:
        stored = random_blocks(rng, 2048, BLOCK, kind)
    else:
        stored = quantize(rng.standard_normal((2048, BLOCK)).astype(np.float32) * 0.06, kind)
    return stored, dequantize(stored, kind).astype(np.float32).reshape(-1, BLOCK)


def _add(writer: GGUFWriter, key: str, value: Any) -> None:
    if value is None:
        return
    adders = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
    adders.get(type(value), writer.add_array)(key, value)


def _tokenizer(
    writer: GGUFWriter, pre: str, tokens: list[str], types: list[int], scores: list[float], given: set[str]
) -> None:
    sentence = pre == "llama"
    ids = {"bos": 1, "eos": 2, "unknown": 0} | ({} if sentence else {"padding": 2})
    values: dict[str, Any] = {
        "model": "llama" if sentence else "gpt2",
        "tokens": tokens,
        "token_type": types,
        **{f"{name}_token_id": number for name, number in ids.items()},
    }
    values |= {"scores": scores} if sentence else {"pre": pre, "merges": list(MERGES)}
    for name, value in values.items():
        if (key := f"tokenizer.ggml.{name}") not in given:
            _add(writer, key, value)
