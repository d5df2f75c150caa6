"""Planning an epoch of many rows, and checking them for leaks: seconds, first and from what a run keeps.

    python -m benchmarks.planning [--rows 3200000]

The rows are synthetic: lengths like those of reading comprehension, in shards as the teacher writes them. Time
to make them up does not count. It is processor time, so that a busy machine changes little.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import harness
from torch_train.model.chunking import Chunking
from torch_train.training.packing import Packer
from torch_train.training.plan_cache import PlanCache
from torch_train.training.train import refuse_leaks

SHARD = 100_000
PREFIX, SUFFIX = (1, 3), (4,)


class Synthetic(Sequence[Any]):
    """Rows of which only the shards exist, one at a time; shards differ in their ids alone."""

    def __init__(self, rows: int, first: int = 0) -> None:
        draw = np.random.default_rng(0)
        self._rows, self._first, self.seconds = rows, first, 0.0
        contexts = draw.integers(60, 330, SHARD)
        tokens = draw.integers(5, 2000, contexts.sum()).astype(np.int32)
        starts = np.concatenate([[0], contexts.cumsum()])
        tokens[starts[:-1]], tokens[starts[:-1] + 1], tokens[starts[1:] - 1] = *PREFIX, *SUFFIX
        counts = draw.integers(1, 10, SHARD)
        self._columns = {
            "context_ids": pa.ListArray.from_arrays(starts.astype(np.int32), tokens),
            "questions": _lists(counts, draw.integers(12, 30, counts.sum())),
            "answers": _lists(counts, draw.integers(1, 12, counts.sum())),
        }

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, index: Any) -> Any:
        raise IndexError(f"row {index} was read one by one")

    @property
    def tables(self) -> Iterator[pa.Table]:
        """The shards."""
        for start in range(0, self._rows, SHARD):
            started = time.process_time()
            count = min(SHARD, self._rows - start)
            ids = pa.array([f"{self._first + start + number:064x}" for number in range(count)])
            table = pa.table({"id": ids, **{name: column[:count] for name, column in self._columns.items()}})
            self.seconds += time.process_time() - started
            yield table


def _lists(counts: np.ndarray, lengths: np.ndarray) -> pa.ListArray:
    inner = pa.ListArray.from_arrays(_starts(lengths), np.zeros(lengths.sum(), dtype=np.int32))
    return pa.ListArray.from_arrays(_starts(counts), inner)


def _starts(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], lengths.cumsum()]).astype(np.int32)


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--rows", type=int, default=3_200_000)
    options = parser.parse_args()
    rows, dev = Synthetic(options.rows), Synthetic(1000, first=options.rows)
    table = harness.Table("step", "s of processor time", "peak memory, GB")

    def timed(name: str, task: Any) -> Any:
        started, made = time.process_time(), rows.seconds
        result = task()
        seconds = time.process_time() - started - (rows.seconds - made)
        table.row(name, f"{seconds:.1f}", f"{harness.peak_memory_bytes() / 1e9:.1f}")
        return result

    with tempfile.TemporaryDirectory() as folder:
        chunking = Chunking(512, PREFIX, SUFFIX)
        packer = Packer(rows, 2048, 2048, chunking, 0, cache=PlanCache(Path(folder), {"rows": options.rows}))
        timed("leak check", lambda: refuse_leaks(rows, dev))
        first = timed("plan", lambda: packer.plan(0))
        again = timed("plan, from the cache", lambda: packer.plan(0))
        if list(first.members[:100]) != list(again.members[:100]):
            raise SystemExit("the kept plan is another one")
        print(first)


if __name__ == "__main__":
    main()
