"""The controllers of the main screen: what the engine reports goes to them, and their state to the widgets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from thoth.retrieval.routing import Routing
from thoth.system.terminal import shown
from thoth.tui import figures, mentions, notices
from thoth.tui.completing import Names
from thoth.tui.controllers.absorb import AbsorbController
from thoth.tui.controllers.answer import AnswerController
from thoth.tui.controllers.chat import ChatController
from thoth.tui.controllers.commands import CommandController
from thoth.tui.controllers.library import LibraryController
from thoth.tui.controllers.models import ModelController
from thoth.tui.controllers.serving import ServeController
from thoth.tui.controllers.tour import TourController
from thoth.tui.messages import (
    AbsorbDone,
    AbsorbMessage,
    AbsorbProgress,
    AgentWarned,
    AnswerMessage,
    AnswerStep,
    LibraryChanged,
    MemoryMessage,
    ModelFailed,
    ModelMessage,
    ModelReady,
    PermissionWanted,
    QuestionsWritten,
)
from thoth.tui.widgets.absorb_queue import AbsorbQueue
from thoth.tui.widgets.library_panel import LibraryPanel
from thoth.tui.widgets.prompt import Prompt
from thoth.tui.widgets.status import StatusLine
from thoth.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument
    from thoth.tui.desk_message import DeskMessage
    from thoth.tui.desk_screen import DeskScreen, Parts
    from thoth.tui.widgets.absorb_queue import JobState

_MODEL_STATES = {"loading": "loading the model", "ready": "", "failed": "no model"}


class Desk:
    """All controllers of one screen. The screen makes it after its first paint, which needs none of them.

    Args:
        parts: what the controllers work with.
        screen: has the widgets; dialogs and notices are shown on it.
        toggle_library: shows or hides the library.
    """

    def __init__(self, parts: Parts, screen: DeskScreen, toggle_library: Callable[[], None]) -> None:
        client = parts.client
        self._screen, self._model = screen, parts.model
        self._say = notices.on(screen)
        self.absorbing = AbsorbController(client, screen, self._show_jobs, self._tell)
        self.library = LibraryController(client, self.absorbing, screen, self._show_documents)
        self.models = ModelController(client, parts.downloads, screen, self._show_model)
        self.chat = ChatController(client, parts.sessions, self.library, self.models, screen, self._show_state)
        self.answer = AnswerController(client, self.chat, screen)
        self.tour = TourController(self.absorbing, self.chat, self.answer, self._tell)
        self.serving = ServeController(client, screen, lambda: self.chat.settings, self._show_served)
        self.commands = CommandController(
            self.absorbing,
            self.models,
            self.chat,
            self.answer,
            self.serving,
            screen,
            toggle_library,
            screen.settings_loaded,
            self._show_scope,
        )

    def begin(self) -> None:
        """Read settings, library and chats."""
        self.commands.load_settings()
        self._screen.query_one(Prompt).names = Names()
        self.library.begin()
        self.chat.begin()
        self._show_state()
        self.models.load(self._model)
        self.models.introduce(self._model, self.tour.begin)

    def ask(self, question: str, *, instead: bool) -> None:
        """Ask a question; a file that it mentions is absorbed first."""
        if "@" not in question:
            self.chat.send(question, instead=instead)
        else:
            self._screen.run_worker(self._ask(question, instead), group="ask")

    async def _ask(self, question: str, instead: bool) -> None:
        found = await asyncio.to_thread(mentions.find, question, self.library.documents)
        absorbed = await self.absorbing.absorbed(found.files) if found.files else []
        for document in absorbed:
            self.library.put(document)
        if len(absorbed) < len(found.files):  # the answer would come from other documents
            self._say("The question was not sent: a file that it mentions was not absorbed", "warning")
            if not (prompt := self._screen.query_one(Prompt)).text:
                prompt.replace_text(question)
            return
        self.chat.send(question, instead=instead)

    def take(self, message: DeskMessage) -> None:
        """Pass on what the engine reports, and what library and queue ask for."""
        self._take_news(message)
        match message:
            case LibraryPanel.Toggled():
                self.library.activate(message.ids, message.active)
            case LibraryPanel.Open():
                self.library.open(message.id)
            case LibraryPanel.Remove():
                self.library.remove(message.ids)
            case LibraryPanel.Rename():
                self.library.rename(message.id)
            case LibraryPanel.Tag():
                self.library.tag(message.id)
            case LibraryPanel.Update():
                self.library.update(message.ids, fetch=message.fetch)
            case LibraryPanel.Export():
                self.library.export(message.ids)
            case AbsorbQueue.Cancel():
                self.absorbing.cancel(message.job)
            case AbsorbQueue.Dismiss():
                self.absorbing.dismiss(message.job)

    def _take_news(self, news: DeskMessage) -> None:
        match news:
            case AbsorbMessage():
                self.absorbing.take(news)
                if isinstance(news, AbsorbDone):
                    self.library.put(news.document)  # a question that comes next is answered from it
                    self._judge(news.document)
                elif isinstance(news, AbsorbProgress) and news.progress.document:
                    self._judge(news.progress.document)
                self.tour.absorbed(news)
            case MemoryMessage():
                self.chat.memory.take(news)
            case AgentWarned():
                self._say(news.text, "warning")
            case PermissionWanted():
                self._screen.run_worker(self.chat.agent.decide(news.question), group="permission")
            case AnswerMessage():
                self.chat.take(news)
                self.tour.answered(news)
                if isinstance(news, AnswerStep) and news.step.state == "done" and news.step.tool in _CHANGE_LIBRARY:
                    self.library.refresh()
            case ModelMessage():
                self._take_model(news)
            case QuestionsWritten():
                self._suggest(news)
            case LibraryChanged():
                self.library.refresh()

    def _take_model(self, news: ModelMessage) -> None:
        self.models.take(news)
        match news:
            case ModelReady():
                self._screen.bundle = news.bundle_id
                self._count_active()  # another bundle makes other documents stale
                self.serving.model_ready()
                self.chat.model_ready()
            case ModelFailed():
                self.chat.model_failed(news.error)

    # To the widgets

    def _show_jobs(self, jobs: dict[int, JobState]) -> None:
        self._screen.jobs = jobs
        self._show_state()

    def _judge(self, document: StoredDocument) -> None:
        if document.loss is not None and (warning := self.models.judge(document)):
            self._screen.query_one(Transcript).tell(warning, "error")

    def _tell(self, line: str, quote: str = "") -> None:
        transcript = self._screen.query_one(Transcript)
        transcript.tell(line)
        if quote:
            transcript.tell(quote, "quote")

    def _suggest(self, written: QuestionsWritten) -> None:
        transcript = self._screen.query_one(Transcript)
        transcript.tell(f"Questions that {shown(written.document.name)} answers; Tab or a click takes one:")
        for question in written.questions:
            transcript.tell(question, "suggestion")
        self._screen.query_one(Prompt).suggested = written.questions

    def _show_documents(self, documents: Sequence[StoredDocument]) -> None:
        self._screen.documents = documents
        collections = sorted({name for document in documents for name in document.collections})
        names = Names(tuple(document.name for document in documents), tuple(collections))
        self._screen.query_one(Prompt).names = names
        self._count_active()

    def _count_active(self) -> None:
        self._status.active = len(self.chat.ready_documents)

    def _show_scope(self) -> None:
        """Show what the next answer comes from, where that is not what it usually is."""
        chosen, usual = self.chat.settings, Routing()
        facts = [f"in {self.chat.collection}"] if self.chat.collection else []
        facts += [f"route {chosen.route}"] if chosen.route != usual.route else []
        facts += [f"reads {figures.count(chosen.with_text, 'passage')}"] if chosen.with_text else []
        self._status.scope = " \u00b7 ".join(facts)
        self._count_active()

    def _show_model(self, name: str) -> None:
        self._status.model = name
        self._show_state()

    def _show_served(self, served: str) -> None:
        self._status.served = served

    def _show_state(self) -> None:
        """Show the state of the answer, else of absorbing, else of the model."""
        self._status.state = self.chat.activity or self.absorbing.summary or _MODEL_STATES[self.models.state]

    @property
    def _status(self) -> StatusLine:
        return self._screen.query_one(StatusLine)


_CHANGE_LIBRARY = ("remember", "forget")
