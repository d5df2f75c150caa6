"""What people expect of a terminal app: where keys, letters, clicks and pastes go, and what is said when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.events import Paste

from tests.app import made_up
from tests.app.tui.chatting import Chat, Make, running
from tests.app.tui.fakes import stats
from tests.app.tui.library_app import write
from thoth.errors import UsageError
from thoth.ingest import Document
from thoth.tui import drops
from thoth.tui.controllers import absorb
from thoth.tui.controllers.agent import call
from thoth.tui.mentions import find, written
from thoth.tui.messages import AbsorbDone, AbsorbJob
from thoth.tui.screens import help
from thoth.tui.widgets.document_list import DocumentList
from thoth.tui.widgets.hints import Hints
from thoth.tui.widgets.key_line import KeyLine
from thoth.tui.widgets.status import StatusLine
from thoth.tui.widgets.transcript import Transcript


def keys(chat: Chat) -> str:
    return chat.main.query_one(KeyLine).render().plain


def hints(chat: Chat) -> str:
    found = chat.main.query_one(Hints)
    return str(found.render()) if found.display else ""


async def stored(chat: Chat, *documents: Document) -> None:
    """Have documents in the library."""
    for document in documents:
        for _ in chat.engine.absorb(document):
            pass
    chat.main.desk.library.refresh()
    await chat.until(lambda: {one.name for one in documents} <= {one.name for one in chat.main.documents})


async def test_where_keys_letters_and_clicks_go(fake: Make) -> None:
    async with running(fake(), (110, 30)) as chat:
        await stored(chat, Document("mill.txt", "Ana Dor built the mill."))
        assert keys(chat).lstrip().startswith("\u23ce Send")
        assert keys(chat).endswith("f1 Help")
        assert help.keys(chat.main.active_bindings.values())[0] == ("Enter", "Send the question")
        documents = chat.main.query_one(DocumentList)

        documents.focus()
        await chat.pilot.pause()
        assert "Use" in keys(chat)
        assert "Send" not in keys(chat)
        await chat.pilot.press(*"What")
        await chat.pilot.pause()
        assert (chat.prompt.text, chat.main.focused) == ("What", chat.prompt)
        assert chat.main.documents[0].active

        documents.focus()
        await chat.pilot.press("escape")
        assert chat.main.focused is chat.prompt
        chat.main.query_one("LibraryPanel Input").focus()
        await chat.pilot.press("m", "i", "escape")
        await chat.pilot.pause()
        assert chat.main.focused is chat.prompt
        documents.focus()
        await chat.pilot.press("ctrl+n")
        assert chat.main.focused is chat.prompt
        await chat.pilot.click(DocumentList, offset=(8, 0))
        assert chat.main.focused is chat.prompt
        assert chat.main.documents[0].active
        await chat.pilot.click(DocumentList, offset=(1, 0))  # its box
        await chat.until(lambda: not chat.main.documents[0].active)
        assert chat.main.focused is chat.prompt
        await chat.pilot.click(Transcript)
        assert chat.main.focused is chat.prompt


async def test_page_up_scrolls_from_the_prompt(fake: Make) -> None:
    async with running(fake(answers=["\n\n".join(f"Paragraph {number}." for number in range(60))])) as chat:
        await chat.ask("Tell me.")
        transcript = chat.main.query_one(Transcript)
        await chat.until(lambda: transcript.scroll_y > 0 and transcript.scroll_y == transcript.max_scroll_y)
        bottom = transcript.scroll_y
        await chat.pilot.press("pageup")
        await chat.until(lambda: transcript.scroll_y < bottom)
        assert chat.main.focused is chat.prompt
        await chat.pilot.press("pagedown", "pagedown")
        await chat.until(lambda: transcript.scroll_y == transcript.max_scroll_y)


async def test_a_question_about_a_file_that_cannot_be_read_is_not_asked_of_others(
    fake: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(_: object) -> list[object]:
        return []

    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.pdf").touch()
    async with running(fake()) as chat:
        monkeypatch.setattr(chat.main.desk.absorbing, "absorbed", none)
        await chat.send("When does @broken.pdf end?")
        await chat.until(lambda: "The question was not sent" in chat.notices())
        assert chat.prompt.text == "When does @broken.pdf end?"
        assert chat.engine.asked == []


def test_paths_after_a_command_are_read_as_a_shell_reads_them(tmp_path: Path) -> None:
    names = ["my lease.txt", "b.txt"]
    for name in names:
        (tmp_path / name).write_text("The rent is 900.")
    lease, other = (str(tmp_path / name) for name in names)
    assert drops.typed(lease) == [lease]
    assert drops.typed(f'"{lease}"') == [lease]
    assert drops.typed(f"{lease} {other}".replace(" l", "\\ l")) == [lease, other]
    assert drops.typed(f"{other} and more") == [f"{other} and more"]
    assert drops.typed("https://example.org/a b") == ["https://example.org/a b"]


@pytest.mark.parametrize(
    ("typed", "kind"),
    [("{}/note.txt", "file"), ("'{}/note.txt'", "file"), ("file://{}/note.txt", "file"), ("A note.", "text")],
)
def test_what_is_remembered_is_a_file_or_a_text(typed: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("The rent is 900.")
    content = str(tmp_path / "note.txt") if kind == "file" else typed
    assert call("remember", typed.format(tmp_path)).arguments == {"kind": kind, "content": content}
    for path in (f"{tmp_path}/gone.txt", f"{tmp_path}"):
        with pytest.raises(UsageError, match=r"there is no file|is a folder; use /absorb"):
            call("remember", path)


async def test_what_was_absorbed_is_said_in_the_chat(fake: Make, tmp_path: Path) -> None:
    path = write(tmp_path / "note.txt")
    async with running(fake()) as chat:
        chat.main.desk.absorbing.absorb([str(path)])
        await chat.until(lambda: "note.txt: 3 chunks, " in chat.shown)
        assert "Drop a document" in chat.shown  # the welcome is still there
        await chat.ask("What?")
        assert chat.shown.index("note.txt: 3 chunks") < chat.shown.index("What?")
        chat.main.desk.absorbing.absorb([str(path)])
        await chat.until(lambda: "note.txt: already known, 3 chunks" in chat.shown)
        assert chat.shown.index("What?") < chat.shown.index("already known")
        await chat.ask("And then?")
        assert chat.shown.index("already known") < chat.shown.index("And then?")
        await chat.pilot.press("ctrl+n")
        await chat.pilot.pause()
        assert "already known" not in chat.shown


async def test_a_document_that_the_model_cannot_read_is_said_so_before_it_is_absorbed(
    fake: Make, tmp_path: Path
) -> None:
    made = fake()
    made.engine.loss = 12.5
    async with running(made) as chat:
        made.engine.hold("absorb")
        chat.main.desk.absorbing.absorb([str(write(tmp_path / "note.txt"))])
        await chat.until(lambda: "nano cannot read note.txt (a loss of 12.5 nats a token)" in chat.shown)
        assert "/models" in chat.shown
        made.engine.release("absorb", 3)
        await chat.until(lambda: "note.txt: 3 chunks" in chat.shown)
        lines = chat.shown.splitlines()
        at = next(number for number, line in enumerate(lines) if "note.txt: 3 chunks" in line)
        assert lines[at + 1] == "  Ana Dor founded Velmar in a small harbour town."
        assert chat.shown.count("cannot read") == 1


def test_the_line_about_an_absorbed_document(home: Path) -> None:
    from thoth.library.library import Library

    document = replace(made_up.begin(Library(home), made_up.document(["One.", "Two."], "lease.pdf")), chunks=9)
    done = AbsorbDone(AbsorbJob(1, "lease.pdf", "lease.pdf"), document, True, 1.4)
    assert absorb.line(done) == "lease.pdf: 2 pages, 9 chunks, 1.40 s"
    assert absorb.line(replace(done, is_new=False)) == "lease.pdf: already known, 2 pages, 9 chunks"


async def test_a_pasted_path_offers_to_absorb(fake: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "x.txt")
    async with running(fake()) as chat:
        chat.prompt.post_message(Paste("~/x.txt"))
        await chat.until(lambda: "Tab absorbs ~/x.txt" in hints(chat))
        assert chat.prompt.text == "~/x.txt"
        await chat.pilot.press("tab")
        await chat.until(lambda: [one.name for one in chat.main.documents] == ["x.txt"])
        assert (chat.prompt.text, chat.main.focused) == ("", chat.prompt)
        chat.prompt.post_message(Paste("https://example.org/lease.pdf"))
        await chat.until(lambda: "Tab absorbs https://example.org/lease.pdf" in hints(chat))
        chat.prompt.replace_text("~/gone.txt")
        await chat.until(lambda: hints(chat) == "")


async def test_at_completes_documents_and_files(fake: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "wheel.txt", "The wheel is of oak.")
    mill, lease = Document("the mill.txt", "Ana Dor built the mill."), Document("lease.txt", "The rent is 900.")
    async with running(fake()) as chat:
        await stored(chat, mill, lease)
        await chat.pilot.press(*"Who built @mi")
        await chat.until(lambda: "@the mill.txt" in hints(chat))
        await chat.pilot.press("tab")
        await chat.until(lambda: chat.prompt.text == 'Who built @"the mill.txt" ')
        await chat.ask(chat.prompt.text)
        asked = chat.engine.asked[-1]
        assert [one.name for one in asked.documents] == ["the mill.txt"]
        assert asked.messages[-1]["content"] == "Who built the mill.txt"

        await chat.pilot.press(*"@wh")
        await chat.until(lambda: "@wheel.txt" in hints(chat))
        await chat.pilot.press("tab")
        await chat.until(lambda: chat.prompt.text == "@wheel.txt ")
        await chat.send("@wheel.txt What is it made of?")
        await chat.until(lambda: len(chat.engine.asked) == 2)
        assert [one.name for one in chat.engine.asked[-1].documents] == ["wheel.txt"]
        await chat.until(lambda: not chat.main.desk.chat.conversation.answering)
        await chat.ask("Mail ana@mill.org about it, @nobody")
        assert len(chat.engine.asked[-1].documents) == 3
        assert chat.engine.asked[-1].messages[-1]["content"] == "Mail ana@mill.org about it, @nobody"


def test_names_are_mentioned_with_quotes_where_they_have_spaces() -> None:
    assert (written("a.txt"), written("a b.txt")) == ("@a.txt", '@"a b.txt"')
    found = find("@a.txt? and a@b", [])
    assert (found.documents, found.files, found.text) == ((), (), "@a.txt? and a@b")


async def test_a_collection_answers(fake: Make) -> None:
    async with running(fake(), (140, 30)) as chat:
        await stored(chat, Document("mill.txt", "Ana Dor built the mill."), Document("lease.txt", "The rent is 900."))
        [lease] = [one for one in chat.main.documents if one.name == "lease.txt"]
        await chat.send("/in")
        assert "No collections yet" in chat.notices()
        chat.main.query_one(DocumentList).focus()
        await chat.pilot.press("home", "t")
        await chat.until(lambda: type(chat.app.screen).__name__ == "Rename")
        await chat.pilot.press(*"contracts, old ones", "enter")
        await chat.until(lambda: chat.main.documents[0].collections == ("contracts", "old ones"))
        chat.app.library.activate([lease.id], False)
        await chat.send("/in Contracts")
        assert "in contracts" in chat.status
        await chat.ask("What is the rent?")
        assert [one.name for one in chat.engine.asked[-1].documents] == ["lease.txt"]
        await chat.send("/in nothing")
        assert "No collection nothing; there are: contracts, old ones" in chat.notices()
        await chat.send("/in off")
        assert "in contracts" not in chat.status


async def test_the_status_line_says_what_its_numbers_are(fake: Make) -> None:
    async with running(fake(), (180, 30)) as chat:
        await chat.ask("What?")
        assert chat.status.split("  ") == [
            "0 document tokens in context",
            "0 active documents",
            "nano",
            "context 12 of 4k tokens",
            "123 tokens/s",
            "67.1 MB peak memory",
        ]
        await chat.send("/route all")
        await chat.send("/with-text 2")
        assert "route all \u00b7 reads 2 passages" in chat.status
        await chat.send("/route auto")
        await chat.send("/with-text 0")
        assert chat.main.query_one(StatusLine).scope == ""
        assert stats().tokens_per_second == 123
