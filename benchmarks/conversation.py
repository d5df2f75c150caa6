"""A chat that is longer than its window: what it still knows of its first facts, from weights, and what prompts cost.

    python -m benchmarks.conversation [--chats 10] [--pair FOLDER] [--home FOLDER]

Each chat has 60 turns: 40 tell a fact in nano's language (test split), every third asks about a fact that was told
before. The window holds six turns; older ones become weights, as in the app. Then each of the first 20 facts is asked
about, in three ways: in the chat, from the same facts absorbed as notes of their own, and with the whole conversation
in the context. "Exact" is the whole answer, character for character.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import harness
from mlx_hypernet.blas import preload_blas
from thoth import nano
from thoth.actions import ask, memory, requests, workspace
from thoth.actions.chat import Chat
from thoth.chats.sessions import Sessions
from thoth.ingest import Document
from thoth.library.records import StoredDocument
from thoth.models.registry import Pair
from thoth.settings import Settings
from thoth.system import paths
from torch_train.nano.language import Language

SEED = 20_261_128
TURNS, FACTS, FIRST, WINDOW_TURNS = 60, 40, 20, 6


@dataclass(frozen=True)
class Fact:
    """A statement of one fact, and a question about it."""

    text: str
    question: str
    answer: str


def facts(chat: int) -> list[Fact]:
    """Facts about different entities, so that each question has one answer."""
    language, drawn, asked = Language(f"{SEED}-{chat}", "test"), [], set()
    while len(drawn) < FACTS:
        note = language.note(1, unanswerable=0)
        question = note.questions[0]
        if question.text not in asked:
            asked.add(question.text)
            drawn.append(Fact(note.text, question.text, question.answer))
    return drawn


def lines(told: Sequence[Fact], chat: int) -> list[str]:
    """What is said: two facts, then a question about one of those before them."""
    draw, said = random.Random(chat), []
    for number, fact in enumerate(told):
        said.append(fact.text)
        if number % 2:
            said.append(draw.choice(told[: number + 1]).question)
    return said


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--chats", type=int, default=10)
    parser.add_argument("--pair", type=Path, default=nano.folder(), help="folder with base/ and hypernet/")
    parser.add_argument("--home", type=Path, help="keep chats and library there")
    arguments = parser.parse_args()
    preload_blas()
    with tempfile.TemporaryDirectory() as folder:
        home = arguments.home or Path(folder)
        pair = Pair(str(arguments.pair), arguments.pair / "base", arguments.pair / "hypernet")
        with paths.at(home), workspace.load(pair, Settings(fallback="none")) as space:
            measure(space, Sessions(home), arguments.chats)


def measure(space: workspace.Workspace, sessions: Sessions, chats: int) -> None:
    """Hold the chats, ask about their first facts, and print the tables."""
    right = dict.fromkeys(("from the chat's weights", "the same facts as notes", "whole chat in context"), 0)
    prompts: list[list[int]] = [[] for _ in range(TURNS)]
    tokens: dict[str, list[int]] = {way: [] for way in right}
    absorbed, asked = [], 0
    for number in range(chats):
        told = facts(number)
        said = lines(told, number)
        # Six turns: a fact and an answer of a few tokens each.
        turn = statistics.mean(space.engine.count_tokens(f"{fact.text}\n{fact.answer}") for fact in told)
        space.settings = replace(space.settings, agent_window=round(WINDOW_TURNS * turn))
        chat = Chat(space, sessions, raise_)
        for place, line in enumerate(said):
            answer = chat.ask(line, ask.from_weights([], space.settings.routing()))
            prompts[place].append(answer.stats.prompt_tokens)
            chat.remember()
        remembered = chat.remembered
        absorbed.append(len(remembered.turns))
        notes = [note(space, fact) for fact in told]
        whole = [message for turn in chat.turns for message in _said(turn.question, turn.answer)]
        for fact in told[:FIRST]:
            asked += 1
            ways = {
                "from the chat's weights": (
                    memory.messages(chat.turns, fact.question, remembered, None, space.settings.history_turns),
                    remembered.documents,
                ),
                "the same facts as notes": (_said(fact.question)[:1], notes),
                "whole chat in context": ([*whole, *_said(fact.question)[:1]], ()),
            }
            for way, (messages, documents) in ways.items():
                request = space.engine.ask(messages, documents, routing=space.settings.routing(), max_tokens=32)
                answer = requests.answer(request)
                right[way] += answer.text == fact.answer
                tokens[way].append(answer.stats.prompt_tokens)
        print(f"chat {number + 1}: {right} of {asked}", flush=True)
    table = harness.Table("", "questions", "exact", "prompt tokens, mean")
    for way, count in right.items():
        table.row(way, asked, f"{count / asked:.1%}", round(statistics.mean(tokens[way])))
    print(f"\nturns in the weights after {TURNS}: {statistics.mean(absorbed):.0f}\n")
    table = harness.Table("turns", "prompt tokens, mean", "most")
    for first in range(0, TURNS, 10):
        lengths = [length for turn in prompts[first : first + 10] for length in turn]
        table.row(f"{first + 1} to {first + 10}", round(statistics.mean(lengths)), max(lengths))


def note(space: workspace.Workspace, fact: Fact) -> StoredDocument:
    """The fact, absorbed by itself."""
    return requests.document(space.engine.absorb(Document("note", fact.text)))


def _said(question: str, answer: str = "") -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def raise_(error: Exception) -> None:
    """Let a chat that cannot be stored end the measurement."""
    raise error


if __name__ == "__main__":
    main()
