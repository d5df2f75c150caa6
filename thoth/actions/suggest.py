"""Questions that a document answers: the base writes one for a sentence, and it is kept if its answer is that sentence.

Nothing is trusted: a question that names what its sentence does not, or whose answer comes from elsewhere, is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thoth.events import Answer
from thoth.library.reading import LibraryReader
from thoth.library.records import StoredDocument
from thoth.models import registry
from thoth.models.registry import Pair
from thoth.retrieval.routing import Routing
from thoth.retrieval.summary import telling
from thoth.retrieval.terms import FUNCTION_WORDS, names, terms
from thoth.settings import Settings
from thoth.system.terminal import shown

# As `Engine.ask`, but it waits for the answer.
Ask = Callable[..., Answer]

_MOST = 3
_TRIED = 8  # sentences; each costs a question of 32 tokens at most and an answer of 48
_QUESTION_TOKENS, _ANSWER_TOKENS = 32, 48
_LONGEST = 160  # letters of a question
_TASK = "Write one short question that the sentence answers, in the language of the sentence.\n\nSentence: "
_SHOTS = (
    ("The museum opened in 1923 in a former mill.", "When did the museum open?"),
    ("Lina Berg must send the report to the board every Friday.", "Who must send the report to the board?"),
)


def wanted(settings: Settings, pair: Pair) -> bool:
    """Tell whether questions are written with a pair."""
    return settings.suggest == "on" or (settings.suggest == "auto" and registry.writes_questions(pair))


def write(ask: Ask, library: LibraryReader, stored: StoredDocument, routing: Routing) -> tuple[str, ...]:
    """Write at most three questions that a document answers, and try each.

    Args:
        ask: asks the engine.
        library: has the document.
        stored: the document, completely absorbed.
        routing: how questions are usually asked.

    Raises:
        ThothError: The engine fails, or the document was removed.
    """
    kept: dict[frozenset[str], str] = {}
    for sentence in telling(library.document(stored.id))[:_TRIED]:
        written = ask(_messages(sentence), max_tokens=_QUESTION_TOKENS).text
        question = _checked(written, sentence)
        if question is None or (about := frozenset(terms(question)) - FUNCTION_WORDS) in kept:
            continue
        answer = ask([_said("user", question)], [stored], routing=routing, max_tokens=_ANSWER_TOKENS)
        if any(_same(source.quote, sentence) for source in answer.sources):
            kept[about] = question
        if len(kept) == _MOST:
            break
    return tuple(kept.values())


def _messages(sentence: str) -> list[dict[str, Any]]:
    shots = [(_said("user", _TASK + told), _said("assistant", question)) for told, question in _SHOTS]
    return [message for shot in shots for message in shot] + [_said("user", _TASK + sentence)]


def _said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def _checked(written: str, sentence: str) -> str | None:
    """Return what was written if it is one question about a sentence, safe to show, and leaves something to answer."""
    lines = written.strip().splitlines()
    question = shown(lines[0].strip(" \"'*-")) if lines else ""
    if not question.endswith(("?", "\uff1f")) or len(question) > _LONGEST:
        return None
    told, asked = frozenset(terms(sentence)), frozenset(terms(question))
    named = frozenset(term for name in names(question) for term in terms(name))
    is_about = bool((asked & told) - FUNCTION_WORDS)
    return question if named <= told and is_about and told - asked - FUNCTION_WORDS else None


def _same(quote: str, sentence: str) -> bool:
    quoted = " ".join(quote.split())
    return quoted in sentence or sentence in quoted
