"""Model names of the API -> what an answer comes from.

`thoth` is routed over the active documents, `thoth/<document>` answers from one, `thoth/<collection>` from those of a
collection, `thoth/none` from none of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from thoth import settings
from thoth.actions import ask as asking
from thoth.actions.ask import Way
from thoth.errors import DocumentError, UnknownNameError
from thoth.serve.faults import Fault

if TYPE_CHECKING:
    from thoth.library.library import Library
    from thoth.library.records import StoredDocument
    from thoth.retrieval.routing import Routing
    from thoth.serve.service import Service
    from thoth.serve.shapes import Own

ALL, NONE, PREFIX = "thoth", "thoth/none", "thoth/"


async def way(service: Service, name: str, own: Own) -> Way:
    """Return what a model answers from.

    Args:
        service: with the documents.
        name: the model of a request.
        own: what the request says beside it.

    Raises:
        Fault: There is no such model, or its document was absorbed by another one.
        DocumentError: A document that the request names is not there.
    """
    limits = settings.checked(route=own.route, top_k=own.top_k, with_text=own.with_text)
    routing = replace(service.settings, **limits).routing()  # type: ignore[arg-type]
    bundle = service.engine.bundle_id
    return await run_in_threadpool(_way, name, own.documents, service.library, bundle, routing)


def _way(name: str, documents: Sequence[str] | None, library: Library, bundle: str | None, routing: Routing) -> Way:
    if documents is not None:
        return asking.from_weights([_ready(library, one, bundle) for one in documents], routing)
    if name == NONE:
        return asking.WITHOUT
    if name == ALL:
        known, _ = asking.ready(library.documents(active=True), bundle, partial=True)
        return asking.from_weights(known, routing) if known else asking.WITHOUT
    if not name.startswith(PREFIX):
        raise _unknown(name)
    meant = name.removeprefix(PREFIX)
    try:
        return asking.from_weights([_ready(library, meant, bundle)], routing)
    except UnknownNameError as error:  # of several documents of this name, the message has the ids
        try:
            inside, _ = asking.ready(library.collection(meant), bundle, partial=True, inactive=True)
        except DocumentError:
            raise _unknown(name) from error
        return asking.from_weights(inside, routing) if inside else asking.WITHOUT


def listed(library: Library, bundle: str | None) -> list[dict[str, Any]]:
    """Return all models as `/v1/models` lists them."""
    documents = library.documents()
    # What a name means first, as `_way` has it: no document, a document, a collection.
    times = Counter([NONE.removeprefix(PREFIX), *(document.name for document in documents)])
    collections = [name for name in library.collections() if name not in times]
    models = [model(ALL), model(NONE), *(model(PREFIX + name) for name in collections)]
    for document in documents:
        if document.state(bundle) == "ready":
            name = document.name if times[document.name] == 1 else document.id
            models.append(model(PREFIX + name, int(document.added.timestamp()), document.id))
    return models


def model(name: str, created: int = 0, document: str | None = None) -> dict[str, Any]:
    """Return one model."""
    return {"id": name, "object": "model", "created": created, "owned_by": "thoth", "thoth": {"document": document}}


def _ready(library: Library, name: str, bundle: str | None) -> StoredDocument:
    document = library.get(name)
    if document.state(bundle) == "stale":
        raise Fault(409, f"another model absorbed {document.name}: update it, or absorb it again", "stale_document")
    if not document.absorbed:
        raise Fault(409, f"{document.name} is being absorbed: ask again in a moment", "not_ready")
    return document


def _unknown(name: str) -> Fault:
    return Fault(404, f"there is no model {name}: see /v1/models", "model_not_found")
