"""Export of documents as an adapter: which documents, which format, which folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, get_args

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, RadioSet, Static

from thoth.actions.export import Format
from thoth.system import paths
from thoth.system.terminal import shown
from thoth.tui import figures
from thoth.tui.screens.dialog import Dialog
from thoth.tui.widgets.marks import CheckMark, RadioMark

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument

_FORMATS: dict[Format, str] = {"mlx-lm": "mlx-lm: Apple silicon", "peft": "PEFT: PyTorch"}


@dataclass(frozen=True)
class ExportPlan:
    """What to write.

    Attributes:
        documents: the documents, in the order of their ranks.
        format: format of the adapter.
        destination: folder of the adapter.
        force: replace an existing adapter.
    """

    documents: Sequence[StoredDocument]
    format: Format
    destination: Path
    force: bool


class ExportScreen(Dialog[ExportPlan | None]):
    """Asks what to export; closes with the plan, or with None.

    Args:
        chosen: documents to export.
        active: all active documents; the user can export them instead.
        folder: parent of the suggested destination.
    """

    CSS_PATH: ClassVar = ["dialog.tcss", "export.tcss"]

    def __init__(self, chosen: Sequence[StoredDocument], active: Sequence[StoredDocument], folder: Path) -> None:
        super().__init__()
        self._groups = [chosen, active] if set(active) - set(chosen) else [chosen]
        self._suggestion = str(folder / f"{_plain(chosen[0].name)}-adapter")

    def compose(self) -> ComposeResult:
        """Yield the choices."""
        with VerticalScroll(classes="dialog", can_focus=False) as box:
            box.border_title = "Export an adapter"
            yield Static("Documents", classes="heading")
            with RadioSet(id="what", compact=True):
                for place, group in enumerate(self._groups):
                    yield RadioMark(Content(_label(group, place)), value=place == 0, compact=True)
            yield Static("Format", classes="heading")
            with RadioSet(id="format", compact=True):
                for name in get_args(Format):
                    yield RadioMark(_FORMATS[name], value=name == "mlx-lm", compact=True)
            yield Static("Folder", classes="heading")
            yield Input(self._suggestion, id="destination", compact=True)
            yield CheckMark("Replace an existing adapter", id="force", compact=True)
            with Horizontal(classes="buttons"):
                yield Button("Export", id="export", variant="primary")
                yield Button("Cancel", id="cancel")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Allow only a destination that is not blank."""
        self.query_one("#export", Button).disabled = not event.value.strip()

    def on_input_submitted(self) -> None:
        """Close with the plan."""
        self._take()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close with the plan or with None."""
        if event.button.id == "export":
            self._take()
        else:
            self.dismiss(None)

    def _take(self) -> None:
        if not (destination := self.query_one("#destination", Input).value.strip()):
            return
        documents = self._groups[self.query_one("#what", RadioSet).pressed_index]
        format = get_args(Format)[self.query_one("#format", RadioSet).pressed_index]
        force = self.query_one("#force", CheckMark).value
        self.dismiss(ExportPlan(documents, format, paths.expanded(destination), force))


def _label(group: Sequence[StoredDocument], place: int) -> str:
    if len(group) == 1:
        return shown(group[0].name)
    return f"all {len(group):,} active documents" if place else figures.count(len(group), "document")


def _plain(name: str) -> str:
    """Return a folder name for a document: its name without the suffix and special characters."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in Path(name).stem)
    return kept.strip("-.")[:60] or "document"
