"""The errors people meet: one line that says what to do next, and the exit code of the command line.

The core raises them; only the edges (the command line, later the screen) turn them into output.
Each subclass is one row of the exit-code table in `docs/architecture.md`.
"""


class ThothError(Exception):
    """Something failed in a way that has a remedy; `str(error)` is one line that names it."""

    exit_code = 1


class UsageError(ThothError):
    """The request itself does not make sense: an empty question, an unknown setting."""

    exit_code = 2


class DocumentError(ThothError):
    """A document is missing, unreadable, or of a kind Thoth cannot read."""

    exit_code = 3


class UnknownFormatError(DocumentError):
    """A file is of a kind Thoth does not read; those that lie in a folder among others are no fault."""


class NoTextError(ThothError):
    """A document was read, and there is no text in it."""

    exit_code = 4


class ModelError(ThothError):
    """A base model or a bundle is missing, damaged, or the two do not belong together."""

    exit_code = 5


class ResourceError(ThothError):
    """Not enough memory or disk."""

    exit_code = 6


class Stopped(ThothError):
    """The user stopped the request."""

    exit_code = 130
