"""Text at the edge to a terminal; `convert-weights` and the trainer share it, so it is in `mlx_hypernet/format`."""

from mlx_hypernet.format.terminal import control, guard, printable, stripped

__all__ = ["control", "guard", "printable", "shown", "stripped"]


def shown(name: str) -> str:
    r"""Return a name as one line that neither moves the cursor nor reverses; what is unsafe is an escape, `\n`."""
    return printable(name).replace("\n", "\\n").replace("\t", "\\t")
