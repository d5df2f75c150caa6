"""A bundle back to the training checkpoint it could have come from: the same tensors, bit for bit."""

from __future__ import annotations

from pathlib import Path

from convert.destination import check_destination
from convert.errors import CheckpointError, ConversionError
from convert.source import Kind, Source
from mlx_hypernet.bundle import CONFIG_FILE, WEIGHTS_FILE, BundleError, load_bundle, read_config
from mlx_hypernet.format.atomic import appearing, write_json
from mlx_hypernet.quantization import layout
from mlx_hypernet.storage import open_tensors, write_stream


def to_torch(source: Source, destination: Path) -> None:
    """Write the training checkpoint of a bundle.

    Args:
        source: the bundle.
        destination: folder of the checkpoint; appears complete or not at all, and must not exist.

    Raises:
        ConversionError: saying what to do; a quantised bundle has lost what training needs.
    """
    if source.kind is not Kind.BUNDLE:
        raise CheckpointError(f"{source.path} is a {source.kind}: --to-torch takes a bundle")
    check_destination(source.path, destination, False, ())
    try:
        config = read_config(source.path)
        if config.quantization is not None:
            raise ConversionError(
                f"{source.path} is quantised to {config.quantization.bits} bits, which cannot be undone: "
                "take the bundle or checkpoint it came from"
            )
        load_bundle(source.path)  # refuses weights that are damaged or do not fit
    except BundleError as error:
        raise CheckpointError(str(error)) from error
    data = config.to_dict()
    checkpoint = {key: data[key] for key in ("hypernet", "base", "max_chunk_tokens", "prefix_ids", "suffix_ids")}
    with appearing(destination) as folder:
        tensors, _ = open_tensors(source.path / WEIGHTS_FILE)
        write_stream(folder / WEIGHTS_FILE, layout(config), tensors.items(), {"format": "pt"})
        write_json(folder / CONFIG_FILE, checkpoint | {"step": config.source.get("step") or 0})
