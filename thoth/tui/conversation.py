"""The chat that goes on: its turns, what the engine is told of them, and their way to the disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from thoth.chats.sessions import Session, Sessions, Turn
from thoth.errors import Stopped, ThothError
from thoth.events import Answer


class Conversation:
    """The turns of one session; stored on a thread, in order, as they change.

    Args:
        sessions: where they are kept.
        unkept: told, on that thread, why something could not be stored.
    """

    def __init__(self, sessions: Sessions, unkept: Callable[[ThothError], object]) -> None:
        self._sessions = sessions
        self._unkept = unkept
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sessions")
        self._stored: Turn | None = None
        self.session: Session | None = None
        self.turns: list[Turn] = []

    @property
    def last(self) -> Turn | None:
        """The last turn."""
        return self.turns[-1] if self.turns else None

    @property
    def answering(self) -> bool:
        """Whether the last question has no end of an answer yet."""
        return self.last is not None and self.last.state == "answering"

    def begin(self) -> None:
        """Begin a new chat."""
        self.session, self.turns = None, []

    def resume(self, session: Session, turns: Sequence[Turn]) -> None:
        """Go on with an earlier one."""
        self.session, self.turns = session, [*turns]

    def renamed(self, session: Session) -> None:
        """Take the new title, if it is this session's."""
        if self.session is not None and self.session.id == session.id:
            self.session = replace(self.session, title=session.title)

    def send(self, question: str, documents: Collection[str], *, instead: bool = False) -> Turn:
        """Add a question.

        Args:
            question: as it was typed.
            documents: ids of the active ones.
            instead: in place of the last turn.
        """
        if instead and self.turns:
            self.turns.pop()
        self.session = replace(self.session or self._sessions.create(question), documents=tuple(documents))
        self.turns.append(Turn(len(self.turns), question))
        self.keep()
        return self.turns[-1]

    def add(self, text: str) -> Turn:
        """Add a piece to the answer."""
        return self._change(answer=self.turns[-1].answer + text)

    def finish(self, answer: Answer) -> Turn:
        """End the answer."""
        turn = self._change(answer=answer.text, state="done", stats=answer.stats, sources=answer.sources)
        self.keep()
        return turn

    def fail(self, error: ThothError) -> Turn:
        """End without one; what there is of it stays."""
        if isinstance(error, Stopped):
            turn = self._change(state="stopped")
        else:
            turn = self._change(state="failed", error=str(error))
        self.keep()
        return turn

    def messages(self) -> list[dict[str, str]]:
        """Return the conversation up to the last question, as the engine takes it; unanswered ones are left out."""
        said: list[dict[str, str]] = []
        for turn in self.turns[:-1]:
            if turn.answer.strip():
                said.append({"role": "user", "content": turn.question})
                said.append({"role": "assistant", "content": turn.answer})
        return [*said, {"role": "user", "content": self.turns[-1].question}]

    def keep(self) -> None:
        """Store the last turn as it is now."""
        if self.session is not None and self.last is not None and self.last is not self._stored:
            self._stored = self.last
            self._disk.submit(self._put, self.session, self.last)

    def close(self) -> None:
        """Store what is left, then end the thread."""
        if self.answering:
            self._change(state="stopped")
        self.keep()
        self._disk.submit(self._sessions.close)
        self._disk.shutdown(wait=True)

    def _put(self, session: Session, turn: Turn) -> None:
        try:
            self._sessions.put(session, turn)
        except ThothError as error:
            self._unkept(error)

    def _change(self, **changes: object) -> Turn:
        self.turns[-1] = replace(self.turns[-1], **changes)  # type: ignore[arg-type]
        return self.turns[-1]
