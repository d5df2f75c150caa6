"""A whole run at toy size: a random base with nano's tokenizer, teacher data that it made, and its settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, Ministral3ForCausalLM

from mlx_hypernet.format.config import HypernetConfig
from tests.tiny import SMOL
from torch_train.data.row import ContextRow
from torch_train.model.chunking import Chunking
from torch_train.model.generation import TOP, Transformers
from torch_train.model.hypernet import HyperNetwork
from torch_train.nano import tokenizer
from torch_train.nano.language import Language
from torch_train.teacher.teach import TeacherSettings, teach
from torch_train.teacher.teacher_rows import TeacherRow
from torch_train.training.journal import read_log
from torch_train.training.packing import PackedBatch, Packer

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.2,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}
CONFIG = """
base: {{path: {base}, dtype: float32}}
hypernet: {{rank: 3, latent_size: 16, num_latents: 4, num_blocks: 2, num_heads: 4, num_kv_heads: 2, head_dim: 8}}
data: {{teacher: [{teacher}]}}
packing: {{context_tokens: 160, input_tokens: 160, max_chunk_tokens: 128}}
optimizer: {{steps: 6, accumulation: 2, learning_rate: 3.0e-3, warmup: 2}}
run: {{folder: {folder}, device: cpu, save_every: 2, log_every: 1, recompute: false}}
"""


def save_base(folder: Path, words_folder: Path, model_type: str = "ministral3", vocabulary: int = 0) -> Path:
    """A random base of 3 blocks with nano's tokenizer; YaRN beyond 64 positions for ministral3."""
    torch.manual_seed(0)
    rope: dict[str, object] = {"rope_type": "default", "rope_theta": 10000.0}
    others: dict[str, object] = {"sliding_window": 16} if model_type in ("gemma2", "gemma3_text", "mistral") else {}
    if model_type == "gemma3_text":
        rope = {"sliding_attention": rope, "full_attention": {"rope_type": "default", "rope_theta": 500.0}}
        others["layer_types"] = ["sliding_attention", "full_attention", "sliding_attention"]
        others["query_pre_attn_scalar"] = 8  # as sharp as the others' attention
    if model_type == "ministral3":
        rope |= {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 64}
        rope |= {"beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1}
    config = AutoConfig.for_model(
        model_type,
        vocab_size=vocabulary or tokenizer.VOCAB_SIZE,
        rope_parameters=rope,
        bos_token_id=tokenizer.BOS,
        eos_token_id=tokenizer.EOS,
        pad_token_id=tokenizer.PAD,
        **SIZES,
        **others,
    )
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:  # all ones would hide a norm that is missing or in the wrong place
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.copy(words_folder, folder)
    return folder


def save_teacher(folder: Path, base: Path, seed: int = 0, contexts: int = 12) -> Path:
    """What that base answers to questions about some notes."""
    language = Language(seed, "train")
    rows = []
    for _ in range(contexts):
        note = language.note(2, 1)
        questions = tuple(dict.fromkeys(question.text for question in note.questions))[:3]
        rows.append(ContextRow(note.text, questions, ((),) * len(questions), "notes"))
    engine = Transformers(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval(), 16)
    settings = TeacherSettings(max_answer_tokens=6, rows_per_shard=8)
    teach(rows, lambda: engine, AutoTokenizer.from_pretrained(base), base, folder, settings)
    return folder


def config_file(folder: Path, base: Path, teacher: Path) -> Path:
    """The YAML of a run in `folder/run`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(base=base, teacher=teacher, folder=folder / "run"))
    return path


def teacher_row(seed: int, context: int, inputs: list[tuple[int, int]], vocabulary: int = 96) -> TeacherRow:
    """A random row: a context of so many tokens, and (question, answer) lengths."""
    draw = np.random.default_rng(seed)
    tokens = sum(answer for _, answer in inputs)

    def ids(length: int) -> np.ndarray:
        return draw.integers(0, vocabulary, length).astype(np.int32)

    logits = draw.normal(size=(tokens, TOP))
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True)) - 0.1  # they do not sum to one
    return TeacherRow(
        id=str(seed),
        source="random",
        context_ids=ids(context),
        questions=tuple(ids(question) for question, _ in inputs),
        answers=tuple(ids(answer) for _, answer in inputs),
        relevant=np.ones(len(inputs), dtype=bool),
        top_ids=np.stack([draw.permutation(vocabulary)[:TOP] for _ in range(tokens)]).astype(np.int32),
        top_log_probabilities=log_p.astype(np.float16),
    )


def packed(rows: list[TeacherRow], chunking: Chunking) -> PackedBatch:
    """All rows in one batch."""
    packer = Packer(rows, 10_000, 10_000, chunking, seed=0)
    (batch,) = packer.batches(0)
    return batch


SHAPE = HypernetConfig(3, 32, {"down_proj": (48, 32), "q_proj": (32, 32)}, 3, 5.0, 16, 4, 2, 4, 2, 8)
AS_SMOL = replace(SHAPE, scale=20.0, **SMOL)


def hypernet(seed: int = 0, config: HypernetConfig = SHAPE) -> HyperNetwork:
    """A random hypernetwork for `save_base`, with no parameter left at a value that would hide a mistake."""
    torch.manual_seed(seed)
    network = HyperNetwork(config)
    with torch.no_grad():
        for name, parameter in network.state_dict().items():
            parameter.add_((0.5 if "scaler" in name else 0.05) * torch.randn_like(parameter))
        network.head.weight.mul_(5)  # adapters must be strong enough to be missed
    return network


def nano_hypernet(base: Ministral3ForCausalLM) -> HyperNetwork:
    """An untrained hypernetwork for a small base of nano's kind."""
    config = base.config
    modules = {"down_proj": (config.intermediate_size, config.hidden_size)}
    return HyperNetwork(
        HypernetConfig(config.num_hidden_layers, config.hidden_size, modules, 8, 45.25, 64, 8, 2, 4, 2, 16)
    )


def weights(run: Path, step: int = 6) -> dict[str, torch.Tensor]:
    """The hypernetwork's weights at a step of a run."""
    return load_file(run / f"step-{step:08d}" / "model.safetensors")


def losses(run: Path) -> list[float]:
    """The losses in a run's log."""
    return [entry["loss"] for entry in read_log(run)]


def assert_same(whole: Path, run: Path) -> None:
    """Two runs end with the same weights and had the same losses."""
    expected, found = weights(whole), weights(run)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, atol=1e-6, rtol=0, msg=lambda text, name=name: f"{name} {text}")
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)
