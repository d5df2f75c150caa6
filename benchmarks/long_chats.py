"""What earlier turns do to an answer: exact answers to the n-th question of a chat about four documents.

    python -m benchmarks.long_chats [--chats 1008] [--questions 12] [--pair FOLDER] [--ways needed all=120 1=120]

Chats ask about four notes of four facts each; the model's own answers are their history. Twelve chats ask the same
twelve questions, each beginning with the next one: so every column has the same questions, and columns differ by what
was asked before alone. "needed" replays what `thoth.retrieval.replay` says, "all" every earlier turn, a number always
so many; `=120` lets a way have only so many chats. An answer is computed once for the same prompt and documents.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import harness
from benchmarks.knowledge import Bench
from benchmarks.knowledge_notes import FACTS, Trial, several
from mlx_hypernet.blas import preload_blas
from thoth import nano
from thoth.engine.prompt import TooLongError
from thoth.library.records import StoredDocument
from thoth.models.registry import Pair
from thoth.retrieval import replay
from thoth.retrieval.routing import Routing

DOCUMENTS = 4
Messages = list[dict[str, str]]
Replay = Callable[[Messages], Messages]


@dataclass(frozen=True)
class Chat:
    """Questions about the same documents, in the order they are asked."""

    questions: tuple[Trial, ...]


def chats(count: int, length: int) -> list[Chat]:
    """Chats about libraries of four notes, `length` rotations of the same questions each."""
    libraries = -(-count // length)
    asked = FACTS * DOCUMENTS
    trials = several(DOCUMENTS)(libraries * asked)
    draw = random.Random(0)
    found = []
    for start in range(0, len(trials), asked):
        questions = draw.sample(trials[start : start + asked], length)
        found += [Chat((*questions[first:], *questions[:first])) for first in range(length)]
    return found[:count]


def way(name: str) -> Replay:
    """What is replayed."""
    if name == "needed":
        return replay.needed
    if name == "all":
        return lambda messages: messages
    return lambda messages: messages[-1 - 2 * int(name) :]


def ask(bench: Bench, chat: Chat, replayed: Replay, known: dict[object, str]) -> list[bool]:
    """Whether each answer of a chat is exact; a chat ends where its prompt no longer fits.

    Args:
        bench: the engine.
        chat: the questions.
        replayed: which turns are replayed.
        known: answers to the same prompts; gets those that were not.
    """
    stored: list[StoredDocument] = [bench.absorb(text) for text in chat.questions[0].documents]
    said: Messages = []
    right = []
    for trial in chat.questions:
        said.append({"role": "user", "content": trial.question})
        messages = replayed(said)
        key = (trial.documents, tuple(message["content"] for message in messages))
        try:
            answer = known[key] if key in known else bench.answer(messages, stored, Routing()).text
        except TooLongError:
            break
        known[key] = answer
        said.append({"role": "assistant", "content": answer})
        right.append(answer == trial.answer)
    return right


def main() -> None:
    """The command line."""
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--chats", type=int, default=1008, help="of every way (%(default)s)")
    parser.add_argument("--questions", type=int, default=12, help="of a chat (%(default)s)")
    parser.add_argument("--pair", type=Path, default=nano.folder(), help="folder with base/ and hypernet/")
    parser.add_argument("--ways", nargs="+", default=["needed", "all=120"], help="needed, all, or a number of turns")
    options = parser.parse_args()
    preload_blas()
    pair = Pair(options.pair.name, options.pair / "base", options.pair / "hypernet")
    drawn = chats(options.chats, options.questions)
    table = harness.Table("replayed", "chats", *(f"n = {n}" for n in range(1, options.questions + 1)))
    with tempfile.TemporaryDirectory() as home, Bench(pair, Path(home)) as bench:
        for name, _, few in (one.partition("=") for one in options.ways):
            results: list[list[bool]] = []
            known: dict[object, str] = {}
            for i, chat in enumerate(drawn[: int(few or len(drawn))]):
                results.append(ask(bench, chat, way(name), known))
                print(f"\r{name}: chat {i + 1}", end=" ", file=sys.stderr)
            print(file=sys.stderr)
            asked = [[right[n] for right in results if len(right) > n] for n in range(options.questions)]
            table.row(name, len(results), *(f"{sum(one) / len(one):.1%}" if one else "too long" for one in asked))


if __name__ == "__main__":
    main()
