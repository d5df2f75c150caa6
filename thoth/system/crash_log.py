"""Unexpected errors: the traceback goes to a file, users see one line."""

from __future__ import annotations

import traceback

from thoth.system import disk, paths


def keep(error: BaseException) -> str:
    """Write the traceback of an unexpected error to `error.log` in the home, and return the line to show for it."""
    log = paths.home() / "error.log"
    try:
        disk.make_private_folder(log.parent)
        log.unlink(missing_ok=True)
        with disk.new_private(log) as file:
            file.write("".join(traceback.format_exception(error)).encode(errors="replace"))
    except OSError:
        return f"internal error; please report it: {error!r}"
    return f"internal error; please report the contents of {log}"
