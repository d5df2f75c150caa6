"""Errors of a conversion; each message is one line that says what to do, each class has its exit code."""


class ConversionError(Exception):
    """The conversion failed."""

    exit_code = 1


class UsageError(ConversionError):
    """Options that do not go together."""

    exit_code = 2


class CheckpointError(ConversionError):
    """A checkpoint or base that is missing, damaged, or does not match."""

    exit_code = 5


class ResourceError(ConversionError):
    """Not enough memory or disk."""

    exit_code = 6


# What code of others raises when a file makes it compute with anything.
FOREIGN = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def one_line(error: BaseException) -> str:
    """The message of someone else's exception, fit for a message of ours."""
    return " ".join(str(error).split())[:300] or type(error).__name__
