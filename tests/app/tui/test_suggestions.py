"""Questions that the app suggests about a new document, and what they wait for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.tui.chatting import running
from tests.app.tui.conftest import Fake
from tests.app.tui.fakes import Asked
from tests.app.tui.library_app import write
from thoth.events import Passage
from thoth.tui.widgets.transcript import Transcript

Make = Callable[..., Fake]

SIGN = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"

NOTE = "The mill of Velmar was built by Ana Dor. The bridge of Velmar carries carts of flour to the town."
WRITTEN = {"mill": "Who built the mill?", "bridge": "What does the bridge of Velmar carry?"}
SOURCES = tuple(Passage("id", "note.txt", 0, None, (), f"{part.strip('.')}.", 0.9) for part in NOTE.split(". "))


def base(asked: Asked) -> str:
    """Write questions about sentences, and answer everything else."""
    said = asked.messages[-1]["content"]
    if "Sentence: " not in said:
        return "It is **blue**."
    return next(question for word, question in WRITTEN.items() if word in said.rsplit("Sentence: ", 1)[1])


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THOTH_SUGGEST", "on")
    return write(tmp_path / "note.txt", NOTE)


async def test_a_new_document_is_summed_up_and_questions_are_suggested(fake: Make, note: Path) -> None:
    made = fake(answers=[base], sources=SOURCES)
    async with running(made) as chat:
        chat.main.desk.absorbing.absorb([str(note)])
        await chat.until(lambda: "The mill of Velmar was built by Ana Dor." in chat.shown)
        await chat.until(lambda: f"{SIGN} What does the bridge of Velmar carry?" in chat.shown)
        suggested = chat.prompt.suggested
        assert set(suggested) == set(WRITTEN.values())
        for text in (*suggested, "", suggested[0]):
            await chat.pilot.press("tab")
            assert chat.prompt.text == text
            assert chat.main.focused is chat.prompt
        transcript = chat.main.query_one(Transcript)
        line = next(y for y, text in enumerate(chat.shown.split("\n")) if f"{SIGN} {suggested[1]}" in text)
        await chat.pilot.click(Transcript, offset=(6, line - transcript.scroll_offset.y))
        await chat.until(lambda: chat.prompt.text == suggested[1])
        assert made.app.library.questions(chat.main.documents[0].id) == suggested


async def test_a_question_of_the_user_comes_first(fake: Make, note: Path) -> None:
    made = fake(answers=[base], sources=SOURCES)
    async with running(made) as chat:
        made.engine.hold("answer")
        chat.main.desk.absorbing.absorb([str(note)])
        await chat.until(lambda: len(made.engine.asked) == 1)
        await chat.send("What colour is it?")
        await chat.until(lambda: len(made.engine.asked) == 2)
        assert chat.prompt.suggested == ()
        made.engine.release("answer", 100)
        await chat.until(lambda: len(chat.prompt.suggested) == 2)
        assert chat.turns[0].answer == "It is **blue**."
        # The first one was begun, interrupted, and begun again.
        said = [asked.messages[-1]["content"] for asked in made.engine.asked]
        assert said[0] == said[2]
        assert said[1] == "What colour is it?"


@pytest.mark.parametrize("setting", ["auto", "off"])
async def test_a_small_base_suggests_nothing_unless_it_is_told_to(
    fake: Make, note: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("THOTH_SUGGEST", setting)
    made = fake(answers=[base], sources=SOURCES)
    async with running(made) as chat:
        chat.main.desk.absorbing.absorb([str(note)])
        await chat.until(lambda: "The mill of Velmar" in chat.shown)
        await chat.ask("What colour is it?")
        assert len(made.engine.asked) == 1
        await chat.pilot.press("tab")
        assert chat.main.focused is not chat.prompt
