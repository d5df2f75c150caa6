"""The current chat: its turns and their storage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from thoth.chats.sessions import Session, Sessions, Turn
from thoth.errors import Stopped, ThothError
from thoth.events import Answer, Step
from thoth.system import crash_log


class Conversation:
    """The turns of one session; saved on a thread, in order, as they change.

    Its system prompt, `system`, is saved with the next turn; None leaves it to the settings.

    Args:
        sessions: stores them.
        not_saved: called on the disk thread when saving fails, once until it succeeds again.

    Attributes:
        saving: done when the last turn that was saved is on the disk, or cannot be saved.
    """

    def __init__(self, sessions: Sessions, not_saved: Callable[[ThothError], object]) -> None:
        self._sessions = sessions
        self._not_saved = not_saved
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sessions")
        self._stored: Turn | None = None
        self.saving: Future[None] = Future()
        self.saving.set_result(None)
        self._saves = True  # the last one succeeded; changed on the disk thread only
        self.session: Session | None = None
        self.turns: list[Turn] = []
        self.system: str | None = None

    @property
    def last(self) -> Turn | None:
        """The last turn."""
        return self.turns[-1] if self.turns else None

    @property
    def answering(self) -> bool:
        """Whether the last question is being answered."""
        return self.last is not None and self.last.state == "answering"

    def begin(self) -> None:
        """Begin a new chat."""
        self.session, self.turns, self.system = None, [], None

    def resume(self, session: Session, turns: Sequence[Turn]) -> None:
        """Resume an earlier chat."""
        self.session, self.turns, self.system = session, [*turns], session.system

    def renamed(self, session: Session) -> None:
        """Adopt the new title if the session is this one."""
        if self.session is not None and self.session.id == session.id:
            self.session = replace(self.session, title=session.title)

    def send(
        self, question: str, documents: Collection[str], *, model: str | None = None, instead: bool = False
    ) -> Turn:
        """Add a question.

        Args:
            question: as it was typed.
            documents: ids of the active documents.
            model: name of the pair that answers it.
            instead: replace the last turn.
        """
        if instead and self.turns:
            self.turns.pop()
        begun = self.session or self._sessions.create(question)
        self.session = replace(begun, documents=tuple(documents), system=self.system)
        self.turns.append(Turn(len(self.turns), question, model=model))
        self.save()
        return self.turns[-1]

    def add(self, text: str) -> Turn:
        """Append a piece to the answer."""
        return self._change(answer=self.turns[-1].answer + text)

    def step(self, step: Step) -> Turn:
        """Note a step; what was said before it is in it, and no part of the answer."""
        self.turns[-1] = self.turns[-1].with_step(step)
        turn = self._change(answer="")
        self.save()
        return turn

    def finish(self, answer: Answer) -> Turn:
        """End the answer."""
        turn = self._change(answer=answer.text, state="done", stats=answer.stats, sources=answer.sources)
        self.save()
        return turn

    def fail(self, error: ThothError) -> Turn:
        """End the answer with an error; the pieces so far stay."""
        if isinstance(error, Stopped):
            turn = self._change(state="stopped", steps=self.turns[-1].steps_stopped())
        else:
            turn = self._change(state="failed", error=str(error), steps=self.turns[-1].steps_stopped())
        self.save()
        return turn

    def save(self) -> None:
        """Save the last turn."""
        if self.session is not None and self.last is not None and self.last is not self._stored:
            self._stored = self.last
            self.saving = self._disk.submit(self._put, self.session, self.last)

    def close(self) -> None:
        """Save what is left, then end the thread."""
        if self.answering:
            self._change(state="stopped", steps=self.turns[-1].steps_stopped())
        self.save()
        self._disk.submit(self._sessions.close)
        self._disk.shutdown(wait=True)

    def _put(self, session: Session, turn: Turn) -> None:
        try:
            self._sessions.put(session, turn)
            self._saves = True
        # The edge of a thread: an error that escaped here would be lost.
        except Exception as error:
            if self._saves:  # an answer is saved every second while it grows
                self._not_saved(error if isinstance(error, ThothError) else ThothError(crash_log.keep(error)))
            self._saves = False

    def _change(self, **changes: object) -> Turn:
        self.turns[-1] = replace(self.turns[-1], **changes)  # type: ignore[arg-type]
        return self.turns[-1]
