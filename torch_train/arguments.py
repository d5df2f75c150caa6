"""Types of the command lines' arguments: what cannot be meant is refused before anything is loaded."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

import torch


def whole(least: int) -> Callable[[str], int]:
    """A whole number of at least `least`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise ArgumentTypeError(f"{text!r} is no whole number from {least} upwards")
        return value

    return parse


def wholes(text: str) -> tuple[int, ...]:
    """Whole numbers above 0 with commas between them."""
    return tuple(map(whole(1), text.split(",")))


def device(text: str) -> str:
    """A device that PyTorch has on this machine."""
    try:
        torch.empty(0, device=text)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ArgumentTypeError(f"{text!r} is not on this machine: take cpu, or cuda where there is a GPU") from error
    return text
