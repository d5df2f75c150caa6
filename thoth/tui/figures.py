"""Numbers for display: times, counts, and the cost of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thoth.actions.wording import count
from thoth.system.machine import size

if TYPE_CHECKING:
    from thoth.events import Stats

__all__ = ["cost", "count", "seconds", "size", "time_left"]


def seconds(value: float) -> str:
    """Return a duration with the digits that matter: "4 ms", "0.31 s", "12 s"."""
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 9.995 else f"{value:.0f} s"


def time_left(value: float) -> str:
    """Return an estimated duration, rounded: "40 s", "3 min", "2 h"."""
    if value < 90:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.0f} h"


def cost(stats: Stats) -> list[tuple[str, str]]:
    """Return the cost of an answer, as rows of a label and its value."""
    cached = f", {stats.cached_tokens:,} from the cache" if stats.cached_tokens else ""
    rate = f", {stats.tokens_per_second:.1f} per second" if stats.tokens_per_second else ""
    rows = [
        ("Document tokens in context", f"{stats.document_tokens_in_context:,}"),
        ("Prompt", count(stats.prompt_tokens, "token") + cached),
        ("Answer", count(stats.generated_tokens, "token") + rate),
        ("First token after", seconds(stats.time_to_first_token_seconds)),
        ("Routing and attaching", seconds(stats.attach_seconds)),
        ("Documents attached", f"{stats.active_documents:,}"),
        ("Adapter rank", f"{stats.rank:,}"),
        ("Peak memory", size(stats.peak_memory_bytes)),
    ]
    if stats.absorb_seconds:
        rows.append(("Absorbing", seconds(stats.absorb_seconds)))
    return rows
