"""The stream of training batches: drawn from seed and step alone, so that a resumed run sees the same notes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import lru_cache

from tokenizers import Tokenizer

from torch_train.nano.language import Language, Note
from torch_train.nano.tree_rows import Item, tokenise

POOL = 8  # batches drawn together and sorted by length, so that rows are padded little
MAX_DOCUMENT = 253  # tokens; with the template's three this is nano's chunk of 256
MOST_FACTS = 8  # of a note, in the stages that train the shipped pair


def draw_note(language: Language, draw: random.Random, facts: int, hard: bool = False, strangers: bool = False) -> Note:
    """One training note of up to `facts` facts; one in twelve is a needle. At one fact, nothing but that fact.

    `hard` notes have the larger of two drawn numbers of facts. With `strangers`, as many questions more as there are
    facts, at most, are about entities that the note does not mention; and every third note has one or two facts, each
    asked about in three ways, beside two to four strangers, so that nothing but the name tells what to answer.
    """
    if facts == 1:
        return language.note(1, filler=0, unanswerable=0)
    if draw.random() < 1 / 12:
        return language.needle(draw.randint(0, 20 if draw.random() < 0.3 else 2 * facts))
    filler = draw.choice((0, 0, 1, 2, 3)) if draw.random() < 0.9 else draw.randint(0, 12)
    if strangers and draw.random() < 1 / 3:
        told = draw.randint(1, min(2, facts))
        return language.note(told, filler, chat=0.15, paraphrases=3, strangers=draw.randint(2, 4))
    told = draw.randint(1, facts)
    if hard:
        told = max(told, draw.randint(1, facts))
    unanswerable = draw.randint(1, max(2, told))
    others = draw.randint(0, told) if strangers else 0
    return language.note(told, filler, unanswerable, chat=0.15, strangers=others)


class Pool:
    """Draws batches of tokenised notes.

    Args:
        tokenizer: Nano's tokenizer.
        seed: Seed of the stream.
        batch: Notes per batch.
        hard: Whether notes have rather many facts.
        strangers: Whether more is asked about entities that a note does not mention.
    """

    def __init__(
        self, tokenizer: Tokenizer, seed: int, batch: int, hard: bool = False, strangers: bool = False
    ) -> None:
        self._tokenizer = tokenizer
        self._seed = seed
        self._batch = batch
        self._hard, self._strangers = hard, strangers
        self._draw_pool = lru_cache(maxsize=1)(self._draw)

    def batch(self, step: int, facts: int, silence: float = 0.0) -> Sequence[Item]:
        """The batch of one step, from notes of up to `facts` facts.

        Args:
            step: Number of the step; batches of one pool share `facts` if the caller changes it between pools only.
            facts: Level of the curriculum.
            silence: Share of items without a note, whose answers are all "I don't know.".
        """
        return self._draw_pool(step // POOL, facts, silence)[step % POOL]

    def _draw(self, number: int, facts: int, silence: float) -> list[list[Item]]:
        seed = f"{self._seed}-{number}"
        draw = random.Random(seed)
        language = Language(seed, "train")

        def note() -> Note:
            if draw.random() < silence:
                return language.silence(6)
            return draw_note(language, draw, facts, self._hard, self._strangers)

        items = self._encode(note, POOL * self._batch)
        items.sort(key=len)
        batches = [items[start : start + self._batch] for start in range(0, len(items), self._batch)]
        draw.shuffle(batches)
        return batches

    def _encode(self, note: Callable[[], Note], count: int) -> list[Item]:
        """`count` items that fit one chunk."""
        items: list[Item] = []
        while len(items) < count:
            drawn = tokenise(self._tokenizer, [note() for _ in range(count - len(items))])
            items += [item for item in drawn if len(item.document) <= MAX_DOCUMENT]
        return items
