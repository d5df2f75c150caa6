"""The dialogs about one answer, and the notices: what they show, and what they close with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from tests.app.tui.hosts import Host, click, until
from thoth.actions.ask import place
from thoth.errors import DocumentError, ModelError, Stopped
from thoth.events import Answer, Chosen, Passage, Stats
from thoth.ingest import Document
from thoth.retrieval.routing import Routing
from thoth.tui import figures
from thoth.tui.messages import AnswerDone, AnswerFailed, AnswerToken
from thoth.tui.screens.answer_details import AnswerDetails
from thoth.tui.screens.compare import CompareScreen
from thoth.tui.screens.first_run import FirstRun
from thoth.tui.screens.help import HelpScreen, keys
from thoth.tui.screens.model_failed import ModelFailed
from thoth.tui.widgets.way_panel import WayPanel

QUESTION = "Who is the mayor of [b]Harpool[/b]?"
STATS = Stats(
    document_tokens_in_context=0,
    prompt_tokens=1031,
    generated_tokens=12,
    absorb_seconds=0.0,
    time_to_first_token_seconds=0.314,
    tokens_per_second=55.12,
    active_documents=2,
    rank=16,
    peak_memory_bytes=1_234_000_000,
    attach_seconds=0.0042,
    cached_tokens=24,
    chunks=(
        Chosen("a1", "[red]harbour.pdf", 2, (7, 8), ("Harpool", "People"), 0.0325),
        Chosen("b2", "workshop.md", 0, None, (), 0.0161),
    ),
)
SOURCES = (Passage("a1", "[red]harbour.pdf", 2, 7, ("Harpool",), "The mayor of Harpool\nis Osra Kelland.", 0.91),)


def shown(screen: Any) -> str:
    return "\n".join(str(widget.render()) for widget in screen.query(Static))


class FakeLibrary:
    def __init__(self, error: DocumentError | None = None) -> None:
        self.error = error

    def document(self, id: str) -> Document:
        if self.error:
            raise self.error
        return Document("harbour.pdf", f"The text of {id}.")


class FakeWork:
    """Takes questions; the test answers them."""

    def __init__(self, error: DocumentError | None = None) -> None:
        self.library = FakeLibrary(error)
        self.asked: dict[int, dict[str, Any]] = {}
        self.stopped: list[int] = []

    def ask(self, turn: int, messages: Any, documents: Any = (), routing: Any = None, **more: Any) -> None:
        self.asked[turn] = {"messages": messages, "documents": documents, "routing": routing, **more}

    def stop_answer(self, turn: int | None = None) -> bool:
        self.stopped.append(turn)
        return True

    def answer(self, number: int, text: str, stats: Stats = STATS) -> None:
        """Answer the question that was asked as the `number`th."""
        turn = list(self.asked)[number]
        post = self.asked[turn]["post"]
        for word in text.split(" "):
            post(AnswerToken(turn, word + " "))
        post(AnswerDone(turn, Answer(text, stats)))


class FakeDocument:
    id = "a1"


def comparison(work: FakeWork) -> CompareScreen:
    messages = [{"role": "user", "content": QUESTION}]
    return CompareScreen(work, messages, [FakeDocument()], Routing(top_k=2), max_tokens=64)


async def compared(work: FakeWork, pilot: Pilot) -> None:
    await until(pilot, lambda: len(work.asked) == 3)
    work.answer(0, "Osra **Kelland**.\n\n```python\nmayor = 1\n```")
    work.answer(1, "Osra Kelland.", Stats(57, 80, 4, 0.0, 1.2, 54.0, 0, 0, 1_300_000_000))
    work.answer(2, "I don't know.", Stats(0, 23, 4, 0.0, 0.05, 60.0, 0, 0, 1_300_000_000))
    await until(pilot, lambda: "60.0 tokens" in shown(pilot.app.screen))


async def test_compare_asks_three_ways_and_shows_what_each_cost() -> None:
    work = FakeWork()
    app = Host(comparison(work))
    async with app.run_test(size=(120, 30)) as pilot:
        await compared(work, pilot)
        weights, context, without = work.asked.values()
        assert (weights["documents"][0].id, weights["routing"], weights["context"]) == ("a1", Routing(top_k=2), ())
        assert (context["documents"], context["routing"].route) == ((), "none")
        assert [document.text for document in context["context"]] == ["The text of a1."]
        assert (without["documents"], without["context"], without["routing"].route) == ((), (), "none")
        panels = list(app.screen.query(WayPanel))
        assert [panel.region.y for panel in panels] == [panels[0].region.y] * 3
        text = shown(app.screen)
        assert QUESTION in text
        assert "0 document tokens in context\nfirst token after 0.31 s" in text
        assert "57 document tokens in context\nfirst token after 1.20 s" in text
        assert panels[0].answer.endswith("```python\nmayor = 1\n```")
        await pilot.press("escape")
        await until(pilot, lambda: sorted(work.stopped) == sorted(work.asked))
        assert app.results == [None]


async def test_compare_stacks_its_panels_where_the_terminal_is_narrow() -> None:
    app = Host(comparison(FakeWork()))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(app.screen.query(WayPanel)) == 3)
        panels = list(app.screen.query(WayPanel))
        assert [panel.region.x for panel in panels] == [panels[0].region.x] * 3
        assert panels[0].region.y < panels[1].region.y < panels[2].region.y


async def test_compare_goes_on_when_a_text_cannot_be_read() -> None:
    work = FakeWork(DocumentError("the text is gone: absorb it again"))
    app = Host(comparison(work))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: len(work.asked) == 2 and "absorb it again" in shown(app.screen))
        panels = list(app.screen.query(WayPanel))
        assert [panel.has_class("-failed") for panel in panels] == [False, True, False]


async def test_a_way_that_is_stopped_keeps_what_it_said() -> None:
    work = FakeWork()
    app = Host(comparison(work))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: len(work.asked) == 3)
        turn = next(iter(work.asked))
        for message in (AnswerToken(turn, "Osra"), AnswerFailed(turn, Stopped("stopped"))):
            work.asked[turn]["post"](message)
        await until(pilot, lambda: "stopped" in shown(app.screen))
        assert app.screen.query(WayPanel).first().answer == "Osra"


async def test_details_show_chunks_passages_and_cost_without_reading_markup() -> None:
    app = Host(AnswerDetails(QUESTION, STATS, SOURCES))
    async with app.run_test(size=(80, 40)) as pilot:
        text = shown(app.screen)
        assert QUESTION in text
        assert "[red]harbour.pdf, page 7, Harpool\n“The mayor of Harpool is Osra Kelland.”" in text
        table = app.screen.query_one(DataTable)
        rows = [[str(cell) for cell in table.get_row_at(row)] for row in range(table.row_count)]
        assert rows == [
            ["0.033", "[red]harbour.pdf", "3", "7-8", "Harpool > People"],
            ["0.016", "workshop.md", "1", "", ""],
        ]
        assert "1,031 tokens, 24 from the cache" in text
        assert "12 tokens, 55.1 per second" in text
        await pilot.press("escape")
        assert app.results == [None]


async def test_details_say_where_nothing_supports_an_answer() -> None:
    app = Host(AnswerDetails(QUESTION, Stats(0, 9, 4, 0.0, 0.05, 0.0, 0, 0, 0), ()))
    async with app.run_test():
        assert "not found in the documents" in shown(app.screen)
        assert not app.screen.query(DataTable)


async def test_details_of_a_whole_library_stay_short() -> None:
    chunks = tuple(Chosen("a1", "book.pdf", number, None, (), 0.0) for number in range(1000))
    app = Host(AnswerDetails(QUESTION, replace(STATS, chunks=chunks), ()))
    async with app.run_test():
        assert app.screen.query_one(DataTable).row_count == 200
        assert "Attached: 1,000 chunks" in shown(app.screen)
        assert "and 800 more chunks" in shown(app.screen)


def test_a_place_leaves_out_what_it_has_not() -> None:
    assert place("note.txt", None, ()) == "note.txt"
    assert place("a.pdf", 3, ("One", "Two")) == "a.pdf, page 3, One > Two"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0042, "4 ms"), (0.0994, "99 ms"), (0.314, "0.31 s"), (9.99, "9.99 s"), (12.4, "12 s")]
)
def test_times_have_the_digits_that_matter(value: float, text: str) -> None:
    assert figures.seconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.4, "0 s"), (89, "89 s"), (200, "3 min"), (7300, "2 h")])
def test_what_is_left_is_no_more_exact_than_it_is_known(value: float, text: str) -> None:
    assert figures.time_left(value) == text


async def test_help_lists_the_keys_of_a_screen_as_they_are_set() -> None:
    class Keyed(App[None]):
        BINDINGS = [  # noqa: RUF012
            Binding("ctrl+t", "bell", "Compare", id="compare", tooltip="Answer three ways"),
            Binding("f9", "bell", "", show=False),
        ]

    app = Keyed()
    async with app.run_test() as pilot:
        app.set_keymap({"compare": "f6"})
        rows = keys(app.screen.active_bindings.values())
        assert ("F6", "Answer three ways") in rows
        assert "F9" not in [key for key, _ in rows]
        assert all(text for _, text in rows)
        app.push_screen(HelpScreen({"Keys": rows, "Commands": [("/absorb [PATH]", "Absorb a document")], "None": []}))
        await pilot.pause()
        assert "/absorb [PATH]  Absorb a document" in shown(app.screen)
        assert "None" not in shown(app.screen)


@pytest.mark.parametrize(("button", "choice"), [("models", "models"), ("retry", "retry"), ("stay", None)])
async def test_a_model_that_failed_leaves_a_choice(button: str, choice: str | None) -> None:
    app = Host(ModelFailed("nano", ModelError("the base model is damaged: fetch it again")))
    async with app.run_test() as pilot:
        assert "the base model is damaged: fetch it again" in shown(app.screen)
        await click(pilot, f"#{button}")
        assert app.results == [choice]


@pytest.mark.parametrize(("keys", "choice"), [("", "try"), ("tab", "models"), ("tab tab", "stay")])
async def test_the_first_run_offers_the_example_and_the_models(keys: str, choice: str) -> None:
    app = Host(FirstRun())
    async with app.run_test() as pilot:
        await pilot.press(*keys.split(), "enter")
        assert app.results == [choice]


DIALOGS: dict[str, Callable[[], Any]] = {
    "details": lambda: AnswerDetails(QUESTION, STATS, SOURCES),
    "help": lambda: HelpScreen({"Keys": [("ctrl+t", "Answer three ways")], "Commands": [("/quit", "Close Thoth")]}),
    "model_failed": lambda: ModelFailed("nano", ModelError("the base model is damaged: fetch it again")),
    "first_run": FirstRun,
}


@pytest.mark.parametrize("name", DIALOGS)
def test_how_the_dialogs_look(name: str, snap_compare: Any) -> None:
    assert snap_compare(Host(DIALOGS[name]()), terminal_size=(80, 24))


@pytest.mark.parametrize("size", [(120, 24), (80, 24)], ids=["beside", "stacked"])
def test_how_the_comparison_looks(size: tuple[int, int], snap_compare: Any) -> None:
    work = FakeWork()
    assert snap_compare(Host(comparison(work)), terminal_size=size, run_before=lambda pilot: compared(work, pilot))


@pytest.mark.parametrize("name", DIALOGS)
async def test_every_dialog_survives_a_tiny_terminal(name: str) -> None:
    app = Host(DIALOGS[name]())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(20, 5)
        await pilot.pause()
        await pilot.press("tab", "down", "escape")
        assert len(app.results) == 1
