"""The memory of a chat: its oldest turns become weights and leave the context; the transcript keeps all of them.

There is no record of what has left: a turn is out of the context if the library has it completely absorbed, as a
document of the chat, by the model in use. So every turn is in the context or in the weights, whatever was killed in
between, and another model begins with the whole conversation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thoth.actions import requests
from thoth.chats.sessions import Session, Sessions, Turn
from thoth.events import Stats
from thoth.ingest import Block, Document
from thoth.library.records import StoredDocument, document_ids

if TYPE_CHECKING:
    from thoth.engine.engine import Engine
    from thoth.ingest.chunks import Chunking
    from thoth.library.library import Library

# Where the window is full, turns leave until this share of it is left. Prompts then begin alike for several turns, and
# the key/value cache serves them.
_KEPT = 0.5
_CHUNKING: Chunking = "meaning"
_LETTERS_PER_TOKEN = 3  # of turns that no model of this version answered
YOU, THOTH = "you", "Thoth"


@dataclass(frozen=True)
class Remembered:
    """What a chat has in the weights.

    Attributes:
        turns: numbers of the turns that have left the context.
        documents: everything that the loaded model has absorbed of the chat.
    """

    turns: frozenset[int] = frozenset()
    documents: tuple[StoredDocument, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens of the chat that are in the weights."""
        return sum(document.tokens for document in self.documents)


NOTHING = Remembered()


def document(turn: Turn) -> Document:
    """Return what is absorbed of a turn: what was said, with speakers and time in the record, not in the text.

    A hypernetwork reads facts best as they are: nano recalls 93% of single facts from their text alone, and fewer the
    more stands around them (docs/measurements.md, "Conversation memory").
    """
    parts = [(YOU, turn.question.strip()), (THOTH, turn.answer.strip())]
    text, blocks = "", []
    for speaker, said in parts:
        text += "\n\n" if text and said else ""
        blocks.append(Block("paragraph", len(text), len(text) + len(said), (speaker,)))
        text += said
    return Document(f"chat, {turn.asked.astimezone():%Y-%m-%d %H:%M}", text, None, tuple(blocks))


def known(library: Library, bundle: str | None, chat: str, turns: Sequence[Turn]) -> Remembered:
    """Return what a bundle has absorbed of a chat.

    Args:
        library: the library.
        bundle: id of the bundle in use, None while there is none.
        chat: id of the chat.
        turns: all of them.
    """
    if bundle is None:
        return NOTHING
    ready = {one.id: one for one in library.documents(chat=chat) if one.state(bundle) == "ready"}
    if not ready:
        return NOTHING
    gone = [turn.number for turn in turns if any(id in ready for id in _ids(turn, bundle, chat))]
    return Remembered(frozenset(gone), tuple(ready.values()))


def _ids(turn: Turn, bundle: str, chat: str) -> list[str]:
    return document_ids(document(turn).sha256, bundle, _CHUNKING, chat)


def in_context(turns: Sequence[Turn], remembered: Remembered) -> list[Turn]:
    """Return the answered turns that have not left the context."""
    return [turn for turn in turns if turn.answer.strip() and turn.number not in remembered.turns]


def leaving(turns: Sequence[Turn], remembered: Remembered, window: int) -> list[Turn]:
    """Return the turns that should leave the context, oldest first: none while all of it fits in the window.

    Args:
        turns: all of them; the last one stays.
        remembered: what has left already.
        window: tokens that turns may take in the context.
    """
    held = in_context(turns, remembered)
    total = sum(map(_tokens, held))
    if total <= window:
        return []
    chosen = []
    for turn in held[:-1]:
        if total <= window * _KEPT:
            break
        chosen.append(turn)
        total -= _tokens(turn)
    return chosen


def _tokens(turn: Turn) -> int:
    if turn.stats is not None and turn.stats.turn_tokens:
        return turn.stats.turn_tokens
    return math.ceil((len(turn.question) + len(turn.answer)) / _LETTERS_PER_TOKEN)


def absorb(
    engine: Engine,
    library: Library,
    chat: str,
    turns: Sequence[Turn],
    window: int,
    listener: requests.Listener = requests.ignore,
    stopped: Callable[[], bool] = lambda: False,
) -> Remembered:
    """Absorb the turns that should leave the context, one by one, and return what the chat has in the weights then.

    Questions that are asked meanwhile are answered in between.

    Args:
        engine: with a pair loaded.
        library: of the engine.
        chat: id of the chat, which is stored.
        turns: all of them.
        window: tokens that turns may take in the context.
        listener: gets the events of each request.
        stopped: asked before each turn.

    Raises:
        ThothError: A turn cannot be absorbed; it stays in the context.
    """
    remembered = known(library, engine.bundle_id, chat, turns)
    chosen = leaving(turns, remembered, window)
    for turn in chosen:
        if stopped():
            break
        requests.document(engine.absorb(document(turn), chunking=_CHUNKING, chat=chat), listener)
    return known(library, engine.bundle_id, chat, turns) if chosen else remembered


def messages(turns: Sequence[Turn], question: str, remembered: Remembered, system: str | None) -> list[dict[str, str]]:
    """Return the conversation for the engine.

    Args:
        turns: those before the question.
        question: the question.
        remembered: what has left the context.
        system: the system prompt, if there is one.
    """
    said = [{"role": "system", "content": system.strip()}] if system and system.strip() else []
    for turn in in_context(turns, remembered):
        said.append({"role": "user", "content": turn.question})
        said.append({"role": "assistant", "content": turn.answer})
    return [*said, {"role": "user", "content": question}]


def meter(stats: Stats | None, window: int, remembered: Remembered) -> str:
    """Say how full the context is, and how much is in the weights: "context 1.2k of 4k · absorbed 38k"."""
    used = stats.prompt_tokens if stats else 0
    absorbed = f" · absorbed {_short(remembered.tokens)}" if remembered.documents else ""
    return f"context {_short(used)} of {_short(window)}{absorbed}"


def _short(tokens: int) -> str:
    if tokens < 1000:
        return str(tokens)
    return f"{tokens / 1000:.1f}".removesuffix(".0") + "k" if tokens < 10_000 else f"{tokens / 1000:.0f}k"


def delete(library: Library, sessions: Sessions, session: Session) -> None:
    """Delete a chat and what it has in the weights.

    The weights go first: a crash in between leaves a chat that is whole.
    """
    library.forget_chat(session.id)
    sessions.remove(session.id)
    library.forget_chat(session.id)  # of a turn that another process was absorbing


def sweep(library: Library, sessions: Sessions) -> int:
    """Remove what is left in the weights of chats that are gone, and return how many documents that was."""
    chats = {session.id for session in sessions.find()}
    orphans = [one for one in library.of_chats() if one.chat not in chats]
    for orphan in orphans:
        library.remove(orphan.id)
    return len(orphans)
