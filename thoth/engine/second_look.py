"""The second look: where nothing supports an answer from the weights, what fits best is read for another one.

The passage is read without the adapters, which have just failed: of 27 answers of nano that nothing supported, 19 are
right from the passage alone and none with both (docs/measurements.md). It costs an answer and the tokens of a passage,
so it is for pairs whose adapters alone recall little. An answer is held back as long as another one can follow: what
people read is never taken back. A small base reads a few sentences; where nothing supports its second answer either,
these sentences are quoted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from thoth.engine.request import Task, failure
from thoth.events import Answer, Event, Failed, Progress, Token
from thoth.retrieval.provenance import is_refusal
from thoth.retrieval.routing import MATCHES

if TYPE_CHECKING:
    from thoth.engine.reply import Question

Begin = Callable[["Question", Task], None]

# Share of facts that adapters alone must recall for their answers to be left as they are.
_LEAST_RECALL = 0.8
# Least log-odds, by the pair's matcher, that the best chunk answers the question.
_ANSWERS = -3.0
# An answer with at least this mean log-probability stays: 17 of 20 that no sentence supports are right.
_CERTAIN = -0.7
# Chunks among which the sentences for a small base are looked for.
_CHUNKS = 4


def begin(ask: Begin, question: Question, task: Task, recall: float | None, sentences: int = 0) -> None:
    """Begin to answer a question, with a second look where one is wanted and pays.

    Args:
        ask: begins to answer a question; its task hears of the rest.
        question: its routing says whether a second look is wanted.
        task: of the request; gets the pieces of the answer that counts, and the progress of one that is held back.
        recall: share of facts that the pair recalls from adapters alone, None if it was never measured.
        sentences: how many sentences are read; 0 for a whole chunk.
    """
    ask(question, _FirstLook(ask, question, task, sentences) if _wanted(question, recall) else task)


class _Before(Task):
    """Gets the events of a request before the task that they are for, and is stopped with it."""

    def __init__(self, task: Task, question: Question) -> None:
        super().__init__(task.tell)
        self._task, self._question = task, question
        self._held: list[Token] = []

    def hold(self, piece: Token) -> None:
        """Hold a piece of the answer back, and say how far the answer is."""
        self._held.append(piece)
        self._task.tell(Progress("check", len(self._held), self._question.max_tokens))

    def release(self) -> None:
        """Tell what was held back."""
        for piece in self._held:
            self._task.tell(piece)

    @property
    def stopped(self) -> bool:
        return self._task.stopped

    def stop(self) -> None:
        self._task.stop()


class _FirstLook(_Before):
    """Holds an answer back until its support is known, and asks again if it has none."""

    def __init__(self, ask: Begin, question: Question, task: Task, sentences: int) -> None:
        super().__init__(task, question)
        self._ask, self._sentences = ask, sentences

    def tell(self, event: Event) -> None:
        match event:
            case Token():
                self.hold(event)
            case Answer() if _pays(event):
                self._task.tell(Progress("look", 0, 1))
                chunks = _CHUNKS if self._sentences else 1
                routing = replace(self._question.routing, route="none", with_text=chunks)
                reading = replace(self._question, routing=routing, sentences=self._sentences)
                try:
                    self._ask(reading, _SecondLook(self._task, reading))
                # The first answer's end is told from inside a step, which is not to fail; a panic is no `Exception`.
                except BaseException as error:
                    self._task.tell(failure(error))
            case Failed():
                self._task.tell(event)
            case _:
                self.release()
                self._task.tell(event)


class _SecondLook(_Before):
    """Marks an answer as a second one, and holds it back where it can become a quote."""

    def tell(self, event: Event) -> None:
        match event:
            case Token() if self._question.sentences:
                self.hold(event)
            case Answer():
                if event.stats.quoted:
                    self._held = [Token(event.text)]
                self.release()
                # A passage that does not fit into the model's context is not read.
                looked = event.stats.document_tokens_in_context > 0
                self._task.tell(replace(event, stats=replace(event.stats, second_look=looked)))
            case _:
                self._task.tell(event)


def _wanted(question: Question, recall: float | None) -> bool:
    """Whether a second look may follow: only where the router chooses, and no passage is read already.

    A model with tools looks for passages itself.
    """
    routing = question.routing
    fallback = routing.fallback or ("text" if recall is not None and recall < _LEAST_RECALL else "none")
    adapters = bool(question.documents) and routing.route == "auto"
    return fallback == "text" and adapters and not routing.with_text and not (question.context or question.tools)


def _pays(first: Answer) -> bool:
    """Whether nothing supports an answer although a chunk fits the question well, and the weights were not sure."""
    if first.support != "unsupported" or first.stats.quoted:
        return False
    said = [chunk.certainty for chunk in first.stats.chunks[:1] if chunk.certainty is not None]
    if said and said[0] >= _CERTAIN and not is_refusal(first.text):
        return False
    matched = [chunk.answers for chunk in first.stats.chunks if chunk.answers is not None]
    if matched:
        return max(matched) >= _ANSWERS
    return max((chunk.score for chunk in first.stats.chunks), default=0.0) >= MATCHES
