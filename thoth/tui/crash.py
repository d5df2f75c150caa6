"""Unexpected errors in the terminal app."""

from __future__ import annotations

from thoth.errors import ThothError
from thoth.system import crash_log


def explain(error: Exception) -> ThothError:
    """Keep the traceback of an unexpected error, and return the error to show in its place."""
    return ThothError(crash_log.keep(error))
