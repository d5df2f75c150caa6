"""What pairs take on this machine, as tables; and what a check of a pulled pair measured, as lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from thoth.cli import table
from thoth.system.machine import size

if TYPE_CHECKING:
    from thoth.actions.selftest import Parity, SelfTest
    from thoth.models.fitting import Fit
    from thoth.models.registry import KnownPair

REPLICA_ONLY = "as a small replica only, never with its real weights"


def of_pairs(fits: Mapping[str, Fit], known: Mapping[str, KnownPair]) -> str:
    """Return one row for each known pair, each with the bits that are proposed for this machine."""
    headings = ("name", "bits", "download", "disk", "memory", "minutes", "fits", "run by us")
    rows = [(name, *_cells(fit), "yes" if known[name].tried else "no") for name, fit in fits.items()]
    return table.show(headings, rows, right=headings[1:6], spare=("minutes", "disk", "run by us"))


def of_bits(fits: Iterable[Fit], chosen: Fit) -> str:
    """Return one row for each number of bits; * is the one that is pulled."""
    headings = ("", "bits", "download", "disk", "memory", "minutes", "fits")
    rows = [("*" if fit.bits == chosen.bits else "", *_cells(fit)) for fit in fits]
    return table.show(headings, rows, right=headings[1:6])


def _cells(fit: Fit) -> tuple[str, ...]:
    download = size(fit.download) if fit.download else "-"
    minutes = f"{max(fit.minutes, 1):.0f}" if fit.download else "-"
    disk = size(fit.disk) if fit.disk else "-"
    return str(fit.bits or 16), download, disk, size(fit.memory), minutes, fit.verdict


def facts(fit: Fit | None) -> dict[str, object] | None:
    """Return what JSON says about what a pair takes."""
    if fit is None:
        return None
    return {
        "bits": fit.bits or 16,
        "disk_bytes": fit.disk,
        "memory_bytes": fit.memory,
        "download_minutes": round(fit.minutes, 1),
        "verdict": fit.verdict,
    }


def checked(name: str, parity: Parity | None, test: SelfTest) -> list[str]:
    """Return the lines about a pair that was checked."""
    if parity is None:
        conversion = "conversion: not compared with PyTorch (it came converted, or PyTorch is not installed)"
    else:
        verdict = "within" if parity.passed else "NOT within"
        conversion = (
            f"conversion: {verdict} the tolerance of PyTorch's result, {parity.tensor} differ by {parity.largest:.1e}"
        )
    lines = [conversion]
    for question, answer, right in test.answers:
        lines.append(f"{'right' if right else 'wrong'}: {question} {' '.join(answer.split())}")
    lines.append(
        f"{name} answers {test.right} of {len(test.answers)} questions about {test.document} from its weights; "
        f"{test.tokens} tokens absorbed in {test.absorb_seconds:.1f} s, first token after "
        f"{test.first_token_seconds:.2f} s, {test.tokens_per_second:.0f} tokens/s, "
        f"{size(test.peak_memory_bytes)} of memory"
    )
    return lines


def checked_facts(parity: Parity | None, test: SelfTest) -> dict[str, object]:
    """Return what JSON says about a check."""
    return {
        "parity": parity and {"passed": parity.passed, "tensor": parity.tensor, "max_absolute": parity.largest},
        "document": test.document,
        "questions": [
            {"question": question, "answer": answer, "right": right} for question, answer, right in test.answers
        ],
        "tokens": test.tokens,
        "absorb_seconds": test.absorb_seconds,
        "time_to_first_token_seconds": test.first_token_seconds,
        "tokens_per_second": test.tokens_per_second,
        "peak_memory_bytes": test.peak_memory_bytes,
    }
