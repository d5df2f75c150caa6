"""What the engine's threads say to a screen: the events of `thoth.events`, each with the request it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from thoth.errors import ThothError
from thoth.events import Answer, Progress

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument


@dataclass(frozen=True)
class AbsorbJob:
    """A document that was asked to be absorbed.

    Attributes:
        id: counts the jobs of this run of the app, from 1.
        source: path or address.
        name: what to call it, safe to show.
    """

    id: int
    source: str
    name: str


@dataclass
class ModelLoading(Message):
    """A model is being loaded; `progress` is None until the engine says anything."""

    name: str
    progress: Progress | None


@dataclass
class ModelReady(Message):
    """Questions are answered from now on.

    Attributes:
        name: of the pair.
        bundle_id: documents of another bundle are stale.
    """

    name: str
    bundle_id: str | None


@dataclass
class ModelFailed(Message):
    """The model cannot be loaded; everything that needs none works on."""

    name: str
    error: ThothError


@dataclass
class AnswerStarted(Message):
    """The engine has begun with a question: what came before it is done."""

    turn: int


@dataclass
class AnswerToken(Message):
    """The next piece of an answer."""

    turn: int
    text: str


@dataclass
class AnswerDone(Message):
    """The whole answer."""

    turn: int
    answer: Answer


@dataclass
class AnswerFailed(Message):
    """There is no answer, or only the pieces so far; `thoth.errors.Stopped` where the user stopped it."""

    turn: int
    error: ThothError


@dataclass
class AbsorbQueued(Message):
    """A document waits for its turn."""

    job: AbsorbJob


@dataclass
class AbsorbProgress(Message):
    """So far is a document absorbed."""

    job: AbsorbJob
    progress: Progress


@dataclass
class AbsorbDone(Message):
    """A document is in the library, and active."""

    job: AbsorbJob
    document: StoredDocument


@dataclass
class AbsorbFailed(Message):
    """A document was not absorbed, or not to its end; `thoth.errors.Stopped` where the user cancelled it."""

    job: AbsorbJob
    error: ThothError


@dataclass
class LibraryChanged(Message):
    """The documents in the library, or which of them are active, changed."""
