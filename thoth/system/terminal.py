"""Text at the edge to a terminal; `convert-weights` and the trainer share it, so it is in `mlx_hypernet/format`."""

from mlx_hypernet.format.terminal import control, guard, printable, stripped

__all__ = ["control", "guard", "printable", "stripped"]
