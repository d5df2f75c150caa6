"""Thoth: a document goes in, a LoRA comes out, and the model knows it with an empty context window.

    import thoth

    with thoth.open() as memory:
        memory.absorb("lease.pdf")
        print(memory.ask("When does the lease end?").text)

`thoth.open` returns a `Workspace` (`actions/workspace.py`): a loaded model and a library of documents. The import
itself is light: each name is loaded when it is first used, MLX when a model is opened.

Read first: `engine/engine.py`, the one thread that owns the model; then `events.py`, what it reports, and
`actions/workspace.py`, the shortest user of both.

Imports point down this list:

    cli/ tui/      front ends: commands, terminal app
    agent/         a loop of model and tools, with permissions
    actions/       what both front ends do
    engine/        absorbing and answering, on the one thread that owns MLX
    retrieval/     which chunks a question needs, which sentence supports the answer
    library/ chats/    absorbed documents, conversations: on disk
    models/ ingest/    base and hypernetwork pairs; files to text to chunks
    system/        files, memory, paths, SQLite

Everything outside `cli/` and `tui/` raises errors from `errors.py` and prints nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from thoth.system.version import __version__

if TYPE_CHECKING:
    from thoth.actions.absorb import AbsorbError
    from thoth.actions.workspace import Workspace, open
    from thoth.errors import DocumentError, ModelError, NoTextError, ResourceError, Stopped, ThothError, UsageError
    from thoth.events import Answer, Passage, Progress, Stats, Token
    from thoth.library.records import StoredDocument

_NAMES = {
    "actions.absorb": ("AbsorbError",),
    "actions.workspace": ("Workspace", "open"),
    "errors": ("DocumentError", "ModelError", "NoTextError", "ResourceError", "Stopped", "ThothError", "UsageError"),
    "events": ("Answer", "Passage", "Progress", "Stats", "Token"),
    "library.records": ("StoredDocument",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "AbsorbError",
    "Answer",
    "DocumentError",
    "ModelError",
    "NoTextError",
    "Passage",
    "Progress",
    "ResourceError",
    "Stats",
    "Stopped",
    "StoredDocument",
    "ThothError",
    "Token",
    "UsageError",
    "Workspace",
    "__version__",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
