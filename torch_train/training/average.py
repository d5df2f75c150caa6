"""`python -m torch_train.training.average ONE OTHER DST`: a checkpoint between two, parameter by parameter.

After a training on other data, the mean of its first and last weights can be better than either (Wortsman et al. 2022,
arXiv 2109.01903). Smol's lesson "each" taught refusals, at the cost of answers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from mlx_hypernet.format.atomic import appearing
from torch_train.errors import TrainingError
from torch_train.training import checkpoint


def average(one: Path, other: Path, to: Path, share: float = 0.5) -> None:
    """Write the weights between two checkpoints; no state of a trainer is written.

    Args:
        one: A training checkpoint.
        other: Another one of the same hypernetwork, for the same base.
        to: The checkpoint's folder; it must not exist.
        share: Of `other`, 0 to 1.

    Raises:
        TrainingError: One cannot be read, they are not alike, or the folder exists.
    """
    if to.exists():
        raise TrainingError(f"{to} exists: name another folder")
    record = checkpoint.load_base_record(other)
    config, weights = checkpoint.load_weights(one)
    _, others = checkpoint.load_weights(other, config)
    if weights.keys() != others.keys():
        raise TrainingError(f"{one} and {other} have other parameters: name two checkpoints of one hypernetwork")
    mean = {name: weights[name].float().lerp(others[name].float(), share) for name in weights}
    step = json.loads((other / checkpoint.CONFIG).read_text("utf-8")).get("step", 0)
    with appearing(to) as partial:
        checkpoint.write_model(partial, config, mean, record, step)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.training.average", description=__doc__)
    parser.add_argument("one", type=Path, help="training checkpoint")
    parser.add_argument("other", type=Path, help="another one of the same hypernetwork")
    parser.add_argument("to", type=Path, help="folder of the checkpoint between them")
    parser.add_argument("--share", type=float, default=0.5, help="of the other one (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        average(options.one, options.other, options.to, options.share)
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
