"""Writing an adapter while the app goes on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thoth.models.registry import Pair
    from thoth.tui.screens.export import ExportPlan


def write(home: Path, pair: Pair, plan: ExportPlan) -> int:
    """Write an adapter and return its rank. Blocks: call it on a thread.

    Raises:
        ThothError: as `thoth.actions.export.export` says.
    """
    # A thread that lives no longer than its MLX streams: one of a pool would come back without any.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="export") as thread:
        return thread.submit(_write, home, pair, plan).result()


def _write(home: Path, pair: Pair, plan: ExportPlan) -> int:
    from thoth.actions.export import export
    from thoth.library.library import Library

    library = Library(home)  # one of its own: MLX's arrays stay on the thread that made them
    try:
        return export(library, pair, plan.documents, plan.format, plan.destination, force=plan.force)
    finally:
        library.close()
        import mlx.core as mx

        mx.clear_streams()  # a thread that ends with open streams can abort the process
