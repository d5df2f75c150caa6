"""The chat: asking, what comes back, stopping, asking again, copying, commands, and models that fail."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Button

from tests.app.tui.chatting import Make, running
from thoth.chats.sessions import Sessions
from thoth.errors import ModelError, ResourceError
from thoth.tui import clipboard
from thoth.tui.screens.first_run import FirstRun
from thoth.tui.widgets.document_list import DocumentList
from thoth.tui.widgets.prompt import Prompt
from thoth.tui.widgets.transcript import Transcript


async def test_a_question_is_answered(fake: Make) -> None:
    async with running(fake()) as chat:
        assert "Drop a document here" in chat.shown
        turn = await chat.ask("What colour is the door?")
        assert "Drop a document" not in chat.shown
        assert (turn.answer, turn.state) == ("It is **blue**.", "done")
        assert "What colour is the door?" in chat.shown
        assert "It is blue." in chat.shown  # as Markdown, not with the stars
        assert "0 document tokens" in chat.status
        assert chat.engine.asked[0].messages == [{"role": "user", "content": "What colour is the door?"}]


async def test_a_follow_up_carries_the_conversation(fake: Make) -> None:
    async with running(fake(answers=["Blue.", "Green."])) as chat:
        await chat.ask("The door?")
        await chat.ask("And the gate?")
        assert chat.engine.asked[1].messages == [
            {"role": "user", "content": "The door?"},
            {"role": "assistant", "content": "Blue."},
            {"role": "user", "content": "And the gate?"},
        ]


async def test_a_question_waits_for_the_model(fake: Make) -> None:
    made = fake()
    made.engine.hold("load")
    async with running(made, ready=False) as chat:
        await chat.send("Are you there?")
        assert "waiting for the model" in chat.shown
        assert "waiting for the model" in chat.status
        assert chat.engine.asked == []
        chat.engine.release("load")
        await chat.until(lambda: chat.turns[-1].state == "done")
        assert chat.turns[-1].answer == "It is **blue**."


async def test_an_answer_that_is_checked_first_says_so(fake: Make) -> None:
    made = fake(answers=["one two"], held=True)
    made.engine.hold("answer")
    async with running(made) as chat:
        await chat.send("Count.")
        chat.engine.release("answer", 1)
        await chat.until(lambda: "checked before it is shown" in chat.status)
        assert "checked before it is shown" in chat.shown
        assert chat.turns[-1].answer == ""
        chat.engine.release("answer", 100)
        await chat.until(lambda: chat.turns[-1].state == "done")
        assert chat.turns[-1].answer == "one two"


async def test_escape_stops_and_keeps_what_there_is(fake: Make) -> None:
    made = fake(answers=["one two three"])
    made.engine.hold("answer")
    async with running(made) as chat:
        await chat.send("Count.")
        chat.engine.release("answer", 2)
        await chat.until(lambda: chat.turns[-1].answer == "one two")
        await chat.pilot.press("escape")
        assert (chat.turns[-1].answer, chat.turns[-1].state) == ("one two", "stopped")
        await chat.pilot.pause()
        assert "one two" in chat.shown
        assert "stopped" in chat.shown
        chat.engine.release("answer", 100)
        assert (await chat.ask("Again.")).answer == "one two three"
        assert chat.turns[0].answer == "one two"
        assert [message["content"] for message in chat.engine.asked[-1].messages] == ["Count.", "one two", "Again."]


async def test_escape_stops_while_the_model_loads(fake: Make) -> None:
    made = fake()
    made.engine.hold("load")
    async with running(made, ready=False) as chat:
        await chat.send("Are you there?")
        await chat.pilot.press("escape")
        assert chat.turns[-1].state == "stopped"
        chat.engine.release("load")
        await chat.ready()
        assert chat.engine.asked == []


async def test_regenerating_replaces_the_answer(fake: Make) -> None:
    async with running(fake(answers=["first", "second"])) as chat:
        await chat.ask("Say something.")
        await chat.pilot.press("ctrl+r")
        await chat.until(lambda: chat.turns[-1].answer == "second")
        assert len(chat.turns) == 1
        assert len(chat.engine.asked[1].messages) == 1


async def test_editing_the_last_question_replaces_it(fake: Make) -> None:
    async with running(fake()) as chat:
        await chat.ask("Waht?")
        chat.main.query_one(Transcript).focus()
        await chat.pilot.press("e")
        assert chat.prompt.text == "Waht?"
        turn = await chat.ask("What?")
        assert (turn.number, turn.question, len(chat.turns)) == (0, "What?", 1)
        assert (await chat.ask("Another?")).number == 1
        await chat.send("/edit")
        assert str(chat.prompt.border_title).startswith("Editing")
        await chat.pilot.press("ctrl+n")
        assert chat.prompt.border_title == ""


async def test_up_brings_earlier_questions_back(fake: Make) -> None:
    async with running(fake()) as chat:
        await chat.ask("one")
        await chat.ask("two")
        chat.prompt.replace_text("draft")
        await chat.pilot.press("up", "up")
        await chat.until(lambda: chat.prompt.text == "one")
        await chat.pilot.press("down", "down")
        await chat.until(lambda: chat.prompt.text == "draft")


def held(monkeypatch: pytest.MonkeyPatch, stored: list[str]) -> threading.Event:
    """Let the earlier questions be read only when the returned event is set."""
    read = threading.Event()

    def questions(_: Sessions) -> list[str]:
        read.wait(10)
        return stored

    monkeypatch.setattr(Sessions, "questions", questions)
    return read


async def test_questions_typed_while_the_earlier_ones_are_read_are_kept(
    fake: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = held(monkeypatch, ["long ago", "one"])
    async with running(fake()) as chat:
        await chat.ask("one")
        await chat.ask("two")
        read.set()
        await chat.until(lambda: list(chat.prompt.earlier) == ["long ago", "one", "two"])


async def test_quitting_while_the_earlier_questions_are_read_ends_without_an_error(
    fake: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = held(monkeypatch, [])
    async with running(fake()) as chat:
        await chat.pilot.pause()  # the library is read after the first paint, and shown if the app runs
        await chat.until(lambda: not chat.main.desk.library.refreshing)
        with chat.app.batch_update():  # the compositor must not draw what is gone
            await chat.main.query_one(Prompt).remove()  # as an app that is quit does
            read.set()
            await chat.app.workers.wait_for_complete()


async def test_ctrl_j_begins_a_new_line_and_enter_sends(fake: Make) -> None:
    async with running(fake()) as chat:
        chat.prompt.focus()
        await chat.pilot.press("a", "ctrl+j", "b", "enter")
        await chat.until(lambda: bool(chat.turns))
        assert chat.turns[0].question == "a\nb"
        assert chat.prompt.text == ""


async def test_a_failed_answer_keeps_its_pieces_and_says_why(fake: Make) -> None:
    error = ResourceError("not enough memory: close other programs")
    async with running(fake(answers=["half an"], answer_error=error)) as chat:
        turn = await chat.ask("Go on.")
        assert (turn.answer, turn.state, turn.error) == ("half an", "failed", str(error))
        assert str(error) in chat.shown


async def test_an_error_that_is_kept_holds_no_frames(fake: Make) -> None:
    try:
        try:
            raise MemoryError
        except MemoryError as cause:
            raise ModelError("not enough memory: close other programs") from cause
    except ModelError as error:
        raised = error
    made = fake(load_error=raised)
    async with running(made, ready=False) as chat:
        await chat.until(lambda: chat.main.desk.models.state == "failed")
        kept = chat.app.client.failure
        assert str(kept) == str(raised)
        assert (kept.__traceback__, kept.__cause__, kept.__context__) == (None, None, None)


async def test_a_model_that_fails_to_load_leaves_the_app_usable(fake: Make) -> None:
    async with running(fake(load_error=ModelError("the bundle is damaged: fetch it again")), ready=False) as chat:
        await chat.until(lambda: len(chat.app.screen_stack) == 2)
        await chat.pilot.press("escape")
        assert "no model" in chat.status
        turn = await chat.ask("Hello?")
        assert (turn.state, turn.error) == ("failed", "the bundle is damaged: fetch it again")
        chat.engine.load_error = None
        chat.main.desk.models.load(None)
        await chat.ready()
        assert (await chat.ask("Hello?")).state == "done"


async def test_text_of_documents_and_answers_is_no_markup(fake: Make) -> None:
    answer = "[red]not red[/red] and [/unclosed] <b>kept</b>"
    async with running(fake(answers=[answer]), (160, 30)) as chat:
        await chat.ask("[bold]why[/x]?")
        assert "[bold]why[/x]?" in chat.shown
        assert answer in chat.shown


async def test_control_characters_do_not_reach_the_terminal(fake: Make) -> None:
    async with running(fake(answers=["a\x1b[31mb\x07"])) as chat:
        await chat.ask("\x1b]0;title\x07?")
        assert "\x1b" not in chat.shown
        assert "\x07" not in chat.shown


async def test_a_new_chat_while_an_answer_comes(fake: Make) -> None:
    made = fake()
    made.engine.hold("answer")
    async with running(made) as chat:
        await chat.send("Old?")
        old = chat.main.desk.chat.conversation.session
        await chat.pilot.press("ctrl+n")
        assert chat.turns == []
        chat.engine.release("answer", 100)
        await chat.ask("New?")
        assert [turn.question for turn in chat.turns] == ["New?"]
        assert old is not None
        await chat.until(lambda: [turn.state for turn in chat.app.sessions.turns(old.id)] == ["stopped"])


async def test_ctrl_c_twice_quits(fake: Make) -> None:
    async with running(fake()) as chat:
        chat.prompt.replace_text("half a thought")
        await chat.pilot.press("ctrl+c")
        assert chat.prompt.text == ""
        assert chat.app.is_running
        assert "again to quit" in chat.notices()
        await chat.pilot.press("ctrl+c")
        await chat.until(lambda: not chat.app._running or chat.app._exit)


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (80, 24), (200, 60)])
async def test_every_size_of_terminal_can_be_used(fake: Make, size: tuple[int, int]) -> None:
    async with running(
        fake(answers=["A table:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```py\nx = 1\n```"]), size
    ) as chat:
        assert (await chat.ask("Why?")).state == "done"
        assert chat.prompt.region.bottom <= size[1]
        assert chat.prompt.size.width > 0
        assert chat.main.query_one("#library").display == (size[0] >= 100)
        await chat.pilot.press("ctrl+l")
        assert chat.main.query_one("#library").display != (size[0] >= 100)
        await chat.pilot.resize_terminal(20, 5)
        await chat.pilot.resize_terminal(*size)


async def test_a_paste_that_is_too_long_stays_out(fake: Make) -> None:
    async with running(fake()) as chat:
        chat.prompt.focus()
        chat.prompt.post_message(events.Paste("x" * 1_000_000))
        await chat.until(lambda: "too many for a question" in chat.notices())
        assert chat.prompt.text == ""


async def test_a_dropped_file_is_absorbed_and_asked_about(fake: Make, tmp_path: Path) -> None:
    note = tmp_path / "a note.txt"
    note.write_text("The door of the mill is blue. It was painted by Ana. It opens to the river.")
    async with running(fake()) as chat:
        chat.prompt.focus()
        chat.prompt.post_message(events.Paste(str(note).replace(" ", "\\ ")))
        await chat.until(lambda: any(document.active for document in chat.main.documents))
        assert chat.prompt.text == ""
        await chat.ask("What colour is the door?")
        assert [document.name for document in chat.engine.asked[-1].documents] == ["a note.txt"]
        assert "1 active document" in chat.status


@pytest.mark.parametrize("front", ["library", "dialog"])
async def test_a_file_is_dropped_on_the_window_whatever_has_the_focus(fake: Make, tmp_path: Path, front: str) -> None:
    note = tmp_path / "mill.txt"
    note.write_text("The door of the mill is blue.")
    async with running(fake()) as chat:
        if front == "library":
            chat.main.query_one(DocumentList).focus()
        else:
            chat.app.push_screen(FirstRun())
            await chat.until(lambda: isinstance(chat.app.focused, Button))
        chat.app.post_message(events.Paste("words that are no file"))
        chat.app.post_message(events.Paste(str(note)))
        await chat.until(lambda: any(document.active for document in chat.main.documents))
        assert [document.name for document in chat.main.documents] == ["mill.txt"]
        assert chat.prompt.text == ""


async def test_a_question_that_comes_too_early_is_answered_without_the_document(fake: Make, tmp_path: Path) -> None:
    note = tmp_path / "mill.txt"
    note.write_text("The door of the mill is blue. It was painted by Ana. It opens to the river.")
    made = fake()
    made.engine.hold("absorb")
    async with running(made, size=(120, 30)) as chat:
        chat.main.desk.absorbing.absorb([str(note)])
        await chat.until(lambda: bool(chat.app.library.documents()))
        chat.main.desk.library.refresh()
        await chat.until(lambda: bool(chat.main.documents))
        await chat.ask("What colour is the door?")
        assert chat.engine.asked[-1].documents == []
        assert "Still absorbing mill.txt; this answer does not use it" in chat.notices()
        assert "0 active documents" in chat.status
        chat.engine.release("absorb", 100)
        await chat.until(lambda: "1 active document" in chat.status)


async def test_a_paste_that_looks_like_a_path_stays_text(fake: Make) -> None:
    async with running(fake()) as chat:
        chat.prompt.focus()
        chat.prompt.post_message(events.Paste("/no/such/file.pdf"))
        await chat.until(lambda: chat.prompt.text == "/no/such/file.pdf")


async def test_copying_says_what_happened(fake: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(clipboard, "by_program", lambda text: copied.append(text) is None)
    async with running(fake(answers=["Text.\n\n```py\nx = 1\n```\n\n```\ny\n```"])) as chat:
        await chat.pilot.press("ctrl+y")
        assert "No answer yet" in chat.notices()
        await chat.ask("Code?")
        await chat.pilot.press("ctrl+y")
        await chat.send("/copy code 1")
        await chat.until(lambda: len(copied) == 2)
        assert copied == [chat.turns[-1].answer, "x = 1\n"]
        await chat.send("/copy code 7")
        assert "has 2 code blocks" in chat.notices()
        monkeypatch.setattr(clipboard, "by_program", lambda _: False)
        await chat.pilot.press("ctrl+y")
        await chat.until(lambda: "Sent to the terminal's clipboard" in chat.notices())
        assert chat.app.clipboard == chat.turns[-1].answer


async def test_lines_keep_all_their_words_where_the_screen_gets_narrow(fake: Make) -> None:
    async with running(fake(), size=(120, 36)) as chat:
        transcript = chat.main.query_one(Transcript)
        transcript.tell("harbour.txt: 1 chunk\n" + "word " * 15 + "last")
        await chat.until(lambda: "last" in chat.shown)
        await chat.pilot.resize_terminal(80, 24)
        await chat.until(lambda: transcript.size.width < 80)
        await chat.pilot.pause(0.2)
        assert "last" in chat.shown
