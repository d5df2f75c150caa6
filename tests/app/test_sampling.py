"""How answers are drawn: seeds, stop texts, log-probabilities, constraints."""

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from thoth.engine.answering import Answerer
from thoth.engine.decoding import Decoded
from thoth.engine.engine import Engine
from thoth.engine.sampling import Ending, Sampling
from thoth.events import Answer, Token
from thoth.library.library import Library
from thoth.models import registry

QUESTION = [{"role": "user", "content": "Who is the mayor of Harpool?"}]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(Library(tmp_path_factory.mktemp("home"))) as engine:
        list(engine.load(registry.resolve("nano")))
        yield engine


def ask(engine: Engine, **settings: Any) -> tuple[list[Token], Answer]:
    constrain = settings.pop("constrain", None)
    sampling = Sampling(**settings)
    *tokens, answer = engine.ask(QUESTION, max_tokens=12, sampling=sampling, constrain=constrain)
    assert isinstance(answer, Answer)
    return [token for token in tokens if isinstance(token, Token)], answer


def test_a_seed_draws_the_same_whatever_else_is_answered(engine: Engine) -> None:
    (_, one), (_, other) = (ask(engine, temperature=20.0, seed=seed) for seed in (1, 2))
    assert one.text != other.text
    beside = [engine.ask(QUESTION, max_tokens=30, sampling=Sampling(20.0, seed=seed)) for seed in range(3)]
    assert ask(engine, temperature=20.0, seed=1)[1].text == one.text
    assert all(isinstance(list(events)[-1], Answer) for events in beside)


def test_top_p_of_nearly_nothing_is_greedy(engine: Engine) -> None:
    assert ask(engine, temperature=20.0, top_p=1e-6)[1].text == ask(engine)[1].text


def test_a_stop_text_ends_the_answer_and_is_not_part_of_it(engine: Engine) -> None:
    _, whole = ask(engine)
    word = whole.text.split()[1]
    tokens, answer = ask(engine, stop=(word, "never said"))
    assert answer.text == whole.text.split(word)[0].strip()
    assert "".join(token.text for token in tokens).strip() == answer.text
    assert answer.finish == "stop"


def test_the_length_limit_is_told_apart(engine: Engine) -> None:
    *_, cut = engine.ask(QUESTION, max_tokens=1)
    assert isinstance(cut, Answer)
    assert cut.finish == "length"


def test_log_probabilities(engine: Engine) -> None:
    tokens, answer = ask(engine, logprobs=3)
    assert tuple(drawn for token in tokens for drawn in token.drawn) == answer.drawn
    assert len(answer.drawn) == answer.stats.generated_tokens
    for drawn in answer.drawn:
        assert drawn.likely[0] == (drawn.text, drawn.logprob)
        assert [p for _, p in drawn.likely] == sorted((p for _, p in drawn.likely), reverse=True)
        assert sum(math.exp(p) for _, p in drawn.likely) <= 1.0001
    assert ask(engine)[1].drawn == ()


def test_log_probabilities_in_bf16() -> None:
    """As a base on a GPU has them."""
    import mlx.core as mx

    answerer = Answerer.__new__(Answerer)
    answerer._pair = SimpleNamespace(tokenizer=SimpleNamespace(decode=str))  # type: ignore[assignment]
    logprobs = mx.array([-2.0, -0.5, -1.0]).astype(mx.bfloat16)
    drawn = answerer._drawn(Decoded(0, 2, logprobs, None), likely=2)
    assert (drawn.text, drawn.logprob, drawn.likely) == ("[2]", -1.0, (("[1]", -0.5), ("[2]", -1.0)))


def test_a_constraint_decides_what_can_be_drawn(engine: Engine) -> None:
    import mlx.core as mx

    def only(tokenizer: Any) -> Any:
        allowed = tokenizer.encode("Harpool", add_special_tokens=False)[-1]

        def processor(ids: mx.array, logits: mx.array) -> mx.array:
            return mx.where(mx.arange(logits.shape[-1]) == allowed, logits, -mx.inf)

        return processor

    _, answer = ask(engine, constrain=only)
    assert answer.finish == "length"
    assert answer.stats.generated_tokens == 12
    piece = answer.text[: len(answer.text) // 12]
    assert answer.text == piece * 12


@pytest.mark.parametrize(
    ("stop", "pieces", "shown", "ended"),
    [
        (("END",), ["a E", "N", "D b"], "a ", True),
        (("END",), ["a EN", "x"], "a ENx", False),
        (("ab", "b"), ["xa", "b"], "x", True),
        ((), ["any", "thing"], "anything", False),
        (("\n\n",), ["one\n", "two"], "one\ntwo", False),
    ],
)
def test_ending(stop: tuple[str, ...], pieces: list[str], shown: str, ended: bool) -> None:
    ending = Ending(stop)
    results = [ending.add(piece) for piece in pieces]
    assert "".join(text for text, _ in results) + ending.rest() == shown
    assert results[-1][1] is ended
