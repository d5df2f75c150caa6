"""A conversation of a front end that waits for its answers: asked, stored as it grows, remembered beyond its window."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from thoth.actions import memory, requests
from thoth.actions.ask import Way, from_weights
from thoth.actions.memory import NOTHING, Remembered
from thoth.chats.sessions import Session, Sessions, Turn
from thoth.errors import Stopped, ThothError
from thoth.events import Answer, Event, Step, Token

if TYPE_CHECKING:
    from thoth.actions.workspace import Workspace
    from thoth.engine.prompt import Message

# Answers a conversation in place of the model alone: an agent. Raises `Stopped` where it is stopped.
Respond = Callable[["Sequence[Message]", Way, requests.Listener], Answer]

# At most this much of an answer is lost in a crash.
_SAVE_EVERY_S = 1.0


class Chat:
    """One conversation; its methods block.

    Args:
        workspace: the loaded pair and the library.
        sessions: has the chats; None: an earlier one has no turns, and nothing is remembered beyond its window.
        not_saved: called when storing fails; the chat continues.
        earlier: a stored chat that is resumed; None begins one.
        system: its system prompt from now on; None: the one it has, or that of the settings.
        keeps: store what is asked from now on.

    Attributes:
        session: as it is stored; None before the first question.
        turns: all of them, the first one first.
    """

    def __init__(
        self,
        workspace: Workspace,
        sessions: Sessions | None,
        not_saved: Callable[[ThothError], object],
        earlier: Session | None = None,
        system: str | None = None,
        *,
        keeps: bool = True,
    ) -> None:
        self._keeps = keeps
        self._workspace, self._sessions, self._not_saved = workspace, sessions, not_saved
        self.session = earlier
        self.turns: list[Turn] = sessions.turns(earlier.id) if earlier and sessions else []
        self.system = system if system is not None or earlier is None else earlier.system

    @property
    def remembered(self) -> Remembered:
        """What has left the context."""
        settings = self._workspace.settings
        if self.session is None or self._sessions is None or settings.agent_memory == "off":
            return NOTHING
        space = self._workspace
        return memory.known(space.library, self._sessions, space.engine.bundle_id, self.session.id, self.turns)

    def ask(
        self,
        question: str,
        way: Way,
        listener: requests.Listener = requests.ignore,
        respond: Respond | None = None,
    ) -> Answer:
        """Answer a question.

        Args:
            question: as it was typed.
            way: how it is answered; what the chat remembers is added to an answer from the weights.
            listener: gets the events of the request.
            respond: answers in place of the model alone.

        Raises:
            ThothError: It cannot be answered, or was stopped; what there is of an answer is stored.
        """
        settings = self._workspace.settings
        remembered = self.remembered
        system = settings.system if self.system is None else self.system
        messages = memory.messages(self.turns, question, remembered, system, settings.history_turns)
        self._begin(question, way)
        if way.knowledge == "weights":
            way = from_weights([*way.documents, *remembered.documents], way.routing)
        saved = time.monotonic()

        def listen(event: Event) -> None:
            nonlocal saved
            if isinstance(event, Token):
                self._change(answer=self.turns[-1].answer + event.text)
                if time.monotonic() - saved > _SAVE_EVERY_S:
                    saved = time.monotonic()
                    self._save()
            elif isinstance(event, Step):
                self.turns[-1] = self.turns[-1].with_step(event)
                self._change(answer="")  # what was said before a call is in its step
                self._save()
            listener(event)

        try:
            answer = (respond or self._respond)(messages, way, listen)
        except (Stopped, KeyboardInterrupt):
            self._end(state="stopped", steps=self.turns[-1].steps_stopped())
            raise
        except ThothError as error:
            self._end(state="failed", error=str(error))
            raise
        self._end(answer=answer.text, state="done", stats=answer.stats, sources=answer.sources)
        return answer

    def _respond(self, messages: Sequence[Message], way: Way, listener: requests.Listener) -> Answer:
        """Let the model answer."""
        settings = self._workspace.settings
        request = self._workspace.engine.ask(
            messages,
            way.documents,
            way.context,
            way.routing,
            settings.max_tokens,
            sampling=settings.sampling(),
        )
        try:
            return requests.answer(request, listener)
        except KeyboardInterrupt:
            request.close()
            raise

    def remember(
        self, listener: requests.Listener = requests.ignore, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        """Absorb the turns that no longer fit in the window; may run on another thread than `ask`.

        Raises:
            ThothError: A turn cannot be absorbed; it stays in the context.
        """
        space = self._workspace
        if self.session is None or self._sessions is None or not self._keeps:
            return
        if space.settings.agent_memory == "on":
            memory.absorb(
                space.engine,
                space.library,
                self._sessions,
                self.session.id,
                [*self.turns],
                space.settings.agent_window,
                listener,
                stopped,
            )

    def _begin(self, question: str, way: Way) -> None:
        begun = self.session or Sessions.create(question)
        documents = tuple(document.id for document in way.documents)
        self.session = replace(begun, documents=documents, system=self.system)
        self.turns.append(Turn(len(self.turns), question, model=self._workspace.pair.name))
        self._save()

    def _end(self, **changes: object) -> None:
        self._change(**changes)
        self._save()

    def _change(self, **changes: object) -> None:
        self.turns[-1] = replace(self.turns[-1], **changes)  # type: ignore[arg-type]

    def _save(self) -> None:
        if self._sessions is None or self.session is None or not self._keeps:
            return
        try:
            self._sessions.put(self.session, self.turns[-1])
        except ThothError as error:
            self._sessions = None  # said once; the chat continues without the disk
            self._not_saved(error)
