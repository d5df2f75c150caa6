"""What a question is answered from: documents named for it or the active ones; three ways to answer; the support."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from thoth import events, ingest
from thoth.actions import requests
from thoth.actions.sources import Source
from thoth.actions.wording import count
from thoth.errors import DocumentError, UnknownNameError
from thoth.events import Answer, Passage, Stats
from thoth.ingest import Document
from thoth.library.records import StoredDocument
from thoth.retrieval.routing import Routing

if TYPE_CHECKING:
    from thoth.engine.engine import Engine
    from thoth.ingest.chunks import Chunking
    from thoth.library.library import Library

NOT_FOUND = "not found in the documents"

Knowledge = Literal["weights", "context", "none"]


# Documents


@dataclass(frozen=True)
class Named:
    """A document that was named for one question.

    Attributes:
        document: as it was read.
        origin: an absolute path or an address; None for standard input.
        stored: its entry in the library, for a document that was named by that.
    """

    document: Document
    origin: str | None
    stored: StoredDocument | None = None


def read(sources: Iterable[Source], library: Library) -> list[Named]:
    """Read the documents that are named for a question.

    The same text twice counts once: two equal adapters would double its weight.

    Args:
        sources: paths, addresses, `-` for standard input; no folders. A path where no file is stands for a document of
            the library: its name, its id, or the first letters of that.
        library: has those documents.

    Raises:
        DocumentError: Neither a file nor a document of the library has this name, or several documents have it.
        DocumentError, NoTextError: As `ingest.read`.
    """
    documents = [
        _of_library(source.place, library)
        if source.is_local and not os.path.lexists(source.place)
        else Named(ingest.read(source.place, source.options), source.origin)
        for source in sources
    ]
    return list({named.document.sha256: named for named in documents}.values())


def _of_library(name: str, library: Library) -> Named:
    try:
        stored = library.get(name)
    except UnknownNameError as error:
        missing = f"there is no file {ingest.shown(name)} and no document of this name in the library{error.hint}"
        raise DocumentError(f"{missing}: check the name") from error
    return Named(library.document(stored.id), stored.source, stored)


def absorb(
    engine: Engine,
    library: Library,
    named: Named,
    chunking: Chunking,
    listener: requests.Listener = requests.ignore,
) -> StoredDocument:
    """Absorb a document for one question; if it is new in the library, it does not become active.

    Args:
        engine: with a pair loaded.
        library: of the engine.
        named: the document.
        chunking: how it is cut.
        listener: gets the events of the request.

    Raises:
        ThothError: It cannot be absorbed; the chunks that are absorbed stay.
    """
    document, bundle = named.document, engine.bundle_id or ""
    if named.stored is not None and named.stored.state(bundle) == "ready":
        return named.stored
    known = library.find(document.sha256, bundle, chunking)
    try:
        events = engine.absorb(document, chunking=chunking, source_name=named.origin)
        return requests.document(events, listener)
    finally:
        if known is None and (begun := library.find(document.sha256, bundle, chunking)):
            library.activate([begun.id], False)


def ready(
    documents: Iterable[StoredDocument], bundle: str | None, *, partial: bool = False, inactive: bool = False
) -> tuple[list[StoredDocument], list[StoredDocument]]:
    """Split the active documents into those that a bundle can answer from now, and the others.

    Args:
        documents: of the library; inactive ones are in neither list.
        bundle: id of the bundle in use.
        partial: accept documents of which some chunks are absorbed.
        inactive: accept documents that are not active.

    Returns:
        Documents absorbed by this bundle, and active documents left out: incomplete or stale.
    """
    active = [document for document in documents if document.active or inactive]
    states = ("ready", "absorbing") if partial else ("ready",)
    usable = [document for document in active if document.state(bundle) in states and document.absorbed]
    return usable, [document for document in active if document not in usable]


def not_ready(number: int, noun: str) -> str:
    """Say that documents are left out of an answer: why, and what to do."""
    were = "was" if number == 1 else "were"
    reason = "absorbed with another model, or not completely"
    return f"left out {count(number, noun)} that {were} {reason}; run `thoth docs update`"


def named_in(library: Library, ids: Iterable[str]) -> list[StoredDocument] | None:
    """Return the documents that were named earlier in a chat, by their ids; None if the chat is about the active ones.

    A document that is named for a question does not become active, so a chat with an inactive one was about those that
    it names.
    """
    documents = library.known([*ids])
    return documents if any(not document.active for document in documents) else None


# Three ways

_NO_ADAPTER = Routing(route="none")


@dataclass(frozen=True)
class Way:
    """One way to answer a question; the fields are arguments of `Engine.ask`.

    Attributes:
        knowledge: where the documents are: in the weights, in the context, or nowhere.
        documents: their adapters may be attached.
        context: their texts are read.
        routing: which chunks are attached.
    """

    knowledge: Knowledge
    documents: Sequence[StoredDocument] = ()
    context: Sequence[Document] = ()
    routing: Routing = _NO_ADAPTER


def from_weights(documents: Sequence[StoredDocument], routing: Routing) -> Way:
    """Answer from adapters, a document that is named twice from one; no text is read unless `routing` says so."""
    return Way("weights", [*{document.id: document for document in documents}.values()], routing=routing)


def from_context(documents: Sequence[Document]) -> Way:
    """Answer from the texts, all of them in the context."""
    return Way("context", context=documents)


WITHOUT = Way("none")


# The support of an answer

UNSUPPORTED = "Nothing in your documents supports this answer."
NO_CHUNK = "No chunk fits the question: answered without your documents."


def support(answer: Answer) -> str:
    """Say in one sentence what supports an answer from the weights."""
    if answer.support == "none":
        return NO_CHUNK
    look = f" {looked.capitalize()}." if (looked := second_look(answer.stats)) else ""
    if answer.stats.quoted:
        places = dict.fromkeys(where for where, _ in explain(answer.sources))
        if not answer.stats.prompt_tokens:
            return f"This model does not summarise: quoted from {' and '.join(places)}."
        return f"Nothing supports the model's own answer: quoted from {' and '.join(places)}.{look}"
    if answer.support == "unsupported":
        return UNSUPPORTED + look
    best = answer.sources[0]
    return f"Supported by {place(best.name, best.page, best.headings)}.{look}"


def stands_on(stats: Stats, sources: Sequence[Passage]) -> str:
    """Say the same in a few words, for a line that has more to tell."""
    look = f", {looked}" if (looked := second_look(stats)) else ""
    match events.support(stats, sources):
        case "supported":
            return f"supported by {place(sources[0].name, sources[0].page, ())}{look}"
        case "unsupported" if stats.quoted:
            return f"quoted from {place(sources[0].name, sources[0].page, ())}{look}"
        case "unsupported":
            return f"nothing in your documents supports this{look}"
    return "answered without your documents"


def second_look(stats: Stats) -> str:
    """Say what was read because nothing supported a first answer: "second look: 1 passage, 214 tokens"."""
    if not stats.second_look:
        return ""
    read = f"{count(stats.passages, 'passage')}, {count(stats.document_tokens_in_context, 'token')}"
    return f"second look: {read}"


def place(name: str, page: int | None, headings: Sequence[str]) -> str:
    """Return where a passage is, outermost part first: "manual.pdf, page 7, Safety > Brakes"."""
    parts = [name, *([f"page {page}"] if page is not None else []), *([" > ".join(headings)] if headings else [])]
    return ", ".join(parts)


def explain(passages: Sequence[Passage]) -> list[tuple[str, str]]:
    """Return place and quotation, each one line, of the passages that support an answer, best first."""
    return [
        (place(passage.name, passage.page, passage.headings), " ".join(passage.quote.split())) for passage in passages
    ]
