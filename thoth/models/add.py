"""A base model in a file of llama.cpp, LM Studio or Ollama, joined with a hypernetwork that is on this machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from mlx_hypernet.format import atomic
from mlx_hypernet.format.quick_import import quicken_transformers
from thoth.errors import ModelError, UsageError
from thoth.events import Progress
from thoth.models import process, registry
from thoth.models.plan import has_torch
from thoth.models.registry import Pair
from thoth.system import paths


def name_for(file: Path) -> str:
    """Return a pair's name for a file: its own in lower case, without what folders and shells take amiss."""
    return re.sub(r"[^a-z0-9._]+", "-", file.stem.lower()).strip("-.") or "base"


def add(
    file: Path,
    name: str,
    hypernet: str | None = None,
    *,
    bits: int | None = None,
    force: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Pair:
    """Convert a GGUF file, and put it in Thoth's home together with the hypernetwork that was made for its model.

    Args:
        file: of a llama, mistral, qwen2, qwen3 or ministral3 model.
        name: of the new pair.
        hypernet: a pair on this machine, or a bundle's folder; None: the first one here that fits.
        bits: quantise the base again to 8, 6 or 4; None: as the file has it.
        force: whether to replace a pair of this name.
        on_progress: called with `Progress("convert", done, 2)`.

    Raises:
        UsageError: The name is taken, or is none.
        ModelError: The file cannot be converted, or no hypernetwork fits it.
        ResourceError: Not enough memory or disk.
    """
    if not file.is_file():
        raise ModelError(f"{file} is not a file; give one that ends in .gguf")
    if not name or name != Path(name).name or name.startswith("."):
        raise UsageError(f"{name!r} cannot be a pair's name; give one without slashes that does not begin with a dot")
    if name in registry.KNOWN:
        raise UsageError(f"{name} is a pair that Thoth knows; choose another name with --name")
    place = registry.pulled(name)
    if place.base.parent.exists() and not force:
        raise UsageError(f"{name} is here already; choose another name with --name, or replace it with --force")
    bundles = _bundles(hypernet)
    with atomic.appearing(place.base.parent) as folder:
        on_progress(Progress("convert", 0, 2))
        options = (*process.quantised(bits), *(() if has_torch() else process.NOT_COMPARED))
        process.run(process.converting(file.absolute(), folder / "base", *options))
        on_progress(Progress("convert", 1, 2))
        fitting = _fitting(folder / "base", bundles, file, chosen=hypernet is not None)
        (folder / "hypernet").symlink_to(fitting, target_is_directory=True)
        on_progress(Progress("convert", 2, 2))
    return place


def _bundles(chosen: str | None) -> list[Path]:
    """Return the bundles that may fit, each by its real place."""
    if chosen is not None:
        folder = paths.expanded(chosen)
        is_bundle = "hypernet" in registry.config(folder)
        return [(folder if is_bundle else registry.resolve(chosen).bundle).resolve()]
    found = [pair.bundle for pair in registry.installed().values()]
    found += [bundle for bundle in (registry.pulled(registry.SMOL).bundle,) if bundle.is_dir()]
    return list(dict.fromkeys(bundle.resolve() for bundle in found))


def _fitting(base: Path, bundles: Iterable[Path], file: Path, *, chosen: bool) -> Path:
    """Return the first bundle that was made for this base.

    Raises:
        ModelError: With the reason of the one that was chosen.
    """
    quicken_transformers()
    from mlx_lm.utils import load_model

    from mlx_hypernet.bundle import BundleError, check_fits, read_config

    model, _ = load_model(base, lazy=True)
    reason = ""
    for bundle in bundles:
        try:
            check_fits(read_config(bundle), model)
        except BundleError as error:
            reason = str(error)
        else:
            return bundle
    if chosen:
        raise ModelError(reason)
    raise ModelError(
        f"no hypernetwork on this machine was made for the model in {file}: give a bundle with --hypernet, or pull the "
        "pair of this model"
    )
