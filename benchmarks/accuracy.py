"""What the built-in pair knows: exact answers on notes it never met, in MLX, along the way the app takes.

    python -m benchmarks.accuracy [--questions 1000] [--pair FOLDER] [--rows WORDS ...] [--json FILE]

Notes come from the language's test split (its names never occur in training) and from seeds that training does not use.
"Exact" is the whole answer, character for character.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import harness
from benchmarks.tool_dialogues import TOOL_ROWS, ToolRow
from mlx_hypernet.blas import preload_blas
from thoth import nano
from thoth.models import registry
from torch_train.nano.language import UNKNOWN, Language, Note

if TYPE_CHECKING:
    from mlx_hypernet.live import Fitted
    from thoth.engine.grammar import Grammars

SEED = 20_261_123
MOST_TOKENS = 32  # of an answer


@dataclass(frozen=True)
class Row:
    """One line of the table: where the notes come from, how they are given to the model, which questions count."""

    name: str
    target: float | None
    way: str  # "context", "adapter", "composed" (several notes in one adapter) or "nothing"
    draw: Callable[[Language], Note]
    known: bool  # count the questions that the note answers, or those it does not
    notes: int = 1  # in one adapter


def facts(low: int, high: int | None = None, unanswerable: int = 0) -> Callable[[Language], Note]:
    """Notes of `low` to `high` facts with up to two filler sentences."""
    counts = iter(range(1_000_000_000))

    def draw(language: Language) -> Note:
        number = next(counts)
        return language.note(low + number % ((high or low) - low + 1), number % 3, unanswerable)

    return draw


def needle(language: Language) -> Note:
    """One needle among 5 to 20 filler sentences: 60 to 250 tokens."""
    number = language.value("count")
    return language.needle(5 + int(number) % 16)


ROWS = (
    Row("base, note in context, 1-4 facts", 0.95, "context", facts(1, 4), known=True),
    Row("base, note in context, 8 facts", None, "context", facts(8), known=True),
    Row("adapter only, 1 fact", 0.95, "adapter", facts(1), known=True),
    Row("adapter only, 2 facts", None, "adapter", facts(2), known=True),
    Row("adapter only, 4 facts", 0.85, "adapter", facts(4), known=True),
    Row("adapter only, 8 facts", 0.60, "adapter", facts(8), known=True),
    Row("adapter only, 12 facts", None, "adapter", facts(12), known=True),
    Row("two notes of 2 facts composed", None, "composed", facts(2), known=True, notes=2),
    *(Row(f"{n} notes of 2 facts composed", None, "composed", facts(2), known=True, notes=n) for n in (4, 8, 16)),
    Row('no document: "I don\'t know."', 0.98, "nothing", facts(1, 4), known=True),
    Row('note in context, silent about it: "I don\'t know."', None, "context", facts(1, 4, 2), known=False),
    Row('adapter, note silent about it: "I don\'t know."', 0.85, "adapter", facts(1, 4, 2), known=False),
    Row("needle among filler, one chunk", 0.95, "adapter", needle, known=True),
)


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--questions", type=int, default=1000, help="at least so many in every row")
    parser.add_argument("--pair", type=Path, default=nano.folder(), help="folder with base/ and hypernet/")
    parser.add_argument("--rows", nargs="+", default=[""], metavar="WORDS", help="only rows named so")
    parser.add_argument("--json", type=Path, help="write the numbers there as well")
    arguments = parser.parse_args()
    preload_blas()
    model = Model(arguments.pair)
    results = []
    table = harness.Table("", "questions", "exact", "must reach")
    rows: tuple[Row | ToolRow, ...] = (*ROWS, *(TOOL_ROWS if model.tokenizer.has_tool_calling else ()))
    for row in (row for row in rows if any(words in row.name for words in arguments.rows)):
        started = time.perf_counter()
        scored = (
            row.score(model, arguments.questions) if isinstance(row, ToolRow) else model.score(row, arguments.questions)
        )
        asked, right = scored
        share, target = right / asked, "" if row.target is None else f"{row.target:.0%}"
        table.row(row.name, asked, f"{share:.1%}", target)
        seconds = round(time.perf_counter() - started, 1)
        results.append({"row": row.name, "questions": asked, "exact": share, "target": row.target, "seconds": seconds})
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


class Model:
    """A pair, and how to ask it."""

    def __init__(self, folder: Path) -> None:
        from thoth.engine.loading import load_pair

        pair = load_pair(registry.resolve(str(folder)))
        self.base, self.tokenizer, self.bundle = pair.model, pair.tokenizer, pair.bundle

    def score(self, row: Row, questions: int) -> tuple[int, int]:
        """(questions asked, exact answers)."""
        from mlx_hypernet import adapter, live

        language = Language(SEED, "test")
        asked: list[tuple[str, live.Fitted | None]] = []
        expected: list[str] = []
        while len(asked) < questions:
            notes = [row.draw(language) for _ in range(row.notes)]
            fitted = None
            if row.way in ("adapter", "composed"):
                fitted = live.fit(self.base, adapter.compose([self.absorb(note.text) for note in notes]))
            for note in notes:
                context = note.text + "\n\n" if row.way == "context" else ""
                for question in note.questions:
                    if (question.answer != UNKNOWN) != row.known:
                        continue
                    asked.append((context + question.text, fitted))
                    expected.append(UNKNOWN if row.way == "nothing" else question.answer)
        right = sum(one == other for one, other in zip(self.answers(asked), expected, strict=True))
        return len(asked), right

    def absorb(self, text: str):
        """A note's adapters, by the same calls as the app's."""
        from mlx_hypernet.absorbing import absorb
        from mlx_hypernet.format.chunking import split
        from mlx_hypernet.format.template import document_ids

        config = self.bundle.config
        ids = document_ids(self.tokenizer, text)
        return absorb(self.base, self.bundle, split(ids, config.max_chunk_tokens, config.prefix_ids, config.suffix_ids))

    def answers(self, asked: Sequence[tuple[str, Fitted | None]]) -> list[str]:
        """Greedy answers to questions, each with an adapter of its own or none, decoded in batches as in the app."""
        from mlx_lm.generate import BatchGenerator
        from mlx_lm.models.cache import make_prompt_cache

        from mlx_hypernet.live import detach
        from mlx_hypernet.rows import RowModel, Rows

        ends = sorted(self.tokenizer.eos_token_ids)
        generator = BatchGenerator(
            RowModel(self.base), max_tokens=MOST_TOKENS, stop_tokens=[[token] for token in ends], prefill_batch_size=32
        )
        caches = [[*make_prompt_cache(self.base), Rows([fitted])] for _, fitted in asked]
        rows = generator.insert([self.prompt(question) for question, _ in asked], caches=caches)
        tokens: dict[int, list[int]] = {row: [] for row in rows}
        answering = len(rows)
        while answering:
            for part in generator.next()[1]:
                if part.token not in ends:
                    tokens[part.uid].append(part.token)
                answering -= part.finish_reason is not None
        generator.close()
        detach(self.base)
        return [self.tokenizer.decode(tokens[row]).strip() for row in rows]

    def answer(self, question: str) -> str:
        """The greedy answer, with the adapter that is attached."""
        return self.tokenizer.decode(self.generate(self.prompt(question), MOST_TOKENS)).strip()

    def prompt(self, question: str) -> list[int]:
        """The token ids that the base answers."""
        messages = [{"role": "user", "content": question}]
        return self.tokenizer.apply_chat_template(messages, add_generation_prompt=True)

    @cached_property
    def grammars(self) -> Grammars:
        """Grammars of tools, as the app makes them."""
        from thoth.engine.call_format import call_format
        from thoth.engine.grammar import Grammars

        form = call_format(self.tokenizer)
        assert form is not None
        return Grammars(self.tokenizer, form)

    def generate(
        self, prompt: list[int], max_tokens: int, masks: Sequence[Any] = (), last: int | None = None
    ) -> list[int]:
        """The greedy tokens after a prompt, up to `last`, without the one that ends them; masks see logits first."""
        import mlx.core as mx
        from mlx_lm.generate import generate_step

        tokens: list[int] = []
        for token, _ in generate_step(mx.array(prompt), self.base, max_tokens=max_tokens, logits_processors=[*masks]):
            if token in self.tokenizer.eos_token_ids:
                break
            tokens.append(int(token))
            if token == last:
                break
        return tokens


if __name__ == "__main__":
    main()
