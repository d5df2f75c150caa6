"""Small replicas of published base repositories, written by transformers itself and, for FP8, by hand.

Names, layout and configuration are those of mistralai/Ministral-3-3B-Instruct-2512 (FP8) and its -BF16 variant:
the multimodal wrapper, YaRN with llama-4 scaling, tied embeddings that are stored once, a Tekken tokenizer.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, Mistral3Config, Mistral3ForConditionalGeneration
from transformers.integrations.mistral.tokenizer import convert_tekken_tokenizer

from tests.tiny import BASE

SPECIAL_TOKENS = (
    "<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CALLS]"
    " [IMG] <pad>"
).split()
# What a Tekken file holds besides bytes: a few words' beginnings and ends.
WORDS = [b" t", b"he", b"in", b" a", b"llo", b"ll", b"lo", b"wor", b"wo", b"ld", b" wo", "é".encode(), b"ve"]
VOCABULARY = len(SPECIAL_TOKENS) + 256 + len(WORDS)
TEXT = BASE | {"vocab_size": VOCABULARY, "initializer_range": 0.1, "intermediate_size": 128}
GEMMA3_LAYERS = ["sliding_attention", "sliding_attention", "full_attention"]
VISION = {
    "model_type": "pixtral",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "head_dim": 16,
    "image_size": 28,
    "patch_size": 14,
}
FP8_CONFIG = {
    "activation_scheme": "static",
    "modules_to_not_convert": ["model.vision_tower", "model.multi_modal_projector", "lm_head"],
    "quant_method": "fp8",
    "weight_block_size": None,
}
# Tekken's, of a file that is far too large for a test.
PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}[INST]{{ message.content }}[/INST]"
    "{% elif message.role == 'assistant' %}{{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
# SentencePiece's decoder: in published Mistral files it stands beside a byte-level vocabulary.
SENTENCEPIECE_DECODER = {
    "type": "Sequence",
    "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ],
}


def wrapper(folder: Path, **text: Any) -> Path:
    """The BF16 repository, sharded, with its tokenizer; `text` changes the text model's configuration."""
    torch.manual_seed(0)
    config = Mistral3Config(text_config=TEXT | text, vision_config=VISION)
    config.tie_word_embeddings = config.text_config.tie_word_embeddings
    model = Mistral3ForConditionalGeneration(config)
    _stir(model)
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 3
    _edit(folder / "config.json", transformers_version="5.0.0.dev0")
    tokenizer(folder)
    return folder


def fp8(folder: Path, block: int | None = None, **text: Any) -> Path:
    """The FP8 repository: text linears in F8_E4M3, one scale a tensor, or one for `block` x `block` weights."""
    wrapper(folder, **text)
    weights = stored(folder)
    for name in [name for name in weights if name.startswith("language_model.") and name.endswith("_proj.weight")]:
        weights |= _to_fp8(name, weights[name].float(), block)
    rewrite(folder, weights)
    _edit(folder / "config.json", quantization_config=FP8_CONFIG | {"weight_block_size": block and [block, block]})
    return folder


def text_only(folder: Path, model_type: str, **changes: Any) -> Path:
    """A plain text model in fp32, as transformers saves it."""
    torch.manual_seed(0)
    # Gemma-2 has no head of its own.
    settings = (
        TEXT | {"model_type": model_type, "tie_word_embeddings": model_type in ("gemma2", "gemma3_text")} | changes
    )
    if model_type == "gemma3_text":  # two layers with a window of 24, then one without
        rope = {"rope_type": "default", "rope_theta": 10_000.0}
        long = {"rope_type": "linear", "factor": 4.0, "rope_theta": 1_000_000.0}
        settings["rope_parameters"] = {"sliding_attention": rope, "full_attention": long}
        settings |= {"layer_types": GEMMA3_LAYERS, "sliding_window": 24, "query_pre_attn_scalar": 20} | changes
    elif model_type != "ministral3":
        settings["rope_parameters"] = {"rope_type": "default", "rope_theta": 500_000.0}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings))
    _stir(model)
    model.save_pretrained(folder)
    tokenizer(folder)
    return folder


def logits(folder: Path, ids: list[int], reference: Path | None = None) -> torch.Tensor:
    """What transformers computes in fp32; FP8 is resolved here, without a line of the converter's.

    Args:
        folder: of the repository.
        ids: a prompt.
        reference: a repository of the same model that transformers can load, where `folder` is FP8.
    """
    config = AutoConfig.from_pretrained(reference or folder)
    loader = Mistral3ForConditionalGeneration if config.model_type == "mistral3" else AutoModelForCausalLM
    model = loader.from_pretrained(reference or folder, dtype=torch.float32)
    if reference is not None:
        weights = stored(folder)
        for name, parameter in model.named_parameters():
            name = name.replace("model.language_model.", "language_model.model.")
            if (scale := weights.get(f"{name}_scale_inv")) is not None:
                rows, columns = (torch.arange(size) for size in parameter.shape)
                if scale.ndim == 2:
                    block = json.loads((folder / "config.json").read_text())["quantization_config"]["weight_block_size"]
                    scale = scale[rows // block[0]][:, columns // block[1]]
                parameter.data = weights[name].float() * scale.float()
    with torch.no_grad():
        return model.eval()(torch.tensor([ids])).logits[0]


def stored(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a repository."""
    weights: dict[str, torch.Tensor] = {}
    for path in folder.glob("model*.safetensors"):
        weights |= load_file(path)
    return weights


def rewrite(folder: Path, weights: dict[str, torch.Tensor], shards: int = 3) -> None:
    """Replace a repository's weights by others, in shards with an index."""
    for path in folder.glob("model*.safetensors*"):
        path.unlink()
    names = sorted(weights)
    places = {}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        part = {name: weights[name].contiguous() for name in names[i::shards]}
        save_file(part, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(part, file)
    size = sum(weight.numel() * weight.element_size() for weight in weights.values())
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def tokenizer(folder: Path) -> None:
    """A Tekken file, what transformers makes of it, and a chat template; with the decoder that is a trap."""
    pieces = [bytes([i]) for i in range(256)] + WORDS
    vocabulary = [
        {"rank": rank, "token_bytes": base64.b64encode(piece).decode(), "token_str": None}
        for rank, piece in enumerate(pieces)
    ]
    special = [{"rank": rank, "token_str": token, "is_control": True} for rank, token in enumerate(SPECIAL_TOKENS)]
    config = {
        "pattern": PATTERN,
        "num_vocab_tokens": len(pieces),
        "default_vocab_size": len(pieces) + len(special),
        "default_num_special_tokens": len(special),
        "version": "v13",
    }
    (folder / "tekken.json").write_text(
        json.dumps({"config": config, "vocab": vocabulary, "special_tokens": special}), "utf-8"
    )
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    convert_tekken_tokenizer(str(folder / "tekken.json")).save_pretrained(folder)
    _edit(folder / "tokenizer.json", decoder=SENTENCEPIECE_DECODER)
    assert "Ġ" in Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()


def _stir(model: torch.nn.Module) -> None:
    """Norms of all ones would hide one that is missing or in the wrong place."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))


def _to_fp8(name: str, weight: torch.Tensor, block: int | None) -> dict[str, torch.Tensor]:
    largest = torch.finfo(torch.float8_e4m3fn).max
    if block is None:
        scale = (weight.abs().max() / largest).to(torch.bfloat16)
        spread = scale.float()
    else:
        rows, columns = (torch.arange(size) // block for size in weight.shape)
        scale = torch.zeros(int(rows[-1]) + 1, int(columns[-1]) + 1)
        for i in range(scale.shape[0]):
            for j in range(scale.shape[1]):
                scale[i, j] = weight[rows == i][:, columns == j].abs().max() / largest
        spread = scale[rows][:, columns]
    quantised = (weight / spread).clamp(-largest, largest).to(torch.float8_e4m3fn)
    fields = {name: quantised, f"{name}_scale_inv": scale}
    if block is None:
        fields[name.replace("weight", "activation_scale")] = torch.tensor(0.02, dtype=torch.bfloat16)
    return fields


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes, ensure_ascii=False), "utf-8")
