"""The app as it is, with the built-in pair: a document is dropped, asked about, switched off, asked about again."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from benchmarks.driving import DrivenApp, Driver
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
