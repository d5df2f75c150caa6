"""The transcript: only what is in view is rendered, the text stands still, and nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from textual.app import App, ComposeResult

from tests.app.tui.chatting import Make, running
from tests.app.tui.hosts import until
from thoth.chats.sessions import Turn
from thoth.tui.widgets.transcript import Transcript

ANSWER = "\n\n".join(
    [
        "## Heading",
        "The founder of Velmar is Ana Dor, who built lamps in the yard by the sea. " * 6,
        "- one\n- two\n- three",
        "```python\nfor i in range(10):\n    print(i)\n```",
        "| a | b |\n|---|---|\n| 1 | 2 |",
    ]
)


def long_turns(number: int, repeat: int = 8) -> list[Turn]:
    return [
        Turn(at, f"Question {at}?", "\n\n".join([ANSWER] * repeat) + f"\n\nEnd {at}.", "done") for at in range(number)
    ]


class Shown(App[None]):
    """A transcript alone."""

    def __init__(self, turns: Sequence[Turn] = ()) -> None:
        super().__init__()
        self.animation_level = "none"
        self.transcript = Transcript()
        self.first = turns

    def compose(self) -> ComposeResult:
        yield self.transcript

    def on_mount(self) -> None:
        self.transcript.show(self.first)

    @property
    def lines(self) -> list[str]:
        return [self.transcript.render_line(y).text.rstrip() for y in range(self.transcript.size.height)]


async def test_it_opens_at_the_end() -> None:
    app = Shown(long_turns(50))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "  End 49." in app.lines
        assert app.transcript.is_vertical_scroll_end


async def test_only_what_is_seen_is_rendered() -> None:
    app = Shown(long_turns(200))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert len(app.transcript._rendered) < 60
        for _ in range(40):
            app.transcript.scroll_page_up(animate=False)
            await pilot.pause()
        assert len(app.transcript._rendered) <= 600


@pytest.mark.parametrize("step", [2, 20])
async def test_scrolling_up_shows_every_line_once_and_in_order(step: int) -> None:
    turns = long_turns(3, repeat=2)
    app = Shown(turns)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        seen = app.lines
        while app.transcript.scroll_offset.y > 0:
            before = app.lines
            app.transcript.scroll_relative(y=-step, animate=False)
            await pilot.pause()
            after = app.lines
            at = next(shift for shift in range(1, step + 1) if after[shift:] == before[: len(after) - shift])
            seen = [*after[:at], *seen]
        text = "\n".join(seen)
        positions = [text.index(f"Question {turn.number}?") for turn in turns]
        assert positions == sorted(positions)
        assert text.count("Heading") == 3 * 2
        assert text.count("print(i)") == 3 * 2


async def test_a_growing_answer_is_followed_only_at_the_end() -> None:
    app = Shown(long_turns(5))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        turn = Turn(5, "Last?")
        app.transcript.put(turn)
        turn = replace(turn, answer=f"{ANSWER}\n\nMore.")
        app.transcript.put(turn)
        await until(pilot, lambda: "  More." in app.lines)

        app.transcript.scroll_page_up(animate=False)
        await pilot.pause()
        before = app.lines
        turn = replace(turn, answer=f"{turn.answer}\n\nEven more.", state="done")
        app.transcript.put(turn)
        await pilot.pause()
        assert app.lines == before
        app.transcript.scroll_end(animate=False)
        await until(pilot, lambda: "  Even more." in app.lines)


async def test_a_stream_ends_as_the_whole_text_would() -> None:
    streamed, whole = Shown([Turn(0, "Q?", "", "answering")]), Shown([Turn(0, "Q?", ANSWER, "done")])
    async with streamed.run_test(size=(80, 40)) as pilot:
        await pilot.pause()
        for end in range(0, len(ANSWER), 23):
            streamed.transcript.put(Turn(0, "Q?", ANSWER[:end], "answering"))
            await pilot.pause()
        streamed.transcript.put(Turn(0, "Q?", ANSWER, "done"))
        await pilot.pause()
        lines = streamed.lines
    async with whole.run_test(size=(80, 40)) as pilot:
        await pilot.pause()
        assert lines == whole.lines


async def test_another_width_keeps_the_place() -> None:
    app = Shown(long_turns(6))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.resize_terminal(50, 20)
        await pilot.pause()
        assert "  End 5." in app.lines
        app.transcript.scroll_relative(y=-60, animate=False)
        await pilot.pause()
        top = next(line for line in app.lines if line.strip()).split()[0]
        await pilot.resize_terminal(70, 20)
        await pilot.pause()
        assert any(top in line for line in app.lines[:6])
        await pilot.resize_terminal(1, 1)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        app.transcript.scroll_end(animate=False)
        await until(pilot, lambda: "  End 5." in app.lines)


async def test_a_new_size_under_a_dialog_leaves_no_line_out(fake: Make) -> None:
    async with running(fake(), size=(120, 36)) as chat:
        transcript = chat.main.query_one(Transcript)
        transcript.tell("The mayor of Harpool is Osra Kelland. A census counted 4310 residents in Harpool. The end")
        await chat.pilot.press("f1")
        for size in ((80, 24), (120, 36)):
            await chat.pilot.resize_terminal(*size)
            await chat.pilot.pause()
        await chat.pilot.press("escape")
        await chat.pilot.pause()
        transcript.tell("harbour.txt: 1 chunk")
        await chat.pilot.pause()
        assert "end\n  harbour.txt: 1 chunk" in chat.shown


async def test_a_line_of_facts_ends_between_two_of_them() -> None:
    app = Shown()
    async with app.run_test(size=(45, 24)) as pilot:
        await pilot.pause()
        app.transcript.tell("supported by harbour.txt · 0 tokens in context · 81 tokens/s")
        await pilot.pause()
        at = app.lines.index("  supported by harbour.txt")
        assert app.lines[at + 1] == "  0 tokens in context · 81 tokens/s"
        assert all(len(line) < 44 for line in app.lines)  # a free cell before the scroll bar


async def test_the_mouse_marks_text() -> None:
    app = Shown([Turn(0, "What is it?", "It is a **lamp**.", "done")])
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        row = app.lines.index("  It is a lamp.")
        await pilot.mouse_down(app.transcript, offset=(6, row))
        await pilot.hover(app.transcript, offset=(11, row))
        await pilot.mouse_up(app.transcript, offset=(11, row))
        await pilot.pause()
        assert app.screen.get_selected_text() == "is a l"


async def test_a_theme_changes_the_colours_of_what_is_shown() -> None:
    app = Shown([Turn(0, "What is it?", "# A lamp", "done")])
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        row = app.lines.index("  A lamp")
        dark = app.transcript.render_line(row)
        app.theme = "textual-light"
        await pilot.pause()
        assert app.transcript.render_line(row) != dark
