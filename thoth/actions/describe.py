"""What JSON says about a document, wherever Thoth prints or sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument


def facts(document: StoredDocument, bundle: str | None = None) -> dict[str, Any]:
    """Return the facts about a document of the library; its state is that for `bundle`."""
    found = vars(document) | {"state": document.state(bundle), "added": document.added.isoformat(timespec="seconds")}
    del found["complete"], found["of_chat"]  # those of chats are not listed
    return found
