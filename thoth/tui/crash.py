"""Errors nobody foresaw: their traceback goes to a file, people see one line."""

from __future__ import annotations

import traceback

from thoth.errors import ThothError
from thoth.system import paths


def explain(error: Exception) -> ThothError:
    """Return the line that is shown in place of the error; the traceback is in the file it names."""
    log = paths.home() / "error.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return ThothError(f"this should not have happened: please report {error!r}")
    return ThothError(f"this should not have happened: please report {log}")
