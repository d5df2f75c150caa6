"""The trainer's losses against the reference's formulas, one chunk, one context and one question at a time.

What is written out here is `DistillationTrainer.compute_loss`, `CrossEntropyTrainer.compute_loss`, `combine_lora` and
`split_too_long_qas` of SakanaAI/doc-to-lora at baa85db: what they compute, not how.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from tests.training import tiny_run
from torch_train.model.base import load_base
from torch_train.model.chunking import Chunking
from torch_train.model.encoder import layer_features
from torch_train.model.hypernet import HyperNetwork
from torch_train.model.lora import Injected
from torch_train.teacher.teacher_rows import TeacherRow
from torch_train.training.distillation import DistillationModel
from torch_train.training.packing import PackedBatch, Packer
from torch_train.training.weighting import repeated, shares

L1 = 0.1
CHUNKING = Chunking(25, (1, 3), (4,))
ROWS = [
    tiny_run.teacher_row(0, 70, [(7, 4), (6, 1)]),  # three chunks
    tiny_run.teacher_row(1, 20, [(5, 3)]),
    tiny_run.teacher_row(2, 41, [(9, 2), (11, 5), (6, 6), (5, 1)]),  # two
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, words_folder: Path) -> Path:
    return tiny_run.save_base(tmp_path_factory.mktemp("base"), words_folder, vocabulary=96)


def _hypernet() -> HyperNetwork:
    """At the scale of the other tests, 5, fp32 rounds gradients by up to 2e-5; at 1 by 1e-6."""
    return tiny_run.hypernet(config=replace(tiny_run.SHAPE, scale=1.0))


def _combined(generated: list[list[Tensor]], bias: Tensor) -> Tensor:
    """(contexts, layers, rank, d): chunks, then the bias, then zeros up to the rank of the longest context."""
    rank = bias.shape[1]
    most = max(map(len, generated)) + 1
    combined = torch.zeros(len(generated), bias.shape[0], most * rank, bias.shape[2])
    for context, chunks in enumerate(generated):
        parts = torch.cat([*chunks, bias[None]])
        for number, part in enumerate(parts):
            combined[context, :, number * rank : (number + 1) * rank] = part
    return combined


def _slow(folder: Path, hypernet: HyperNetwork, rows: list[TeacherRow], entropy: bool, per_question: bool) -> Tensor:
    """The loss of one packed sequence of these rows."""
    samples = [(row, list(range(len(row.questions)))) for row in rows]
    if per_question:  # max_qas_per_sample = 1: a sample for each question, which is a context of its own
        samples = [(row, [i]) for row, asked in samples for i in asked]
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)
    injected = Injected(plain.model.layers, tuple(hypernet.config.modules), hypernet.config.scale)
    pairs = []
    for row, _ in samples:
        chunks = [torch.tensor([ids]) for ids in CHUNKING.chunks(row.context_ids.tolist())]
        pairs.append([hypernet(layer_features(plain, ids, torch.ones_like(ids, dtype=torch.bool))) for ids in chunks])
    combined = {
        name: tuple(
            _combined([[chunk[name][side] for chunk in context] for context in pairs], bias[side]) for side in (0, 1)
        )
        for name, bias in hypernet.bias().items()
    }
    per_context = []
    for context, (row, asked) in enumerate(samples):
        ends = torch.tensor([0, *map(len, row.answers)]).cumsum(0)
        per_answer = []
        for i in asked:
            question, answer = (torch.from_numpy(ids).long() for ids in (row.questions[i], row.answers[i]))
            adapters = {name: (a[context : context + 1], b[context : context + 1]) for name, (a, b) in combined.items()}
            with injected.adapted(adapters):
                logits = plain(torch.cat([question, answer[:-1]])[None]).logits[0, len(question) - 1 :]
            log_q = logits.log_softmax(-1)
            if entropy:
                tokens = [-log_q[n, token] for n, token in enumerate(answer)]
            else:
                top = torch.from_numpy(row.top_ids[ends[i] : ends[i + 1]]).long()
                p = torch.from_numpy(row.top_log_probabilities[ends[i] : ends[i + 1]]).float().exp()
                tokens = [-sum(p[n, k] * log_q[n, top[n, k]] for k in range(16)) for n in range(len(answer))]
            per_answer.append(sum(tokens) / len(tokens))
        per_context.append(sum(per_answer) / len(per_answer))
    l1 = sum(a.abs().sum(0).mean() + b.abs().sum(0).mean() for a, b in combined.values()) / len(combined)
    return (sum(per_context) + L1 * l1) / len(samples)


def _fast(
    folder: Path, hypernet: HyperNetwork, batch: PackedBatch, entropy: bool, per_question: bool, count: int
) -> Tensor:
    base = load_base(folder, "float32", torch.device("cpu"))
    model = DistillationModel(
        hypernet,
        base,
        base,
        recompute=False,
        loss="cross_entropy" if entropy else "distillation",
        weight="question" if per_question else "context",
    )
    losses = model(batch)
    return (losses.distillation + L1 * losses.magnitude) / count


def _gradient(loss: Tensor, hypernet: HyperNetwork) -> Tensor:
    hypernet.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in hypernet.parameters() if p.grad is not None])


@pytest.mark.parametrize("entropy", [False, True], ids=["distillation", "cross-entropy"])
@pytest.mark.parametrize("per_question", [False, True], ids=["context", "question"])
def test_loss_and_gradient_are_the_references(folder: Path, entropy: bool, per_question: bool) -> None:
    hypernet = _hypernet()
    slow = _slow(folder, hypernet, ROWS, entropy, per_question)
    expected = _gradient(slow, hypernet)
    count = sum(len(row.questions) for row in ROWS) if per_question else len(ROWS)
    fast = _fast(folder, hypernet, tiny_run.packed(ROWS, CHUNKING), entropy, per_question, count)
    assert fast.item() == pytest.approx(slow.item(), rel=1e-5)
    assert (_gradient(fast, hypernet) - expected).norm() < 1e-5 * expected.norm()


def test_one_question_to_a_context_is_a_weight_of_one_for_each(folder: Path) -> None:
    """`packing.max_questions: 1` reads a context again for every question; `optimizer.weight: question` need not."""
    hypernet = _hypernet()
    (split,) = Packer(ROWS, 10_000, 10_000, CHUNKING, seed=0, max_questions=1).batches(0)
    assert len(split.context_groups) == len(split.input_contexts) == 7
    apart = _fast(folder, hypernet, split, False, False, 7)
    expected = _gradient(apart, hypernet)
    joined = _fast(folder, hypernet, tiny_run.packed(ROWS, CHUNKING), False, True, 7)
    assert joined.item() == pytest.approx(apart.item(), rel=1e-5)
    assert (_gradient(joined, hypernet) - expected).norm() < 1e-5 * expected.norm()


def test_longer_inputs_are_dropped() -> None:
    packer = Packer(ROWS, 10_000, 10_000, CHUNKING, seed=0, max_questions=2, max_input_tokens=11)
    plan = packer.plan(0)
    assert plan.dropped == (0, 1)  # of 11 + 5 - 1 tokens
    assert sorted(len(unit.inputs) for units in plan.batches for unit in units) == [1, 1, 2, 2]


def test_small_data_sets_have_a_floor() -> None:
    assert shares([70, 30], 0.01) == pytest.approx([0.7, 0.3])
    assert shares([990, 900, 10, 1], 0.01) == pytest.approx([0.98 * 990 / 1890, 0.98 * 900 / 1890, 0.01, 0.01])
    rows = [tiny_run.teacher_row(seed, 10, [(3, 2)]) for seed in range(100)]
    sizes = (80, 19, 1)
    packer = Packer(rows, 1000, 1000, CHUNKING, seed=0, sizes=sizes, floor=0.05)
    drawn = [unit.row for units in packer.plan(0).batches for unit in units]
    assert set(drawn) == set(range(100))
    counts = [sum(80 <= row < 99 for row in drawn), drawn.count(99)]
    assert counts[1] == pytest.approx(0.05 * len(drawn), abs=1)
    assert counts[0] == pytest.approx(0.95 * 19 / 99 * len(drawn), abs=1)
    other = [unit.row for units in packer.plan(1).batches for unit in units]
    assert sorted(other)[:80] == sorted(drawn)[:80] == list(range(80))
    none = Packer(rows, 1000, 1000, CHUNKING, seed=0, sizes=sizes).plan(0)
    assert len(none.members) == 100


def test_an_empty_data_set_takes_no_part() -> None:
    assert sorted(repeated(range(4), [3, 0, 1], 0.1, Random(0))) == [0, 1, 2, 3]
