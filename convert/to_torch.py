"""A bundle back to a training checkpoint: the same tensors, bit for bit, or what 8 or 4 bits have left of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from convert.destination import check_destination
from convert.errors import CheckpointError
from convert.source import Kind, Source
from mlx_hypernet.bundle import CONFIG_FILE, WEIGHTS_FILE, BundleError, load_bundle, read_config
from mlx_hypernet.format.atomic import appearing, write_json
from mlx_hypernet.quantization import dense, layout
from mlx_hypernet.storage import open_tensors, write_stream


def to_torch(source: Source, destination: Path) -> int | None:
    """Write the training checkpoint of a bundle.

    Args:
        source: the bundle.
        destination: folder of the checkpoint; appears complete or not at all, and must not exist.

    Returns:
        The bits that the bundle is quantised to, None where it is not: the checkpoint has its rounded weights, from
        which a training can start.

    Raises:
        ConversionError: saying what to do.
    """
    if source.kind is not Kind.BUNDLE:
        raise CheckpointError(f"{source.path} is a {source.kind}: --to-torch takes a bundle")
    check_destination(source.path, destination, False, ())
    try:
        config = read_config(source.path)
        load_bundle(source.path)  # refuses weights that are damaged or do not fit
    except BundleError as error:
        raise CheckpointError(str(error)) from error
    data, quantization = config.to_dict(), config.quantization
    checkpoint = {key: data[key] for key in ("hypernet", "base", "max_chunk_tokens", "prefix_ids", "suffix_ids")}
    with appearing(destination) as folder:
        tensors, _ = open_tensors(source.path / WEIGHTS_FILE)
        if quantization is not None:
            tensors = dense(tensors, quantization)
        shapes = layout(replace(config, quantization=None))
        write_stream(folder / WEIGHTS_FILE, shapes, tensors.items(), {"format": "pt"})
        write_json(folder / CONFIG_FILE, checkpoint | {"step": config.source.get("step") or 0})
    return None if quantization is None else quantization.bits
