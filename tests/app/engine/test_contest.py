"""Chunks that answer by themselves: which answer counts, and what is told until then."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import mlx.core as mx
import numpy as np
import pytest

from mlx_hypernet import bundle
from mlx_hypernet.marks import Marks, Match
from tests.app.tui.fakes import stats
from thoth.actions import ask
from thoth.engine import contest
from thoth.engine.contest import Candidate, Contest
from thoth.engine.copying import _TIES
from thoth.engine.engine import Engine
from thoth.engine.loading import load_pair
from thoth.engine.reply import Question
from thoth.engine.request import Task
from thoth.errors import DocumentError, Stopped
from thoth.events import Absorbed, Answer, Chosen, Event, Failed, Passage, Progress, Token
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.models import registry
from thoth.retrieval.choosing import Choice
from thoth.retrieval.routing import Routing

QUESTION = Question([{"role": "user", "content": "Who?"}])
PASSAGE = Passage("id", "note.txt", 0, None, (), "Ana did.", 1.0)
REFUSAL = "The document does not say."


def chunk(number: int, score: float) -> Chosen:
    return Chosen("id", "note.txt", number, None, (), score)


class Asked:
    """A contest of chunks with these scores, and what its task hears."""

    def __init__(self, *scores: float) -> None:
        self.events: list[Event] = []
        self.task = Task(self.events.append)
        self.chunks = tuple(chunk(number, score) for number, score in enumerate(scores))
        self.contest = Contest(self.task, QUESTION, Choice(self.chunks))

    def say(self, place: int, text: str, certainty: float = 0.0, *, supported: bool = False) -> Candidate:
        one = self.contest.candidates[place]
        one._log_probabilities.append(certainty)
        one.tell(Token(text))
        one.tell(Answer(text, stats(chunks=(self.chunks[place],)), (PASSAGE,) if supported else ()))
        return one

    @property
    def told(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Token))


def test_nothing_is_told_before_all_have_answered() -> None:
    asked = Asked(1.0, 0.5)
    asked.say(1, "Bela")
    assert asked.events == [Progress("check", 1, QUESTION.max_tokens)]
    asked.say(0, "Ana")
    assert len(asked.events) == 3  # as far as the longest
    assert asked.told == "Ana"
    last = asked.events[-1]
    assert isinstance(last, Answer)
    said = tuple(replace(one, certainty=0.0) for one in asked.chunks)
    assert (last.text, last.stats.chunks, last.stats.active_documents) == ("Ana", said, 1)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ([("Ana", -0.1, False), ("Bela", -0.1, False)], "Ana"),  # of two that are as good, the one that fits better
        ([("Ana", -2.0, False), ("Bela", -0.1, False)], "Bela"),  # the surer one
        ([(REFUSAL, -0.1, False), ("Bela", -2.0, False)], "Bela"),  # an answer before a refusal
        ([(REFUSAL, -0.1, False), ("Bela", -8.0, False)], REFUSAL),  # unless it is most unsure
        ([(REFUSAL, -0.1, False), ("This is not in the document.", -0.5, False)], REFUSAL),
    ],
)
def test_the_answer_that_counts(said: list[tuple[str, float, bool]], counts: str) -> None:
    asked = Asked(1.0, 0.7)
    for place, (text, certainty, supported) in enumerate(said):
        asked.say(place, text, certainty, supported=supported)
    assert asked.told == counts
    last = asked.events[-1]
    assert isinstance(last, Answer)
    best, _ = last.stats.chunks  # the one that said it comes first
    assert (said[best.number][0], best.certainty) == (counts, said[best.number][1])


def test_an_unsure_answer_is_not_supported() -> None:
    for certainty, support in ((-0.2, "supported"), (-2.0, "unsupported")):
        asked = Asked(1.0)
        asked.say(0, "Ana", certainty, supported=True)
        last = asked.events[-1]
        assert isinstance(last, Answer)
        assert last.support == support


@pytest.mark.parametrize(
    ("answers", "certainty", "refuses", "told", "support"),
    [
        (0.5, 0.0, -3.0, "Ana", "supported"),
        (-0.5, 0.0, -3.0, "Ana", "unsupported"),
        (-3.5, -0.1, -3.0, "Ana", "unsupported"),
        (-3.5, -0.1, -0.2, REFUSAL, "unsupported"),  # neither the matcher nor the adapter holds that it knows
        (-5.0, -0.1, -6.0, "Ana", "unsupported"),  # the adapter does
        (0.5, -6.0, -3.0, REFUSAL, "unsupported"),  # the matcher does, but the answer is a guess
    ],
)
def test_matcher_and_adapter_refuse_together(
    answers: float, certainty: float, refuses: float, told: str, support: str
) -> None:
    asked = Asked(1.0)
    one = asked.contest.candidates[0]
    one.choice, one._refuses = Choice((replace(asked.chunks[0], answers=answers, related=1.0),)), refuses
    asked.say(0, "Ana", certainty, supported=True)
    last = asked.events[-1]
    assert isinstance(last, Answer)
    assert (asked.told, last.text, last.support) == (told, told, support)


def test_an_answer_is_spelt_in_the_words_of_its_chunk(tokenizer: Any) -> None:
    one = Asked(1.0).contest.candidates[0]
    process = one.spelling(tokenizer, "Ana Dorsen is the mayor.")
    prompt = tokenizer.encode("Who?", add_special_tokens=False)
    ana, zed = (tokenizer.encode(name, add_special_tokens=False)[0] for name in ("Ana", "Zed"))
    logits = mx.full((1, len(tokenizer.vocab)), -20.0)
    logits[0, zed], logits[0, ana] = 2.0, 1.0
    allowed = process(mx.array(prompt), logits)
    assert mx.argmax(allowed).item() == ana
    # Not one to a choice of words, but what it was among all of them.
    assert one.certainty == pytest.approx(1.0 - float(np.log(np.exp(1.0) + np.exp(2.0))), abs=1e-4)
    words = set("who? the document does not say. ana dorsen is the mayor.".split())
    said = list(prompt)
    while (token := int(mx.argmax(process(mx.array(said), mx.random.normal(logits.shape))).item())) not in (
        tokenizer.eos_token_ids
    ):
        said.append(token)
    text = tokenizer.decode(said[len(prompt) :])
    assert text
    assert {word.strip(".,") for word in text.casefold().split()} <= {word.strip(".,?") for word in words} | set(_TIES)


def test_an_answer_is_no_refusal_where_the_matcher_refuses(tokenizer: Any) -> None:
    asked = Asked(1.0, 0.5)
    matched, other = asked.contest.candidates
    matched.choice = Choice((replace(asked.chunks[0], answers=2.0, related=1.0),))
    the, this, ana = (tokenizer.encode(word, add_special_tokens=False)[0] for word in ("The", "This", "Ana"))
    logits = mx.full((1, len(tokenizer.vocab)), -20.0)
    logits[0, the], logits[0, this], logits[0, ana] = 3.0, 2.0, 1.0
    prompt = mx.array(tokenizer.encode("Who?", add_special_tokens=False))
    text = "Ana Dorsen is the mayor. This is so."
    assert mx.argmax(matched.spelling(tokenizer, text)(prompt, logits)).item() == ana
    assert mx.argmax(other.spelling(tokenizer, text)(prompt, logits)).item() == the
    assert matched.certainty == pytest.approx(other.certainty - 2.0, abs=1e-4)  # it would have refused
    rest = float(np.log(np.exp(3.0) + np.exp(2.0) + np.exp(1.0)))
    assert matched._refuses == pytest.approx(float(np.logaddexp(3.0, 2.0)) - rest, abs=1e-4)
    matched.spelling(tokenizer, text)(prompt, logits * 2)  # of the first token alone
    assert matched._refuses == pytest.approx(float(np.logaddexp(3.0, 2.0)) - rest, abs=1e-4)


def test_a_failure_of_one_ends_the_question_once() -> None:
    asked = Asked(1.0, 0.5, 0.4)
    asked.say(0, "Ana")
    assert not asked.contest.candidates[2].stopped
    asked.contest.candidates[1].tell(Failed(DocumentError("gone")))
    assert asked.contest.candidates[2].stopped
    asked.contest.candidates[2].tell(Failed(Stopped("stopped")))
    failed = [event for event in asked.events if isinstance(event, Failed)]
    assert [str(event.error) for event in failed] == ["gone"]
    assert asked.told == ""


def test_stopping_the_question_stops_all() -> None:
    asked = Asked(1.0, 0.5)
    asked.task.stop()
    assert all(one.stopped for one in asked.contest.candidates)


def test_a_model_that_chooses_what_it_reads_is_asked_once() -> None:
    two = Choice((chunk(0, 1.0), chunk(1, 0.5)))
    assert contest.begins(QUESTION, two)
    assert contest.begins(QUESTION, Choice(two.attached[:1]))
    assert not contest.begins(QUESTION, Choice())
    assert not contest.begins(replace(QUESTION, constrain=lambda _: lambda *_: None), two)
    assert not contest.begins(QUESTION, replace(two, passages=two.attached))
    assert not contest.begins(replace(QUESTION, routing=Routing("all")), two)
    assert not contest.begins(replace(QUESTION, tools=({"name": "search"},)), two)


@pytest.mark.parametrize(
    ("matches", "verdict"),
    [
        ([(3.0, 5.0), (-8.0, 5.0)], "ask"),
        ([(-6.6, 5.0), (-8.0, -3.0)], "refuse"),  # about the same, and it does not answer
        ([(-6.4, 5.0), (-8.0, -3.0)], "ask"),  # what it says decides
        ([(-4.2, -4.0), (-8.0, -3.0)], "alone"),  # about something else
        ([(None, None)], "ask"),  # no matcher
    ],
)
def test_what_the_matcher_says(matches: list[tuple[float | None, float | None]], verdict: str) -> None:
    chunks = [Chosen("id", "note.txt", place, None, (), 1.0, *match) for place, match in enumerate(matches)]
    assert contest.verdict(Choice(tuple(chunks))) == verdict
    assert contest.verdict(Choice(tuple(chunks), whole=True)) == "quote"


TOWNS = {"Harpool": "Osra Kelland", "Velmar": "Ana Dorsen", "Tolquin": "Berin Asto"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def engine(home: Path) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.KNOWN, registry.NANO, replace(registry.KNOWN[registry.NANO], apart=True))
        with Engine(Library(home)) as engine:
            list(engine.load(registry.resolve(registry.NANO)))
            yield engine


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_pair(registry.resolve(registry.NANO)).tokenizer


@pytest.fixture(scope="module")
def documents(engine: Engine) -> list[StoredDocument]:
    notes = [Document(f"{town}.txt", f"The mayor of {town} is {mayor}.") for town, mayor in TOWNS.items()]
    ends = [list(engine.absorb(note))[-1] for note in notes]
    return [end.document for end in ends if isinstance(end, Absorbed)]


def answer(engine: Engine, town: str, documents: list[StoredDocument], routing: Routing) -> Answer:
    asked = [{"role": "user", "content": f"Who is the mayor of {town}?"}]
    *_, last = engine.ask(asked, documents, (), routing, max_tokens=24)
    assert isinstance(last, Answer)
    return last


def test_each_chunk_answers_with_its_own_adapter(engine: Engine, documents: list[StoredDocument]) -> None:
    routing = Routing(fallback="none")
    for town, document in zip(TOWNS, documents, strict=True):
        alone = answer(engine, town, [document], routing)
        found = answer(engine, town, documents, routing)
        assert (found.text, found.sources) == (alone.text, alone.sources)
        assert {one.document for one in found.stats.chunks} == {one.id for one in documents}
        assert found.stats.rank == alone.stats.rank
    assert answer(engine, "Velmar", documents, Routing("all")).stats.rank > alone.stats.rank


@pytest.mark.parametrize("fallback", ["none", "text"])
def test_a_whole_text_is_quoted(
    engine: Engine, documents: list[StoredDocument], fallback: Literal["none", "text"]
) -> None:
    """Four of many chunks know no whole text, and no second look follows."""
    said = ["The harbour of Velmar was rebuilt after the great storm.", "Its pier costs 40 crowns a day for each ship."]
    *_, end = engine.absorb(Document("report.txt", "\n\n".join(said)))
    assert isinstance(end, Absorbed)
    asked = [{"role": "user", "content": "What is this document about?"}]
    *_, last = engine.ask(asked, [end.document], (), Routing(fallback=fallback), max_tokens=24)
    assert isinstance(last, Answer)
    assert last.text == "\n\n".join(f'"{sentence}"' for sentence in said)
    assert [one.quote for one in last.sources] == said
    assert (last.stats.quoted, last.stats.second_look, last.stats.generated_tokens) == (True, False, 0)
    assert ask.support(last) == "This model does not summarise: quoted from report.txt."
    asked = [{"role": "user", "content": f"Compare report.txt with {documents[0].name}."}]
    *_, last = engine.ask(asked, [end.document, documents[0]], (), Routing(fallback=fallback), max_tokens=24)
    assert isinstance(last, Answer)
    assert {one.document for one in last.sources} == {end.document.id, documents[0].id}


def test_a_stopped_question_ends_once(engine: Engine, documents: list[StoredDocument]) -> None:
    asked = [{"role": "user", "content": "Who is the mayor of Velmar?"}]
    request = engine.ask(asked, documents, (), Routing(fallback="none"), max_tokens=400)
    next(request)
    request.close()
    assert len([event for event in request if isinstance(event, Answer | Failed)]) == 1
    assert answer(engine, "Velmar", documents, Routing(fallback="none")).text


class Scripted:
    """A matcher that says of all chunks what the test wants."""

    class Config:
        layer = 1

    config = Config()
    says = Match(0.0, 0.0)

    def marks(self, features: Any, ids: Sequence[Sequence[int]], spans: Sequence[tuple[int, int]]) -> list[Marks]:
        assert len(features) == len(ids) == len(spans)
        return [Marks(np.array(text, np.int32), np.ones((len(text), 2), np.float16)) for text in ids]

    def __call__(self, question: Marks, chunks: Sequence[Marks]) -> list[Match]:
        assert all(len(chunk.words) == len(chunk.tokens) > 0 for chunk in (question, *chunks))
        return [self.says] * len(chunks)


def test_a_matcher_refuses_and_leaves_other_questions_to_the_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matcher = Scripted()
    monkeypatch.setattr(bundle, "_load_matcher", lambda path, config: matcher)
    monkeypatch.setitem(registry.KNOWN, registry.NANO, replace(registry.KNOWN[registry.NANO], apart=True))
    with Engine(Library(tmp_path)) as engine:
        list(engine.load(registry.resolve(registry.NANO)))
        ends = [list(engine.absorb(Document("a.txt", f"The mayor of {a} is {b}.")))[-1] for a, b in TOWNS.items()]
        documents = [end.document for end in ends if isinstance(end, Absorbed)]
        routing = Routing(fallback="none")
        own = answer(engine, "Velmar", [], routing)
        matcher.says = Match(4.0, 4.0)
        known = answer(engine, "Velmar", documents, routing)
        assert "Dorsen" in known.text
        assert {one.answers for one in known.stats.chunks} == {4.0}
        matcher.says = Match(-9.0, 4.0)
        refused = answer(engine, "Velmar", documents, routing)
        assert (refused.text, refused.support) == (contest.REFUSAL, "unsupported")
        assert (refused.stats.generated_tokens, refused.stats.active_documents) == (0, 3)
        matcher.says = Match(-9.0, -4.0)
        alone = answer(engine, "Velmar", documents, routing)
        assert (alone.text, alone.stats.chunks) == (own.text, ())
