"""The whole conversion: read, check against the base, write, read back, compare, then move into place."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mlx.core as mx
from mlx import nn

from convert.checkpoint import read_checkpoint
from convert.errors import CheckpointError, ConversionError, one_line
from convert.parity import Report, compare
from mlx_hypernet.base import fingerprint
from mlx_hypernet.bundle import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    Bundle,
    BundleError,
    check_fits,
    load_bundle,
    save_bundle,
)
from mlx_hypernet.config import BundleConfig
from mlx_hypernet.storage import write_json

REPORT_FILE = "conversion.json"


def convert(
    source: Path,
    destination: Path,
    *,
    base: Path | None = None,
    dtype: str = "float32",
    verify: bool = True,
    force: bool = False,
) -> Report | None:
    """Turn a training checkpoint into a bundle.

    Args:
        source: folder of the checkpoint.
        destination: folder of the bundle; appears complete or not at all.
        base: folder of the base model; the one the checkpoint names, if that is still there, when not given.
        dtype: of the bundle's weights.
        verify: whether to compare torch with MLX.
        force: whether to replace a bundle that is at `destination`.

    Returns:
        The parity report, None without `verify`.

    Raises:
        ConversionError: saying what to do; `destination` is then as it was before.
    """
    _check_destination(source, destination, force)
    checkpoint = read_checkpoint(source, dtype, _tool_version())
    base = base or checkpoint.base_path
    model = None if base is None else _load_base(base)
    config = checkpoint.config if model is None else _with_base(checkpoint.config, model)
    weights = {name: weight.astype(getattr(mx, dtype)) for name, weight in checkpoint.weights.items()}
    with _appearing(destination) as folder:
        save_bundle(folder, config, weights)
        bundle = _read_back(folder)
        report = compare(checkpoint, bundle, model, base) if verify else None
        if report is not None and not report.passed:
            raise ConversionError(f"torch and MLX disagree ({report.summary()}): nothing was written")
        conversion = {"source": config.source, "dtype": dtype, "tool_version": config.tool_version}
        write_json(folder / REPORT_FILE, conversion | {"parity": report and report.to_dict()})
    return report


def _read_back(folder: Path) -> Bundle:
    """What was written, loaded as the app loads it; fails where a value does not fit the dtype."""
    try:
        return load_bundle(folder)
    except BundleError as error:
        raise ConversionError(f"the weights do not survive the conversion, try another --dtype: {error}") from error


def _load_base(path: Path) -> nn.Module:
    from mlx_lm.utils import load_model

    if not path.is_dir():
        raise CheckpointError(f"the base {path} is not a folder: give --base a downloaded model")
    try:
        return load_model(path, lazy=True)[0]
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"mlx-lm cannot load the base {path}: {one_line(error)}") from error


def _with_base(config: BundleConfig, model: nn.Module) -> BundleConfig:
    """The configuration with the base's fingerprint, after making sure that this is the base."""
    try:
        check_fits(config, model)
    except BundleError as error:
        raise CheckpointError(str(error)) from error
    return replace(config, base=replace(config.base, fingerprint=fingerprint(model)))


def _check_destination(source: Path, destination: Path, force: bool) -> None:
    if not destination.exists():
        return
    if not force:
        raise ConversionError(f"{destination} exists: choose another place, or replace it with --force")
    is_bundle = all((destination / name).is_file() for name in (CONFIG_FILE, WEIGHTS_FILE, REPORT_FILE))
    if not is_bundle or destination.resolve() == source.resolve():
        raise ConversionError(f"{destination} is not a bundle of this command: it is not replaced, remove it yourself")


@contextmanager
def _appearing(destination: Path) -> Iterator[Path]:
    """A temporary folder that becomes `destination` if the block succeeds, and vanishes if not."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (destination.with_name(f".{destination.name}-{uuid.uuid4().hex}") for _ in range(2))
    temporary.mkdir()
    try:
        yield temporary
        if destination.exists():
            os.replace(destination, old)
        os.replace(temporary, destination)
    finally:
        if old.exists() and not destination.exists():
            os.replace(old, destination)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _tool_version() -> str:
    try:
        return version("thoth")
    except PackageNotFoundError:
        return "unknown"
