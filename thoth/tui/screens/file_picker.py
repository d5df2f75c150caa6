"""Choosing what to absorb: type and complete a path, or browse folders."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from thoth import ingest
from thoth.errors import DocumentError
from thoth.system.spelling import fold
from thoth.tui import figures
from thoth.tui.folder_entries import Entry, entries
from thoth.tui.screens.dialog import Dialog
from thoth.tui.widgets.file_list import FileList
from thoth.tui.widgets.path_input import PathInput


class FilePicker(Dialog[list[str] | None]):
    """Asks for files, folders or an address; closes with them, or with None.

    The line on top is an address, an absolute path, or a path below `folder`. The list shows the entries of the path's
    folder whose names contain the rest of the line.

    Args:
        folder: the folder to begin in.
    """

    CSS_PATH: ClassVar = ["dialog.tcss", "file_picker.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", id="files.complete", priority=True, tooltip="Complete the path"),
        Binding("down", "enter_list", "To the list", id="files.list", show=False, tooltip="Go to the list"),
        Binding("backspace,left", "leave", "Up", id="files.leave", tooltip="Go to the parent folder"),
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._start = folder
        self._folder: Path | None = None
        self._entries: list[Entry] = []
        self._under_cursor: Path | None = None

    def compose(self) -> ComposeResult:
        """Yield the line, the list, and the buttons."""
        with Vertical(classes="dialog -full") as box:
            box.border_title = "Absorb documents"
            box.border_subtitle = "Tab completes, Space marks, Enter opens, Esc closes"
            yield PathInput(_with_slash(self._start), placeholder="Path or address", compact=True)
            yield FileList()
            yield Static("", id="note", classes="note", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Absorb", id="absorb", variant="primary", disabled=True)
                yield Button("Cancel", id="cancel")

    @on(Input.Changed)
    def _typed(self) -> None:
        self._look()

    @work(exclusive=True)
    async def _look(self) -> None:
        """List the matching entries of the path's folder."""
        failure = ""
        folder, rest = self._split()
        if folder != self._folder:
            try:
                self._entries = await asyncio.to_thread(entries, folder) if folder else []
            except DocumentError as error:
                self._entries, failure = [], str(error)
            self._folder = folder
            self._list.cursor = 0
        self._list.rows = [entry for entry in self._entries if _fits(entry.path.name, rest)]
        if self._under_cursor is not None:
            places = (place for place, entry in enumerate(self._list.rows) if entry.path == self._under_cursor)
            self._list.cursor = next(places, 0)
            self._under_cursor = None
        marked = len(self._list.checked)
        self._note(failure or (f"{figures.count(marked, 'path')} marked" if marked else ""))
        self.query_one("#absorb", Button).disabled = not self._sources()

    @on(Input.Submitted)
    async def _entered(self) -> None:
        """Use what the line names: an address, a file, or a folder to open; else the first entry of the list."""
        if not await self.waited(self._look()):
            return
        folder, rest = self._split()
        named = next((entry for entry in self._entries if entry.path.name == rest), None)
        if named is None and rest and self._list.rows:
            named = self._list.rows[0]
        if named is not None:
            self._choose(named)
        elif sources := self._sources():
            self.dismiss(sources)
        elif folder and rest:
            self._note(f"There is no file {ingest.shown(str(folder / rest))}")
        else:
            self._list.focus()

    @on(PathInput.Dropped)
    def _dropped(self, event: PathInput.Dropped) -> None:
        self.dismiss([str(path) for path in event.drop.paths])

    @on(FileList.Checked)
    def _mark(self, event: FileList.Checked) -> None:
        self._list.checked ^= {str(event.row.path)}
        self._look()

    @on(FileList.Opened)
    def _opened(self, event: FileList.Opened) -> None:
        self._choose(event.row)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(self._sources() if event.button.id == "absorb" else None)

    def action_complete(self) -> None:
        """Complete the path as far as it is unique; if there is nothing to complete, move the focus."""
        folder, rest = self._split()
        names = [entry.path.name for entry in self._entries if entry.path.name.startswith(rest)] if rest else []
        if not isinstance(self.focused, PathInput) or folder is None or not names:
            self.focus_next()
        elif len(names) == 1:
            self._go(folder / names[0])
        else:
            self._write(str(folder / os.path.commonprefix(names)))  # noqa: RUF071 names, letter by letter

    def action_enter_list(self) -> None:
        """Go from the path to the list."""
        self._list.focus()

    def action_leave(self) -> None:
        """Go to the parent folder; the cursor stays on this folder."""
        if self._folder is not None and self._folder != self._folder.parent:
            self._under_cursor = self._folder
            self._write(_with_slash(self._folder.parent))

    def _choose(self, entry: Entry) -> None:
        if entry.is_folder:
            self._go(entry.path)
        else:
            self.dismiss([*self._marked(), str(entry.path)])

    def _go(self, path: Path) -> None:
        """Write an existing path, with a slash after a folder."""
        is_folder = any(entry.path == path and entry.is_folder for entry in self._entries)
        self._write(_with_slash(path) if is_folder else str(path))

    def _write(self, line: str) -> None:
        field = self.query_one(PathInput)
        field.value = line
        field.cursor_position = len(line)

    def _split(self) -> tuple[Path | None, str]:
        """Return the folder of the line and the rest, which may be part of a name; no folder for an address."""
        if ingest.is_address(self._line):
            return None, ""
        folder, _, rest = os.path.expanduser(self._line).rpartition(os.sep)
        return Path(folder + os.sep) if self._line.startswith((os.sep, "~")) else self._start / folder, rest

    def _sources(self) -> list[str]:
        """Return what the button absorbs: marked entries, and the line if it is an address or names a file."""
        _, rest = self._split()
        named = [str(e.path) for e in self._entries if e.path.name == rest and not e.is_folder]
        address = [self._line] if ingest.is_address(self._line) else []
        return [*dict.fromkeys([*self._marked(), *named, *address])]

    def _marked(self) -> Iterable[str]:
        return sorted(self._list.checked)

    def _note(self, text: str) -> None:
        self.query_one("#note", Static).update(text)

    @property
    def _line(self) -> str:
        return self.query_one(PathInput).value.strip()

    @property
    def _list(self) -> FileList:
        return self.query_one(FileList)


def _with_slash(folder: Path) -> str:
    return str(folder).rstrip(os.sep) + os.sep


def _fits(name: str, rest: str) -> bool:
    """Tell whether to show a name: it contains the typed text, and hidden names need a leading dot."""
    return fold(rest) in fold(name) and (rest.startswith(".") or not name.startswith("."))
