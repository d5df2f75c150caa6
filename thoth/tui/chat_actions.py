"""A screen that carries a chat on: questions go to the engine, its answers into the conversation and the transcript."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Literal

import textual
from textual import events, on
from textual.reactive import reactive

from thoth.chats.sessions import Sessions, Turn
from thoth.errors import Stopped, ThothError
from thoth.ingest import shown
from thoth.settings import Settings
from thoth.tui import clipboard, figures, markdown
from thoth.tui.conversation import Conversation
from thoth.tui.library_actions import LibraryActions
from thoth.tui.messages import (
    AbsorbProgress,
    AnswerDone,
    AnswerFailed,
    AnswerStarted,
    AnswerToken,
    ModelFailed,
    ModelLoading,
    ModelReady,
)
from thoth.tui.widgets.absorb_queue import JobState
from thoth.tui.widgets.prompt import Prompt
from thoth.tui.widgets.status import StatusLine
from thoth.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument
    from thoth.tui.work import Work

# What a crash may take of an answer that is being written.
_KEEP_EVERY_S = 1.0


ModelState = Literal["loading", "ready", "failed"]
_MODEL_STATES: dict[ModelState, str] = {"loading": "loading the model", "ready": "", "failed": "no model"}


class ChatActions(LibraryActions):
    """A screen with a `Transcript`, a `Prompt` and a `StatusLine`.

    Attributes:
        activity: what the chat is at: waiting, reading, answering; empty for nothing.
        model: what the model is at.

    Args:
        work: carries requests to the engine.
        sessions: where chats are kept.
    """

    activity: reactive[str] = reactive("", init=False)
    model: reactive[ModelState] = reactive[ModelState]("loading", init=False)

    def __init__(self, work: Work, sessions: Sessions) -> None:
        super().__init__(work)
        self.sessions = sessions
        self.settings = Settings()
        self.chat = Conversation(sessions, self._unkept)
        self._requests = itertools.count()
        self._request = -1  # the one whose answer is awaited
        self._waiting = False  # for the model
        self._editing = False

    @on(events.Mount)
    def _begin_chat(self) -> None:
        self.set_interval(_KEEP_EVERY_S, self.chat.keep)
        self.show_chat()
        self._show_state()
        self.call_after_refresh(self._recall)

    @textual.work(group="history")
    async def _recall(self) -> None:
        """Bring back the questions of earlier chats, and what the first answer needs to be shown."""
        try:
            self.query_one(Prompt).earlier = await asyncio.to_thread(self.sessions.questions)
        except ThothError as error:
            self._say(str(error), "error")
        await asyncio.to_thread(markdown.warm_up)

    # Asking

    @property
    def ready_documents(self) -> list[StoredDocument]:
        """The active documents that the loaded model can answer from."""
        bundle = self.work.bundle_id
        return [document for document in self.documents if document.active and document.state(bundle) == "ready"]

    def send(self, question: str, *, instead: bool = False) -> None:
        """Ask; what is being answered is stopped before.

        Args:
            question: as it was typed.
            instead: in place of the last one.
        """
        self.stop()
        turn = self.chat.send(
            question, [document.id for document in self.documents if document.active], instead=instead
        )
        self._request = next(self._requests)
        self.query_one(Transcript).put(turn)
        match self.model:
            case "loading":
                self._waiting = True
                self.activity = "waiting for the model"
            case "ready":
                self.activity = "thinking"
                self._ask()
            case "failed":
                self._answer_failed(AnswerFailed(self._request, self.work.failure))

    def _ask(self) -> None:
        self._waiting = False
        if early := [one for one in self.documents if one.active and not one.complete]:
            what = shown(early[0].name) if len(early) == 1 else figures.count(len(early), "document")
            self._say(f"still absorbing: this answer does without {what}", "warning")
        chosen = self.settings
        self.work.ask(
            self._request, self.chat.messages(), self.ready_documents, chosen.routing(), max_tokens=chosen.max_tokens
        )

    def stop(self) -> bool:
        """Stop the answer, and keep what there is of it; returns whether there was one."""
        self._editing = False
        if not self.chat.answering:
            return False
        self.work.stop_answer(self._request)
        self._end_turn(self.chat.fail(Stopped("stopped")))
        return True

    def again(self) -> None:
        """Answer the last question again."""
        if self.chat.last is None:
            self._say("there is no question yet", "warning")
        else:
            self.send(self.chat.last.question, instead=True)

    def edit(self) -> None:
        """Bring the last question back into the prompt; sending it replaces it."""
        prompt = self.query_one(Prompt)
        if self.chat.last is None:
            self._say("there is no question yet", "warning")
            return
        self._editing = True
        prompt.border_title = "Editing the last question, Esc leaves it"
        prompt.replace_text(self.chat.last.question)
        prompt.focus()

    def new_chat(self) -> None:
        """Begin a new chat; the one before stays in the list."""
        self.stop()
        self.chat.begin()
        self.show_chat()

    def show_chat(self) -> None:
        """Show the conversation from its end."""
        self.query_one(Transcript).show(self.chat.turns)
        stats = [turn.stats for turn in self.chat.turns if turn.stats]
        self.query_one(StatusLine).stats = stats[-1] if stats else None

    # What comes back

    def load(self, name: str | None) -> None:
        """Load another model; questions wait for it from now on."""
        self.model = "loading"
        self.work.load(name)

    @on(ModelLoading)
    def _model_loading(self, event: ModelLoading) -> None:
        self.model = "loading"
        self.query_one(StatusLine).model = event.name

    @on(ModelReady)
    def _model_ready(self, event: ModelReady) -> None:
        self.model = "ready"
        self.query_one(StatusLine).model = event.name
        if self._waiting:
            self.activity = "thinking"
            self._ask()

    @on(ModelFailed)
    def _model_failed(self, event: ModelFailed) -> None:
        self.model = "failed"
        self.query_one(StatusLine).model = ""
        if self._waiting:
            self._answer_failed(AnswerFailed(self._request, event.error))

    @on(AnswerStarted)
    def _answer_started(self, event: AnswerStarted) -> None:
        if self._awaited(event.turn):
            self.activity = "thinking"

    @on(AnswerToken)
    def _answer_token(self, event: AnswerToken) -> None:
        if self._awaited(event.turn):
            self.activity = "answering"
            self.query_one(Transcript).put(self.chat.add(event.text))

    @on(AnswerDone)
    def _answer_done(self, event: AnswerDone) -> None:
        if self._awaited(event.turn):
            self._end_turn(self.chat.finish(event.answer))
            self.query_one(StatusLine).stats = event.answer.stats

    @on(AnswerFailed)
    def _answer_failed(self, event: AnswerFailed) -> None:
        if self._awaited(event.turn):
            self._end_turn(self.chat.fail(event.error))

    def _awaited(self, request: int) -> bool:
        return request == self._request and self.chat.answering

    def _end_turn(self, turn: Turn) -> None:
        self._waiting = False
        self.activity = ""
        self.query_one(Transcript).put(turn)

    # Showing what goes on

    def watch_activity(self, activity: str) -> None:
        """Hand it to those who show it."""
        self.query_one(Transcript).activity = activity
        self._show_state()

    def watch_model(self) -> None:
        """Hand it to those who show it."""
        self._show_state()

    @on(AbsorbProgress)
    def _show_state(self) -> None:
        self.query_one(StatusLine).state = self.activity or _absorbing(self.jobs) or _MODEL_STATES[self.model]

    def watch_jobs(self) -> None:
        """Say how many documents are on their way."""
        self._show_state()

    def watch_documents(self) -> None:
        """Count those that answer: one that is still being absorbed, or stale, does not."""
        self.query_one(StatusLine).active = len(self.ready_documents)

    def watch_bundle(self) -> None:
        """Count again: another bundle makes other documents stale."""
        self.watch_documents()

    # Copying

    def copy_answer(self, block: int | None = None) -> None:
        """Copy the last answer or one of its code blocks.

        Args:
            block: which, from 1; None for the whole answer.
        """
        answered = [turn.answer for turn in self.chat.turns if turn.answer.strip()]
        if not answered:
            self._say("there is no answer yet", "warning")
        elif block is None:
            self.copy(answered[-1])
        else:
            blocks = markdown.code_blocks(answered[-1])
            if 1 <= block <= len(blocks):
                self.copy(blocks[block - 1])
            else:
                self._say(f"the last answer has {len(blocks)} code blocks", "warning")

    @textual.work(group="copy")
    async def copy(self, text: str) -> None:
        """Copy a text, and say whether that worked."""
        if await asyncio.to_thread(clipboard.by_program, text):
            self._say(f"copied {len(text):,} characters")
        else:
            self._say(clipboard.by_terminal(self.app, text))

    def _unkept(self, error: ThothError) -> None:
        self.app.call_from_thread(self._say, f"this chat is not being kept: {error}", "error")


def _absorbing(jobs: dict[int, JobState]) -> str:
    going = [state for state in jobs.values() if state.error is None]
    progress = next((state.progress for state in going if state.progress), None)
    if not going:
        return ""
    return f"absorbing {progress.done}/{progress.total}" if progress and progress.total > 1 else "absorbing"
