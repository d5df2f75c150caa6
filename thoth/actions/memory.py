"""The memory of a chat: its oldest turns become weights and leave the context; the transcript keeps all of them.

A turn is out of the context if the library has what it tells completely absorbed, as a document of the chat, by the
model in use. So every turn is in the context or in the weights, whatever was killed in between, and another model
begins with the whole conversation. Only turns that tell nothing new (`turn_text.py`) are marked as having left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thoth.actions import chats, requests, turn_text
from thoth.errors import DocumentError
from thoth.events import Stats
from thoth.library.records import StoredDocument, document_ids
from thoth.retrieval import replay, terms

if TYPE_CHECKING:
    from thoth.chats.sessions import Sessions, Turn
    from thoth.engine.engine import Engine
    from thoth.ingest.chunks import Chunking
    from thoth.library.library import Library

# Where the window is full, turns leave until this share of it is left. Prompts then begin alike for several turns, and
# the key/value cache serves them.
_KEPT = 0.5
_CHUNKING: Chunking = "meaning"


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


def known(library: Library, sessions: Sessions, bundle: str | None, chat: str, turns: Sequence[Turn]) -> Remembered:
    """Return what a bundle has absorbed of a chat.

    Args:
        library: has the documents.
        sessions: has the chat.
        bundle: id of the bundle in use, None while there is none.
        chat: id of the chat.
        turns: all of them.
    """
    if bundle is None:
        return NOTHING
    documents = chats.documents(library, sessions, chat, bundle)
    left = {one.id for one in documents if one.complete} | {*sessions.documents(chat, "nothing")}
    if not left:
        return NOTHING
    gone = [turn.number for turn in turns if not left.isdisjoint([_mark(turn), *_ids(turn, bundle)])]
    return Remembered(frozenset(gone), tuple(documents))


def _ids(turn: Turn, bundle: str) -> list[str]:
    """The ids that a turn may have in the library."""
    may = filter(None, turn_text.forms(turn))
    return [id for document in may for id in document_ids(document.sha256, bundle, _CHUNKING)]


def _mark(turn: Turn) -> str:
    """What stands among a chat's documents for a turn that tells nothing new."""
    whole, _ = turn_text.forms(turn)
    return f"nothing-{turn.number}-{whole.sha256[:16]}"


def in_context(turns: Sequence[Turn], remembered: Remembered) -> list[Turn]:
    """Return the answered turns that have not left the context."""
    return [turn for turn in turns if turn.answer.strip() and turn.number not in remembered.turns]


def leaving(turns: Sequence[Turn], remembered: Remembered, window: int, length: Callable[[str], int]) -> list[Turn]:
    """Return the turns that should leave the context, oldest first: none while all of it fits in the window.

    Args:
        turns: all of them; the last one stays.
        remembered: what has left already.
        window: tokens that turns may take in the context.
        length: gives the length of a text in tokens.
    """
    held = in_context(turns, remembered)
    texts = [f"{turn.question}\n{turn.answer}" for turn in held]
    if not held or length("\n".join(texts)) <= window:
        return []
    lengths = list(map(length, texts))
    chosen: list[Turn] = []
    while len(chosen) < len(held) - 1 and sum(lengths[len(chosen) :]) > window * _KEPT:
        chosen.append(held[len(chosen)])
    return chosen


def absorb(
    engine: Engine,
    library: Library,
    sessions: Sessions,
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
        sessions: has the chat.
        chat: id of the chat.
        turns: all of them.
        window: tokens that turns may take in the context.
        listener: gets the events of each request.
        stopped: asked before each turn.

    Raises:
        ThothError: A turn cannot be absorbed; it stays in the context.
    """
    remembered = known(library, sessions, engine.bundle_id, chat, turns)
    for turn in leaving(turns, remembered, window, engine.count_tokens):
        if stopped() or not sessions.has(chat):
            break
        if (learnt := turn_text.learnt(turn, library, remembered.documents)) is None:
            sessions.add_document(chat, _mark(turn), "nothing")
        else:
            absorbing = chats.begin_absorbing(engine, sessions, chat, learnt, "turns", chunking=_CHUNKING)
            requests.document(absorbing, listener)
            remembered = known(library, sessions, engine.bundle_id, chat, turns)
        if not sessions.has(chat):  # deleted meanwhile: nothing of it may stay
            chats.remove(library, sessions, chat)
            raise DocumentError("this chat was deleted")
    return known(library, sessions, engine.bundle_id, chat, turns)


def messages(
    turns: Sequence[Turn], question: str, remembered: Remembered, system: str | None, history_turns: int
) -> list[dict[str, str]]:
    """Return the conversation for the engine: what the question needs of it.

    Args:
        turns: those before the question.
        question: the question.
        remembered: what has left the context.
        system: the system prompt, if there is one.
        history_turns: most turns that are replayed.
    """
    held = in_context(turns, remembered)
    said = [{"role": "system", "content": system.strip()}] if system and system.strip() else []
    for turn in held:
        said.append({"role": "user", "content": turn.question})
        said.append({"role": "assistant", "content": turn.answer})
    return replay.needed([*said, {"role": "user", "content": question}], history_turns, _told(held, question))


def _told(turns: Sequence[Turn], question: str) -> list[int]:
    """Places of the turns that share a name with a question and say what no document says: only the chat knows it."""
    asked = set(terms.terms(" ".join(terms.names(question))))
    said = [set(terms.terms(f"{turn.question}\n{turn.answer}")) for turn in turns]
    return [place for place, turn in enumerate(turns) if not turn.sources and not asked.isdisjoint(said[place])]


def meter(stats: Stats, window: int | None, remembered: Remembered) -> str:
    """Say how full the context is, and how much is in the weights: "context 1.2k of 4k tokens · absorbed 38k tokens".

    Args:
        stats: of the last answer.
        window: tokens of turns that stay in the context; None: all of them.
        remembered: what has left it.
    """
    full = f" of {_short(window)}" if window is not None else ""
    absorbed = f" · absorbed {_short(remembered.tokens)} tokens" if remembered.documents else ""
    return f"context {_short(stats.prompt_tokens)}{full} tokens{absorbed}"


def _short(tokens: int) -> str:
    if tokens < 1000:
        return str(tokens)
    return f"{tokens / 1000:.1f}".removesuffix(".0") + "k" if tokens < 10_000 else f"{tokens / 1000:.0f}k"
