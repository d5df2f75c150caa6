"""Answers from the base, with its most probable tokens at every step: through vLLM, or through transformers."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from mlx_hypernet.format import installing
from torch_train.errors import TrainingError
from torch_train.model.base import load_base

TOP = 16
ENGINES = ("auto", "vllm", "transformers")
_LONGEST = 32_768  # tokens vLLM has room for: a cache for all of Ministral's 262,144 would take 26 GiB


def top_log_probabilities(logits: Tensor, top: int = TOP) -> tuple[Tensor, Tensor]:
    """The `top` log-probabilities, not renormalised.

    Args:
        logits: (N, vocabulary), in any float type.
        top: How many to keep.

    Returns:
        (ids (N, top) int32, log-probabilities (N, top) fp16).
    """
    values, ids = torch.log_softmax(logits.float(), dim=-1).topk(top, dim=-1)
    return ids.int(), values.half()


@dataclass(frozen=True)
class Generated:
    """What the base wrote.

    Attributes:
        ids: its n tokens, int32 (n,), with the one that ends the answer, unless the limit came first.
        top_ids: the most probable tokens at each of them, int32 (n, 16).
        top_log_probabilities: their log-probabilities over the whole vocabulary, fp16 (n, 16).
        finished: whether the answer ended before the limit.
    """

    ids: np.ndarray
    top_ids: np.ndarray
    top_log_probabilities: np.ndarray
    finished: bool


class GenerationEngine(Protocol):
    """Whatever can answer prompts.

    Attributes:
        context_length: tokens of prompt and answer together that the base reads.
    """

    context_length: int

    def generate(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[Generated]:
        """Continue every prompt by at most `max_tokens` tokens, greedily at temperature 0."""


def choose_engine(name: str, device: str) -> str:
    """`vllm` or `transformers`; `auto` is vLLM where it is installed and the device is CUDA.

    Raises:
        TrainingError: vLLM is asked for where it cannot run.
    """
    installed = importlib.util.find_spec("vllm") is not None
    if name == "vllm" and not installed:
        remedy = installing.command("vllm")
        raise TrainingError(f"vLLM is not installed: choose --engine transformers, or {remedy}")
    if name == "vllm" and device != "cuda":
        raise TrainingError("vLLM runs on --device cuda; CUDA_VISIBLE_DEVICES says on which one")
    return "vllm" if name != "transformers" and installed and device == "cuda" else "transformers"


def open_engine(name: str, base: Path, device: str, dtype: str, batch_size: int) -> GenerationEngine:
    """The engine that `choose_engine` names."""
    if choose_engine(name, device) == "vllm":
        return VLLM(base, dtype)
    return Transformers(load_base(base, dtype, torch.device(device)).model, batch_size)


class Transformers:
    """Generation with transformers, prompts of similar length side by side.

    Args:
        model: A causal model with its generation config.
        batch_size: Prompts per batch. Results may differ in the last bits between batch sizes.
    """

    def __init__(self, model: Any, batch_size: int) -> None:
        from transformers import GenerationConfig

        if batch_size < 1:
            raise TrainingError(f"the batch size must be at least 1, not {batch_size}")
        self._model, self._batch_size = model, batch_size
        self.context_length = int(model.config.get_text_config().max_position_embeddings)
        ends = model.generation_config.eos_token_id
        if ends is None:
            raise TrainingError("the base's generation_config.json names no eos_token_id: its answers would not end")
        self._ends = [ends] if isinstance(ends, int) else list(ends)
        # Without the repetition penalties and the like that a base brings along: they would bend the probabilities.
        model.generation_config = GenerationConfig(eos_token_id=self._ends, pad_token_id=self._ends[0])

    def generate(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[Generated]:
        """As in `Engine`; the results are in the order of the prompts."""
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        written: dict[int, Generated] = {}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            for start in range(0, len(order), self._batch_size):
                indices = order[start : start + self._batch_size]
                answers = self._batch([prompts[index] for index in indices], max_tokens, temperature)
                written |= zip(indices, answers, strict=True)
        return [written[index] for index in range(len(prompts))]

    def _batch(self, prompts: list[Sequence[int]], max_tokens: int, temperature: float) -> Iterator[Generated]:
        from transformers import LogitsProcessorList

        width = max(map(len, prompts))
        ids = torch.full((len(prompts), width), self._ends[0])
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):  # padded on the left: every answer begins in the same column
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        steps: list[tuple[Tensor, Tensor]] = []

        def record(_: Tensor, logits: Tensor) -> Tensor:
            steps.append(top_log_probabilities(logits))
            return logits

        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        try:
            with torch.inference_mode():
                tokens = self._model.generate(
                    ids.to(self._model.device),
                    attention_mask=mask.to(self._model.device),
                    max_new_tokens=max_tokens,
                    logits_processor=LogitsProcessorList([record]),
                    **sampling,
                )
        except torch.OutOfMemoryError as error:
            raise TrainingError(f"out of memory with {len(prompts)} prompts at once: lower --batch-size") from error
        tokens = tokens[:, width:].int().cpu().numpy()
        top_ids, top_log_p = (torch.stack(part, dim=1).cpu().numpy() for part in zip(*steps, strict=True))
        for row, answer in enumerate(tokens):
            ended = np.flatnonzero(np.isin(answer, self._ends))
            length = int(ended[0]) + 1 if len(ended) else len(answer)
            yield Generated(answer[:length], top_ids[row, :length], top_log_p[row, :length], bool(len(ended)))


class VLLM:
    """Generation with vLLM, which batches by itself.

    Args:
        base: Folder of the model.
        dtype: Type of its weights.
    """

    def __init__(self, base: Path, dtype: str) -> None:
        from transformers import AutoConfig
        from vllm import LLM

        own = int(AutoConfig.from_pretrained(base, trust_remote_code=False).get_text_config().max_position_embeddings)
        self.context_length = min(own, _LONGEST)
        try:
            self._model = LLM(model=str(base), dtype=dtype, max_logprobs=TOP, max_model_len=self.context_length, seed=0)
        except (ValueError, RuntimeError) as error:
            raise TrainingError(f"vLLM does not start ({error}): choose --engine transformers") from error

    def generate(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[Generated]:
        """As in `Engine`."""
        from vllm import SamplingParams

        options = SamplingParams(
            temperature=temperature,
            max_tokens=max_tokens,
            logprobs=TOP,
            flat_logprobs=True,  # lists of numbers instead of 17 objects for each token
            seed=seed,
            detokenize=False,
        )
        asked = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
        outputs = [output.outputs[0] for output in self._model.generate(asked, options, use_tqdm=False)]
        return [_from_vllm(output) for output in outputs]


def _from_vllm(output: Any) -> Generated:
    """One completion: at every token the drawn one, whatever its rank, then the most probable ones in their order."""
    flat, shape = output.logprobs, (len(output.token_ids), TOP + 1)
    return Generated(
        np.array(output.token_ids, dtype=np.int32),
        np.array(flat.token_ids, dtype=np.int32).reshape(shape)[:, 1:],
        np.array(flat.logprobs, dtype=np.float16).reshape(shape)[:, 1:],
        output.finish_reason == "stop",
    )
