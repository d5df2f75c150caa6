"""Questions to the engine: routes, adapters, passages."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.app.engines import ALL, LONG, NOTE, OTHER, QUESTION, absorbed, answer, error
from thoth.engine.engine import Engine
from thoth.events import Answer, Progress, Token
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.models import registry
from thoth.retrieval.routing import Routing


def test_absorb_then_ask(engine: Engine) -> None:
    events = list(engine.absorb(LONG))
    stored = absorbed(iter(events))
    assert events[:2] == [Progress("read", 0, 1), Progress("read", 1, 1)]
    progress = [event for event in events if isinstance(event, Progress) and event.stage == "absorb"]
    done = [event.done for event in progress]
    assert (done[0], done[-1]) == (0, stored.chunks)
    assert all(1 <= step <= 4 for step in (b - a for a, b in pairwise(done)))
    assert progress[0].seconds_left is None
    assert progress[1].seconds_left > 0 < progress[1].tokens_per_second
    assert progress[-1].seconds_left == 0

    *tokens, answered = engine.ask(QUESTION, [stored], routing=ALL, max_tokens=5)
    assert isinstance(answered, Answer)
    assert all(isinstance(token, Token) for token in tokens)
    assert "".join(token.text for token in tokens).strip() == answered.text
    stats = answered.stats
    assert stats.document_tokens_in_context == 0
    assert (stats.active_documents, stats.rank) == (1, 2 * (stored.chunks + 1))
    assert 1 <= stats.generated_tokens <= 5
    assert stats.absorb_seconds > 0
    assert stats.time_to_first_token_seconds > stats.attach_seconds > 0


def test_routes(engine: Engine) -> None:
    documents = [absorbed(engine.absorb(document)) for document in (LONG, NOTE, OTHER)]

    def chosen(route: Any, **settings: int) -> list[tuple[str, int]]:
        routing = Routing(route, **settings)
        stats = answer(engine.ask(QUESTION, documents, routing=routing, max_tokens=1)).stats
        assert stats.rank == (2 * (len(stats.chunks) + 1) if stats.chunks else 0)
        assert stats.active_documents == len({chunk.document for chunk in stats.chunks})
        return [(chunk.name, chunk.number) for chunk in stats.chunks]

    chunks = documents[0].chunks
    assert chosen("none") == []
    assert chosen("all") == [*(("long.txt", n) for n in range(chunks)), ("note.txt", 0), ("other.txt", 0)]
    assert len(chosen("auto", top_k=2)) == 2
    assert ("other.txt", 0) not in chosen("auto", top_k=3)


def test_the_last_adapters_are_kept(engine: Engine, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    before = answer(engine.ask(QUESTION, max_tokens=8)).text
    one, other = (absorbed(engine.absorb(document)) for document in (NOTE, OTHER))
    loads: list[object] = []
    each = library.each
    monkeypatch.setattr(library, "each", lambda refs: loads.append(refs) or each(refs))
    attached = answer(engine.ask(QUESTION, [one, other], routing=ALL, max_tokens=8)).text
    assert attached != before
    assert answer(engine.ask(QUESTION, [other, one], routing=ALL, max_tokens=8)).text == attached
    assert len(loads) == 1
    assert answer(engine.ask(QUESTION, max_tokens=8)).text == before
    assert answer(engine.ask(QUESTION, [one, other], routing=ALL, max_tokens=8)).text == attached
    assert len(loads) == 1
    alone = answer(engine.ask(QUESTION, [one], routing=ALL, max_tokens=8)).text
    assert answer(engine.ask(QUESTION, [one, other], routing=ALL, max_tokens=8)).text == attached
    assert len(loads) == 2
    engine._answerer._adapters._kept_bytes = 1  # room for the last one
    assert answer(engine.ask(QUESTION, [one], routing=ALL, max_tokens=8)).text == alone
    assert len(loads) == 2
    assert answer(engine.ask(QUESTION, [one, other], routing=ALL, max_tokens=8)).text == attached
    assert len(loads) == 3


def test_passages_are_read_in_document_order(engine: Engine) -> None:
    notes = [Document("second.txt", "The founder of Velmar is Berin Asto."), NOTE]
    documents = [absorbed(engine.absorb(document)) for document in notes]

    def asked(with_text: int, route: Any = "auto") -> Answer:
        return answer(engine.ask(QUESTION, documents, routing=Routing(route, with_text=with_text), max_tokens=8))

    tokens = [asked(with_text).stats.document_tokens_in_context for with_text in range(4)]
    assert tokens[0] == 0 < tokens[1] < tokens[2] == tokens[3]
    whole = answer(engine.ask(QUESTION, context=notes, max_tokens=8)).stats
    assert whole.document_tokens_in_context == tokens[2]
    passages = asked(2, "none").stats  # the same prompt: all of it but the last token is in the cache
    assert passages.cached_tokens == passages.prompt_tokens - 1 == whole.prompt_tokens - 1


def test_a_second_look_reads_the_passage_that_fits(engine: Engine) -> None:
    document = absorbed(engine.absorb(NOTE))
    events = list(engine.ask(QUESTION, [document], routing=Routing(fallback="text"), max_tokens=8))
    found = events[-1]
    assert isinstance(found, Answer)
    assert found.support == "unsupported"  # a random model says nothing that stands in a note
    assert (found.stats.second_look, found.stats.passages) == (True, 1)
    assert found.stats.document_tokens_in_context > 0
    assert "".join(event.text for event in events if isinstance(event, Token)).strip() == found.text
    plain = answer(engine.ask(QUESTION, [document], routing=Routing("none", with_text=1), max_tokens=8))
    assert plain.text == found.text
    assert not plain.stats.second_look


def test_a_second_look_of_a_small_base_reads_sentences_and_answers_in_their_words(
    library: Library, tiny_pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "reading", lambda _: registry.Reading(sentences=1))
    with Engine(library) as engine:
        list(engine.load(registry.resolve(str(tiny_pair))))
        document = absorbed(engine.absorb(NOTE))
        found = answer(engine.ask(QUESTION, [document], routing=Routing(fallback="text"), max_tokens=8))
        whole = answer(engine.ask(QUESTION, [document], routing=Routing("none", with_text=1), max_tokens=8))
    assert (found.stats.second_look, found.stats.passages) == (True, 1)
    assert 0 < found.stats.document_tokens_in_context <= whole.stats.document_tokens_in_context
    assert found.text != whole.text
    # Nothing that a random model says is supported.
    assert (found.text, found.stats.quoted) == ('"' + " ".join(found.sources[0].quote.split()) + '"', True)
    assert found.sources[0].quote in NOTE.text


def test_passages_that_do_not_fit_are_dropped(engine: Engine) -> None:
    """The tiny base reads 512 tokens, a chunk of the long document has up to 64 of them."""
    document = absorbed(engine.absorb(Document("long.txt", LONG.text * 2)))
    stats = answer(engine.ask(QUESTION, [document], routing=Routing(with_text=20), max_tokens=100)).stats
    assert 0 < stats.document_tokens_in_context < stats.prompt_tokens <= 412
    assert stats.prompt_tokens > 412 - 67
    long_question = [{"role": "user", "content": "Who " * 500}]
    assert "shorten" in str(error(engine.ask(long_question, [document], routing=Routing(with_text=2))))
