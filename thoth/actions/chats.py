"""Documents of one chat: results of tools, older turns; absorbed like any other, and removed with the chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from thoth.chats.sessions import Sessions
    from thoth.engine.engine import Engine
    from thoth.engine.request import Listener, Request
    from thoth.ingest import Document
    from thoth.ingest.chunks import Chunking
    from thoth.library.library import Library
    from thoth.library.records import StoredDocument

Kind = Literal["result", "turns"]  # and "nothing", for a turn that is no document


def begin_absorbing(
    engine: Engine,
    sessions: Sessions | None,
    chat: str,
    document: Document,
    kind: Kind,
    *,
    chunking: Chunking = "meaning",
    source: str | None = None,
    listener: Listener | None = None,
) -> Request:
    """Absorb a document for a chat; it is not listed, and is removed with the last chat that it belongs to.

    Args:
        engine: with a pair loaded.
        sessions: the chats; None for a chat that is not stored.
        chat: id of the chat.
        document: the document.
        kind: what it holds.
        chunking: how it is cut.
        source: the address or path it was read from.
        listener: as `Engine.absorb` takes it.
    """
    if sessions is not None:
        sessions.add_document(chat, engine.document_id(document, chunking), kind)
    return engine.absorb(document, chunking=chunking, source_name=source, of_chat=True, listener=listener)


def documents(library: Library, sessions: Sessions, chat: str, bundle: str | None) -> list[StoredDocument]:
    """Return the documents of a chat that a bundle can answer from now, oldest first."""
    known = library.known(sessions.documents(chat))
    return sorted((one for one in known if one.absorbed and one.state(bundle) != "stale"), key=lambda one: one.added)


def remove(library: Library, sessions: Sessions, chat: str) -> None:
    """Delete a chat, and the documents that belong to no other one."""
    # Documents first: a crash in between leaves a chat that can be deleted again, never a document that nobody lists.
    for document in library.known(sessions.alone(chat)):
        if document.of_chat:
            library.remove(document.id)
    sessions.remove(chat)
