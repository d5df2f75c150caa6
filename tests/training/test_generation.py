"""What writes the teacher's answers: transformers or vLLM, their limits and their seeds."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import Ministral3ForCausalLM

from torch_train.errors import TrainingError
from torch_train.model import generation
from torch_train.model.generation import Transformers, choose_engine


def test_out_of_memory_says_what_to_lower(model: Ministral3ForCausalLM, monkeypatch: pytest.MonkeyPatch) -> None:
    def generate(*arguments, **options):
        raise torch.OutOfMemoryError("of 80 GiB, 79 GiB are in use")

    engine = Transformers(model, batch_size=8)
    monkeypatch.setattr(engine._model, "generate", generate)
    with pytest.raises(TrainingError, match="batch size must be at least 1, not 0"):
        Transformers(model, batch_size=0)
    with pytest.raises(TrainingError, match="out of memory with 2 prompts at once: lower --batch-size"):
        engine.generate([[1, 3], [1, 3, 4]], 5)


def test_sampling_follows_the_seed(model: Ministral3ForCausalLM) -> None:
    engine = Transformers(model, batch_size=2)
    prompts = [[1, 3, token, 4] for token in (50, 60, 70)]
    first, same, other = (
        [said.ids.tolist() for said in engine.generate(prompts, 8, temperature=1.0, seed=seed)] for seed in (1, 1, 2)
    )
    assert first == same
    assert first != other


def test_what_vllm_returns_becomes_the_same_arrays() -> None:
    # vLLM's FlatLogprobs: at each position the drawn token with its rank among all, then the top ones in order.
    top = list(range(100, 116))
    flat = SimpleNamespace(
        token_ids=[100, *top, 7, *top],
        logprobs=[-1.0, *(-float(rank) for rank in range(1, 17)), -99.0, *(-float(rank) for rank in range(1, 17))],
        ranks=[1, *range(1, 17), 500, *range(1, 17)],
    )
    said = generation._from_vllm(SimpleNamespace(token_ids=(100, 7), logprobs=flat, finish_reason="stop"))
    assert said.ids.tolist() == [100, 7]
    assert said.top_ids.tolist() == [top] * 2
    assert said.top_log_probabilities.tolist() == [[-float(rank) for rank in range(1, 17)]] * 2
    assert said.top_log_probabilities.dtype == np.float16
    assert said.finished
    nothing = SimpleNamespace(token_ids=(), logprobs=SimpleNamespace(token_ids=[], logprobs=[]), finish_reason="length")
    assert generation._from_vllm(nothing).top_ids.shape == (0, 16)


def test_vllm_is_for_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match="vLLM is not installed"):
        choose_engine("vllm", "cuda")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert [choose_engine("auto", device) for device in ("cuda", "cuda:1", "cpu")] == ["vllm", *["transformers"] * 2]
    assert choose_engine("transformers", "cuda") == "transformers"
    with pytest.raises(TrainingError, match="CUDA_VISIBLE_DEVICES"):
        choose_engine("vllm", "cuda:1")
