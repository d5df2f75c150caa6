"""Errors whose message says what to do next; the command lines print them in one line."""

from __future__ import annotations


class TrainingError(Exception):
    """Something a person has to change before the work can continue."""


class DataError(TrainingError):
    """Data that cannot be used: missing, malformed, leaking, or made for another model."""
