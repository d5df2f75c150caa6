"""What a pair takes on this machine, and how many bits its base should have here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mlx_hypernet.format.published import BASE_BITS
from thoth.models.registry import KnownPair

Verdict = Literal["fits", "tight", "no"]

# Of all memory. macOS lets the GPU have about two thirds on small machines, and needs some of that itself.
_COMFORTABLE = 0.6
# Quantised weights carry a scale and a bias for every group of 64.
_BITS_OF_A_GROUP = 0.5
_ROOM = 1.2  # for caches and activations, on top of the weights
_BYTES_PER_SECOND = 100e6 / 8  # of the connection that minutes are given for


@dataclass(frozen=True)
class Fit:
    """What a pair takes with a base of so many bits.

    Attributes:
        bits: of the base; None: as it is published.
        download: bytes that come over the network.
        disk: bytes that it takes on the disk, the download included.
        memory: bytes when it is loaded, about.
        verdict: "fits": at most 60% of the memory; "tight": at most all of it; "no": more.
    """

    bits: int | None
    download: int
    disk: int
    memory: int
    verdict: Verdict

    @property
    def minutes(self) -> float:
        """Time of the download at 100 Mbit/s."""
        return self.download / _BYTES_PER_SECOND / 60


def base_weights(published: int, bits: int | None) -> int:
    """Return the size of a base's weights with so many bits, in bytes, from their size as 16-bit numbers."""
    return published if bits is None else int(published * (bits + _BITS_OF_A_GROUP) / 16)


def memory(published: int, hypernet: int, bits: int | None) -> int:
    """Return the bytes that a pair takes when it is loaded, about, from the sizes of its weights as published."""
    # A CPU multiplies bf16 forty times slower than fp32: there it is loaded as the latter.
    widened = 1 if bits or sys.platform == "darwin" else 2
    return int(_ROOM * (base_weights(published, bits) * widened + hypernet))


def verdict(needed: int, total: int) -> Verdict:
    """Return whether a machine with `total` bytes of memory can load what needs so many."""
    return "fits" if needed <= _COMFORTABLE * total else "tight" if needed <= total else "no"


def fit(known: KnownPair, bits: int | None, total: int) -> Fit:
    """Return what a known pair takes, about, without asking the hub.

    Args:
        known: the pair.
        bits: of its base.
        total: memory of the machine, in bytes.
    """
    base = 2 * known.base_parameters
    hypernet = known.hypernet_bytes
    download = known.published_bytes if known.base else 0
    written = (hypernet if known.hypernet else 0) + (base_weights(base, bits) if bits else 0)
    needed = memory(base, hypernet, bits)
    return Fit(bits, download, download + written, needed, verdict(needed, total))


def proposed(fits: Sequence[Fit]) -> Fit:
    """Return the best of several: the first that fits, else the first that is tight, else the last.

    Args:
        fits: with the most bits first.
    """
    by_verdict = {one.verdict: one for one in reversed(fits)}
    return by_verdict.get("fits") or by_verdict.get("tight") or fits[-1]


def choices(known: KnownPair, total: int) -> list[Fit]:
    """Return what a known pair takes with each number of bits, the most first; a base that comes with Thoth has one."""
    return [fit(known, bits, total) for bits in ((None, *BASE_BITS) if known.base else (None,))]
