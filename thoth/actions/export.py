"""Documents of the library -> one adapter in a folder that mlx-lm, or PEFT on PyTorch, loads."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from mlx_hypernet.format import atomic
from mlx_hypernet.format.published import is_repository
from mlx_hypernet.format.quick_import import quicken_transformers
from thoth.errors import DocumentError, ModelError, UsageError
from thoth.library.library import Library
from thoth.library.records import ChunkRef, StoredDocument
from thoth.models import registry
from thoth.models.registry import Pair
from thoth.system import disk, machine, paths

if TYPE_CHECKING:
    import mlx.core as mx
    import mlx.nn as nn

    from mlx_hypernet.adapter import Adapter

Format = Literal["mlx-lm", "peft"]

_CONFIG = "adapter_config.json"  # in both dialects


def export(
    home: Path,
    pair: Pair,
    documents: Sequence[StoredDocument],
    format: Format,
    destination: Path,
    *,
    force: bool = False,
) -> int:
    """Compose documents into one adapter and write it; `destination` appears complete or not at all.

    Runs on a new thread and waits for it: MLX's arrays belong to the thread that makes them.

    Args:
        home: of the library that has the documents.
        pair: the model that absorbed them.
        documents: in the order of their ranks.
        format: "mlx-lm": for `mlx_lm.load(adapter_path=...)`; "peft": for `peft.PeftModel.from_pretrained`.
        destination: a folder.
        force: replace an adapter that is there.

    Returns:
        The rank of the adapter.

    Raises:
        UsageError: No document, an unknown format, or something is at `destination` already.
        DocumentError: A document is not completely absorbed.
        ModelError: Another model absorbed a document, or the base cannot be loaded.
        ResourceError: The disk is full.
    """
    # The thread ends with the export: one of a pool would keep MLX streams that it cannot use again.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="export") as thread:
        return thread.submit(_export, home, pair, documents, format, destination, force).result()


def _export(
    home: Path, pair: Pair, documents: Sequence[StoredDocument], format: Format, destination: Path, force: bool
) -> int:
    with paths.at(home):
        _check(pair, documents, format, destination, force)
        library = Library(home)
        try:
            return _write(library, pair, documents, format, destination)
        finally:
            library.close()
            if mlx := sys.modules.get("mlx.core"):
                mlx.clear_streams()  # a thread that ends with open streams can abort the process


def _write(library: Library, pair: Pair, documents: Sequence[StoredDocument], format: Format, destination: Path) -> int:
    adapter = _compose(library, documents)
    model = _base(pair)
    info = {
        "bundle": documents[0].bundle,
        "documents": [
            {
                "name": document.name,
                "sha256": library.document(document.id).sha256,
                "pages": document.pages,
                "chunks": document.chunks,
                "tokens": document.tokens,
            }
            for document in documents
        ],
    }
    with disk.explained(destination.parent):
        disk.require_room(
            machine.existing(destination), sum(a.nbytes for a in (*adapter.A.values(), *adapter.B.values()))
        )
        with atomic.appearing(destination) as folder:
            if format == "peft":
                _save_peft(folder, adapter, model, pair, info)
            else:
                from mlx_hypernet.adapter import save_adapter

                save_adapter(folder, adapter, model, info)
    return adapter.rank


def _check(pair: Pair, documents: Sequence[StoredDocument], format: str, destination: Path, force: bool) -> None:
    """Refuse what cannot succeed, before anything is loaded."""
    if not documents:
        raise UsageError("nothing to export; name documents from `thoth docs list`")
    if format not in get_args(Format):
        raise UsageError(f"unknown format {format}; use one of: {', '.join(get_args(Format))}")
    if destination.exists() and not (force and (destination / _CONFIG).is_file()):
        if (destination / _CONFIG).is_file():
            raise UsageError(
                f"{destination} already has an adapter; choose another folder, or pass --force to replace it"
            )
        raise UsageError(f"{destination} exists and is not an adapter; choose another folder")
    bundle = registry.bundle_id(pair)
    for document in documents:
        if not document.is_of(bundle):
            raise ModelError(
                f"{document.name} was absorbed with another model than {pair.name}; choose that model, or run "
                f"`thoth docs update {document.id}`"
            )
        if not document.complete:
            raise DocumentError(
                f"{document.name}: {document.absorbed} of {document.chunks} chunks are absorbed; "
                f"run `thoth docs update {document.id}` first"
            )


def _compose(library: Library, documents: Sequence[StoredDocument]) -> Adapter:
    from mlx_hypernet.blas import preload_blas

    preload_blas()
    from mlx_hypernet.adapter import compose

    refs = [ChunkRef(document.id, number) for document in documents for number in range(document.chunks)]
    return compose([library.adapters(refs)])


def _base(pair: Pair) -> nn.Module:
    """Return the base model, whose module names are needed; no weights are read."""
    quicken_transformers()
    from mlx_lm.utils import load_model

    try:
        return load_model(pair.base, lazy=True)[0]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged or of an unknown architecture"
        raise ModelError(f"cannot load the base model in {pair.base} ({reason}); pull or convert it again") from error


def _save_peft(folder: Path, adapter: Adapter, model: nn.Module, pair: Pair, info: dict[str, Any]) -> None:
    """Write PEFT's own dialect: y += (alpha / r) · B (A x), with A (r, d_in) and B (d_out, r)."""
    import mlx.core as mx

    from mlx_hypernet.base import module_path_prefix, target_path, text_model
    from mlx_hypernet.format.atomic import write_json
    from mlx_hypernet.storage import write_tensors

    # Multimodal wrappers: `model.language_model` in transformers is `language_model.model` in mlx-lm.
    prefix = {"language_model.model": "model.language_model"}.get(found := module_path_prefix(model), found)
    paths = {name: target_path(text_model(model).layers[0], name) for name in adapter.modules}
    tensors: dict[str, mx.array] = {}
    for name, path in paths.items():
        for layer in range(adapter.num_layers):
            place = ".".join(filter(None, ("base_model.model", prefix, f"layers.{adapter.first_layer + layer}", path)))
            tensors[f"{place}.lora_A.weight"] = mx.contiguous(adapter.A[name][layer])
            tensors[f"{place}.lora_B.weight"] = mx.contiguous(adapter.B[name][layer].T)
    repository = (registry.config(pair.bundle).get("base") or {}).get("repository")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": repository if repository and is_repository(repository) else None,
        "r": adapter.rank,
        "lora_alpha": adapter.scale * adapter.rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": sorted(paths.values()),
    }
    write_tensors(folder / "adapter_model.safetensors", tensors, {"format": "pt"})
    write_json(folder / _CONFIG, config)
    write_json(folder / "thoth.json", info)  # PEFT warns about unknown keys
