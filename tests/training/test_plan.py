"""Plans made of arrays against loops over rows; and plans that are kept."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tests.training import tiny_run
from torch_train.model.chunking import STAGE_2_COUNTS, Chunking
from torch_train.teacher.teacher_rows import TeacherRow
from torch_train.training import plan_cache
from torch_train.training.packing import Packer
from torch_train.training.plan import Unit
from torch_train.training.plan_cache import PlanCache

BUDGET = (200, 90)
CHUNKING = Chunking(50, (1, 3), (4,))


def _rows(count: int) -> list[TeacherRow]:
    draw = np.random.default_rng(0)
    rows = []
    for seed in range(count):
        inputs = [(int(draw.integers(4, 30)), int(draw.integers(1, 8))) for _ in range(draw.integers(1, 7))]
        row = tiny_run.teacher_row(seed, int(draw.integers(5, 230)), inputs)
        if seed % 3:  # most documents come out of the template
            row.context_ids[:2], row.context_ids[-1] = (1, 3), 4
        rows.append(row)
    return rows


def _slow_units(rows: list[TeacherRow], most: int | None, longest: int) -> tuple[list[Unit], tuple[int, int]]:
    units, dropped = [], [0, 0]
    for number, row in enumerate(rows):
        context = sum(map(len, CHUNKING.chunks(row.context_ids.tolist())))
        if context > BUDGET[0]:
            dropped[0] += 1
            continue
        lengths = [len(q) + len(a) - 1 for q, a in zip(row.questions, row.answers, strict=True)]
        left = [i for i, length in enumerate(lengths) if length <= longest]
        dropped[1] += len(lengths) - len(left)
        if sum(lengths[i] for i in left) > BUDGET[1] or len(left) > (most or len(left)):
            if most != 1:
                random.Random(f"7-{row.id}-2-inputs").shuffle(left)
            groups: list[list[int]] = [[]]
            for i in left:
                used = sum(lengths[j] for j in groups[-1])
                if used + lengths[i] > BUDGET[1] or len(groups[-1]) == most:
                    groups.append([])
                groups[-1].append(i)
        else:
            groups = [left] if left else []
        units += [Unit(number, tuple(some), (context, sum(lengths[i] for i in some))) for some in groups]
    return units, (dropped[0], dropped[1])


def _slow_batches(units: list[Unit]) -> list[list[Unit]]:
    draw = random.Random("7-order-2")
    units = list(units)
    draw.shuffle(units)
    batches = []
    while units:
        room, batch = [1 + 1e-9, 1 + 1e-9], []
        while True:
            scored = []
            for unit in units:
                a, b = (tokens / budget for tokens, budget in zip(unit.tokens, BUDGET, strict=True))
                scored.append(a * room[0] + b * room[1] if a <= room[0] and b <= room[1] else -1.0)
            best = max(range(len(scored)), key=scored.__getitem__, default=None)
            if best is None or scored[best] < 0:
                break
            unit = units.pop(best)
            room = [left - tokens / budget for left, tokens, budget in zip(room, unit.tokens, BUDGET, strict=True)]
            batch.append(unit)
        batches.append(batch)
    draw.shuffle(batches)
    return batches


@pytest.mark.parametrize(("most", "longest"), [(None, None), (2, 20), (1, None)])
def test_a_plan_is_that_of_loops_over_rows(most: int | None, longest: int | None) -> None:
    rows = _rows(60)
    packer = Packer(rows, *BUDGET, CHUNKING, 7, max_questions=most, max_input_tokens=longest)
    plan = packer.plan(2)
    units, dropped = _slow_units(rows, most, longest or BUDGET[1])
    assert dropped[0] > 0
    assert (list(plan.units), plan.dropped) == (units, dropped)
    assert list(plan.batches) == _slow_batches(units)


@pytest.mark.parametrize("counts", [None, STAGE_2_COUNTS], ids=["few", "random"])
def test_tokens_of_chunks_are_counted_without_cutting(counts: dict[int, float] | None) -> None:
    chunking = Chunking(60, (1, 3), (4,), counts, min_tokens=10)
    draw = np.random.default_rng(0)
    shares, lengths, expected = draw.random(300), draw.integers(3, 700, 300), []
    begins, ends = draw.random(300) < 0.5, draw.random(300) < 0.5
    for share, length, begun, ended in zip(shares, lengths, begins, ends, strict=True):
        ids = [9] * length
        if begun:
            ids[:2] = 1, 3
        if ended:
            ids[-1] = 4
        expected.append(sum(map(len, chunking.chunks(ids, share))))
    assert chunking.tokens(lengths, begins, ends, shares).tolist() == expected


def test_units_know_the_tokens_of_their_batch() -> None:
    packer = Packer(_rows(40), *BUDGET, Chunking(50, (1, 3), (4,), STAGE_2_COUNTS, min_tokens=10), 7)
    plan = packer.plan(1)
    for units in plan.batches:
        batch = packer.pack(units, 1)
        assert batch.context_ids.shape[1] <= sum(unit.tokens[0] for unit in units)
        assert batch.input_ids.shape[1] == sum(unit.tokens[1] for unit in units)


def test_a_plan_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_cache, "LEAST", 1)
    rows = _rows(30)

    def packer(**made_from: int) -> Packer:
        return Packer(rows, *BUDGET, CHUNKING, 7, cache=PlanCache(tmp_path / "plans", made_from))

    first = packer(rows=1).plan(0)
    (kept,) = (tmp_path / "plans").iterdir()
    monkeypatch.setattr("torch_train.training.packing.units_of", None)  # nothing may be planned again
    again = packer(rows=1).plan(0)
    assert (list(again.batches), str(again)) == (list(first.batches), str(first))
    for other in (lambda: packer(rows=2).plan(0), lambda: packer(rows=1).plan(1)):
        with pytest.raises(TypeError):
            other()
    kept.write_bytes(kept.read_bytes()[:-40])
    with pytest.raises(TypeError):
        packer(rows=1).plan(0)
