"""The commands: what each command of the table in `tui/commands.py` does."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from textual.screen import Screen

from thoth import settings
from thoth.agent.permissions import Grants, meaning
from thoth.agent.tools import BUILT_IN
from thoth.errors import ThothError, UsageError
from thoth.retrieval.routing import Route
from thoth.system import paths
from thoth.system.spelling import fold
from thoth.tui import commands, figures, notices
from thoth.tui.commands import Command

if TYPE_CHECKING:
    from thoth.settings import Settings
    from thoth.tui.controllers.absorb import AbsorbController
    from thoth.tui.controllers.answer import AnswerController
    from thoth.tui.controllers.chat import ChatController
    from thoth.tui.controllers.models import ModelController
    from thoth.tui.controllers.serving import ServeController


_TOOLS = {tool.name for tool in BUILT_IN}


class CommandController:
    """Runs commands, and shows the dialogs that belong to no other controller.

    Args:
        absorbing: absorbs documents.
        models: loads models.
        chat: answers questions, by the settings in force.
        answer: has the last answer.
        serving: serves other programs.
        screen: shows dialogs and notices.
        toggle_library: shows or hides the library.
        loaded: called with the settings whenever they were read.
        scoped: called when other documents or other chunks are to be asked.
    """

    def __init__(
        self,
        absorbing: AbsorbController,
        models: ModelController,
        chat: ChatController,
        answer: AnswerController,
        serving: ServeController,
        screen: Screen[None],
        toggle_library: Callable[[], None],
        loaded: Callable[[Settings], None],
        scoped: Callable[[], None],
    ) -> None:
        self._absorbing, self._models, self._chat, self._answer = absorbing, models, chat, answer
        self._serving = serving
        self._screen, self._toggle_library, self._loaded, self._scoped = screen, toggle_library, loaded, scoped
        self._say = notices.on(screen)

    def carry_out(self, command: Command, argument: str) -> None:
        """Run a command."""
        match command.name:
            case "absorb":
                self._absorbing.absorb_typed(argument) if argument else self._dialog(self._pick_files)
            case "docs":
                self._toggle_library()
            case "new":
                self._chat.new()
            case "sessions":
                self._chat.choose()
            case "edit":
                self._chat.edit()
            case "again":
                self._chat.again()
            case "copy":
                self._answer.copy_answer(argument)
            case "compare":
                self._answer.compare()
            case "details":
                self._answer.details()
            case "route":
                self._set(replace(self._chat.settings, route=cast(Route, argument)), f"Route: {argument}")
            case "with-text":
                self._set_passages(argument)
            case "in":
                self._enter(argument)
            case "system":
                self._chat.instruct(argument)
            case "steps":
                self._answer.toggle_steps()
            case tool if (name := tool.replace("-", "_")) in _TOOLS:
                self._use(name, argument, f"/{command.name} {argument}".strip())
            case "permissions":
                self._show_permissions(argument)
            case "settings":
                self._dialog(self._open_settings)
            case "models":
                self._models.choose()
            case "serve":
                self._serving.toggle(argument)
            case "export":
                self._chat.export(argument)
            case "help":
                self._help()
            case "quit":
                self._screen.app.exit()

    def load_settings(self) -> None:
        """Read the settings; a mistake in them is reported, and those in force stay."""
        try:
            self._chat.settings = settings.load(paths.settings())
        except ThothError as error:
            self._say(str(error), "error")
        self._loaded(self._chat.settings)
        self._scoped()

    def _use(self, tool: str, argument: str, typed: str) -> None:
        try:
            self._chat.use_tool(tool, argument, typed)
        except UsageError as error:
            self._say(str(error), "warning")

    def _show_permissions(self, revoked: str) -> None:
        """Revoke a permission that is named, else list all of them."""
        grants = Grants(paths.permissions())
        try:
            if revoked:
                found = grants.revoke(revoked)
                self._say(f"Revoked {revoked}; tools ask again" if found else f"No permission {revoked} is kept")
                return
            kept = [f"{grant.need}: {grant.decision}, to {meaning(grant.need)}" for grant in grants.all()]
        except ThothError as error:
            self._say(str(error), "error")
            return
        self._say("\n".join([*kept, "/permissions NAME revokes one"]) if kept else "No permission is kept; tools ask")

    def _set_passages(self, argument: str) -> None:
        if argument.isdecimal():
            passages = figures.count(int(argument), "passage")
            self._set(replace(self._chat.settings, with_text=int(argument)), f"Answers also read {passages}")
        else:
            self._say("/with-text needs the number of passages to read, 0 for none", "warning")

    def _enter(self, name: str) -> None:
        """Ask a collection from now on; "off": the active documents again; nothing: say which there are."""
        known = {fold(one): one for document in self._chat.documents for one in document.collections}
        listed = ", ".join(sorted(known.values(), key=str.casefold))
        if name == "off":
            self._chat.collection = ""
        elif fold(name) in known:
            self._chat.collection = known[fold(name)]
        elif not listed:
            self._say("No collections yet; t in the library puts a document into one", "warning")
            return
        else:
            self._say(f"No collection {name}; there are: {listed}" if name else f"Collections: {listed}", "warning")
            return
        self._scoped()
        self._say(f"Answers come from {self._chat.collection or 'the active documents'}")

    def _set(self, changed: Settings, what: str) -> None:
        """Change settings until the app is closed."""
        self._chat.settings = changed
        self._scoped()
        self._say(f"{what}, until you close Thoth")

    # Dialogs

    def _dialog(self, show: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._screen.run_worker(show(), group="dialog")

    async def _pick_files(self) -> None:
        from thoth.tui.screens.file_picker import FilePicker

        if sources := await self._screen.app.push_screen_wait(FilePicker(Path.cwd())):
            self._absorbing.absorb(sources)

    async def _open_settings(self) -> None:
        from thoth.tui.screens.settings import SettingsScreen

        before = self._chat.settings.model
        if (chosen := await self._screen.app.push_screen_wait(SettingsScreen(paths.settings()))) is not None:
            self.load_settings()
            if chosen.model != before:
                self._models.load(chosen.model)

    def _help(self) -> None:
        from thoth.tui.screens.help import HelpScreen, keys

        rows = [(command.usage, command.help) for command in commands.COMMANDS]
        pressed = keys(self._screen.active_bindings.values())
        self._screen.app.push_screen(HelpScreen({"Keys": pressed, "Commands": rows}))
