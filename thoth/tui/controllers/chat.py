"""The chat: questions go to the engine, its answers into the conversation and the transcript."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.screen import Screen

from thoth.actions import ask, chats, memory
from thoth.agent.tools import BUILT_IN
from thoth.errors import Stopped, ThothError
from thoth.settings import Settings
from thoth.system import paths
from thoth.system.terminal import shown
from thoth.tui import figures, markdown, mentions, notices
from thoth.tui.controllers.agent import AgentController, Start, call
from thoth.tui.controllers.memory import MemoryController
from thoth.tui.conversation import Conversation
from thoth.tui.messages import AnswerDone, AnswerFailed, AnswerMessage, AnswerProgress, AnswerStep, AnswerToken
from thoth.tui.widgets.prompt import Prompt
from thoth.tui.widgets.status import StatusLine
from thoth.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from thoth.chats.sessions import Sessions, Turn
    from thoth.library.records import StoredDocument
    from thoth.tui.controllers.library import LibraryController
    from thoth.tui.controllers.models import ModelController
    from thoth.tui.engine_client import EngineClient

# At most this much of an answer is lost in a crash.
_SAVE_EVERY_S = 1.0


_TOOL_COMMANDS = {f"/{tool.name.replace('_', '-')}" for tool in BUILT_IN}

# What is said while an answer is held back.
_HELD = {"check": "answering, checked before it is shown", "look": "nothing supports the answer, reading a passage"}


class ChatController:
    """Holds the conversation and shows it in a `Transcript`, a `Prompt` and a `StatusLine`.

    Args:
        client: answers questions.
        sessions: stores chats.
        library: knows the documents.
        model: knows whether a model is ready.
        screen: has the widgets, shows dialogs and notices.
        changed: called when `activity` changed.

    Attributes:
        settings: in force for the next question.
        conversation: its turns and their storage.
        memory: what of it has left the context.
        agent: answers with tools.
        collection: name of the collection that questions are asked of; empty for the active documents.
    """

    def __init__(
        self,
        client: EngineClient,
        sessions: Sessions,
        library: LibraryController,
        model: ModelController,
        screen: Screen[None],
        changed: Callable[[], None],
    ) -> None:
        self._client, self._sessions, self._library, self._model = client, sessions, library, model
        self._screen, self._changed = screen, changed
        self._say = notices.on(screen)
        self._requests = itertools.count()
        self._request = -1  # whose answer is awaited
        self._waiting = False  # for the model
        self._activity = ""
        self._start: Start | None = None  # of a command that runs a tool
        self.settings = Settings()
        self.conversation = Conversation(sessions, self._not_saved)
        self.agent = AgentController(client, sessions, screen)
        self.memory = MemoryController(client, sessions, self._meter, self._say)
        self._editing = False
        self.collection = ""

    def begin(self) -> None:
        """Show the conversation, and save it from now on as it grows."""
        self._screen.set_interval(_SAVE_EVERY_S, self.conversation.save)
        self.show()
        self._screen.call_after_refresh(lambda: self._screen.run_worker(self._recall(), group="history"))

    async def _recall(self) -> None:
        """Load the questions of earlier chats, and import what showing the first answer needs."""
        try:
            prompt = self._prompt  # looked up before the wait, in which the app may be quit
            stored = await asyncio.to_thread(self._sessions.questions)
            typed = prompt.earlier  # meanwhile; some of it may be stored already
            prompt.earlier = [*(question for question in stored if question not in typed), *typed]
        except ThothError as error:
            self._say(str(error), "error")
        await asyncio.to_thread(markdown.warm_up)

    @property
    def activity(self) -> str:
        """What the chat is doing: waiting, thinking, answering; empty for nothing."""
        return self._activity

    @activity.setter
    def activity(self, activity: str) -> None:
        if activity != self._activity:
            self._activity = activity
            self._transcript.activity = activity
            self._changed()

    @property
    def editing(self) -> bool:
        """Whether the next question replaces the last one; the prompt's border says so."""
        return self._editing

    @editing.setter
    def editing(self, editing: bool) -> None:
        self._editing = editing
        self._prompt.border_title = "Editing the last question; Esc cancels" if editing else ""

    # Asking

    @property
    def documents(self) -> Sequence[StoredDocument]:
        """All documents of the library."""
        return self._library.documents

    @property
    def ready_documents(self) -> list[StoredDocument]:
        """The documents that the loaded model can answer from: the active ones, or those of the collection."""
        if not self.collection:
            return ask.ready(self._library.documents, self._client.bundle_id)[0]
        inside = [document for document in self._library.documents if self.collection in document.collections]
        return ask.ready(inside, self._client.bundle_id, inactive=True)[0]

    @property
    def asked_documents(self) -> list[StoredDocument]:
        """What the last question is asked of: the documents it mentions, else those; and the weights of this chat."""
        chosen = self.ready_documents
        if (last := self.conversation.last) is not None:
            mentioned = mentions.find(last.question, self._library.documents).documents
            chosen = ask.ready(mentioned, self._client.bundle_id, inactive=True)[0] if mentioned else chosen
        return [*chosen, *self.memory.remembered.documents]

    def send(self, question: str, *, instead: bool = False, start: Start | None = None) -> None:
        """Ask a question; an answer in progress is stopped.

        Args:
            question: as it was typed.
            instead: replace the last question.
            start: what answers it in place of the model.
        """
        self.stop()
        self._start = start  # also None: a tool whose command was stopped before it ran is not for this question
        active = [document.id for document in self._library.documents if document.active]
        model = self._client.pair.name if self._client.pair else None
        turn = self.conversation.send(question, active, model=model, instead=instead)
        self._request = next(self._requests)
        self._transcript.put(turn)
        match self._model.state:
            case "loading":
                self._waiting = True
                self.activity = "waiting for the model"
            case "ready":
                self._ask()
            case "failed":
                self.take(AnswerFailed(self._request, self._client.failure))

    def _ask(self) -> None:
        self._waiting = False
        self.activity = "thinking"
        if early := [one for one in self._library.documents if one.active and not one.complete]:
            what = shown(early[0].name) if len(early) == 1 else figures.count(len(early), "document")
            self._say(f"Still absorbing {what}; this answer does not use it", "warning")
        chosen, session = self.settings, self.conversation.session
        documents, messages = self.asked_documents, self.replayed()
        start, self._start = self._start, None
        if start is None and session is not None:
            start = self.agent.question(messages, documents, session.id, chosen)
        self._client.ask(
            self._request,
            messages,
            documents,
            chosen.routing(),
            max_tokens=chosen.max_tokens,
            sampling=chosen.sampling(),
            start=start,
            after=self.conversation.saving,  # no answer, and nothing a tool does, is of a chat that a crash takes
        )

    def use_tool(self, tool: str, argument: str, typed: str) -> None:
        """Run a tool for a person; the turn has its step.

        Args:
            tool: its name.
            argument: what stood after the command.
            typed: the whole command.

        Raises:
            UsageError: The argument does not fit.
        """
        wanted = call(tool, argument)
        session = self.conversation.session or self._sessions.create(typed)
        self.conversation.session = session
        start = self.agent.command(wanted, typed, self.ready_documents, session.id, self.settings)
        self.send(typed, start=start)

    def replayed(self) -> list[dict[str, str]]:
        """Return the last question and the turns before it that it needs."""
        chosen, system = self.settings, self.conversation.system
        *before, last = self.conversation.turns
        system = chosen.system if system is None else system
        question = mentions.find(last.question, self._library.documents).text
        return memory.messages(before, question, self.memory.remembered, system, chosen.history_turns)

    def model_ready(self) -> None:
        """Send the question that waits for the model, if there is one."""
        if self._waiting:
            self._ask()
        self._follow()

    def model_failed(self, error: ThothError) -> None:
        """End the question that waits for the model, if there is one."""
        if self._waiting:
            self.take(AnswerFailed(self._request, error))

    def stop(self) -> bool:
        """Stop the answer and keep what there is of it; returns False if there was none."""
        self.editing = False
        if not self.conversation.answering:
            return False
        self._client.stop_answer(self._request)
        self._end_turn(self.conversation.fail(Stopped("stopped")))
        return True

    def again(self) -> None:
        """Answer the last question again."""
        if (last := self.last_question()) is not None:
            self.send(last, instead=True)

    def last_question(self) -> str | None:
        """Return the last question; where there is none, or a command that a person ran, say so."""
        if (last := self.conversation.last) is None:
            self._say(notices.NO_QUESTION, "warning")
        elif last.question.partition(" ")[0].lower() in _TOOL_COMMANDS:
            self._say("The last turn is a command, not a question; press Up to run it again", "warning")
        else:
            return last.question
        return None

    def edit(self) -> None:
        """Put the last question into the prompt; sending replaces it."""
        if (last := self.conversation.last) is None:
            self._say(notices.NO_QUESTION, "warning")
            return
        self.editing = True
        self._prompt.replace_text(last.question)
        self._prompt.focus()

    def take(self, message: AnswerMessage) -> None:
        """Note what became of the question; messages about earlier ones are ignored."""
        if message.turn != self._request or not self.conversation.answering:
            return
        match message:
            case AnswerProgress():
                self.activity = _HELD.get(message.progress.stage, self.activity)
            case AnswerToken():
                self.activity = "answering"
                self._transcript.put(self.conversation.add(message.text))
            case AnswerStep():
                step = message.step
                self.activity = f"{step.tool}: {'asks for permission' if step.state == 'asking' else step.state}"
                self._transcript.put(self.conversation.step(step))
            case AnswerDone():
                self._end_turn(self.conversation.finish(message.answer))
                self._screen.query_one(StatusLine).stats = message.answer.stats
                self._meter()
                self._follow()
            case AnswerFailed():
                self._end_turn(self.conversation.fail(message.error))

    def _end_turn(self, turn: Turn) -> None:
        self._waiting = False
        self.activity = ""
        self._transcript.put(turn)

    # Memory

    def _follow(self) -> None:
        """Let the oldest turns become weights where the context is full."""
        self.memory.follow(self.conversation.session, self.conversation.turns, self.settings)

    def _meter(self) -> None:
        """Show how full the context is."""
        stats = [turn.stats for turn in self.conversation.turns if turn.stats]
        window = self.settings.agent_window if self.settings.agent_memory == "on" else None
        text = memory.meter(stats[-1], window, self.memory.remembered) if stats else ""
        self._screen.query_one(StatusLine).context = text

    def instruct(self, text: str) -> None:
        """Set the system prompt of this chat, and show it.

        Args:
            text: the prompt; "off" for none; empty only shows the one in force.
        """
        if text:
            self.conversation.system = "" if text == "off" else text
        system = self.settings.system if self.conversation.system is None else self.conversation.system
        self._say(f"System prompt of this chat: {shown(system)}" if system else "This chat has no system prompt")

    # Chats

    def new(self) -> None:
        """Begin a new chat; the current one stays in the list of chats."""
        self.stop()
        self.conversation.begin()
        self.show()
        self._prompt.focus()

    def show(self) -> None:
        """Show the conversation from its end."""
        self._transcript.show(self.conversation.turns)
        stats = [turn.stats for turn in self.conversation.turns if turn.stats]
        self._screen.query_one(StatusLine).stats = stats[-1] if stats else None
        self._follow()
        self._meter()

    def choose(self) -> None:
        """Let the user resume, rename or delete a chat."""
        self._screen.run_worker(self._choose(), group="dialog")

    async def _choose(self) -> None:
        from thoth.tui.screens.sessions import SessionsScreen

        current = self.conversation.session
        chosen = await self._screen.app.push_screen_wait(SessionsScreen(self._sessions, current, delete=self._delete))
        try:
            if chosen is not None:
                turns = await asyncio.to_thread(self._sessions.turns, chosen.id)
                self.stop()
                self.conversation.resume(chosen, turns)
                self.show()
                self._library.activate_only(set(chosen.documents))
            elif (session := self.conversation.session) is not None:
                self.conversation.renamed(await asyncio.to_thread(self._sessions.get, session.id))
        except ThothError as error:
            self._say(str(error), "error")

    def _delete(self, chat: str) -> None:
        """Delete a chat and what it has in the weights; on a thread."""
        chats.remove(self._client.library, self._sessions, chat)

    def export(self, name: str) -> None:
        """Write the conversation to a file."""
        self._screen.run_worker(self._export(name), group="export")

    async def _export(self, name: str) -> None:
        from thoth.chats import chat_files

        if (session := self.conversation.session) is None:
            self._say("Nothing to export yet", "warning")
            return
        path = paths.expanded(name).absolute()
        try:
            await asyncio.to_thread(chat_files.write, path, session, [*self.conversation.turns])
            self._say(f"Wrote {shown(str(path))}")
        except ThothError as error:
            self._say(str(error), "error")

    def _not_saved(self, error: ThothError) -> None:
        self._screen.app.call_from_thread(self._say, f"This chat is not saved: {error}", "error")

    @property
    def _prompt(self) -> Prompt:
        return self._screen.query_one(Prompt)

    @property
    def _transcript(self) -> Transcript:
        return self._screen.query_one(Transcript)
