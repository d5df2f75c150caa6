"""The main screen: library, chat and prompt, and the keys of all of it. What they lead to is done in `controllers/`."""

from __future__ import annotations

import asyncio
import gc
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.containers import Horizontal, Vertical
from textual.events import Key
from textual.widgets import Input, OptionList, TextArea

from thoth.tui import notices
from thoth.tui.desk_message import DeskMessage
from thoth.tui.desk_screen import DeskScreen, Parts
from thoth.tui.widgets.key_line import KeyLine
from thoth.tui.widgets.prompt import Prompt
from thoth.tui.widgets.status import StatusLine
from thoth.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from thoth.tui.commands import Command
    from thoth.tui.completing import Hint, Names
    from thoth.tui.controllers.desk import Desk

_QUIT_SECONDS = 3.0


def _commands() -> type[Provider]:
    from thoth.tui.commands import CommandProvider

    return CommandProvider


def _key(key: str, action: str, label: str, id: str, tooltip: str, *, show: bool = True) -> Binding:
    return Binding(key, action, label, id=id, tooltip=tooltip, show=show, priority=True)


class MainScreen(DeskScreen):
    """The chat and everything beside it. Until the first paint it has widgets only; then its desk is made.

    Args:
        parts: what the controllers work with.
    """

    COMMANDS: ClassVar = {_commands}
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

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self._parts = parts
        self._quitting = False
        self._say = notices.on(self)

    def compose(self) -> ComposeResult:
        """Yield a place for the library, the chat beside it, and the keys below both."""
        size = self.app.size
        for breakpoints, extent in (
            (self.HORIZONTAL_BREAKPOINTS, size.width),
            (self.VERTICAL_BREAKPOINTS, size.height),
        ):
            # Now, for after the first resize it would be another layout; no widget has a style yet.
            self.add_class(max(each for each in breakpoints if each[0] <= extent)[1], update=False)
        with Horizontal():
            yield Vertical(id="library")
            with Vertical(id="chat"):
                yield Transcript()
                yield Prompt()
                yield StatusLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin after the first paint."""
        self.query_one(Transcript).show(())
        self.call_after_refresh(lambda: self.run_worker(self._begin()))

    async def _begin(self) -> None:
        if not gc.isenabled():  # since the start of the program
            gc.freeze()  # what Textual made at its import stays
            gc.enable()
        for module in ("controllers.desk", "completing", "widgets.hints", "widgets.absorb_queue"):
            await asyncio.to_thread(import_module, f"thoth.tui.{module}")
        self.call_later(self._furnish)  # a handler of this screen, to whose attributes the widgets are bound

    async def _furnish(self) -> None:
        from thoth.tui.widgets.absorb_queue import AbsorbQueue
        from thoth.tui.widgets.hints import Hints
        from thoth.tui.widgets.library_panel import LibraryPanel

        panel = LibraryPanel().data_bind(documents=MainScreen.documents, bundle=MainScreen.bundle)
        await self.query_one("#library").mount(panel)
        queue = AbsorbQueue().data_bind(jobs=MainScreen.jobs)
        await self.query_one("#chat").mount(queue, Hints(), before=self.query_one(Prompt))
        self.desk.begin()

    @cached_property
    def desk(self) -> Desk:
        """The controllers."""
        from thoth.tui.controllers.desk import Desk

        return Desk(self._parts, self, self.action_toggle_library)

    @on(DeskMessage)
    def _take(self, message: DeskMessage) -> None:
        self.desk.take(message)

    # From the prompt

    @on(Prompt.Sent)
    def _sent(self, event: Prompt.Sent) -> None:
        from thoth.errors import UsageError
        from thoth.tui import commands

        prompt, chat = self.query_one(Prompt), self.desk.chat
        prompt.earlier = [*prompt.earlier, event.text]
        try:
            command = commands.parse(event.text)
        except UsageError as error:
            self._say(str(error), "warning")
            prompt.replace_text(event.text)
            return
        editing, chat.editing = chat.editing, False
        if command is None:
            self.desk.ask(event.text.strip(), instead=editing)
        else:
            self.carry_out(*command)

    @on(TextArea.Changed)
    def _hint(self, event: TextArea.Changed) -> None:
        prompt = self.query_one(Prompt)
        if event.text_area is not prompt or prompt.names is None:  # not yet begun
            return
        from thoth.tui import completing

        text = prompt.before_cursor
        if completing.needs_disk(text):
            self.run_worker(self._hint_from_disk(text, prompt.names), group="hints", exclusive=True)
        else:
            self.workers.cancel_group(self, "hints")
            self._show_hint(completing.hint(text, prompt.names))

    async def _hint_from_disk(self, text: str, names: Names) -> None:
        from thoth.tui import completing

        hint = await asyncio.to_thread(completing.hint, text, names)
        if self.app.is_running:  # else its widgets are gone or going
            self._show_hint(hint)

    def _show_hint(self, hint: Hint) -> None:
        from thoth.tui.widgets.hints import Hints

        self.query_one(Hints).show(hint)

    def take_files(self, paste: str) -> None:
        """Absorb the files that a paste names, if it is a list of files."""
        self.query_one(Prompt).take_files(paste)

    @on(Prompt.FilesDropped)
    def _dropped(self, event: Prompt.FilesDropped) -> None:
        if event.note:
            self._say(event.note)
        self.desk.absorbing.absorb([str(path) for path in event.paths])

    @on(Prompt.Offered)
    def _offered(self, event: Prompt.Offered) -> None:
        self.desk.absorbing.absorb([event.source])

    @on(Prompt.Said)
    def _note(self, event: Prompt.Said) -> None:
        self._say(event.text, "warning")

    @on(Prompt.Paged)
    def _page(self, event: Prompt.Paged) -> None:
        transcript = self.query_one(Transcript)
        (transcript.scroll_page_up if event.pages < 0 else transcript.scroll_page_down)(animate=False)

    @on(Transcript.Suggested)
    def _suggested(self, event: Transcript.Suggested) -> None:
        self.query_one(Prompt).replace_text(event.question)
        self.query_one(Prompt).focus()

    # Commands

    def begin_command(self, command: Command) -> None:
        """Write a command into the prompt, for its argument."""
        self.query_one(Prompt).replace_text(f"/{command.name} ")
        self.query_one(Prompt).focus()

    def action_run(self, name: str) -> None:
        """Run a command by its name."""
        from thoth.tui import commands

        self.carry_out(commands.named(name), "")

    def carry_out(self, command: Command, argument: str) -> None:
        """Run a command."""
        self.desk.commands.carry_out(command, argument)

    # The focus

    def on_key(self, event: Key) -> None:
        """Let letters go to the prompt from where they mean nothing."""
        typing = isinstance(self.focused, TextArea | Input)
        if event.character and event.is_printable and not typing and event.key not in self.active_bindings:
            event.stop()
            if self.focus_prompt():
                self.query_one(Prompt).insert(event.character)

    def on_click(self) -> None:
        """Give the focus back to the prompt, unless the click was on what is typed into or has keys of its own."""
        if not isinstance(self.focused, TextArea | Input | OptionList):
            self.focus_prompt()

    def focus_prompt(self) -> bool:
        """Go to the prompt; returns False where a tiny terminal shows the library in its place."""
        if self.has_class("-tiny") and self.has_class("-library"):
            return False
        self.query_one(Prompt).focus()
        return True

    def action_toggle_library(self) -> None:
        """Show or hide the library, at any width of the terminal."""
        hide = self.query_one("#library").display
        self.set_class(not hide, "-library")
        self.set_class(hide, "-no-library")
        if hide:
            self.query_one(Prompt).focus()
        else:
            self.call_after_refresh(self.query("DocumentList").focus)

    def action_leave(self) -> None:
        """Stop the answer; else stop editing a question, or go back to the prompt."""
        prompt, chat = self.query_one(Prompt), self.desk.chat
        if chat.conversation.answering:
            chat.stop()
        elif chat.editing:
            chat.editing = False
            prompt.text = ""
        elif self.has_class("-tiny") and self.has_class("-library"):
            self.action_toggle_library()
        prompt.focus()

    def action_copy_text(self) -> None:
        """Copy the selection; without one, this key interrupts."""
        if text := self.get_selected_text():
            self.desk.answer.copy(text)
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
        done = "Stopped. " if self.desk.chat.stop() else "Cleared. " if prompt.text else ""
        if done == "Cleared. ":
            prompt.text = ""
        self._say(f"{done}Press Ctrl+C again to quit")

    def _stay(self) -> None:
        self._quitting = False
