"""The example of the welcome dialog: absorbed, asked, compared; what the user does instead ends it."""

from pathlib import Path

import pytest
from textual.widgets import Button

from benchmarks.driving import DrivenApp, Driver
from tests.app.tui.chatting import Chat, Make, running
from thoth.actions import tryout
from thoth.tui.messages import AnswerDone
from thoth.tui.screens.compare import CompareScreen
from thoth.tui.screens.first_run import FirstRun
from thoth.tui.widgets.transcript import Transcript
from thoth.tui.widgets.way_panel import WayPanel

TOUR = tryout.tour("nano")
ORDER = [TOUR.questions[0], TOUR.unknown, *TOUR.questions[1:]]


async def test_the_example_with_the_pair_that_is_built_in(home: Path) -> None:
    app = DrivenApp(home)
    (home / "nano-introduced").unlink()
    async with app.run_test(size=(120, 40)) as pilot:
        driver = Driver(pilot)
        await driver.until(lambda: isinstance(app.screen, FirstRun) and app.screen.query("#try"))
        app.screen.query_one("#try", Button).press()
        await driver.until(lambda: isinstance(app.screen, CompareScreen))
        answers = [turn.answer for turn in app.main.desk.chat.conversation.turns]
        assert [turn.question for turn in app.main.desk.chat.conversation.turns] == ORDER
        assert answers == ["Osra Kelland", "I don't know.", "kites", "silver spoon"]
        assert len(driver.active()) == 3

        await driver.until(
            lambda: app.screen.query(WayPanel) and all(panel.ended for panel in app.screen.query(WayPanel))
        )
        assert [panel.answer for panel in app.screen.query(WayPanel)] == [
            "silver spoon",
            "silver spoon",
            "I don't know.",
        ]
        transcript = app.main.query_one(Transcript)
        shown = [transcript.render_line(y).text for y in range(transcript.size.height)]
        assert any("What next: ask “What is the Falwing made of?”" in line for line in shown)
        assert not app._notifications  # one would cover the prompt
        assert len(app.all_told(AnswerDone)) == len(ORDER)  # the comparison's are the dialog's own


async def begun(chat: Chat) -> None:
    chat.main.desk.tour.begin("nano")
    await chat.until(lambda: bool(chat.turns))


async def test_another_question_ends_it(fake: Make) -> None:
    made = fake()
    made.engine.hold("answer")
    async with running(made) as chat:
        await begun(chat)
        await chat.send("Why?")
        made.engine.release("answer", 100)
        await chat.until(lambda: not chat.main.desk.chat.conversation.answering)
        await chat.pilot.pause()
        assert [turn.question for turn in chat.turns] == [ORDER[0], "Why?"]


async def test_stopping_an_answer_ends_it(fake: Make) -> None:
    made = fake()
    made.engine.hold("answer")
    async with running(made) as chat:
        await begun(chat)
        chat.main.action_leave()
        made.engine.release("answer", 100)
        await chat.pilot.pause()
        assert len(chat.turns) == 1
        assert (await chat.ask("Why?")).state == "done"
        assert len(chat.turns) == 2


async def test_a_document_that_cannot_be_absorbed_ends_it(
    fake: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = tryout.Tour(("nowhere.txt",), ("Who?",), "What?", "Why?")
    monkeypatch.setattr(tryout, "tour", lambda _: missing)
    async with running(fake()) as chat:
        chat.main.desk.tour.begin("nano")
        await chat.until(lambda: any(state.error for state in chat.main.jobs.values()))
        await chat.pilot.pause()
        assert chat.turns == []
