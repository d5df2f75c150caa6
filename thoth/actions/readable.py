"""What to say about a document that the model in use cannot read."""

from __future__ import annotations

from thoth.library.records import StoredDocument
from thoth.models import registry

_KNOWN = "`thoth models list --known`"


def warning(document: StoredDocument, pair: str, where: str | None = None) -> str | None:
    """Return one line about a document that a pair cannot read; None if it can, or if that was not measured.

    Args:
        document: as it was absorbed.
        pair: the name of the pair that absorbed it.
        where: what lists other models, in a front end without commands.
    """
    if document.readable is not False:
        return None
    english = pair == registry.NANO and registry.pulled(registry.SMOL).bundle.is_dir()
    where = where or (f"`thoth models pull {registry.SMOL}` for English, or another of {_KNOWN}" if english else _KNOWN)
    return (
        f"{pair} cannot read {document.name} (a loss of {document.loss:.1f} nats a token): answers about it will be "
        f"wrong; use a model that reads this language: {where}"
    )
