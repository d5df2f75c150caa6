"""A base's weights and configuration to disk, in mlx-lm's layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx

from convert.base.config import CONFIG_FILE
from convert.base.shards import INDEX_FILE, SINGLE_FILE
from convert.errors import ConversionError
from mlx_hypernet.format.atomic import write_json
from mlx_hypernet.storage import Layout, write_stream


def write_weights(folder: Path, layout: Layout, read: Callable[[str], mx.array], dtype: str) -> None:
    """Write shards of mlx-lm's size, tensor by tensor.

    Args:
        folder: of the base.
        layout: name -> (shape, dtype) of every tensor.
        read: gives the tensor of a name; called once for each, in the layout's order.
        dtype: of the weights that are not quantised, for messages.

    Raises:
        ConversionError: when a tensor is not finite.
    """
    from mlx_lm.utils import make_shards

    unread = {name: mx.zeros(shape, dtype_of) for name, (shape, dtype_of) in layout.items()}  # only their sizes count
    layouts = [{name: layout[name] for name in shard} for shard in make_shards(unread)]
    files = [f"model-{i + 1:05d}-of-{len(layouts):05d}.safetensors" for i in range(len(layouts))]
    if len(layouts) == 1:
        files = [SINGLE_FILE]
    for file, part in zip(files, layouts, strict=True):
        write_stream(folder / file, part, _finite(read, list(part), dtype))
    if len(layouts) > 1:
        size = sum((folder / file).stat().st_size for file in files)
        places = {name: file for file, part in zip(files, layouts, strict=True) for name in part}
        write_json(folder / INDEX_FILE, {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))})


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write `config.json`."""
    from mlx_lm.utils import save_config

    save_config(config, folder / CONFIG_FILE)


def _finite(read: Callable[[str], mx.array], names: list[str], dtype: str) -> Iterator[tuple[str, mx.array]]:
    """The tensors; a number that is not finite came from the source, or does not fit the dtype."""
    for name in names:
        tensor = read(name)
        if mx.issubdtype(tensor.dtype, mx.floating) and not mx.isfinite(tensor).all().item():
            raise ConversionError(f"{name} holds numbers that are not finite in {dtype}: try another --dtype")
        yield name, tensor
