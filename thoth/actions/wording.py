"""Numbers with their nouns, as all front ends print them."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Return a number and its noun: "1 token", "12,000 tokens"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
