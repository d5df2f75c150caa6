"""The model pairs: which is in use, which are installed, what the others need; downloads and switches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.reactive import reactive
from textual.widgets import Button, DataTable, ProgressBar, Select, Static

from mlx_hypernet.format.published import BASE_BITS
from thoth import settings
from thoth.errors import ThothError
from thoth.models import plan, registry
from thoth.models.plan import PullPlan
from thoth.models.registry import KnownPair
from thoth.system import machine, paths
from thoth.system.machine import size
from thoth.tui import figures
from thoth.tui.downloads import Download, Downloads
from thoth.tui.screens.dialog import Dialog

_LOOK_SECONDS = 0.2
_COLUMNS = ("model", "state", "size", "licence")
_VERDICTS = {"fits": "fits here", "tight": "tight here", "no": "more than there is; choose fewer bits"}


@dataclass(frozen=True)
class Row:
    """A pair in the table; `installed` means that it needs no download."""

    name: str
    state: str
    size: str
    licence: str
    base: str
    installed: bool


class ModelsScreen(Dialog[str | None]):
    """Closes with the name of the pair to use, which is saved in the settings, or with None.

    Args:
        current: name of the loaded pair, None if none is loaded.
        downloads: of the app; a download continues when this dialog is closed.
    """

    CSS_PATH: ClassVar = ["dialog.tcss", "models.tcss"]
    AUTO_FOCUS = "DataTable"

    wanted: reactive[PullPlan | None] = reactive(None, init=False)

    def __init__(self, current: str | None, downloads: Downloads) -> None:
        super().__init__()
        self._current = current
        self._downloads = downloads
        self._rows: list[Row] = []
        self._shown: Download | None = None

    def compose(self) -> ComposeResult:
        """Yield the table, the base, the free space, the state of the download, and the buttons."""
        with VerticalScroll(classes="dialog", can_focus=False) as box:
            box.border_title = "Models"
            box.border_subtitle = "Esc closes; a download continues"
            table: DataTable[Text] = DataTable(cursor_type="row", zebra_stripes=True)
            for column in _COLUMNS:
                table.add_column(column, key=column)
            yield table
            yield Static("", id="base", classes="note", markup=False)
            yield Static("", id="room", classes="note", markup=False)
            with Horizontal(id="precision"):
                yield Static("Weights ", classes="label")
                bits = [(f"{count} bits", count) for count in BASE_BITS]
                yield Select[int](bits, prompt="as published", compact=True, id="bits")
            yield Static("", id="status", markup=False)
            yield ProgressBar(show_eta=False)
            with Horizontal(classes="buttons"):
                yield Button("Use", id="use", variant="primary", disabled=True)
                yield Button("Download", id="download", disabled=True)
                yield Button("Stop", id="stop")

    def on_mount(self) -> None:
        """Look for installed models, and follow the download."""
        self._look()
        self._follow()
        self.set_interval(_LOOK_SECONDS, self._follow)

    @work(thread=True, exclusive=True, group="look")
    def _look(self) -> None:
        memory = machine.free_memory()
        free = [f"{size(memory)} of memory"] if memory is not None else []
        free.append(f"{size(machine.free_disk(paths.models()))} of disk")
        found = rows(self._current, set(registry.installed()))
        self.app.call_from_thread(self._fill, found, f"Free: {' and '.join(free)}")

    def _fill(self, found: list[Row], room: str) -> None:
        if not (tables := self.query(DataTable)):
            return  # the screen was closed meanwhile
        table = tables.first()
        cursor = (
            table.cursor_row if self._rows else next((n for n, row in enumerate(found) if row.state == "in use"), 0)
        )
        self._rows = found
        table.clear()
        for row in found:
            cells = (row.name, row.state, row.size, row.licence)
            table.add_row(*(Text(cell, no_wrap=True) for cell in cells))
        table.move_cursor(row=cursor)
        self.query_one("#room", Static).update(room)
        self._enable()

    @on(DataTable.RowHighlighted)
    @on(Select.Changed)
    def _another(self) -> None:
        """Forget the plan: it was for another choice."""
        self.wanted = None
        self._enable()

    def watch_wanted(self, wanted: PullPlan | None) -> None:
        """Show what a download needs before it begins."""
        self.query_one("#download", Button).label = (
            "Download" if wanted is None else f"Download {size(wanted.to_download)}"
        )
        self._say("" if wanted is None else takes(wanted))

    @on(Button.Pressed, "#use")
    @on(DataTable.RowSelected)
    def _choose(self) -> None:
        row = self._chosen()
        if row is None:
            return
        if row.installed:
            self._use(row.name)
        else:
            self._say(f"{row.name} is not installed; download it first", wrong=True)

    @work(thread=True, exclusive=True, group="use")
    def _use(self, name: str) -> None:
        try:
            settings.save(paths.settings(), model=name)
        except ThothError as error:
            self.app.call_from_thread(self._say, str(error), wrong=True)
        else:
            self.app.call_from_thread(self.dismiss, name)

    @on(Button.Pressed, "#download")
    def _download(self) -> None:
        if self.wanted is not None:
            wanted, self.wanted = self.wanted, None
            self._downloads.start(wanted)
            self._follow()
        elif row := self._chosen():
            bits = self.query_one("#bits", Select).value
            self._say(f"Looking up {row.name}")
            self._ask_hub(row.name, bits if isinstance(bits, int) else None)

    @work(thread=True, exclusive=True, group="plan")
    def _ask_hub(self, name: str, bits: int | None) -> None:
        try:
            wanted = plan.make(name, bits)
            plan.check(wanted)
        except ThothError as error:
            self.app.call_from_thread(self._say, str(error), wrong=True)
        else:
            self.app.call_from_thread(setattr, self, "wanted", wanted)

    @on(Button.Pressed, "#stop")
    def _stop(self) -> None:
        self._downloads.stop()

    def _follow(self) -> None:
        """Show the state of the download, if it changed."""
        download = self._downloads.current
        if download is None or download is self._shown:
            return
        ended = self._shown is not None and not download.running
        self._shown = download
        self._say(describe(download), wrong=download.error is not None)
        if download.running and download.progress:
            self.query_one(ProgressBar).update(total=download.progress.total, progress=download.progress.done)
        self._enable()
        if ended:
            self._look()

    def _enable(self) -> None:
        """Show the base of the chosen pair, and enable the buttons that apply."""
        row, download = self._chosen(), self._downloads.current
        self.query_one("#base", Static).update(f"Base: {row.base}" if row else "")
        running = download is not None and download.running
        self.set_class(running, "-downloading")
        self.query_one("#use", Button).disabled = row is None or not row.installed or row.state == "in use"
        self.query_one("#download", Button).disabled = running or row is None or row.installed
        self.query_one("#stop", Button).disabled = not running

    def _chosen(self) -> Row | None:
        cursor = self.query_one(DataTable).cursor_row
        return self._rows[cursor] if cursor < len(self._rows) else None

    def _say(self, text: str, wrong: bool = False) -> None:
        status = self.query_one("#status", Static)
        status.update(text)
        status.set_class(wrong, "error")


def rows(current: str | None, installed: set[str]) -> list[Row]:
    """Return the known pairs, then other pairs in Thoth's home, then the pair in use if it is elsewhere."""
    others = sorted(installed - set(registry.KNOWN))
    elsewhere = [current] if current and current not in registry.KNOWN and current not in installed else []
    found = []
    for name in [*registry.KNOWN, *others, *elsewhere]:
        known = registry.KNOWN.get(name)
        here = name in installed or known is None or known.base is None
        state = "in use" if name == current else "installed" if here else "not installed"
        found.append(
            Row(
                name,
                state,
                _size(name, known) if known else "",
                known.licence if known else "",
                (known.base or "built in") if known else "",
                here,
            )
        )
    return found


def takes(wanted: PullPlan) -> str:
    """Return what a download needs, whether it fits, and whether this project has run the pair; as one paragraph."""
    fit = wanted.fit(machine.total_memory())
    needs = (
        f"{wanted.name}: {size(wanted.to_download)} to download, {size(wanted.to_write)} more on disk, "
        f"{size(wanted.memory)} of memory when loaded: {_VERDICTS[fit.verdict]}."
    )
    return needs if registry.KNOWN[wanted.name].tried else f"{needs} This project has run it as a small replica only."


def describe(download: Download) -> str:
    """Return the state of a download, as one line."""
    progress = download.progress
    if download.error is not None:
        return f"{download.name}: {download.error}"
    if download.pair is not None:
        return f"{download.name} is installed; press Use" if download.pair.is_complete else registry.NO_HYPERNET
    if progress is None:
        return f"{download.name}: starting"
    if progress.stage != "download":
        return f"{download.name}: converting, part {min(progress.done + 1, progress.total)} of {progress.total}"
    left = "" if progress.seconds_left is None else f", {figures.time_left(progress.seconds_left)} left"
    return f"{download.name}: {size(progress.done)} of {size(progress.total)}{left}"


def _size(name: str, known: KnownPair) -> str:
    return f"about {size(known.published_bytes)}" if known.base else size(registry.resolve(name).weight_bytes)
