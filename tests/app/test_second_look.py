"""The second look: when a passage is read for another answer, and what is shown until then."""

from dataclasses import replace

import pytest

from tests.app.tui.fakes import stats
from thoth.actions import ask as asking
from thoth.engine import second_look
from thoth.engine.reply import Question
from thoth.engine.request import Task
from thoth.errors import DocumentError
from thoth.events import Answer, Chosen, Event, Failed, Passage, Progress, Token
from thoth.retrieval.routing import Routing

ASKED = Question([{"role": "user", "content": "Who?"}], documents=("a document",), routing=Routing(fallback="text"))  # type: ignore[arg-type]
CHUNK = Chosen("id", "note.txt", 0, None, (), 1.0)
PASSAGE = Passage("id", "note.txt", 0, None, (), "Ana did.", 1.0)


class Asked:
    """Answers without a model: from weights as it is told to, and with a passage always supported."""

    def __init__(self, sources: tuple[Passage, ...] = (), score: float = 1.0) -> None:
        self.sources, self.chunk = sources, replace(CHUNK, score=score)
        self.questions: list[Question] = []
        self.events: list[Event] = []

    def __call__(self, question: Question, task: Task) -> None:
        self.questions.append(question)
        read = question.routing.with_text
        for piece in ("read", " it") if read else ("made", " up"):
            task.tell(Token(piece))
        cost = stats(chunks=() if read else (self.chunk,), document_tokens_in_context=214 * read, passages=read)
        task.tell(Answer("read it" if read else "made up", cost, (PASSAGE,) if read else self.sources))

    def answer(self, question: Question = ASKED, recall: float | None = None, sentences: int = 0) -> Answer:
        second_look.begin(self, question, Task(self.events.append), recall, sentences)
        found = self.events[-1]
        assert isinstance(found, Answer)
        return found

    @property
    def shown(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Token))


def test_an_answer_without_support_is_never_shown_but_asked_again_with_a_passage() -> None:
    ask = Asked()
    found = ask.answer()
    assert (found.text, ask.shown) == ("read it", "read it")
    assert [question.routing.with_text for question in ask.questions] == [0, 1]
    assert ask.questions[1].routing == replace(ASKED.routing, route="none", with_text=1)
    assert found.stats.second_look
    stages = [event.stage for event in ask.events if isinstance(event, Progress)]
    assert stages == ["check", "check", "look"]
    assert asking.support(found) == "Supported by note.txt. Second look: 1 passage, 214 tokens."
    assert asking.stands_on(found.stats, ()) == (
        "nothing in your documents supports this, second look: 1 passage, 214 tokens"
    )


def test_a_small_base_reads_sentences_of_several_chunks() -> None:
    ask = Asked()
    ask.answer(sentences=2)
    assert [(question.routing.with_text, question.sentences) for question in ask.questions] == [(0, 0), (4, 2)]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (Answer("read it", stats(document_tokens_in_context=9), (PASSAGE,)), "read it"),
        (Answer('"Ana did."', stats(document_tokens_in_context=9, quoted=True), (PASSAGE,)), '"Ana did."'),
    ],
)
def test_an_answer_of_a_small_base_is_not_shown_before_it_is_known_not_to_be_a_quote(
    answer: Answer, shown: str
) -> None:
    ask = Asked()

    def reading(question: Question, task: Task) -> None:
        if not question.sentences:
            return ask(question, task)
        task.tell(Token("read it"))
        assert ask.shown == ""
        task.tell(answer)

    second_look.begin(reading, ASKED, Task(ask.events.append), None, 2)
    found = ask.events[-1]
    assert isinstance(found, Answer)
    assert (found.text, ask.shown, found.stats.second_look) == (shown, shown, True)


def test_a_quote_is_called_one() -> None:
    elsewhere = replace(PASSAGE, name="lease.pdf", page=2)
    cost = stats(chunks=(CHUNK,), document_tokens_in_context=9, passages=2, second_look=True, quoted=True)
    quote = Answer('"Ana did."', cost, (PASSAGE, PASSAGE, elsewhere))
    assert quote.support == "unsupported"
    assert asking.support(quote) == (
        "Nothing supports the model's own answer: quoted from note.txt and lease.pdf, page 2."
        " Second look: 2 passages, 9 tokens."
    )
    assert asking.stands_on(cost, quote.sources) == "quoted from note.txt, second look: 2 passages, 9 tokens"


def test_a_supported_answer_is_shown_when_that_is_known() -> None:
    ask = Asked(sources=(PASSAGE,))
    found = ask.answer()
    assert (found.text, ask.shown, len(ask.questions), found.stats.second_look) == ("made up", "made up", 1, False)
    kinds = [type(event) for event in ask.events]
    assert kinds == [Progress, Progress, Token, Token, Answer]
    assert asking.support(found) == "Supported by note.txt."


@pytest.mark.parametrize("score", [0.0, 0.5])
def test_a_passage_that_fits_no_better_than_others_is_not_read(score: float) -> None:
    ask = Asked(score=score)
    assert (ask.answer().text, ask.shown) == ("made up", "made up")


@pytest.mark.parametrize(
    ("answers", "certainty", "looks"),
    [
        (2.0, -0.2, 1),  # the weights were sure
        (2.0, -1.0, 2),
        (-4.0, -1.0, 1),  # the matcher holds that no chunk answers
        (-2.0, -1.0, 2),
    ],
)
def test_what_matcher_and_weights_say_decides(answers: float, certainty: float, looks: int) -> None:
    ask = Asked()
    ask.chunk = replace(CHUNK, score=0.1, answers=answers, related=1.0, certainty=certainty)
    ask.answer()
    assert len(ask.questions) == looks


@pytest.mark.parametrize(
    "routing",
    [
        Routing(fallback="none"),
        Routing(),
        Routing("all", fallback="text"),
        Routing("none", fallback="text"),
        Routing(with_text=1, fallback="text"),
    ],
)
def test_where_it_is_not_wanted_pieces_are_shown_at_once(routing: Routing) -> None:
    ask = Asked()
    ask.answer(replace(ASKED, routing=routing))
    assert len(ask.questions) == 1
    assert [type(event) for event in ask.events] == [Token, Token, Answer]


@pytest.mark.parametrize(("recall", "looks"), [(None, 1), (0.8, 1), (0.79, 2)])
def test_the_card_decides_where_nothing_is_set(recall: float | None, looks: int) -> None:
    ask = Asked()
    ask.answer(replace(ASKED, routing=Routing()), recall)
    assert len(ask.questions) == looks


def test_a_passage_that_does_not_fit_into_the_context_is_no_second_look() -> None:
    ask = Asked()

    def without_room(question: Question, task: Task) -> None:
        ask(replace(question, routing=replace(question.routing, with_text=0)), task)

    second_look.begin(without_room, ASKED, Task(ask.events.append), None)
    found = ask.events[-1]
    assert isinstance(found, Answer)
    assert (len(ask.questions), found.stats.second_look, found.support) == (2, False, "unsupported")


def test_the_request_can_be_stopped_in_both_looks() -> None:
    ask = Asked()
    request, inner = Task(ask.events.append), list[Task]()

    def slowly(question: Question, task: Task) -> None:
        inner.append(task)
        ask(question, task)

    second_look.begin(slowly, ASKED, request, None)
    request.stop()
    assert [task.stopped for task in inner] == [True, True]


# The tokenizers library panics with an error that derives from `BaseException`.
PANIC = type("PanicException", (BaseException,), {})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DocumentError("the document is gone"), "the document is gone"),
        (PANIC("a text that it cannot split"), "tokenizer fails on this text"),
    ],
)
def test_an_error_of_the_second_look_ends_the_request_alone(error: BaseException, words: str) -> None:
    ask = Asked()

    def failing(question: Question, task: Task) -> None:
        if question.routing.with_text:
            raise error
        ask(question, task)

    second_look.begin(failing, ASKED, Task(ask.events.append), None)
    assert isinstance(ask.events[-1], Failed)
    assert words in str(ask.events[-1].error)
    assert ask.shown == ""
