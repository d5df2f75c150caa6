"""How the chunks for a question are chosen: what people may set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Least score of a chunk whose words match the question. Those of a whole text that was asked for (0.5), and those near
# by their features alone, score less: they are one part among many.
MATCHES = 0.6
HISTORY_TURNS = 4  # as many as people refer back to; four question-answer pairs are about 400 tokens

Route = Literal["auto", "all", "none"]
Fallback = Literal["none", "text"]


@dataclass(frozen=True)
class Routing:
    """What is attached for one question.

    Attributes:
        route: "auto" chooses the chunks that fit the question, "all" attaches every chunk, "none" no adapter at all.
        top_k: most chunks that "auto" attaches.
        rank_budget: most rank that "auto" attaches, whatever `top_k` says; at least one chunk is attached.
        with_text: this many of the best passages are also put into the context, at the price of their tokens.
        fallback: "text" reads the best passage and answers again where "auto" gave an answer that nothing supports;
            None decides by what the pair's card says of its recall.
    """

    route: Route = "auto"
    top_k: int = 4
    rank_budget: int = 256
    with_text: int = 0
    fallback: Fallback | None = None
