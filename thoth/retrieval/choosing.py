"""Question and active documents -> the chunks that are attached for it, and the passages that are read for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thoth.errors import DocumentError
from thoth.events import Chosen
from thoth.library.records import ChunkRef, StoredDocument
from thoth.retrieval import matching, router
from thoth.retrieval.routing import Routing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from thoth.library.library import Library


@dataclass(frozen=True)
class Choice:
    """What answers a question.

    Attributes:
        attached: the chunks whose adapters are attached, best first.
        passages: the chunks whose texts are put into the context, best first.
        whole: whether the attached ones are some of many, because whole texts are asked for.
    """

    attached: tuple[Chosen, ...] = ()
    passages: tuple[Chosen, ...] = ()
    whole: bool = False


def choose(
    library: Library,
    question: str,
    documents: Sequence[StoredDocument],
    routing: Routing,
    bundle: str,
    rank: int,
    embed: Callable[[str], NDArray[np.float32]],
    *,
    apart: bool = False,
    compare: matching.Compare | None = None,
) -> Choice:
    """Choose among the absorbed chunks of some documents.

    Args:
        library: that holds the documents.
        question: as `query.conversation_query` gives it.
        documents: the active ones; of one that is being absorbed, the chunks that are there count.
        routing: what people set.
        bundle: id of the bundle that is loaded.
        rank: of one chunk's adapter.
        embed: gives the pooled features (D,) of a text.
        apart: whether each chunk that "auto" chooses answers by itself.
        compare: the pair's matcher, as `router.route` takes it.

    Raises:
        DocumentError: A document was absorbed with another bundle, or is gone.
    """
    if not documents or (routing.route == "none" and not routing.with_text):
        return Choice()
    for document in documents:
        if document.state(bundle) == "stale":
            remedy = f"run `thoth docs update {document.id}`, or choose the model it was absorbed with"
            raise DocumentError(f"{document.name} was absorbed with another model: {remedy}")
    attached: list[Chosen] = []
    if routing.route == "all":
        attached = [chosen for document in documents for chosen in _absorbed(library, document)]
    elif routing.route == "auto":
        attached = router.route(library, question, documents, routing, rank, embed, apart=apart, compare=compare)
    passages: list[Chosen] = []
    if routing.with_text:
        passages = router.passages(library, question, documents, routing.with_text, embed, compare if apart else None)
    whole = routing.route == "auto" and apart and router.are_spread(question, documents, attached)
    return Choice(tuple(attached), tuple(passages), whole)


def ref(chosen: Chosen) -> ChunkRef:
    """Return the chunk's place in the library."""
    return ChunkRef(chosen.document, chosen.number)


def _absorbed(library: Library, document: StoredDocument) -> Iterator[Chosen]:
    missing = set(library.missing(document.id))
    for chunk in library.chunks(document.id):
        if chunk.ref.number not in missing:
            yield Chosen(document.id, document.name, chunk.ref.number, chunk.pages, chunk.headings, 0.0)
