"""Files and folders of one folder, a line each, with check boxes."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from thoth.system.terminal import shown
from thoth.tui import figures
from thoth.tui.folder_entries import Entry
from thoth.tui.widgets.row_list import RowList


class FileList(RowList[Entry]):
    """Entries of a folder; those that are marked, here or in other folders, are to be taken."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "check", "Mark", id="files.mark", tooltip="Choose several files and folders"),
        Binding("enter", "open", "Choose", id="files.choose", tooltip="Go into the folder, or take the file"),
    ]

    def identity(self, row: Entry) -> str:
        """Return its path."""
        return str(row.path)

    def text(self, row: Entry, line: int) -> tuple[str, str]:
        """Return the name, with a slash after a folder, and the size of a file."""
        name = shown(row.path.name)
        return (f"{name}/", "text") if row.is_folder else (f"{name}  {figures.size(row.size)}", "text")
