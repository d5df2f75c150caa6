"""Chunks that fit a question -> one answer: each chunk answers by itself, and the best answer counts.

For pairs whose adapters spoil each other when they are attached together, and spell what they know wrongly. A chunk
that does not hold the answer mostly refuses, or is unsure. What a chunk says is spelt in its own words: the weights
choose them, and how likely they were without that limit says how far to believe them. The chunks are rows of one batch
with an adapter each. Where the pair has a matcher, no chunk says that it does not know: the matcher refuses, and how
likely the best chunk would have refused counts beside it. Measured:
docs/decisions/2026-11-29-chunks-answer-by-themselves.md, 2026-11-30-what-is-said-and-what-is-refused.md,
2026-11-30-how-willing-an-adapter-is.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from thoth.engine.copying import copying
from thoth.engine.request import Task
from thoth.engine.sampling import Processor
from thoth.events import Answer, Event, Failed, Passage, Progress, Stats, Token
from thoth.retrieval import matching, whole
from thoth.retrieval.provenance import is_refusal

if TYPE_CHECKING:
    import mlx.core as mx

    from thoth.engine.reply import Question
    from thoth.retrieval.choosing import Choice

# What it counts for an answer that it is a refusal, beside how well its chunk fits and the mean log-probability of its
# tokens, from 0 down.
_REFUSES = -5.0
# Least mean log-probability of an answer that counts as supported, and least log-odds of its chunk.
_CERTAIN, _LIKELY = -1.5, 0.0
REFUSAL = "The document does not say."
_REFUSALS = (REFUSAL, "This is not in the document.")  # adapters learnt both
# What it counts for an answer, beside its chunk's log-odds by the matcher and the mean log-probability of its tokens,
# that the adapter would not have refused: the log-probability of a refusal's first token. Least sum of the three.
_WILLING, _DOUBTFUL = 0.5, -3.0
# Least log-odds with which a chunk is asked at all: no adapter is so willing that less would do.
_HOPELESS = -6.5
# Least log-odds that a chunk has to do with the question; where none has, the question is about something else.
_RELATED = 0.0


class Contest:
    """Collects the answers of all chunks, and tells the task of the best.

    Args:
        task: of the question.
        question: the question.
        choice: the chunks; each is a `Candidate`.
    """

    def __init__(self, task: Task, question: Question, choice: Choice) -> None:
        self.task, self.over, self._heard = task, False, 0
        self._question, self._choice = question, choice
        self._answers: list[tuple[Candidate, Answer, Sequence[Token]]] = []
        self.candidates = [Candidate(self, replace(choice, attached=(chosen,))) for chosen in choice.attached]

    @property
    def asked(self) -> str:
        """The question as it was written last."""
        return str(self._question.messages[-1]["content"])

    def hear(self, pieces: int) -> None:
        """Say how far the longest answer is: no piece of one is told before all are known."""
        if pieces > self._heard:
            self._heard = pieces
            self.task.tell(Progress("check", pieces, self._question.max_tokens))

    def enter(self, candidate: Candidate, answer: Answer, pieces: Sequence[Token]) -> None:
        """Take the answer of a candidate; the last one ends the contest."""
        self._answers.append((candidate, answer, pieces))
        if len(self._answers) < len(self.candidates):
            return
        self.over = True
        ranked = sorted(self._answers, key=lambda one: one[0].score(one[1].text), reverse=True)
        best, answer, pieces = ranked[0]
        if best.doubtful:
            answer, pieces = replace(answer, text=REFUSAL, sources=()), [Token(REFUSAL)]
        elif best.unsure:
            answer = replace(answer, sources=())
        for piece in pieces:
            self.task.tell(piece)
        attached = tuple(replace(one.choice.attached[0], certainty=one.certainty) for one, _, _ in ranked)
        documents = len({chosen.document for chosen in attached})
        self.task.tell(replace(answer, stats=replace(answer.stats, chunks=attached, active_documents=documents)))

    def fail(self, event: Failed) -> None:
        """Tell the task of the first failure; the other candidates end with it."""
        if not self.over:
            self.over = True
            self.task.tell(event)


class Candidate(Task):
    """Gets what one chunk says.

    Attributes:
        choice: the chunk.
    """

    def __init__(self, contest: Contest, choice: Choice) -> None:
        super().__init__(contest.task.tell)
        self._contest, self.choice = contest, choice
        self._held: list[Token] = []
        self._log_probabilities: list[float] = []
        self._refuses = 0.0

    @property
    def certainty(self) -> float:
        """The mean log-probability of the answer's tokens where any could follow, in nats, from 0 down."""
        return sum(self._log_probabilities) / max(1, len(self._log_probabilities))

    def score(self, text: str) -> float:
        """How much what the chunk says counts, in nats."""
        chosen = self.choice.attached[0]
        return self.certainty + matching.fit(chosen.score, chosen.answers) + _REFUSES * is_refusal(text)

    @property
    def doubtful(self) -> bool:
        """Whether matcher and adapter together hold that the chunk does not know."""
        answers = self.choice.attached[0].answers
        return answers is not None and answers + self.certainty - _WILLING * self._refuses < _DOUBTFUL

    @property
    def unsure(self) -> bool:
        """Whether what the chunk says does not count as supported: any chunk has some words to answer with."""
        answers = self.choice.attached[0].answers
        return self.certainty < _CERTAIN or (answers is not None and answers < _LIKELY)

    def spelling(self, tokenizer: Any, text: str) -> Processor:
        """Make a processor of logits that lets the answer be words of a text and the question.

        It can be a refusal where there is no matcher to refuse.

        Args:
            tokenizer: of the base, in mlx-lm's wrapper.
            text: of the chunk.
        """
        import mlx.core as mx

        texts = [text, self._contest.asked]
        refusing = [tokenizer.encode(one, add_special_tokens=False)[0] for one in _REFUSALS]
        if self.choice.attached[0].answers is None:
            spelt = copying(tokenizer, [*texts, REFUSAL])
        else:  # the matcher refuses; of 39 answers by adapters that would have refused 24 are right
            spelt = copying(tokenizer, texts, refusing)

        def process(tokens: mx.array, logits: mx.array) -> mx.array:
            allowed = spelt(tokens, logits)
            likely = mx.take_along_axis(logits, mx.argmax(allowed, axis=-1, keepdims=True), axis=-1)
            every: Any = mx.logsumexp(logits, axis=-1, keepdims=True)
            if not self._log_probabilities:
                self._refuses = (mx.logsumexp(logits[0, refusing]) - every).item()
            self._log_probabilities.append((likely - every).item())
            return allowed

        return process

    @property
    def stopped(self) -> bool:
        """Whether the answer is no longer wanted."""
        return self._contest.over or self._contest.task.stopped

    def stop(self) -> None:
        """Stop the whole question."""
        self._contest.task.stop()

    def tell(self, event: Event) -> None:
        """Take the next event of the reply."""
        match event:
            case Token():
                self._held.append(event)
                self._contest.hear(len(self._held))
            case Answer():
                self._contest.enter(self, event, self._held)
            case Failed():
                self._contest.fail(event)


def verdict(choice: Choice) -> Literal["ask", "refuse", "alone", "quote"]:
    """What becomes of a question: ask the chunks, refuse since none answers, let the base alone answer, or quote."""
    if choice.whole:
        return "quote"
    answers = max((one.answers for one in choice.attached if one.answers is not None), default=None)
    related = max((one.related for one in choice.attached if one.related is not None), default=None)
    if answers is None or related is None:
        return "ask"
    if related < _RELATED:
        return "alone"
    return "ask" if answers >= _HOPELESS else "refuse"


def tell(
    task: Task, question: Question, choice: Choice, absorb_seconds: float, quotes: tuple[Passage, ...] = ()
) -> None:
    """Answer without the model: with quotes or, where there are none, with a refusal."""
    import mlx.core as mx

    text = whole.as_text(quotes) or REFUSAL
    seconds = time.perf_counter() - question.asked_at
    documents = len({chosen.document for chosen in choice.attached})
    stats = Stats(0, 0, 0, absorb_seconds, seconds, 0.0, documents, 0, mx.get_peak_memory(), chunks=choice.attached)
    task.tell(Token(text))
    task.tell(Answer(text, replace(stats, quoted=bool(quotes)), quotes))


def begins(question: Question, choice: Choice) -> bool:
    """Whether chunks answer by themselves: a model that reads passages, has tools or quotes is asked once."""
    limited = choice.passages or question.tools or question.constrain is not None
    return question.routing.route == "auto" and bool(choice.attached) and not limited
