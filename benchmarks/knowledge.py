"""What a pair knows of the documents in its library: exact answers by number, length and way, with their costs.

    python -m benchmarks.knowledge [--questions 1000] [--pair FOLDER] [--rows WORDS ...] [--json FILE] [--home FOLDER]

Everything goes through `Engine` and `Library`, as in the app. "Exact" is the whole answer, character for character.
A row that is in FILE already is not asked again, a document that is in the home's library not absorbed again: what was
interrupted resumes where it left off. `--rows "64 documents" "4096 tokens"` asks those rows alone; `--chunk-tokens 64`
cuts documents into shorter chunks than the bundle says. Plots of all that is in FILE go to `docs/knowledge/`.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

from benchmarks import harness
from benchmarks.knowledge_notes import FACTS, Trial, Trials, long, needle, several, silent
from benchmarks.knowledge_plots import draw
from mlx_hypernet.blas import preload_blas
from thoth import nano
from thoth.engine.engine import Engine
from thoth.engine.prompt import TooLongError
from thoth.events import Absorbed, Answer, Event, Failed
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.library.records import ChunkRef, StoredDocument
from thoth.models.registry import Pair
from thoth.retrieval.routing import Routing
from thoth.retrieval.terms import names
from torch_train.nano.language import UNKNOWN

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)
LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
PLOTS = Path(__file__).parent.parent / "docs" / "knowledge"


@dataclass(frozen=True)
class Way:
    """How a document is given to the model.

    Attributes:
        name: what the tables call it.
        routing: of the adapters.
        reads: instead of adapters: "documents" puts the active documents into the context, "search" the best
            `routing.with_text` chunks by BM25 alone.
    """

    name: str
    routing: Routing
    reads: Literal["documents", "search"] | None = None


NONE, ALL, AUTO = (
    Way("none", Routing(route="none")),
    Way("all", Routing(route="all")),
    Way("auto", Routing(route="auto")),
)
LOOKS_TWICE = Way("auto, second look", Routing(route="auto", fallback="text"))
WITH_TEXT = tuple(Way(f"auto, {n} in context", Routing(route="auto", with_text=n)) for n in (1, 3))
BM25 = tuple(Way(f"BM25, {n} in context", Routing(route="none", with_text=n), "search") for n in (1, 3))
READ = Way("documents in context", Routing(route="none"), "documents")


@dataclass(frozen=True)
class Row:
    """A line of a table: questions, and how the documents are given.

    Attributes:
        table: which table.
        what: the documents.
        x: their number or length.
        trials: draws the questions.
        way: how they are given.
    """

    table: str
    what: str
    x: float
    trials: Trials
    way: Way

    @property
    def name(self) -> str:
        """What `--rows` looks for."""
        return f"{self.what}, {self.way.name}"


def rows() -> Iterator[Row]:
    """All rows."""
    for count in COUNTS:
        what = f"{count} document{'s' * (count > 1)} of {FACTS} facts"
        extra = {1: (*WITH_TEXT[:1], READ), 16: (READ,), 64: (LOOKS_TWICE, *WITH_TEXT, *BM25)}.get(count, ())
        for way in (NONE, ALL, AUTO, *extra):
            yield Row("documents", what, count, several(count), way)
    for tokens in LENGTHS:
        for way in (ALL, AUTO, BM25[0], *((READ,) if tokens < 4096 else ())):
            yield Row("length", f"{tokens} tokens, {FACTS} facts in 256", tokens, long(tokens), way)
    for count in (1, 64):
        for way in (ALL, AUTO) if count == 1 else (AUTO,):
            yield Row(
                "silence", f"question about none of {count} document{'s' * (count > 1)}", count, silent(count), way
            )
    for tokens in LENGTHS:
        for depth in DEPTHS:
            yield Row("needle", f"needle, {tokens} tokens, depth {depth:.0%}", tokens, needle(tokens, depth), AUTO)


@dataclass
class Score:
    """What came out of a row.

    Attributes:
        asked: questions that fitted into the model's context.
        right: exact answers.
        sourced: right answers whose first source is a chunk that holds question and answer.
        unfounded: wrong answers and refusals that name a source.
        document_tokens: in the context, of each question.
        first_token_seconds: of each question.
        chunks: attached, of each question.
    """

    asked: int = 0
    right: int = 0
    sourced: int = 0
    unfounded: int = 0
    document_tokens: list[int] = field(default_factory=list)
    first_token_seconds: list[float] = field(default_factory=list)
    chunks: list[int] = field(default_factory=list)

    def result(self, row: Row, questions: int, setting: str) -> dict[str, object]:
        """The row as the file of numbers stores it."""
        sourced = row.table != "silence" and not row.way.reads  # what is only read is in no library
        return {
            "row": row.name,
            "table": row.table,
            "what": row.what,
            "x": row.x,
            "way": row.way.name,
            "questions": questions,
            "setting": setting,
            "asked": self.asked,
            "exact": self.right / self.asked if self.asked else None,
            "right_source": self.sourced / self.right if sourced and self.right else None,
            "unfounded_source": self.unfounded / self.asked if self.asked else None,
            "document_tokens": statistics.fmean(self.document_tokens) if self.asked else None,
            "first_token_ms": 1000 * statistics.median(self.first_token_seconds) if self.asked else None,
            "chunks": statistics.fmean(self.chunks) if self.asked else None,
        }


class Bench:
    """An engine with its library, and how to ask it. A context manager."""

    def __init__(self, pair: Pair, home: Path) -> None:
        self._library = Library(home)
        # Without caches of earlier questions: the time to the first token is that of a first question.
        self._engine = Engine(self._library, kv_cache_bytes=0)
        self._pair = pair
        self._absorbed: dict[str, StoredDocument] = {}

    def __enter__(self) -> Self:
        last(self._engine.load(self._pair))
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()
        self._library.close()

    @property
    def bundle(self) -> str | None:
        """Id of the pair's bundle."""
        return self._engine.bundle_id

    def score(self, row: Row, questions: int) -> Score:
        """Ask all questions of a row."""
        score, trials = Score(), row.trials(questions)
        for i, trial in enumerate(trials):
            stored = [self.absorb(text) for text in trial.documents]
            try:
                answer = last_answer(self.begin(trial.question, trial.documents, stored, row.way))
            except TooLongError:
                break  # the others are as long
            self._count(score, trial, stored, answer)
            if i % 10 == 9 or i + 1 == len(trials):
                print(f"\r{row.name}: {i + 1} of {len(trials)}, {score.right} exact", end=" ", file=sys.stderr)
        print(file=sys.stderr)
        return score

    def absorb(self, text: str) -> StoredDocument:
        """A text in the library, absorbed once."""
        if text not in self._absorbed:
            print(f"\rabsorbing document {len(self._absorbed) + 1}", end=" ", file=sys.stderr)
            event = last(self._engine.absorb(Document("note.txt", text)))
            assert isinstance(event, Absorbed)
            self._absorbed[text] = event.document
        return self._absorbed[text]

    def begin(self, question: str, texts: Sequence[str], stored: Sequence[StoredDocument], way: Way) -> Iterator[Event]:
        """Begin to answer a question about documents that are given in a way."""
        context, routing = [], way.routing
        if way.reads == "documents":
            context = [Document("note.txt", text) for text in texts]
        elif way.reads == "search":
            found = self._library.search(question, [one.id for one in stored], routing.with_text)
            context = [Document("note.txt", self._library.chunk(ref).text) for ref, _ in found]
        if way.reads:
            routing = replace(routing, with_text=0)
        return self._engine.ask([{"role": "user", "content": question}], stored, context, routing, max_tokens=32)

    def answer(
        self,
        messages: list[dict[str, str]],
        stored: list[StoredDocument],
        routing: Routing,
        context: Sequence[Document] = (),
    ) -> Answer:
        """The answer to the last message."""
        return last_answer(self._engine.ask(messages, stored, context, routing, max_tokens=32))

    def answers(self, questions: Sequence[tuple[str, list[StoredDocument]]], routing: Routing) -> list[Answer]:
        """The answers to questions about documents, all asked at once."""
        requests = [
            self._engine.ask([{"role": "user", "content": question}], stored, (), routing, max_tokens=32)
            for question, stored in questions
        ]
        events = [last(request) for request in requests]
        return [event for event in events if isinstance(event, Answer)]

    def _count(self, score: Score, trial: Trial, stored: list[StoredDocument], answer: Answer) -> None:
        right = answer.text == trial.answer
        score.asked += 1
        score.right += right
        score.document_tokens.append(answer.stats.document_tokens_in_context)
        score.first_token_seconds.append(answer.stats.time_to_first_token_seconds)
        score.chunks.append(len(answer.stats.chunks))
        if right and trial.holder is not None and answer.sources:
            source = answer.sources[0]
            text = self._library.chunk(ChunkRef(source.document, source.chunk)).text
            told = all(word in text for word in (trial.answer, *names(trial.question)))
            score.sourced += told and source.document == stored[trial.holder].id
        elif answer.sources:
            score.unfounded += 1


def last(events: Iterator[Event]) -> Event:
    """The last event; an error is raised."""
    *_, event = events
    if isinstance(event, Failed):
        raise event.error
    return event


def last_answer(events: Iterator[Event]) -> Answer:
    """The answer that ends a question's events; an error is raised."""
    event = last(events)
    assert isinstance(event, Answer)
    return event


def with_chunk_tokens(pair: Pair, tokens: int, folder: Path) -> Pair:
    """The same pair with another chunk length, in a folder."""
    bundle = folder / "hypernet"
    bundle.mkdir()
    config = json.loads((pair.bundle / "config.json").read_text())
    (bundle / "config.json").write_text(json.dumps(config | {"max_chunk_tokens": tokens}))
    (bundle / "model.safetensors").symlink_to((pair.bundle / "model.safetensors").resolve())
    return Pair(f"{pair.name} {tokens}", pair.base, bundle)


def table(results: list[dict], title: str) -> Iterator[str]:
    """Lines of Markdown."""
    yield f"\n### {title}\n"
    yield "| documents | way | questions | exact | document tokens | first token, ms | chunks attached | right source |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in results:
        if one["table"] != title:
            continue
        if one["exact"] is None:
            yield f"| {one['what']} | {one['way']} | 0 | does not fit | | | | |"
            continue
        source = "" if one["right_source"] is None else f"{one['right_source']:.1%}"
        yield (
            f"| {one['what']} | {one['way']} | {one['asked']} | {one['exact']:.1%} | {one['document_tokens']:.0f} |"
            f" {one['first_token_ms']:.0f} | {one['chunks']:.2f} | {source} |"
        )


def summary(results: list[dict]) -> Iterator[str]:
    """What must be shown, for what was asked."""
    exact = {(one["table"], one["x"], one["way"]): one["exact"] for one in results}
    one_auto = exact.get(("documents", 1, "auto"))
    wanted = [
        ("one document of 4 facts, auto", one_auto, exact.get(("documents", 1, "all")), 1.0),
        ("64 documents, auto, of one document's", exact.get(("documents", 64, "auto")), one_auto, 0.9),
        ("128 documents, auto, of one document's", exact.get(("documents", 128, "auto")), one_auto, 0.85),
        ("4K tokens, auto, of one document's", exact.get(("length", 4096, "auto")), one_auto, 0.8),
        *((f"question about none of {n}: {UNKNOWN}", exact.get(("silence", n, "auto")), 1.0, 0.85) for n in (1, 64)),
        *(
            (f"right source, {one['what']}", one["right_source"], 1.0, 0.95)
            for one in results
            if one["way"] == "auto" and (one["table"], one["x"]) in {("documents", 64), ("length", 4096)}
        ),
    ]
    yield "\n### what must be shown\n"
    yield "| | is | must reach |\n|---|---|---|"
    for what, value, of, share in wanted:
        if value is not None and of:
            yield f"| {what} | {value:.1%} | {share * of:.1%} |"


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--questions", type=int, default=1000, help="in every row")
    parser.add_argument("--pair", type=Path, default=nano.folder(), help="folder with base/ and hypernet/")
    parser.add_argument("--chunk-tokens", type=int, help="longest chunk, instead of the bundle's")
    parser.add_argument("--rows", nargs="+", default=[""], metavar="WORDS", help="only rows named so")
    parser.add_argument("--home", type=Path, help="keep the library here, for the next time")
    parser.add_argument("--json", type=Path, help="keep the numbers here, for the next time")
    parser.add_argument("--plots", type=Path, default=PLOTS, help="folder for the plots")
    arguments = parser.parse_args()
    preload_blas()
    pair = Pair(arguments.pair.name, arguments.pair / "base", arguments.pair / "hypernet")
    kept = json.loads(arguments.json.read_text()) if arguments.json and arguments.json.exists() else []
    chosen = [row for row in rows() if any(words in row.name for words in arguments.rows)]
    with ExitStack() as stack:
        home = arguments.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if arguments.chunk_tokens:
            # The library takes documents of one bundle to be cut alike.
            home /= f"chunks-{arguments.chunk_tokens}"
            pair = with_chunk_tokens(
                pair, arguments.chunk_tokens, Path(stack.enter_context(tempfile.TemporaryDirectory()))
            )
        bench = stack.enter_context(Bench(pair, home))
        setting = f"bundle {bench.bundle}, chunks of {arguments.chunk_tokens or 'its own length'}"
        done = {(one["row"], one["questions"], one["setting"]) for one in kept}
        for row in chosen:
            if (row.name, arguments.questions, setting) in done:
                continue
            kept.append(bench.score(row, arguments.questions).result(row, arguments.questions, setting))
            if arguments.json:
                arguments.json.write_text(json.dumps(kept, indent=1) + "\n")
    order = {row.name: place for place, row in enumerate(chosen)}
    results = [
        one
        for one in kept
        if one["row"] in order and (one["questions"], one["setting"]) == (arguments.questions, setting)
    ]
    results.sort(key=lambda one: order[one["row"]])
    for title in dict.fromkeys(one["table"] for one in results):
        print("\n".join(table(results, title)))
    print("\n".join(summary(results)))
    draw(results, arguments.plots)


if __name__ == "__main__":
    main()
