"""The models screen: what it knows without a network, choosing, and a download that goes on behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, DataTable, Static

from tests.app.tui.hosts import Host, click, until
from thoth import settings
from thoth.errors import ModelError, ResourceError, Stopped
from thoth.events import Progress
from thoth.models import plan, pull, registry
from thoth.models.hub import RemoteFile
from thoth.models.plan import PairSource, PullPlan
from thoth.models.registry import Pair
from thoth.system import machine, paths
from thoth.tui.downloads import Download, Downloads
from thoth.tui.screens.models import ModelsScreen, describe, rows

PLAN = PullPlan(
    "gemma-2-2b",
    PairSource("google/gemma-2-2b-it", "c0", "", (RemoteFile("model.safetensors", 5_200_000_000, False),)),
    PairSource("SakanaAI/doc-to-lora", "c1", "", (RemoteFile("pytorch_model.bin", 1_200_000_000, False),)),
    None,
)
PAIR = Pair("gemma-2-2b", Path(__file__).parent, Path(__file__).parent)  # folders that exist


class FakeHub:
    """Stands in for the hub: says what it is told to, and downloads until it is let go or stopped."""

    def __init__(self) -> None:
        self.error: ModelError | ResourceError | None = None
        self.planned: list[tuple[str, int | None]] = []
        self.finish = threading.Event()
        self.answers = threading.Event()
        self.answers.set()

    def plan(self, name: str, bits: int | None = None) -> PullPlan:
        self.planned.append((name, bits))
        self.answers.wait()
        if self.error:
            raise self.error
        return PLAN

    def pull(self, plan: PullPlan, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Pair:
        on_progress(Progress("download", 1_600_000_000, 6_400_000_000, seconds_left=200.0))
        while not self.finish.wait(0.01):
            if should_stop():
                raise Stopped("stopped: pull again to resume")
        return PAIR


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub()
    monkeypatch.setattr(plan, "make", fake.plan)
    monkeypatch.setattr(pull, "pull", fake.pull)
    monkeypatch.setattr(plan, "check", lambda plan: None)
    monkeypatch.setattr(machine, "free_memory", lambda: 11_000_000_000)
    monkeypatch.setattr(machine, "free_disk", lambda path: 250_000_000_000)
    return fake


@pytest.fixture
def downloads() -> Iterator[Downloads]:
    made = Downloads()
    yield made
    made.close()


def status(app: Host) -> str:
    return str(app.screen.query_one("#status", Static).content)


async def choose(app: Host, pilot: Pilot, name: str) -> None:
    """Wait for the table and put the cursor on a pair."""
    table = app.screen.query_one(DataTable)
    await until(pilot, lambda: table.row_count > 0)
    names = [str(table.get_row_at(row)[0]) for row in range(table.row_count)]
    table.move_cursor(row=names.index(name))
    await pilot.pause()


def enabled(app: Host) -> set[str | None]:
    return {button.id for button in app.screen.query(Button) if not button.disabled}


def test_rows_say_what_is_here_and_what_it_takes() -> None:
    found = {row.name: row for row in rows("nano", {"ministral-3-3b", "mine"})}
    assert list(found) == [*registry.KNOWN, "mine"]
    assert (found["nano"].state, found["nano"].installed, found["nano"].base) == ("in use", True, "built in")
    assert (found["ministral-3-3b"].state, found["ministral-3-3b"].size) == ("installed", "about 9.0 GB")
    assert (found["gemma-2-2b"].state, found["gemma-2-2b"].installed) == ("not installed", False)
    assert [row.name for row in rows("/somewhere/pair", set()) if row.state == "in use"] == ["/somewhere/pair"]


async def test_a_pair_that_is_here_is_saved_and_used(hub: FakeHub, downloads: Downloads) -> None:
    for part in ("base", "hypernet"):
        (paths.models() / "ministral-3-3b" / part).mkdir(parents=True)
    app = Host(ModelsScreen("nano", downloads))
    async with app.run_test(size=(100, 30)) as pilot:
        await choose(app, pilot, "nano")
        assert enabled(app) == set()  # in use already
        await choose(app, pilot, "ministral-3-3b")
        assert enabled(app) == {"use"}
        await click(pilot, "#use")
        await until(pilot, lambda: bool(app.results))
    assert app.results == ["ministral-3-3b"]
    assert settings.load(paths.settings()).model == "ministral-3-3b"


async def test_a_download_says_what_it_takes_and_goes_on_when_the_dialog_is_closed(
    hub: FakeHub, downloads: Downloads
) -> None:
    app = Host(ModelsScreen("nano", downloads))
    async with app.run_test(size=(100, 30)) as pilot:
        await choose(app, pilot, "gemma-2-2b")
        assert enabled(app) == {"download"}
        await pilot.press("enter")
        await until(pilot, lambda: "download it first" in status(app))
        await click(pilot, "#download")
        await until(pilot, lambda: "6.4 GB to download" in status(app))
        assert downloads.current is None
        button = app.screen.query_one("#download", Button)
        assert str(button.label) == "Download 6.4 GB"
        await until(pilot, lambda: not button.has_class("-active"))  # until then a second press does not count
        await click(pilot, "#download")
        await until(pilot, lambda: "1.6 GB of 6.4 GB, 3 min left" in status(app))
        assert enabled(app) == {"stop"}
        await pilot.press("escape")
        assert app.results == [None]
        assert downloads.current
        assert downloads.current.running
        hub.finish.set()
        await until(pilot, lambda: not downloads.current.running)
        assert downloads.current.pair == PAIR
        app.push_screen(ModelsScreen("nano", downloads))
        await until(pilot, lambda: bool(app.screen.query("#status")) and "press Use" in status(app))
    assert hub.planned == [("gemma-2-2b", None)]


async def test_closing_while_models_are_looked_for_ends_without_an_error(downloads: Downloads) -> None:
    app = Host(screen := ModelsScreen("nano", downloads))
    async with app.run_test(size=(100, 30)):
        with app.batch_update():  # the compositor must not draw what is gone
            await screen.query_one(DataTable).remove()  # as a screen that is closed does
            await screen._look().wait()


async def test_a_download_can_be_stopped_and_begun_again(hub: FakeHub, downloads: Downloads) -> None:
    app = Host(ModelsScreen("nano", downloads))
    async with app.run_test(size=(100, 30)) as pilot:
        await choose(app, pilot, "gemma-2-2b")
        downloads.start(PLAN)
        await until(pilot, lambda: "of 6.4 GB" in status(app))
        await click(pilot, "#stop")
        await until(pilot, lambda: "download again to resume" in status(app))
        await until(pilot, lambda: enabled(app) == {"download"})


@pytest.mark.parametrize(
    "error",
    [
        ModelError("google/gemma-2-2b-it cannot be reached: check the connection, then try again"),
        ResourceError("gemma-2-2b needs 14.0 GB of memory and this machine has 8.0 GB: try --bits 4"),
    ],
)
async def test_what_cannot_be_downloaded_is_said_before_anything_begins(
    error: ModelError | ResourceError, hub: FakeHub, downloads: Downloads
) -> None:
    hub.error = error
    app = Host(ModelsScreen("nano", downloads))
    async with app.run_test(size=(100, 30)) as pilot:
        await choose(app, pilot, "gemma-2-2b")
        await click(pilot, "#download")
        await until(pilot, lambda: str(error) in status(app))
        assert app.screen.query_one("#status").has_class("error")
        assert downloads.current is None


async def test_a_dialog_that_is_closed_needs_no_answer_any_more(hub: FakeHub, downloads: Downloads) -> None:
    hub.answers.clear()
    app = Host(ModelsScreen("nano", downloads))
    async with app.run_test(size=(100, 30)) as pilot:
        await choose(app, pilot, "gemma-2-2b")
        await click(pilot, "#download")
        await until(pilot, lambda: bool(hub.planned))
        await pilot.press("escape")
        await until(pilot, lambda: bool(app.results))
        hub.answers.set()
        await until(pilot, lambda: not app.workers)
    assert app.results == [None]


def test_the_app_does_not_end_before_its_download(hub: FakeHub) -> None:
    ended: list[Download] = []
    downloads = Downloads(ended.append)
    downloads.start(PLAN)
    downloads.start(PLAN)  # one at a time
    downloads.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "download"]
    assert isinstance(downloads.current.error, Stopped)
    assert not ended  # nobody is there any more


def test_an_error_nobody_foresaw_is_a_line_too(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Pair:
        raise ZeroDivisionError

    monkeypatch.setattr(pull, "pull", broken)
    ended = threading.Event()
    downloads = Downloads(lambda _: ended.set())
    downloads.start(PLAN)
    ended.wait()
    assert "please report" in describe(downloads.current)


@pytest.mark.parametrize(
    ("download", "text"),
    [
        (Download("qwen3-4b"), "qwen3-4b: starting"),
        (Download("qwen3-4b", Progress("convert", 0, 2)), "qwen3-4b: converting, part 1 of 2"),
        (Download("qwen3-4b", Progress("download", 0, 8_000_000_000)), "qwen3-4b: 0 B of 8.0 GB"),
    ],
)
def test_how_far_a_download_is_fits_a_line(download: Download, text: str) -> None:
    assert describe(download) == text


def test_how_the_models_look(hub: FakeHub, downloads: Downloads, snap_compare: Any) -> None:
    app = Host(ModelsScreen("nano", downloads))
    assert snap_compare(app, terminal_size=(100, 26), run_before=lambda pilot: choose(app, pilot, "ministral-3-3b"))


def test_how_a_download_looks_in_a_small_terminal(hub: FakeHub, downloads: Downloads, snap_compare: Any) -> None:
    app = Host(ModelsScreen("nano", downloads))

    async def downloading(pilot: Pilot) -> None:
        await choose(app, pilot, "gemma-2-2b")
        downloads.start(PLAN)
        await until(pilot, lambda: "of 6.4 GB" in status(app))

    assert snap_compare(app, terminal_size=(80, 24), run_before=downloading)
