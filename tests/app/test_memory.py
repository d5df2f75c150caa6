"""The memory of a chat, without a model where none is needed: what leaves, what is absorbed of it, what is replayed."""

from dataclasses import replace
from pathlib import Path

import pytest

from thoth.actions import ask, memory, turn_text, workspace
from thoth.actions.chat import Chat
from thoth.actions.memory import NOTHING, Remembered
from thoth.chats.sessions import Sessions, Turn
from thoth.events import Chosen, Passage, Stats
from thoth.library.library import Library
from thoth.models import registry
from thoth.settings import Settings

STATS = Stats(0, 1200, 7, 0.0, 0.05, 99.5, 0, 0, 1 << 20)
PASSAGE = Passage("d", "a.txt", 0, None, (), "Velmar makes lamps.", 0.9)


def words(text: str) -> int:
    return len(text.split())


def turns(count: int) -> list[Turn]:
    return [Turn(number, f"Fact {number} is told.", "Thank you.", "done") for number in range(count)]


def test_nothing_leaves_while_all_fits() -> None:
    assert memory.leaving(turns(4), NOTHING, 24, words) == []
    assert memory.leaving([], NOTHING, 0, words) == []


def test_the_oldest_leave_until_half_the_window_is_left() -> None:
    told = turns(5)  # of six words each
    assert [turn.number for turn in memory.leaving(told, NOTHING, 24, words)] == [0, 1, 2]
    left = Remembered(frozenset({0, 1, 2}))
    assert memory.leaving(told, left, 24, words) == []
    assert [turn.number for turn in memory.in_context(told, left)] == [3, 4]
    assert [turn.number for turn in memory.leaving(told, NOTHING, 0, words)] == [0, 1, 2, 3]  # the last one stays


def test_turns_without_an_answer_are_neither_replayed_nor_absorbed() -> None:
    told = [*turns(2), Turn(2, "Who?", "", "failed", "no memory")]
    assert [turn.number for turn in memory.leaving(told, NOTHING, 0, words)] == [0]
    assert len(memory.messages(told, "And what is it?", NOTHING, None, 4)) == 5


def test_what_is_absorbed_of_a_turn(home: Path) -> None:
    library = Library(home)

    def text(question: str, answer: str, **facts: object) -> str | None:
        learnt = turn_text.learnt(Turn(0, question, answer, "done", **facts), library, ())  # type: ignore[arg-type]
        return None if learnt is None else learnt.text

    assert text("Velmar makes lamps.", "Nice!") == "Velmar makes lamps.\n\nNice!"
    assert text("Velmar makes lamps.", "I don't know.") == "Velmar makes lamps."  # a refusal says nothing
    assert text("Velmar makes lamps. Who founded it?", "I don't know.") == "Velmar makes lamps."
    assert text("Name a dog?", "Rex") == "Name a dog?\n\nRex"  # the model's own words
    assert text("What does Velmar make?", "lamps", sources=(PASSAGE,)) is None  # a document says so
    chunks = (Chosen("d", "a.txt", 0, None, (), 1.0),)
    assert text("What does Velmar make?", "hats", stats=replace(STATS, chunks=chunks)) is None  # none says so
    assert text("- One\n- Two? Three.\n\nVier\uff1f", "Hm", sources=(PASSAGE,)) == "- One\nThree."


def test_speaker_and_time_are_in_the_record() -> None:
    whole, stated = turn_text.forms(Turn(3, "Velmar makes lamps.", "Nice!"))
    assert [(whole.text[block.start : block.end], block.headings) for block in whole.blocks] == [
        ("Velmar makes lamps.", ("you",)),
        ("Nice!", ("Thoth",)),
    ]
    assert whole.name.startswith("this chat, 20")
    assert stated is not None
    assert stated.text == "Velmar makes lamps."


def test_what_a_question_needs_of_the_chat() -> None:
    told = [
        Turn(0, "Velmar makes lamps.", "Nice!"),
        Turn(1, "What does Tolquin make?", "hats", sources=(PASSAGE,)),
        Turn(2, "It rains.", "Yes."),
    ]

    def asked(question: str, **facts: object) -> list[str]:
        values = {"remembered": NOTHING, "system": None, "history_turns": 4} | facts
        said = memory.messages(told, question, **values)  # type: ignore[arg-type]
        return [message["content"] for message in said if message["role"] == "user"][:-1]

    assert asked("What does the firm Velmar make?") == ["Velmar makes lamps."]
    assert asked("What does the firm Tolquin make?") == []  # a document says so, and is attached
    assert asked("And why?") == [turn.question for turn in told]
    assert asked("And why?", history_turns=1) == ["It rains."]
    assert asked("What does the firm Velmar make?", history_turns=0) == []
    assert asked("What does the firm Velmar make?", remembered=Remembered(frozenset({0}))) == []
    assert memory.messages([], "Who?", NOTHING, " Be brief. ", 4)[0] == {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("prompt", "window", "tokens", "says"),
    [
        (1234, 4000, 38_400, "context 1.2k of 4k tokens · absorbed 38k tokens"),
        (12, 4096, 0, "context 12 of 4.1k tokens"),
        (12_345, None, 999, "context 12k tokens · absorbed 999 tokens"),
    ],
)
def test_the_meter(prompt: int, window: int | None, tokens: int, says: str) -> None:
    class Absorbed:
        def __init__(self) -> None:
            self.tokens = tokens

    remembered = Remembered(documents=(Absorbed(),) if tokens else ())  # type: ignore[arg-type]
    assert memory.meter(replace(STATS, prompt_tokens=prompt), window, remembered) == says


def test_nano_remembers_what_it_was_told(home: Path) -> None:
    """Facts are told, leave the context, and are answered from weights; a deleted chat takes them with it."""
    told = ["The maker of the Farlo is Zalcorp.", "Customers of Heltex buy bricks.", "Varerigrad lies on the Moress."]
    chosen = Settings(agent_window=20, fallback="none")
    with workspace.load(registry.choose("nano"), chosen) as space:
        sessions = Sessions(home)
        chat = Chat(space, sessions, lambda error: pytest.fail(str(error)))
        way = ask.from_weights([], chosen.routing())
        for fact in told:
            chat.ask(fact, way)
            chat.remember()
        assert chat.remembered.turns == {0, 1}
        answer = chat.ask("Who is the maker of the Farlo?", way)
        assert answer.text == "Zalcorp"
        assert (answer.support, answer.stats.document_tokens_in_context) == ("supported", 0)
        assert answer.sources[0].name.startswith("this chat, ")
        assert answer.stats.prompt_tokens < 20
        assert space.library.documents() == []
        # Another process, or another day: the same chat goes on.
        assert chat.session is not None
        again = Chat(space, sessions, lambda error: pytest.fail(str(error)), sessions.get(chat.session.id))
        again.remember()
        assert again.remembered.turns >= {0, 1}
        assert again.ask("What do customers of Heltex buy?", way).text == "bricks"
        # The question that a document of the chat answered tells nothing new.
        assert len(again.remembered.documents) == 3
        again.remember()
        assert 3 in again.remembered.turns
        assert len(again.remembered.documents) == 3
        from thoth.actions import chats

        chats.remove(space.library, sessions, chat.session.id)
        assert not list((home / "documents").glob("*/*.safetensors"))
