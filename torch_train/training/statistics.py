"""Mean and deviation of the base's hidden states, per layer and dimension, over the first contexts of a run.

Raw hidden states are dominated by a few huge dimensions; a hypernetwork that reads them sees little else (docs/LOG.md).
"""

from __future__ import annotations

import torch

from torch_train.training.distillation import DistillationModel
from torch_train.training.packing import Packer

CONTEXTS = 512
_SMALLEST = 1e-4  # deviation of a dimension that hardly moves


@torch.no_grad()
def standardise(model: DistillationModel, packer: Packer) -> None:
    """Fill the hypernetwork's `feature_mean` and `feature_deviation` (L, hidden).

    Args:
        model: With a hypernetwork that has `feature_norm`.
        packer: Of the training rows; its first `CONTEXTS` contexts are read.
    """
    hypernet = model.hypernet
    total, contexts = 0, 0
    sums = torch.zeros_like(hypernet.feature_mean, dtype=torch.float64)
    squares = torch.zeros_like(sums)
    for batch in packer.batches(0):
        row, features = model.features(batch.to(sums.device))
        for layer, feature in enumerate(features):
            feature = feature[:, : sums.shape[1]].double()  # nothing behind it is standardised
            sums[layer] += feature.sum(0)
            squares[layer] += feature.square().sum(0)
        total += row.total
        contexts += len(batch.context_groups)
        if contexts >= CONTEXTS:
            break
    mean = sums / total
    hypernet.feature_mean.copy_(mean)
    hypernet.feature_deviation.copy_((squares / total - mean.square()).clamp(min=_SMALLEST**2).sqrt())
