"""Questions that ask for whole texts: which they are, and what is quoted then."""

from pathlib import Path

import pytest

from thoth import ingest
from thoth.engine.engine import Engine
from thoth.events import Absorbed, Chosen
from thoth.library.library import Library
from thoth.library.records import ChunkRef
from thoth.models import registry
from thoth.retrieval import router, whole
from thoth.retrieval.summary import central

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("question", "scores", "expected"),
    [
        ("What is this document about?", [0.5, 0.5], True),
        ("Summarise the section on pets.", [0.9, 0.8], False),  # it says which
        ("Summarise page 2.", [0.5, 0.5], False),
        ("What is in chapter 3?", [0.5, 0.5], False),
        ("What is this document about?", [], False),
    ],
)
def test_what_asks_for_whole_texts(question: str, scores: list[float], expected: bool) -> None:
    chosen = [Chosen("id", "lease.pdf", place, None, (), score) for place, score in enumerate(scores)]
    assert router.are_spread(question, [], chosen) == expected


def test_quotes_say_where_they_stand(tmp_path: Path) -> None:
    lease = ingest.read(ROOT / "examples" / "lease.pdf")
    with Engine(library := Library(tmp_path)) as engine:
        list(engine.load(registry.resolve(registry.NANO)))
        *_, end = engine.absorb(lease)
    assert isinstance(end, Absorbed)
    id = end.document.id
    quotes = whole.quotes(library, [Chosen(id, "lease.pdf", 3, None, (), 0.5)])
    assert [one.quote for one in quotes] == central(lease)
    assert len(quotes) == 2
    for one in quotes:
        chunk = library.chunk(ChunkRef(id, one.chunk))
        first, last = chunk.pages or (0, 0)
        assert one.page is not None
        assert first <= one.page <= last
        begins, text = one.quote.split()[:3], " ".join(chunk.text.split())
        assert " ".join(begins) in text
    assert whole.as_text(quotes).count('"') == 4
    assert whole.quotes(library, []) == ()
