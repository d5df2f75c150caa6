"""What to say about a document that the model in use cannot read."""

from __future__ import annotations

from thoth.library.records import StoredDocument


def warning(document: StoredDocument, pair: str, where: str = "`thoth models list --known`") -> str | None:
    """Return one line about a document that a pair cannot read; None if it can, or if that was not measured.

    Args:
        document: as it was absorbed.
        pair: the name of the pair that absorbed it.
        where: what lists other models.
    """
    if document.readable is not False:
        return None
    return (
        f"{pair} cannot read {document.name} (a loss of {document.loss:.1f} nats a token): answers about it will be "
        f"wrong; use a model that reads this language: {where}"
    )
