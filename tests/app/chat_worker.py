"""A process that holds a chat whose oldest turns become weights, until it is killed.

`python -m tests.app.chat_worker PAIR` reads lines `HOME JOURNAL LAST` and does each in a child process, which goes on
with the home's chat up to that many turns. It says the child's process id when it begins, and its exit status when it
ends. A line of a journal is an answer that the child has got, or "remember" before it absorbs turns.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from mlx_hypernet.blas import preload_blas
from mlx_hypernet.format.quick_import import quicken_transformers

preload_blas()
quicken_transformers()
if __name__ == "__main__":  # as in a process of thoth; tests import this module and need both
    sys.modules.update(torch=None, mistral_common=None)  # type: ignore[arg-type]

# Once here, not in every child; mlx-lm is not among them, it begins a thread that no child would have.
import mlx.core  # noqa: E402, F401
from transformers import AutoTokenizer, PreTrainedTokenizerFast  # noqa: E402, F401

from thoth.actions import ask, workspace  # noqa: E402
from thoth.actions.chat import Chat  # noqa: E402
from thoth.chats.sessions import Sessions  # noqa: E402
from thoth.models import registry  # noqa: E402
from thoth.settings import Settings  # noqa: E402
from thoth.system import paths  # noqa: E402

WINDOW = 40  # tokens: one or two turns


def question(number: int) -> str:
    return f"The founder of Velmar {number} is Ana {number}."


def main() -> None:
    for line in sys.stdin:
        home, journal, last = json.loads(line)
        if (child := os.fork()) == 0:
            work(Path(sys.argv[1]), Path(home), os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND), int(last))
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


def work(pair: Path, home: Path, journal: int, last: int) -> None:
    """Ask, and absorb what no longer fits, turn by turn."""

    def say(*words: object) -> None:
        os.write(journal, json.dumps(words).encode() + b"\n")

    def fail(error: Exception) -> None:
        raise error

    with paths.at(home):
        settings = Settings(max_tokens=4, agent_window=WINDOW, fallback="none")
        space = workspace.load(registry.choose(str(pair)), settings)
        sessions = Sessions(home)
        chat = Chat(space, sessions, fail, sessions.last())
        say("remember")
        chat.remember()
        while len(chat.turns) < last:
            number = len(chat.turns)
            answer = chat.ask(question(number), ask.from_weights([], settings.routing()))
            say(number, answer.text)
            say("remember")
            chat.remember()
        say("end")


if __name__ == "__main__":
    main()
