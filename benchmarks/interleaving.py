"""How long a question waits while a document is absorbed, and what the questions cost the document.

    python -m benchmarks.interleaving [--questions 20] [--model nano]

The time to the first token counts from the question, waiting included.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks import harness
from mlx_hypernet.blas import preload_blas
from thoth.events import Absorbed, Answer, Event, Progress
from thoth.ingest import Document
from torch_train.nano.language import Language

NOTES = 400
QUESTION = [{"role": "user", "content": "Who is the mayor of Harpool?"}]


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--model", default="nano")
    arguments = parser.parse_args()
    preload_blas()
    from thoth.engine.engine import Engine
    from thoth.library.library import Library
    from thoth.models import registry

    language = Language(1, "test")
    texts = [" ".join(language.note(12, 12).text for _ in range(NOTES)) for _ in range(2)]
    table = harness.Table("", "first token: median, s", "longest, s", "absorbing, tokens/s")
    with tempfile.TemporaryDirectory() as home, Engine(Library(Path(home))) as engine:
        list(engine.load(registry.resolve(arguments.model)))
        *_, note = engine.absorb(Path(__file__).parent.parent / "examples" / "harbour.txt")
        assert isinstance(note, Absorbed)

        def ask() -> float:
            *_, event = engine.ask(QUESTION, [note.document])
            assert isinstance(event, Answer)
            return event.stats.time_to_first_token_seconds

        alone = Following(engine.absorb(Document("alone", texts[0])))
        alone.finished.wait()
        seconds = [ask() for _ in range(arguments.questions)]
        table.row("one after the other", *describe(seconds), f"{alone.tokens_per_second:.0f}")
        together, seconds = Following(engine.absorb(Document("together", texts[1]))), []
        together.begun.wait()
        started = time.perf_counter()
        while len(seconds) < arguments.questions and not together.finished.is_set():
            seconds.append(ask())
        asked = time.perf_counter() - started
        together.finished.wait()
        name = f"both at once, {len(seconds)} questions in {asked:.1f} s"
        table.row(name, *describe(seconds), f"{together.tokens_per_second:.0f}")


class Following:
    """Reads the events of an absorb on a thread of its own."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.begun, self.finished = threading.Event(), threading.Event()
        self.tokens_per_second = 0.0
        threading.Thread(target=self._follow, args=(events,)).start()

    def _follow(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Progress) and event.stage == "absorb":
                self.begun.set()
                self.tokens_per_second = event.tokens_per_second
        self.finished.set()


def describe(seconds: list[float]) -> tuple[str, str]:
    return f"{statistics.median(seconds):.3f}", f"{max(seconds):.3f}"


if __name__ == "__main__":
    main()
