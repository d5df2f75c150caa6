"""The app on a disk that cannot be written: it shows the library, answers, and says once that nothing is saved."""

from __future__ import annotations

import pytest

from tests.app import made_up
from tests.app.small_disk import Disk
from tests.app.tui.chatting import running
from tests.app.tui.conftest import Fake
from thoth.library.library import Library
from thoth.tui.widgets.document_list import DocumentList

NOTE = made_up.document(["The founder of Velmar is Ana Dor."])


@pytest.mark.parametrize("state", ["read-only", "full"])
async def test_the_app_lists_and_answers(disk: Disk, state: str) -> None:
    made = Fake(disk.home, answers=["Ana Dor.", "Ana Dor again."])
    library = Library(disk.home)
    stored = made_up.absorb(library, NOTE)
    library.close()
    if state == "full":
        disk.fill()
    else:
        disk.remount("ro")
    async with running(made) as chat:
        await chat.until(lambda: [one.id for one in chat.main.desk.library.documents] == [stored.id])
        assert chat.app.screen.query_one(DocumentList)
        assert (await chat.ask("Who founded Velmar?")).answer == "Ana Dor."
        assert (await chat.ask("Who, again?")).answer == "Ana Dor again."
        await chat.until(lambda: "not saved" in chat.notices())
        said = [line for line in chat.notices().splitlines() if "not saved" in line]
        assert len(said) == 1
        assert ("is read-only" if state == "read-only" else "is full") in said[0]
