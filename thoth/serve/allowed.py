"""Which files clients may let Thoth read: those inside folders that a person named, and none by default."""

from __future__ import annotations

import os
from pathlib import Path

from thoth.serve.faults import Fault


def allowed(path: str, folders: tuple[Path, ...]) -> Path:
    """Return a path that lies in one of the folders that may be read, links resolved.

    Raises:
        Fault: It does not, it is no path, or no folder was allowed.
    """
    from thoth.ingest import files  # formats and parsers: not for a server that reads no paths

    if not folders:
        raise Fault(403, "paths are not absorbed by this server; start it with --allow-paths FOLDER", "not_allowed")
    if "\0" in path:
        raise Fault(400, "this is not a path: it has a null byte")
    real = Path(os.path.realpath(path))
    if not Path(path).is_absolute() or not any(real.is_relative_to(os.path.realpath(folder)) for folder in folders):
        raise Fault(403, "this path is outside of the folders that --allow-paths names", "not_allowed")
    if files.is_stream(real):  # a pipe would hold a thread for as long as nobody writes to it
        raise Fault(400, "this path is a pipe or a device, not a file")
    return real
