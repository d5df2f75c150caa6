"""What the width of the projection costs: operations of absorbing by `hypernet.projection_factor`, against one prefill.

    python -m benchmarks.projection_width

Products alone, counted by formula from the shapes: what factor 1 loses in accuracy, only a training tells.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import harness


@dataclass(frozen=True)
class Shape:
    """A base, its hypernetwork and one chunk; heads as (queries, keys, size of one)."""

    name: str
    tokens: int
    hidden: int
    mlp: int
    blocks: int
    heads: tuple[int, int, int]
    adapted: int
    encoder_blocks: int
    latent: int
    latents: int
    perceiver: int
    perceiver_heads: tuple[int, int, int]
    rank: int
    adapter: int
    factor: int


# The shapes of Ministral-3-3B, of torch_train/configs/smol.yaml and of torch_train/configs/nano.yaml.
SHAPES = (
    Shape("Ministral-3-3B", 512, 3072, 9216, 26, (32, 8, 128), 26, 25, 512, 8, 9, (16, 4, 128), 8, 9216 + 3072, 4),
    Shape("smol", 256, 576, 1536, 30, (9, 3, 64), 18, 29, 256, 24, 2, (8, 4, 32), 16, 1536 + 576, 2),
    Shape("nano", 256, 128, 512, 4, (6, 2, 32), 4, 3, 128, 32, 4, (8, 4, 32), 32, 512 + 128, 4),
)


def prefill(shape: Shape, blocks: int) -> int:
    """Multiplications of so many blocks over a chunk."""
    queries, keys, size = shape.heads
    block = (
        shape.hidden * (2 * queries + 2 * keys) * size + 3 * shape.hidden * shape.mlp + shape.tokens * queries * size
    )
    return blocks * shape.tokens * block


def projection(shape: Shape, factor: int) -> int:
    """Multiplications of the projection at a width of `factor` times the base's."""
    return shape.adapted * shape.tokens * factor * shape.hidden * (2 * shape.hidden + shape.latent)


def rest(shape: Shape) -> int:
    """Multiplications of Perceiver, pre-head and head."""
    queries, keys, size = shape.perceiver_heads
    one = 2 * shape.latent * queries * size + 12 * shape.latent**2  # of a latent in a block
    both = 2 * shape.latent * keys * size  # of a token that a block reads
    encoder = shape.perceiver * (shape.tokens * both + shape.latents * (one + 2 * shape.tokens * queries * size))
    decoder = shape.latents * both + shape.rank * (one + 2 * shape.latents * queries * size)
    head = shape.rank * (8 * shape.latent**2 + shape.latent * shape.adapter)
    return shape.adapted * (encoder + decoder + head)


def main() -> None:
    harness.argument_parser(__doc__).parse_args()
    table = harness.Table("", "factor", "GFLOP of absorbing", "of one prefill", "the projection's share")
    for shape in SHAPES:
        whole = prefill(shape, shape.blocks)
        for factor in (1, 2, 4):
            part = projection(shape, factor)
            absorbing = prefill(shape, shape.encoder_blocks) + part + rest(shape)
            name = f"{shape.name}, {shape.tokens} tokens" + (" (its own)" if factor == shape.factor else "")
            flops = f"{2e-9 * absorbing:,.1f}"
            table.row(name, factor, flops, f"{absorbing / whole:.2f}", f"{part / absorbing:.0%}")


if __name__ == "__main__":
    main()
