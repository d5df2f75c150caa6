"""Key/value caches: what they save, that nothing else changes, and that they are bounded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thoth.engine.caches import KeyValueCaches
from thoth.engine.engine import Engine
from thoth.engine.prompt import Message
from thoth.events import Absorbed, Answer
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.models import registry

NOTES = [Document("note.txt", "The founder of Velmar is Ana Dor."), Document("other.txt", "Tolquin is a town.")]
QUESTIONS = ["Who is the founder of Velmar?", "And who is the owner of the house?", "Who is the founder of Velmar?"]


@pytest.fixture
def engines(home: Path, tiny_pair: Path) -> Iterator[list[Engine]]:
    """An engine with caches and one without, on the same library."""
    library = Library(home)
    with Engine(library) as cached, Engine(library, kv_cache_bytes=0) as plain:
        for engine in (cached, plain):
            list(engine.load(registry.resolve(str(tiny_pair))))
        yield [cached, plain]


def ask(engine: Engine, messages: list[Message], documents: list[StoredDocument]) -> Answer:
    *_, answer = engine.ask(messages, documents, max_tokens=8)
    assert isinstance(answer, Answer)
    return answer


def converse(engine: Engine, documents: list[StoredDocument]) -> list[Answer]:
    """A conversation in which each answer goes into the next prompt."""
    messages: list[Message] = []
    answers = []
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        answers.append(ask(engine, messages, documents))
        messages.append({"role": "assistant", "content": answers[-1].text})
    return answers


def test_answers_are_the_same_with_and_without(engines: list[Engine], tiny_pair: Path) -> None:
    documents = []
    for note in NOTES:
        *_, absorbed = engines[0].absorb(note)
        assert isinstance(absorbed, Absorbed)
        documents.append(absorbed.document)
    sets: list[list[StoredDocument]] = [documents[:1], documents[1:], []]
    for chosen in [*sets, *sets[:2]]:  # a second time, when each set has its caches
        with_caches, without = (converse(engine, chosen) for engine in engines)
        assert [answer.text for answer in with_caches] == [answer.text for answer in without]
        assert [answer.stats.cached_tokens for answer in without] == [0, 0, 0]
        first, second, third = with_caches
        assert second.stats.cached_tokens >= first.stats.prompt_tokens
        assert third.stats.cached_tokens >= second.stats.prompt_tokens
        assert third.stats.cached_tokens < third.stats.prompt_tokens
    assert ask(engines[0], [{"role": "user", "content": QUESTIONS[0]}], []).stats.cached_tokens > 0
    list(engines[0].load(registry.resolve(str(tiny_pair))))
    assert ask(engines[0], [{"role": "user", "content": QUESTIONS[0]}], []).stats.cached_tokens == 0


def test_caches_are_bounded_and_apart(tiny_pair: Path) -> None:
    import mlx.core as mx
    from mlx_lm.utils import load_model

    model, _ = load_model(tiny_pair / "base")

    def read(caches: KeyValueCaches, attached: str, ids: list[int]) -> int:
        cache, unread = caches.take(model, attached, ids)
        logits = model(mx.array([unread]), cache=cache)
        assert mx.allclose(logits[0, -1], model(mx.array([ids]))[0, -1], atol=1e-4)
        caches.keep(attached, ids, cache)
        return len(unread)

    caches = KeyValueCaches(1 << 30)
    assert read(caches, "a", [1, 5, 6, 7]) == 4
    assert read(caches, "a", [1, 5, 6, 7]) == 1  # the last one is read again: the answer follows from it
    assert read(caches, "a", [1, 5, 6, 7, 8, 9]) == 2
    assert read(caches, "a", [1, 5, 9]) == 1
    assert read(caches, "b", [1, 5, 6, 7]) == 4
    one = KeyValueCaches(1 << 30)
    read(one, "a", [1, 5, 6, 7])
    bounded = KeyValueCaches(3 * one.nbytes)
    for token in range(10):
        read(bounded, "a", [1, 20 + token])
        assert bounded.nbytes <= 3 * one.nbytes
    assert read(bounded, "a", [1, 29, 30]) == 1
    assert read(bounded, "a", [1, 20, 30]) == 2  # only what all have in common is left


@pytest.mark.parametrize("window", [None, 600, 256], ids=["all tokens", "a window", "a window that has moved"])
def test_a_row_of_a_batch_holds_nothing_of_the_others(window: int | None) -> None:
    """`nbytes` would count 0.25 MB of the 8 MB that are held."""
    import mlx.core as mx
    from mlx_lm.models.cache import BatchKVCache, BatchRotatingKVCache

    batch: Any = BatchKVCache([0] * 32) if window is None else BatchRotatingKVCache(window, [0] * 32)
    caches = KeyValueCaches(1 << 30)
    batch.update_and_fetch(mx.zeros((32, 1, 512, 64)), mx.zeros((32, 1, 512, 64)))
    batch.update_and_fetch(mx.zeros((32, 1, 1, 64)), mx.zeros((32, 1, 1, 64)))
    mx.eval(batch.keys, batch.values)
    mx.synchronize()
    before = mx.get_active_memory()
    row = [batch.extract(3)]
    caches.keep((), [1] * 513, row)
    del batch, row
    mx.synchronize()
    assert caches.nbytes == 2 * min(window or 513, 513) * 64 * 4
    assert mx.get_active_memory() < before - 4_000_000
