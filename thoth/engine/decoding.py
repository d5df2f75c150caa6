"""Prompts -> tokens, for all questions in flight in one batch. Runs on the MLX thread.

Each question is a row with an adapter and caches of its own; rows join and leave between tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thoth.engine.loading import LoadedPair
from thoth.engine.sampling import Processor, Sampler

if TYPE_CHECKING:
    import mlx.core as mx

    from mlx_hypernet.live import Fitted

# Prompt tokens of a row read in one step, between two checks whether to stop.
_PREFILL_TOKENS = 512
_MOST_ROWS = 32
_MOST_PROMPTS = 8  # read together
# The caches of all rows are as long as the longest: one long prompt must not multiply with many short ones.
_MOST_CACHE_TOKENS = 32_768


@dataclass(frozen=True)
class Decoded:
    """One token of one row.

    Attributes:
        row: id of the row.
        token: token id.
        logprobs: log-probabilities of the vocabulary that it was drawn from, (vocabulary,).
        finish: `stop` after a token that ends the answer, `length` at the limit, None if more tokens come.
        cache: the row's caches after its last token, with all ids that are in them; None before.
        ids: see `cache`.
    """

    row: int
    token: int
    logprobs: mx.array
    finish: str | None
    cache: list[Any] | None = None
    ids: list[int] | None = None


class Decoder:
    """Decodes rows in one batch with mlx-lm's `BatchGenerator`.

    Args:
        pair: the loaded pair.
    """

    def __init__(self, pair: LoadedPair) -> None:
        from mlx_lm.generate import BatchGenerator

        from mlx_hypernet.rows import RowModel

        self._context_length = pair.context_length
        self._model = RowModel(pair.model)
        self._generator = BatchGenerator(
            self._model,
            stop_tokens=[[token] for token in sorted(pair.tokenizer.eos_token_ids)],
            completion_batch_size=_MOST_ROWS,
            prefill_batch_size=_MOST_PROMPTS,
            prefill_step_size=_PREFILL_TOKENS,
        )
        self._lengths: dict[int, int] = {}

    @property
    def rows(self) -> int:
        """How many rows are in flight."""
        return len(self._lengths)

    def has_room(self, tokens: int) -> bool:
        """Tell whether a row of so many tokens, prompt and answer together, may join now."""
        rows, longest = self.rows + 1, max([tokens, *self._lengths.values()])
        return rows <= _MOST_ROWS and (rows == 1 or rows * longest <= max(_MOST_CACHE_TOKENS, self._context_length))

    def add(
        self,
        ids: Sequence[int],
        unread: Sequence[int],
        cache: list[Any],
        adapter: Fitted | None,
        max_tokens: int,
        sampler: Sampler | None = None,
        processors: Sequence[Processor] = (),
    ) -> int:
        """Let a row join the batch before the next step, and return its id.

        Args:
            ids: token ids of the prompt.
            unread: the last of them, those that are not in the cache; at least one.
            cache: the row's caches, which the decoder owns from now on.
            adapter: the row's adapter, None for the base alone.
            max_tokens: length limit of the answer.
            sampler: draws the tokens; None takes the most likely.
            processors: change the logits before a token is drawn.
        """
        from mlx_hypernet.rows import Rows

        (row,) = self._generator.insert(
            [list(unread)],
            max_tokens=[max_tokens],
            caches=[[*cache, Rows([adapter])]],
            all_tokens=[list(ids[: len(ids) - len(unread)])],
            samplers=[sampler],
            logits_processors=[list(processors)],
        )
        self._lengths[row] = len(ids) + max_tokens
        return row

    def step(self) -> list[Decoded]:
        """Read the next part of prompts, or draw a token for each row; rows that end are not in flight any more."""
        _, responses = self._generator.next()
        decoded = []
        for part in responses:
            cache = None
            if part.finish_reason:
                del self._lengths[part.uid]
                cache = part.prompt_cache[:-1]  # without the adapter
            decoded.append(Decoded(part.uid, part.token, part.logprobs, part.finish_reason, cache, part.all_tokens))
        return decoded

    def remove(self, row: int) -> tuple[list[Any], list[int]]:
        """Take a row out of the batch before it ends; return its caches and all ids that are in them."""
        ((caches, ids),) = self._generator.remove([row], return_prompt_caches=True).values()
        del self._lengths[row]
        return list(caches)[:-1], ids

    def close(self) -> None:
        """Give back what mlx-lm set for the whole process."""
        self._generator.close()
