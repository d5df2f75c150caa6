"""Writing an adapter while the app goes on."""

from __future__ import annotations

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
    from thoth.actions.export import export

    return export(home, pair, plan.documents, plan.format, plan.destination, force=plan.force)
