"""Unexpected errors: the traceback goes to a file, users see one line."""

from __future__ import annotations

import traceback

from thoth.system import paths


def keep(error: BaseException) -> str:
    """Write the traceback of an unexpected error to `error.log` in the home, and return the line to show for it."""
    log = paths.home() / "error.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return f"internal error; please report it: {error!r}"
    return f"internal error; please report the contents of {log}"
