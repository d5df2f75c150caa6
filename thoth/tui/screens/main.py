"""The main screen: library, chat and prompt, the keys and commands of all of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import textual
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import TextArea

from thoth import settings
from thoth.chats.sessions import Sessions
from thoth.errors import ThothError, UsageError
from thoth.ingest import shown
from thoth.retrieval.routing import Route
from thoth.system import paths
from thoth.tui import commands, figures
from thoth.tui.chat_actions import ChatActions
from thoth.tui.commands import Command, CommandProvider
from thoth.tui.messages import ModelFailed
from thoth.tui.widgets.absorb_queue import AbsorbQueue
from thoth.tui.widgets.document_list import DocumentList
from thoth.tui.widgets.library_panel import LibraryPanel
from thoth.tui.widgets.prompt import CommandHints, Prompt
from thoth.tui.widgets.status import StatusLine
from thoth.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from thoth.settings import Settings
    from thoth.tui.downloads import Downloads
    from thoth.tui.work import Work

_QUIT_SECONDS = 3.0


def _key(key: str, action: str, label: str, id: str, tooltip: str, *, show: bool = True) -> Binding:
    return Binding(key, action, label, id=id, tooltip=tooltip, show=show, priority=True)


class MainScreen(ChatActions):
    """The chat and everything beside it.

    Args:
        work: carries requests to the engine.
        sessions: where chats are kept.
        downloads: of models.
        model: of the command line; None leaves it to the settings.
    """

    COMMANDS: ClassVar = {CommandProvider}
    AUTO_FOCUS = "Prompt"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (14, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("ctrl+l", "toggle_library", "Library", "main.library", "Show or hide the library"),
        _key("ctrl+o", "run('absorb')", "Absorb", "main.absorb", "Choose documents to absorb"),
        _key("ctrl+n", "run('new')", "New chat", "main.new", "Begin a new chat"),
        _key("ctrl+s", "run('sessions')", "Chats", "main.sessions", "Find and resume earlier chats"),
        _key("ctrl+t", "run('compare')", "Compare", "main.compare", "Answer the last question three ways"),
        _key("ctrl+g", "run('details')", "Details", "main.details", "Show what stands behind the last answer"),
        _key("ctrl+r", "run('again')", "Regenerate", "main.again", "Answer the last question again"),
        _key("ctrl+y", "run('copy')", "Copy answer", "main.copy", "Copy the last answer"),
        _key("f1", "run('help')", "Help", "main.help", "Show keys and commands"),
        _key("f2", "run('settings')", "Settings", "main.settings", "Change the settings"),
        Binding("escape", "leave", "Stop", id="main.stop", tooltip="Stop the answer, or go back to the prompt"),
        Binding("ctrl+c", "interrupt", "Quit", id="main.interrupt", show=False, tooltip="Stop; twice: quit"),
        Binding("e", "run('edit')", "Edit", id="main.edit", tooltip="Edit the last question, outside the prompt"),
    ]

    @dataclass
    class SettingsLoaded(Message):
        """These settings are in force from now on."""

        settings: Settings

    def __init__(self, work: Work, sessions: Sessions, downloads: Downloads, model: str | None) -> None:
        super().__init__(work, sessions)
        self._downloads = downloads
        self._model = model
        self._quitting = False

    def compose(self) -> ComposeResult:
        """Yield the library beside the chat."""
        with Horizontal():
            yield LibraryPanel().data_bind(documents=MainScreen.documents, bundle=MainScreen.bundle)
            with Vertical(id="chat"):
                yield Transcript()
                yield AbsorbQueue().data_bind(jobs=MainScreen.jobs)
                yield CommandHints()
                yield Prompt()
                yield StatusLine()

    @on(events.Mount)
    def _begin_main(self) -> None:
        self._load_settings()
        self.call_after_refresh(self._introduce)

    # What is typed

    @on(Prompt.Sent)
    def _sent(self, event: Prompt.Sent) -> None:
        prompt = self.query_one(Prompt)
        prompt.earlier = [*prompt.earlier, event.text]
        try:
            command = commands.parse(event.text)
        except UsageError as error:
            self._say(str(error), "warning")
            prompt.replace_text(event.text)
            return
        editing, self._editing = self._editing, False
        prompt.border_title = ""
        if command is None:
            self.send(event.text.strip(), instead=editing)
        else:
            self.carry_out(*command)

    @on(TextArea.Changed)
    def _hint(self, event: TextArea.Changed) -> None:
        self.query_one(CommandHints).show(event.text_area.text)

    def take_files(self, paste: str) -> None:
        """Absorb the files that a paste stands for, if it does."""
        self.query_one(Prompt).take_files(paste)

    @on(Prompt.FilesDropped)
    def _dropped(self, event: Prompt.FilesDropped) -> None:
        if event.note:
            self._say(event.note)
        self.absorb([str(path) for path in event.paths])

    @on(Prompt.Said)
    def _note(self, event: Prompt.Said) -> None:
        self._say(event.text, "warning")

    # Commands

    def begin_command(self, command: Command) -> None:
        """Write a command into the prompt, for its argument."""
        self.query_one(Prompt).replace_text(f"/{command.name} ")
        self.query_one(Prompt).focus()

    def action_run(self, name: str) -> None:
        """Carry a command out by its name."""
        self.carry_out(commands.named(name), "")

    def carry_out(self, command: Command, argument: str) -> None:
        """Do what a command says."""
        match command.name:
            case "absorb":
                self.absorb([argument]) if argument else self._pick_files()
            case "docs":
                self.action_toggle_library()
            case "new":
                self.new_chat()
            case "sessions":
                self._open_sessions()
            case "edit":
                self.edit()
            case "again":
                self.again()
            case "copy":
                self._copy(argument)
            case "compare":
                self._compare()
            case "details":
                self._details()
            case "route":
                self._set(replace(self.settings, route=cast(Route, argument)), f"route: {argument}")
            case "with-text":
                self._set_passages(argument)
            case "settings":
                self._open_settings()
            case "models":
                self._open_models()
            case "export":
                self._export_chat(argument)
            case "help":
                self._help()
            case "quit":
                self.app.exit()

    def _copy(self, argument: str) -> None:
        words = argument.split()
        if not words:
            self.copy_answer()
        elif words[0] == "code" and (len(words) == 1 or words[1].isdecimal()):
            self.copy_answer(int(words[1]) if len(words) > 1 else 1)
        else:
            self._say("/copy copies the answer, /copy code 2 its second code block", "warning")

    def _set_passages(self, argument: str) -> None:
        if argument.isdecimal():
            passages = figures.count(int(argument), "passage")
            self._set(replace(self.settings, with_text=int(argument)), f"{passages} in the context")
        else:
            self._say("/with-text needs a number of passages, 0 for none", "warning")

    def _set(self, changed: Settings, what: str) -> None:
        """Change settings for as long as the app runs."""
        self.settings = changed
        self._say(f"{what}, until Thoth is closed")

    # Dialogs

    @textual.work(group="dialog")
    async def _pick_files(self) -> None:
        from thoth.tui.screens.file_picker import FilePicker

        if sources := await self.app.push_screen_wait(FilePicker(Path.cwd())):
            self.absorb(sources)

    @textual.work(group="dialog")
    async def _open_sessions(self) -> None:
        from thoth.tui.screens.sessions import SessionsScreen

        chosen = await self.app.push_screen_wait(SessionsScreen(self.sessions, self.chat.session))
        try:
            if chosen is not None:
                turns = await asyncio.to_thread(self.sessions.turns, chosen.id)
                self.stop()
                self.chat.resume(chosen, turns)
                self.show_chat()
                self._activate_those(set(chosen.documents))
            elif self.chat.session is not None:
                self.chat.renamed(await asyncio.to_thread(self.sessions.get, self.chat.session.id))
        except ThothError as error:
            self._say(str(error), "error")

    def _activate_those(self, wanted: set[str]) -> None:
        known = {document.id for document in self.documents}
        active = {document.id for document in self.documents if document.active}
        if gone := wanted - known:
            self._say(f"{len(gone)} of the documents of this chat are no longer in the library", "warning")
        library = self.work.library

        def change() -> None:
            library.activate(active - wanted, False)
            library.activate(wanted & known, True)

        self._change(change)

    def _compare(self) -> None:
        from thoth.tui.screens.compare import CompareScreen

        if self.chat.last is None:
            self._say("ask a question first", "warning")
            return
        chosen, messages = self.settings, self.chat.messages()
        self.app.push_screen(
            CompareScreen(self.work, messages, self.ready_documents, chosen.routing(), chosen.max_tokens)
        )

    def _details(self) -> None:
        from thoth.tui.screens.answer_details import AnswerDetails

        answered = [turn for turn in self.chat.turns if turn.stats is not None]
        if answered and answered[-1].stats is not None:
            self.app.push_screen(AnswerDetails(answered[-1].question, answered[-1].stats, answered[-1].sources))
        else:
            self._say("there is no answer yet", "warning")

    @textual.work(group="dialog")
    async def _open_settings(self) -> None:
        from thoth.tui.screens.settings import SettingsScreen

        before = self.settings.model
        if (chosen := await self.app.push_screen_wait(SettingsScreen(paths.settings()))) is not None:
            self._load_settings()
            if chosen.model != before:
                self.load(chosen.model)

    @textual.work(group="dialog")
    async def _open_models(self) -> None:
        from thoth.tui.screens.models import ModelsScreen

        if name := await self.app.push_screen_wait(ModelsScreen(self.work.model, self._downloads)):
            self.load(name)

    @on(ModelFailed)
    @textual.work(group="dialog")
    async def _explain_failure(self, event: ModelFailed) -> None:
        from thoth.tui.screens.model_failed import ModelFailed as ModelFailedScreen

        choice = await self.app.push_screen_wait(ModelFailedScreen(event.name, event.error))
        if choice == "retry":
            self.load(event.name or None)
        elif choice == "models":
            self._open_models()

    def _help(self) -> None:
        from thoth.tui.screens.help import HelpScreen, keys

        rows = [(command.usage, command.help) for command in commands.COMMANDS]
        self.app.push_screen(HelpScreen({"Keys": keys(self.app, self.active_bindings.values()), "Commands": rows}))

    @textual.work(group="export")
    async def _export_chat(self, name: str) -> None:
        from thoth.chats import chat_files

        if self.chat.session is None:
            self._say("there is nothing to export yet", "warning")
            return
        path = Path(name).expanduser().absolute()
        try:
            await asyncio.to_thread(chat_files.write, path, self.chat.session, [*self.chat.turns])
            self._say(f"wrote {shown(str(path))}")
        except ThothError as error:
            self._say(str(error), "error")

    @textual.work(group="dialog")
    async def _introduce(self) -> None:
        """Say once, where there is nothing better, what nano is."""
        from thoth.tui import introduction

        if await asyncio.to_thread(introduction.is_due, self._model):
            from thoth.tui.screens.first_run import FirstRun

            if await self.app.push_screen_wait(FirstRun()):
                self._open_models()

    # Everything else

    def _load_settings(self) -> None:
        try:
            self.settings = settings.load(paths.settings())
        except ThothError as error:
            self._say(str(error), "error")
        self.post_message(self.SettingsLoaded(self.settings))

    def action_toggle_library(self) -> None:
        """Show or hide the library, whatever the width of the terminal says."""
        panel = self.query_one(LibraryPanel)
        hide = panel.display
        self.set_class(not hide, "-library")
        self.set_class(hide, "-no-library")
        if hide:
            self.query_one(Prompt).focus()
        else:
            self.call_after_refresh(panel.query_one(DocumentList).focus)

    def action_leave(self) -> None:
        """Stop the answer; with none, leave the editing of a question, or go back to the prompt."""
        prompt = self.query_one(Prompt)
        prompt.border_title = ""
        if self.chat.answering:
            self.stop()
        elif self._editing:
            self._editing = False
            prompt.text = ""
        elif self.has_class("-tiny") and self.has_class("-library"):
            self.action_toggle_library()
        prompt.focus()

    def action_copy_text(self) -> None:
        """Copy what is marked; with nothing marked, this key interrupts."""
        if text := self.get_selected_text():
            self.copy(text)
            self.clear_selection()
        else:
            self.action_interrupt()

    def action_interrupt(self) -> None:
        """Stop or clear; the second time in a row, quit."""
        if self._quitting:
            self.app.exit()
            return
        self._quitting = True
        self.set_timer(_QUIT_SECONDS, self._stay)
        prompt = self.query_one(Prompt)
        done = "stopped" if self.stop() else "cleared" if prompt.text else ""
        if done == "cleared":
            prompt.text = ""
        self._say(f"{done}; press it again to quit" if done else "press it again to quit")

    def _stay(self) -> None:
        self._quitting = False
