"""Which earlier turns are replayed: those a question needs."""

import pytest

from thoth.retrieval.replay import leans, needed

SYSTEM = {"role": "system", "content": "Answer briefly."}


def conversation(*texts: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]


EARLIER = ("Who founded Velmar?", "Ana Dor", "What does the Norjo cost?", "6077 crowns", "Is it blue?", "Yes.")


@pytest.mark.parametrize(
    "question", ["Who is the mayor of Harpool?", "When was Velmar founded?", "Wer ist der Bürgermeister von Harpool?"]
)
def test_a_question_that_names_what_it_is_about_stands_alone(question: str) -> None:
    assert not leans(question)
    assert needed(conversation(*EARLIER, question)) == conversation(question)


@pytest.mark.parametrize(
    "question",
    [
        "And when was it founded?",
        "tell me more about the boiler",
        "Did Ana Dor sell it again?",
        "Is that in Belwick?",
        "What else did Ana Dor do?",
        "You said Velmar; I meant Relwood.",
        "Translate your answer into German.",
        "Wo liegt diese Stadt, in Bayern?",
        "創業者は誰ですか",
    ],
)
def test_a_question_that_refers_to_what_was_said_gets_the_last_turns(question: str) -> None:
    assert leans(question)
    messages = conversation(*EARLIER, question)
    assert needed(messages, 4) == messages
    assert needed(messages, 2) == messages[2:]
    assert needed(messages, 1) == messages[4:]
    assert needed(messages, 0) == messages[6:]


def test_a_first_question_is_the_conversation() -> None:
    assert needed(conversation("And when?")) == conversation("And when?")


def test_what_stands_before_the_first_turn_stays() -> None:
    for question in ("Who is the mayor of Harpool?", "Who is it?"):
        replayed = needed([SYSTEM, *conversation(*EARLIER, question)], 1)
        assert replayed[0] == SYSTEM
        assert replayed[-1]["content"] == question
        assert len(replayed) == (2 if "Harpool" in question else 4)
    assert needed([SYSTEM, *conversation("Who is it?")]) == [SYSTEM, *conversation("Who is it?")]


def test_a_turn_is_all_that_follows_a_message_of_the_user() -> None:
    tool = {"role": "tool", "content": "42"}
    messages = [*conversation("Count.", "I call a tool."), tool, *conversation("And now?")]
    assert needed(messages, 1) == messages
