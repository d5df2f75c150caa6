"""The questions that the paper's evaluation drew from each data set, by its own permutation.

Source: `evaluate` in `eval_utils.py` of SakanaAI/doc-to-lora at baa85db: `set_seed(42)`, then of one data set after the
other the first 500 of NumPy's permutation of its records. A sample depends on the data sets in front of it and on their
sizes, so only the same sources in the same order, each whole, give the paper's. Its order is that of `SOURCES`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from torch_train.data.row import ContextRow

COUNT, SEED = 500, 42
SOURCES = ("squad", "drop", "ropes", "qasper_e", "2wikimqa_e", "multifieldqa_en_e")
# Where the paper measures on what has a test set of its own; of the others it takes the development set.
TESTED = ("pwc",)


def drawn(sizes: Sequence[int], count: int = COUNT, seed: int = SEED) -> list[list[int]]:
    """Which records of each data set are asked, in the order in which they are drawn.

    Args:
        sizes: Number of records of each data set, in their order.
        count: Records of each at most.
        seed: Of the permutation.
    """
    random = np.random.RandomState(seed)
    return [random.permutation(size)[:count].tolist() for size in sizes]


def records(rows: Sequence[ContextRow]) -> list[ContextRow]:
    """One row for each question, as the hub's copies have them."""
    return [
        ContextRow(row.context, (question,), (known,), row.source)
        for row in rows
        for question, known in zip(row.questions, row.answers, strict=True)
    ]
