"""Packing: every token once, no sample across another, budgets kept and filled; chunks lose nothing."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from transformers import Ministral3ForCausalLM

from torch_train.errors import DataError
from torch_train.model.chunking import STAGE_2_COUNTS, Chunking
from torch_train.model.loss import distillation_loss
from torch_train.teacher.teacher_rows import TeacherRow
from torch_train.training.packing import Packer
from torch_train.training.plan import Unit
from torch_train.training.stream import Ahead, Stream

PREFIX, SUFFIX = (1, 3), (4,)
WHOLE = Chunking(10_000, PREFIX, SUFFIX)


def _rows(count: int, seed: int = 0, context: tuple[int, int] = (60, 330)) -> list[TeacherRow]:
    """Rows as long as those of ROPES: contexts around 200 tokens, 8 questions of 20 tokens, short answers.

    Every token of every row has an id of its own, so that each can be followed.
    """
    draw = np.random.default_rng(seed)
    fresh = iter(range(5, 10**9))

    def ids(low: int, high: int) -> np.ndarray:
        return np.array([next(fresh) for _ in range(draw.integers(low, high))], dtype=np.int32)

    rows = []
    for number in range(count):
        questions = tuple(ids(12, 30) for _ in range(draw.integers(1, 15)))
        answers = tuple(ids(1, 12) for _ in questions)
        tokens = sum(map(len, answers))
        rows.append(
            TeacherRow(
                id=f"{number}",
                source="own",
                context_ids=np.concatenate([PREFIX, ids(*context), SUFFIX]).astype(np.int32),
                questions=questions,
                answers=answers,
                relevant=draw.random(len(questions)) < 0.8,
                top_ids=draw.integers(0, 2048, (tokens, 16)).astype(np.int32),
                top_log_probabilities=-draw.random((tokens, 16)).astype(np.float16),
            )
        )
    return rows


def test_every_token_of_every_row_appears_exactly_once() -> None:
    rows = _rows(60)
    contexts, inputs, targets = Counter(), Counter(), Counter()
    for batch in Packer(rows, 1024, 1024, WHOLE, seed=0).batches(epoch=0):
        contexts.update(batch.context_ids[0].tolist())
        inputs.update(batch.input_ids[0].tolist())
        targets.update(batch.targets.tolist())
    assert contexts == Counter(i for row in rows for i in row.context_ids.tolist())
    expected = [(q.tolist(), a.tolist()) for row in rows for q, a in zip(row.questions, row.answers, strict=True)]
    assert inputs == Counter(i for question, answer in expected for i in question + answer[:-1])
    assert targets == Counter(i for _, answer in expected for i in answer)


def test_a_batch_says_where_everything_belongs() -> None:
    rows = _rows(40, seed=1)
    of_answer = {tuple(a.tolist()): (row, i) for row in rows for i, a in enumerate(row.answers)}
    for batch in Packer(rows, 700, 500, WHOLE, seed=3).batches(epoch=2):
        assert batch.context_ids.shape[1] == batch.chunks.total
        assert batch.input_ids.shape[1] == batch.inputs.total == len(batch.groups.tokens.places)
        assert batch.context_ids.shape[1] <= 700
        assert batch.input_ids.shape[1] <= 500
        chunks = [batch.context_ids[0][batch.chunks.samples == s].tolist() for s in range(len(batch.chunk_contexts))]
        for sample in range(len(batch.input_contexts)):
            inside = batch.inputs.samples == sample
            mine = batch.answers == sample
            row, i = of_answer[tuple(batch.targets[mine].tolist())]
            question, answer = row.questions[i].tolist(), row.answers[i].tolist()
            assert batch.input_ids[0][inside].tolist() == question + answer[:-1]
            assert batch.inputs.positions[inside].tolist() == list(range(len(question) + len(answer) - 1))
            assert chunks[batch.chunk_contexts.tolist().index(batch.input_contexts[sample])] == row.context_ids.tolist()
            assert bool(batch.relevant[sample]) == bool(row.relevant[i])
            start = sum(map(len, row.answers[:i]))
            assert (batch.teacher_ids[mine].numpy() == row.top_ids[start : start + len(answer)]).all()
            assert (
                batch.teacher_log_probabilities[mine].numpy() == row.top_log_probabilities[start:][: len(answer)]
            ).all()
        # What predicts a target is the token in front of it, in the same input.
        assert (batch.inputs.samples[batch.predicts] == batch.answers).all()
        first = torch.cat([torch.tensor([True]), batch.answers.diff() > 0])
        assert (batch.input_ids[0][batch.predicts[~first]] == batch.targets[:-1][~first[1:]]).all()


def test_some_contexts_are_absorbed_together() -> None:
    rows = _rows(400)

    def groups(compose: float, epoch: int = 0) -> list[list[int]]:
        batches = Packer(rows, 2048, 4096, WHOLE, seed=0, compose=compose).batches(epoch)
        return [batch.context_groups.tolist() for batch in batches]

    alone, together = groups(0.0), groups(0.25)
    assert all(len(set(batch)) == len(batch) for batch in alone)
    joined = [after == before for batch in together for before, after in pairwise(batch)]
    assert 0.15 < sum(joined) / len(joined) < 0.35
    assert [len(batch) for batch in together] == [len(batch) for batch in alone]  # nothing else changes
    assert groups(0.25) == together
    assert groups(0.25, epoch=1) != together


def test_a_context_that_is_packed_twice_is_not_absorbed_together_with_itself() -> None:
    row = _rows(1)[0]
    once, other = Unit(0, (0,), (1, 1)), Unit(1, (0,), (1, 1))
    packer = Packer([row, row], 2048, 4096, WHOLE, seed=0, compose=0.999)
    assert packer.pack([once, other, once, once], 0).context_groups.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize(("budget", "full"), [((4096, 3800), (0.93, 0.93)), ((2048, 2048), (0.95, 0.0))])
def test_batches_are_full(budget: tuple[int, int], full: tuple[float, float]) -> None:
    plan = Packer(_rows(1404), *budget, WHOLE, seed=0).plan(0)
    assert all(used > least for used, least in zip(plan.utilisation, full, strict=True)), str(plan)
    assert plan.dropped == (0, 0)
    for units in plan.batches:
        assert (np.array([unit.tokens for unit in units]).sum(0) <= budget).all()
    assert f"contexts fill {plan.utilisation[0]:.1%} of {budget[0]:,} tokens" in str(plan)


def test_batches_follow_from_seed_and_epoch_and_resume_anywhere() -> None:
    rows = _rows(50)
    chunking = Chunking(100, PREFIX, SUFFIX, STAGE_2_COUNTS)
    whole = list(Packer(rows, 900, 900, chunking, seed=5).batches(epoch=3))
    resumed = list(Packer(rows, 900, 900, chunking, seed=5).batches(epoch=3, start=4))
    assert len(whole) == len(resumed) + 4
    for a, b in zip(whole[4:], resumed, strict=True):
        tensors = [name for name, value in vars(a).items() if isinstance(value, torch.Tensor)]
        assert len(tensors) > 8
        assert all(torch.equal(getattr(a, name), getattr(b, name)) for name in tensors)
    for other in (Packer(rows, 900, 900, chunking, seed=5).batches(4), Packer(rows, 900, 900, chunking, 6).batches(3)):
        assert not torch.equal(next(other).input_ids, whole[0].input_ids)


def test_a_context_with_many_questions_is_packed_more_than_once() -> None:
    (row,) = _rows(1, seed=2)
    total = sum(map(len, row.questions)) + sum(map(len, row.answers)) - len(row.answers)
    plan = Packer([row], 400, total // 2, WHOLE, seed=0).plan(0)
    shared = sorted(i for units in plan.batches for unit in units for i in unit.inputs)
    assert shared == list(range(len(row.questions)))
    assert 2 <= len(plan) <= 3


def test_what_is_too_long_is_dropped_and_counted() -> None:
    rows = _rows(10, context=(50, 60)) + _rows(3, seed=9, context=(300, 310))
    plan = Packer(rows, 200, 40, WHOLE, seed=0).plan(0)
    long = sum(len(q) + len(a) - 1 > 40 for row in rows[:10] for q, a in zip(row.questions, row.answers, strict=True))
    assert plan.dropped == (3, long)
    assert f"dropped as too long: 3 contexts, {long} inputs" in str(plan)
    with pytest.raises(DataError, match="nothing fits 40 context and 40 input tokens"):
        Packer(rows, 40, 40, WHOLE, seed=0).plan(0)
    with pytest.raises(DataError, match="the teacher data has no answers"):
        Packer([], 40, 40, WHOLE, seed=0).plan(0)


def test_packed_samples_do_not_see_each_other(model: Ministral3ForCausalLM) -> None:
    rows = _rows(4, context=(10, 20))
    for row in rows:  # into the vocabulary of the small model
        for ids in (row.context_ids, *row.questions, *row.answers):
            ids %= 2048
    (batch, *_) = Packer(rows, 2048, 2048, WHOLE, seed=0).batches(0)
    samples = batch.inputs.samples[None]
    mask = (samples[:, :, None] == samples[:, None, :]).tril()[:, None]
    logits = model(batch.input_ids, attention_mask=mask, position_ids=batch.inputs.positions[None]).logits[0]
    for sample in range(len(batch.input_contexts)):
        inside = batch.inputs.samples == sample
        alone = model(batch.input_ids[:, inside]).logits[0]
        torch.testing.assert_close(logits[inside], alone, atol=1e-4, rtol=0)
    loss = distillation_loss(
        logits[batch.predicts],
        batch.teacher_ids,
        batch.teacher_log_probabilities,
        batch.answers,
        batch.input_contexts,
    )
    assert loss.isfinite()


def test_the_number_of_chunks_follows_the_table() -> None:
    chunking = Chunking(512, PREFIX, SUFFIX, STAGE_2_COUNTS)
    draws = [len(chunking.chunks(list(range(400)), share)) for share in np.random.default_rng(0).random(2000)]
    assert sum(STAGE_2_COUNTS.values()) == 1
    for count, share in STAGE_2_COUNTS.items():
        assert draws.count(count) / len(draws) == pytest.approx(share, abs=0.04)


def test_equal_chunks_are_those_of_the_app() -> None:
    from mlx_hypernet.format.chunking import split

    for tokens in (1, 7, 8, 9, 100, 101):
        document = [1, 3, *range(50, 50 + tokens), 4]
        chunks = Chunking(8, PREFIX, SUFFIX, min_tokens=1).chunks(document)
        assert chunks == split(document, 8, PREFIX, SUFFIX)


def test_chunk_lengths_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="chunks of 25 to 10 tokens"):
        Chunking(10, PREFIX, SUFFIX, STAGE_2_COUNTS)


def test_steps_that_are_packed_ahead_are_those_of_the_stream() -> None:
    rows = _rows(40)
    ahead, plain = (Stream(Packer(rows, 600, 600, WHOLE, seed=0), 0) for _ in range(2))
    steps = Ahead(ahead, 4, rank=1, processes=2, pin=False)
    for _ in range(12):  # across the end of an epoch
        before, tickets = plain.state(), plain.take(4)
        step = steps.step()
        assert (step.before, step.after, step.tickets) == (before, plain.state(), tickets)
        assert [ticket for ticket, _ in step.own] == tickets[1::2]
        assert all(torch.equal(batch.input_ids, plain.pack(ticket).input_ids) for ticket, batch in step.own)
    steps.close()
    assert plain.epoch > 0
