"""Errors that users see: each message is one line that says what happened and what to do.

The core raises them; only the front ends turn them into output. Each subclass with an exit code of its own is one row
of the table in docs/json.md.
"""

from collections.abc import Iterable


class ThothError(Exception):
    """Something failed in a way that has a remedy; `str(error)` is one line that names it."""

    exit_code = 1


class UsageError(ThothError):
    """The request makes no sense: an empty question, an unknown setting."""

    exit_code = 2


class DocumentError(ThothError):
    """A document is missing, unreadable, or of a kind that Thoth cannot read."""

    exit_code = 3


class UnknownNameError(DocumentError):
    """No document of the library has a name; `hint` has similar ones, in brackets, or is empty."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f"there is no document {name} in the library{hint}: see `thoth docs list`")
        self.hint = hint


class UnknownFormatError(DocumentError):
    """A file is of a kind that Thoth does not read; in a folder such files are skipped."""


class NoTextError(ThothError):
    """A document was read but contains no text."""

    exit_code = 4


class ModelError(ThothError):
    """A base model or a bundle is missing or damaged, or the two do not match."""

    exit_code = 5


class ResourceError(ThothError):
    """Not enough memory or disk space."""

    exit_code = 6


class Stopped(ThothError):
    """The user stopped the request."""

    exit_code = 130


class InternalError(ThothError):
    """A bug: an exception that nobody expected, which is its `__cause__`."""


def exit_code(errors: Iterable[ThothError]) -> int:
    """Return the exit code for several errors: 0 for none, the code that they all share, else 1."""
    codes = {error.exit_code for error in errors}
    if not codes:
        return 0
    return codes.pop() if len(codes) == 1 else 1
