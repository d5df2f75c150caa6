"""The main screen: library, chat and prompt, the keys and commands of all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import TextArea

from thoth.errors import UsageError
from thoth.tui import commands, notices
from thoth.tui.commands import Command, CommandProvider
from thoth.tui.controllers.absorb import AbsorbController
from thoth.tui.controllers.chat import ChatController
from thoth.tui.controllers.commands import CommandController
from thoth.tui.controllers.library import LibraryController
from thoth.tui.controllers.models import ModelController
from thoth.tui.controllers.serving import ServeController
from thoth.tui.controllers.tour import TourController
from thoth.tui.messages import (
    AbsorbDone,
    AbsorbMessage,
    AgentWarned,
    AnswerMessage,
    AnswerStep,
    LibraryChanged,
    MemoryMessage,
    ModelFailed,
    ModelMessage,
    ModelReady,
    PermissionWanted,
)
from thoth.tui.widgets.absorb_queue import AbsorbQueue, JobState
from thoth.tui.widgets.document_list import DocumentList
from thoth.tui.widgets.library_panel import LibraryPanel
from thoth.tui.widgets.prompt import CommandHints, Prompt
from thoth.tui.widgets.status import StatusLine
from thoth.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from thoth.chats.sessions import Sessions
    from thoth.library.records import StoredDocument
    from thoth.settings import Settings
    from thoth.tui.downloads import Downloads
    from thoth.tui.engine_client import EngineClient

_QUIT_SECONDS = 3.0
_MODEL_STATES = {"loading": "loading the model", "ready": "", "failed": "no model"}


def _key(key: str, action: str, label: str, id: str, tooltip: str, *, show: bool = True) -> Binding:
    return Binding(key, action, label, id=id, tooltip=tooltip, show=show, priority=True)


class MainScreen(Screen[None]):
    """The chat and everything beside it: passes messages and commands to its controllers, and state to its widgets.

    Args:
        client: sends requests to the engine.
        sessions: stores chats.
        downloads: of models.
        model: the one on the command line; None leaves it to the settings.

    Attributes:
        documents: of the library, newest first.
        bundle: id of the bundle in use.
        jobs: documents that are being absorbed, wait, or failed.
    """

    COMMANDS: ClassVar = {CommandProvider}
    AUTO_FOCUS = "Prompt"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (14, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("ctrl+l", "toggle_library", "Library", "main.library", "Show or hide the library"),
        _key("ctrl+o", "run('absorb')", "Absorb", "main.absorb", "Choose documents to absorb"),
        _key("ctrl+n", "run('new')", "New chat", "main.new", "Start a new chat"),
        _key("ctrl+s", "run('sessions')", "Chats", "main.sessions", "Find and resume earlier chats"),
        _key("ctrl+t", "run('compare')", "Compare", "main.compare", "Answer the last question three ways"),
        _key("ctrl+g", "run('details')", "Details", "main.details", "Show sources and cost of the last answer"),
        _key("ctrl+r", "run('again')", "Regenerate", "main.again", "Answer the last question again"),
        _key("ctrl+y", "run('copy')", "Copy answer", "main.copy", "Copy the last answer"),
        _key("f1", "run('help')", "Help", "main.help", "Show keys and commands"),
        _key("f2", "run('settings')", "Settings", "main.settings", "Change the settings"),
        Binding("escape", "leave", "Stop", id="main.stop", tooltip="Stop the answer, or return to the prompt"),
        Binding(
            "ctrl+c",
            "interrupt",
            "Quit",
            id="main.interrupt",
            show=False,
            tooltip="Stop the answer; press twice to quit",
        ),
        Binding("e", "run('edit')", "Edit", id="main.edit", tooltip="Edit the last question"),
    ]

    documents: reactive[Sequence[StoredDocument]] = reactive[Sequence["StoredDocument"]]((), always_update=True)
    bundle: reactive[str | None] = reactive[str | None](None)
    jobs: reactive[dict[int, JobState]] = reactive[dict[int, JobState]]({})

    @dataclass
    class SettingsLoaded(Message):
        """The settings were read again."""

        settings: Settings

    def __init__(self, client: EngineClient, sessions: Sessions, downloads: Downloads, model: str | None) -> None:
        super().__init__()
        self._model = model
        self._quitting = False
        self._say = notices.on(self)
        self.absorbing = AbsorbController(client, self, self._show_jobs)
        self.library = LibraryController(client, self.absorbing, self, self._show_documents)
        self.models = ModelController(client, downloads, self, self._show_model)
        self.chat = ChatController(client, sessions, self.library, self.models, self, self._show_state)
        self.tour = TourController(self.absorbing, self.chat, self)
        self.serving = ServeController(client, self, lambda: self.chat.settings, self._show_served)
        self.commands = CommandController(
            self.absorbing,
            self.models,
            self.chat,
            self.serving,
            self,
            self.action_toggle_library,
            self._settings_loaded,
        )

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

    def on_mount(self) -> None:
        """Read settings, library and chats."""
        self.commands.load_settings()
        self.library.begin()
        self.chat.begin()
        self._show_state()
        self.call_after_refresh(self.models.introduce, self._model, self.tour.begin)

    # From the engine

    @on(AbsorbMessage)
    def _absorb_news(self, event: AbsorbMessage) -> None:
        self.absorbing.take(event)
        if isinstance(event, AbsorbDone):
            self.library.put(event.document)  # a question that comes next is answered from it
            self.models.judge(event.document)
        self.tour.absorbed(event)

    @on(MemoryMessage)
    def _memory_news(self, event: MemoryMessage) -> None:
        self.chat.memory.take(event)

    @on(AgentWarned)
    def _agent_warned(self, event: AgentWarned) -> None:
        self._say(event.text, "warning")

    @on(PermissionWanted)
    def _permission_wanted(self, event: PermissionWanted) -> None:
        self.run_worker(self.chat.agent.decide(event.question), group="permission")

    @on(AnswerMessage)
    def _answer_news(self, event: AnswerMessage) -> None:
        self.chat.take(event)
        self.tour.answered(event)
        if isinstance(event, AnswerStep) and event.step.state == "done" and event.step.tool in ("remember", "forget"):
            self.library.refresh()

    @on(ModelMessage)
    def _model_news(self, event: ModelMessage) -> None:
        self.models.take(event)
        match event:
            case ModelReady():
                self.bundle = event.bundle_id
                self.serving.model_ready()
                self.chat.model_ready()
            case ModelFailed():
                self.chat.model_failed(event.error)

    @on(LibraryChanged)
    def _library_news(self) -> None:
        self.library.refresh()

    # From the library and the queue

    @on(LibraryPanel.Toggled)
    def _toggle(self, event: LibraryPanel.Toggled) -> None:
        self.library.activate(event.ids, event.active)

    @on(LibraryPanel.Open)
    def _open(self, event: LibraryPanel.Open) -> None:
        self.library.open(event.id)

    @on(LibraryPanel.Remove)
    def _remove(self, event: LibraryPanel.Remove) -> None:
        self.library.remove(event.ids)

    @on(LibraryPanel.Rename)
    def _rename(self, event: LibraryPanel.Rename) -> None:
        self.library.rename(event.id)

    @on(LibraryPanel.Update)
    def _update(self, event: LibraryPanel.Update) -> None:
        self.library.update(event.ids, fetch=event.fetch)

    @on(LibraryPanel.Export)
    def _export(self, event: LibraryPanel.Export) -> None:
        self.library.export(event.ids)

    @on(AbsorbQueue.Cancel)
    def _cancel(self, event: AbsorbQueue.Cancel) -> None:
        self.absorbing.cancel(event.job)

    @on(AbsorbQueue.Dismiss)
    def _dismiss(self, event: AbsorbQueue.Dismiss) -> None:
        self.absorbing.dismiss(event.job)

    # From the prompt

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
        editing, self.chat.editing = self.chat.editing, False
        prompt.border_title = ""
        if command is None:
            self.chat.send(event.text.strip(), instead=editing)
        else:
            self.carry_out(*command)

    @on(TextArea.Changed)
    def _hint(self, event: TextArea.Changed) -> None:
        self.query_one(CommandHints).show(event.text_area.text)

    def take_files(self, paste: str) -> None:
        """Absorb the files that a paste names, if it is a list of files."""
        self.query_one(Prompt).take_files(paste)

    @on(Prompt.FilesDropped)
    def _dropped(self, event: Prompt.FilesDropped) -> None:
        if event.note:
            self._say(event.note)
        self.absorbing.absorb([str(path) for path in event.paths])

    @on(Prompt.Said)
    def _note(self, event: Prompt.Said) -> None:
        self._say(event.text, "warning")

    # To the widgets

    def _show_jobs(self, jobs: dict[int, JobState]) -> None:
        self.jobs = jobs
        self._show_state()

    def _show_documents(self, documents: Sequence[StoredDocument]) -> None:
        self.documents = documents
        self._count_active()

    def _settings_loaded(self, loaded: Settings) -> None:
        self.post_message(self.SettingsLoaded(loaded))

    def watch_bundle(self) -> None:
        """Count again: another bundle makes other documents stale."""
        self._count_active()

    def _count_active(self) -> None:
        self.query_one(StatusLine).active = len(self.chat.ready_documents)

    def _show_model(self, name: str) -> None:
        self.query_one(StatusLine).model = name
        self._show_state()

    def _show_served(self, served: str) -> None:
        self.query_one(StatusLine).served = served

    def _show_state(self) -> None:
        """Show the state of the answer, else of absorbing, else of the model."""
        state = self.chat.activity or self.absorbing.summary or _MODEL_STATES[self.models.state]
        self.query_one(StatusLine).state = state

    # Commands

    def begin_command(self, command: Command) -> None:
        """Write a command into the prompt, for its argument."""
        self.query_one(Prompt).replace_text(f"/{command.name} ")
        self.query_one(Prompt).focus()

    def action_run(self, name: str) -> None:
        """Run a command by its name."""
        self.carry_out(commands.named(name), "")

    def carry_out(self, command: Command, argument: str) -> None:
        """Run a command."""
        self.commands.carry_out(command, argument)

    # Keys

    def action_toggle_library(self) -> None:
        """Show or hide the library, at any width of the terminal."""
        panel = self.query_one(LibraryPanel)
        hide = panel.display
        self.set_class(not hide, "-library")
        self.set_class(hide, "-no-library")
        if hide:
            self.query_one(Prompt).focus()
        else:
            self.call_after_refresh(panel.query_one(DocumentList).focus)

    def action_leave(self) -> None:
        """Stop the answer; else stop editing a question, or go back to the prompt."""
        prompt = self.query_one(Prompt)
        prompt.border_title = ""
        if self.chat.conversation.answering:
            self.chat.stop()
        elif self.chat.editing:
            self.chat.editing = False
            prompt.text = ""
        elif self.has_class("-tiny") and self.has_class("-library"):
            self.action_toggle_library()
        prompt.focus()

    def action_copy_text(self) -> None:
        """Copy the selection; without one, this key interrupts."""
        if text := self.get_selected_text():
            self.chat.copy(text)
            self.clear_selection()
        else:
            self.action_interrupt()

    def action_interrupt(self) -> None:
        """Stop the answer or clear the prompt; pressed twice, quit."""
        if self._quitting:
            self.app.exit()
            return
        self._quitting = True
        self.set_timer(_QUIT_SECONDS, self._stay)
        prompt = self.query_one(Prompt)
        done = "Stopped. " if self.chat.stop() else "Cleared. " if prompt.text else ""
        if done == "Cleared. ":
            prompt.text = ""
        self._say(f"{done}Press Ctrl+C again to quit")

    def _stay(self) -> None:
        self._quitting = False
