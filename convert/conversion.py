"""The whole conversion: read, check against the base, write, read back, compare, then move into place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mlx.core as mx
from mlx import nn

from convert.base_facts import Template, is_fp8
from convert.checkpoint import Checkpoint, file_hash, read_checkpoint
from convert.destination import check_destination
from convert.errors import FOREIGN, CheckpointError, ConversionError, one_line
from convert.parity import Report, compare
from convert.reference import read_reference_checkpoint
from convert.source import Kind, Source
from mlx_hypernet.bundle import CONFIG_FILE, WEIGHTS_FILE, BundleError, check_fits, load_bundle
from mlx_hypernet.fingerprint import fingerprint, weight_sample
from mlx_hypernet.format.atomic import appearing, write_json
from mlx_hypernet.format.config import BundleConfig, ConfigError, MatcherConfig, Quantization
from mlx_hypernet.format.vetting import VettingError, check_base
from mlx_hypernet.identity import weights_id
from mlx_hypernet.matcher import FILE as MATCHER_FILE
from mlx_hypernet.quantization import layout, store
from mlx_hypernet.storage import DamagedFileError, Layout, read_header, write_stream

REPORT_FILE = "conversion.json"
MATCHER_CONFIG = "matcher.json"


@dataclass(frozen=True)
class ConversionSettings:
    """How to convert.

    Attributes:
        dtype: of the bundle's weights.
        q_bits: quantise the matrices to 8 or 4 bits.
        base: the base model; the one the checkpoint names, if that is still there, when not given.
        template: what the checkpoint does not say of chunks, or says wrongly.
        matcher: folder of a matcher that goes with it, as `python -m torch_train.english.matching` writes one.
        verify: how many seeded inputs are compared between torch and MLX.
        force: whether to replace a bundle that is at the destination.
    """

    dtype: str = "float32"
    q_bits: int | None = None
    base: Source | None = None
    template: Template = field(default_factory=Template)
    matcher: Path | None = None
    verify: int = 1
    force: bool = False


def convert(source: Source, destination: Path, settings: ConversionSettings) -> Report | None:
    """Turn a checkpoint, of our trainer or of the reference implementation, into a bundle.

    Args:
        source: the checkpoint.
        destination: folder of the bundle; appears complete or not at all.
        settings: how.

    Returns:
        The parity report, None without `verify`.

    Raises:
        ConversionError: saying what to do; `destination` is then as it was before.
    """
    check_destination(source.path, destination, settings.force, (CONFIG_FILE, WEIGHTS_FILE, REPORT_FILE))
    if settings.base and settings.base.kind is not Kind.BASE:
        raise CheckpointError(f"{settings.base.path} is a {settings.base.kind}: --base takes a base model")
    try:
        checkpoint = _read(source, settings)
        base_path = settings.base.path if settings.base else checkpoint.base_path
        model = None if base_path is None else _load_base(base_path)
        config = _complete(checkpoint.config, settings, model)
        matcher = None if settings.matcher is None else _matcher(settings.matcher)
        config = replace(config, matcher=matcher)
    except ConfigError as error:
        raise CheckpointError(f"{source.path} cannot become a bundle: {error}") from error
    with appearing(destination) as folder:
        stored = layout(config)
        try:
            write_stream(folder / WEIGHTS_FILE, stored, _stored(checkpoint, config, stored))
        except DamagedFileError as error:
            raise CheckpointError(str(error)) from error
        write_json(folder / CONFIG_FILE, config.to_dict())
        if settings.matcher is not None:
            shutil.copyfile(settings.matcher / MATCHER_FILE, folder / MATCHER_FILE)
        _read_back(folder)
        base = None if model is None or base_path is None else (model, base_path)
        report = compare(checkpoint, folder, config, base, settings.verify) if settings.verify else None
        if report is not None and not report.passed:
            raise ConversionError(f"torch and MLX disagree ({report.summary()}): nothing was written")
        written = [CONFIG_FILE, WEIGHTS_FILE, *([MATCHER_FILE] if matcher else [])]
        conversion = {
            "source": config.source | {"files": {checkpoint.file.name: checkpoint.sha256}},
            "result": {name: file_hash(folder / name) for name in written},
            "dtype": config.dtype,
            "bits": settings.q_bits,
            "tool_version": config.tool_version,
            "parity": report and report.to_dict(),
        }
        write_json(folder / REPORT_FILE, conversion)
    return report


def _read(source: Source, settings: ConversionSettings) -> Checkpoint:
    if source.kind is Kind.TRAINING:
        return read_checkpoint(source, settings.dtype, _tool_version())
    if source.kind is Kind.REFERENCE:
        return read_reference_checkpoint(source, settings.base, settings.template, settings.dtype, _tool_version())
    raise CheckpointError(f"{source.path} is a {source.kind} already: convert the checkpoint it came from")


def _complete(config: BundleConfig, settings: ConversionSettings, model: nn.Module | None) -> BundleConfig:
    """The configuration with what the settings say, and what identifies the base after a check that it fits."""
    stated = {name: value for name, value in vars(settings.template).items() if value is not None}
    quantization = Quantization(settings.q_bits) if settings.q_bits else None
    config = replace(config, quantization=quantization, **stated)
    if model is None:
        return config
    try:
        check_fits(config, model)
    except BundleError as error:
        raise CheckpointError(str(error)) from error
    base = replace(config.base, fingerprint=fingerprint(model), weight_sample=weight_sample(model))
    return replace(config, base=base)


def _matcher(folder: Path) -> MatcherConfig:
    """The shape of a matcher that was trained, and which weights belong to it."""
    try:
        config = MatcherConfig.from_dict(json.loads((folder / MATCHER_CONFIG).read_text("utf-8"))["matcher"])
        read_header(folder / MATCHER_FILE)
        return replace(config, weights=weights_id(folder / MATCHER_FILE))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DamagedFileError) as error:
        raise CheckpointError(
            f"{folder} has no matcher that can be read ({one_line(error)}): train it again"
        ) from error


def _stored(checkpoint: Checkpoint, config: BundleConfig, stored: Layout) -> Iterator[tuple[str, mx.array]]:
    """The tensors of the bundle's file, one parameter in memory at a time."""
    for name, weight in checkpoint.weights.arrays():
        if not mx.isfinite(weight).all().item():
            raise CheckpointError(f"{name} of {checkpoint.file} holds NaN or infinity: take an earlier step")
        yield from store(config, stored, name, weight)
        mx.clear_cache()


def _read_back(folder: Path) -> None:
    """Load what was written as the app loads it; fails where a value does not fit the dtype."""
    try:
        load_bundle(folder)
    except BundleError as error:
        raise ConversionError(f"the weights do not survive the conversion, try another --dtype: {error}") from error
    mx.clear_cache()


def _load_base(path: Path) -> nn.Module:
    from mlx_lm.utils import load_model

    if is_fp8(path):
        raise CheckpointError(f"the base {path} is FP8: convert it with convert-weights first, and give that as --base")
    try:
        check_base(path)
        return load_model(path, lazy=True)[0]
    except VettingError as error:
        raise CheckpointError(f"the base {path} is refused: {error}") from error
    except (OSError, *FOREIGN) as error:
        raise CheckpointError(f"mlx-lm cannot load the base {path}: {one_line(error)}") from error


def _tool_version() -> str:
    try:
        return version("thoth-lora")
    except PackageNotFoundError:
        return "unknown"
