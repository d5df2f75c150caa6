"""Errors whose message says what to do next; the command lines print them in one line."""

from __future__ import annotations


class TrainingError(Exception):
    """Something a person has to change before the work can continue."""


class DataError(TrainingError):
    """Data that cannot be used: missing, malformed, leaking, or made for another model."""


class BrokenLossError(TrainingError):
    """A loss or gradient that is not a number; the state before it is saved."""


def one_line(error: BaseException) -> str:
    """The message of someone else's exception, fit for a message of ours."""
    return " ".join(str(error).split())[:300] or type(error).__name__
