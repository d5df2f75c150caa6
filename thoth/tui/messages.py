"""What the engine reports to a screen: the events of `thoth.events`, each with the request it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thoth.errors import ThothError
from thoth.events import Answer, Event, Progress, Step, Token
from thoth.tui.desk_message import DeskMessage

if TYPE_CHECKING:
    from thoth.actions.memory import Remembered
    from thoth.library.records import StoredDocument
    from thoth.tui.agent_runs import Question


@dataclass(frozen=True)
class AbsorbJob:
    """A request to absorb one document.

    Attributes:
        id: number of the job in this run of the app, from 1.
        source: path or address.
        name: display name, safe to show.
    """

    id: int
    source: str
    name: str


@dataclass
class ModelMessage(DeskMessage):
    """News about the model.

    Attributes:
        name: of the pair.
    """

    name: str


@dataclass
class ModelLoading(ModelMessage):
    """A model is being loaded."""


@dataclass
class ModelReady(ModelMessage):
    """A model is loaded and answers questions.

    Attributes:
        bundle_id: id of its bundle; documents of another bundle are stale.
    """

    bundle_id: str | None


@dataclass
class ModelFailed(ModelMessage):
    """The model cannot be loaded; everything that needs no model still works."""

    error: ThothError


@dataclass
class AnswerMessage(DeskMessage):
    """News about a question.

    Attributes:
        turn: number of the request.
    """

    turn: int


@dataclass
class AnswerProgress(AnswerMessage):
    """How far an answer is that cannot be shown yet."""

    progress: Progress


@dataclass
class AnswerToken(AnswerMessage):
    """The next piece of an answer."""

    text: str


@dataclass
class AnswerStep(AnswerMessage):
    """A tool call began, changed or ended."""

    step: Step


@dataclass
class AgentWarned(DeskMessage):
    """Something about tools that is no part of an answer."""

    text: str


@dataclass
class PermissionWanted(DeskMessage):
    """A tool call waits for a person."""

    question: Question


@dataclass
class AnswerDone(AnswerMessage):
    """The complete answer."""

    answer: Answer


@dataclass
class AnswerFailed(AnswerMessage):
    """There is no answer, or only the pieces so far; the error is `Stopped` if the user stopped it."""

    error: ThothError


@dataclass
class MemoryMessage(DeskMessage):
    """News about what a chat has in the weights.

    Attributes:
        chat: id of the chat.
    """

    chat: str


@dataclass
class ChatRemembered(MemoryMessage):
    """What has left the context of a chat for the weights."""

    remembered: Remembered


@dataclass
class ChatNotRemembered(MemoryMessage):
    """Turns of a chat cannot be absorbed; they stay in the context."""

    error: ThothError


@dataclass
class AbsorbMessage(DeskMessage):
    """News about a job."""

    job: AbsorbJob


@dataclass
class AbsorbProgress(AbsorbMessage):
    """How much of a document is absorbed."""

    progress: Progress


@dataclass
class AbsorbDone(AbsorbMessage):
    """A document is absorbed and in the library.

    Attributes:
        document: its entry there.
        is_new: False where the library had it already.
        seconds: from the first byte that was read to the last chunk.
        summary: two sentences of it, where it is new; empty if it has no sentences.
    """

    document: StoredDocument
    is_new: bool = True
    seconds: float = 0.0
    summary: str = ""


@dataclass
class QuestionsWritten(DeskMessage):
    """Questions about a document that was absorbed.

    Attributes:
        document: its entry in the library.
        questions: that it answers; each was tried.
    """

    document: StoredDocument
    questions: tuple[str, ...]


@dataclass
class AbsorbFailed(AbsorbMessage):
    """A document was not absorbed completely; the error is `Stopped` if the user cancelled it."""

    error: ThothError


@dataclass
class LibraryChanged(DeskMessage):
    """The documents in the library changed, or which of them are active."""


def of_answer(turn: int, event: Event) -> AnswerMessage | None:
    """Return the message that an event of an answer is told by; None: it is not told."""
    match event:
        case Progress():
            return AnswerProgress(turn, event)
        case Token():
            return AnswerToken(turn, event.text)
        case Step():
            return AnswerStep(turn, event)
        case Answer():
            return AnswerDone(turn, event)
    return None
