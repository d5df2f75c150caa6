"""The app as it is, with the built-in pair: a document is dropped, asked about, switched off, asked about again."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from benchmarks.driving import DrivenApp, Driver
from tests.app.tui.pages import address as address
from thoth.tui.messages import AnswerDone, AnswerFailed
from thoth.tui.screens.permission import PermissionDialog
from thoth.tui.widgets.document_list import DocumentList

EXAMPLE = Path(__file__).parents[3] / "examples" / "regatta.pdf"
QUESTION = "What does the winner of the Rosesta Regatta get?"

# How terminals write the path of a dropped file with a space in it.
DIALECTS = {
    "iterm2": lambda path: str(path).replace(" ", "\\ "),
    "kitty": str,
    "vscode": lambda path: f"'{path}'",
    "uri": lambda path: f"file://{quote(str(path))}",
}


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    path = tmp_path / "the regatta.pdf"
    shutil.copy(EXAMPLE, path)
    return path


async def test_drop_a_pdf_and_ask_about_it(home: Path, pdf: Path) -> None:
    app = DrivenApp(home)
    async with app.run_test(size=(120, 40)) as pilot:
        driver = Driver(pilot)
        await driver.ready()
        for dialect in DIALECTS.values():
            document = await driver.drop(dialect(pdf))
            assert (document.name, document.complete) == ("the regatta.pdf", True)
            known = await driver.ask(QUESTION)
            assert "silver spoon" in known.text
            assert known.stats.document_tokens_in_context == 0
            assert [passage.name for passage in known.sources] == ["the regatta.pdf"]

            app.screen.query_one(DocumentList).focus()
            await pilot.press("space")
            await driver.until(lambda: not driver.active())
            assert not app.library.documents(active=True)
            unknown = await driver.ask(QUESTION)
            assert unknown.text == "I don't know."
            assert unknown.sources == ()

            app.library.remove(document.id)  # the next dialect absorbs it anew
            await pilot.press("ctrl+n")


async def test_nano_reads_a_page_when_it_is_told_to(home: Path, address: str) -> None:
    """The call is the model's own, a person permits it, the page becomes weights, and those answer."""
    app = DrivenApp(home)
    async with app.run_test(size=(120, 40)) as pilot:
        driver = Driver(pilot)
        await driver.ready()
        since = driver.send(f"Read {address} and tell me who is the mayor of Harpool")
        await driver.until(lambda: isinstance(app.screen, PermissionDialog) and app.screen.query(".argument"))
        assert [str(line.render()) for line in app.screen.query(".argument")] == [f"address: {address}"]
        driver.press("o")
        answer = (await driver.next(AnswerDone, AnswerFailed, since)).answer
        assert answer.text == "Osra Kelland"
        assert answer.stats.document_tokens_in_context == 0
        turn = app.main.desk.chat.conversation.turns[-1]
        assert [(step.tool, step.state) for step in turn.steps] == [("web_fetch", "done")]
        assert turn.steps[0].result.startswith("Absorbed")
        (stored,) = app.library.known(turn.steps[0].documents)
        assert (stored.of_chat, stored.source) == (True, address)
