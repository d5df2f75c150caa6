"""Whether the label "supported" can be trusted: precision and recall on answers known to be right or wrong.

    python -m benchmarks.support [--data DATA] [--questions 1000] [--answers FILE] [--sets nano squadshifts-wiki ...]

nano: its own answers to 10,117 questions, right and wrong in the ways that `support_answers.py` lists, with the chunks
that were attached. Refusals are left out: they claim nothing. FILE keeps the answers, so that they are not asked for
again.

The other sets need no model: DATA holds squadshifts/, fairytaleqa/ and ropes/. Right is the reference answer, as it
stands or in one sentence with the words of the question; wrong is the answer to another question of the same kind
(number, name, phrase), from the same passage where it has one. Chunks are those that the router attaches.

Recall is the share of right answers that are called supported, precision that of right ones among as many right as
wrong ones that are called so.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import harness, support_answers
from benchmarks.routing import fill
from benchmarks.support_answers import Half, by_documents
from mlx_hypernet.blas import preload_blas
from thoth import nano
from thoth.library.library import Library
from thoth.library.records import ChunkRef
from thoth.models.registry import Pair
from thoth.retrieval import provenance, router
from thoth.retrieval.routing import Routing
from thoth.retrieval.terms import FUNCTION_WORDS, terms
from torch_train.english.passages import SOURCES, Passage, passages
from torch_train.nano.language import UNKNOWN

SETS = ("nano", "squadshifts-wiki", "squadshifts-reddit", "squadshifts-amazon", "fairytaleqa", "ropes")
PARAGRAPHS = 2000
_WH = re.compile(r"^\W*(?:(?:in|on|at|to|for|from|by|of) )?(?:who(?:se|m)?|what|which|when|where|why|how)\b", re.I)
_NUMBER = re.compile(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|hundred|thousand|million)\b", re.I)


@dataclass(frozen=True)
class Case:
    """An answer with its label."""

    right: bool
    supported: bool
    kind: str


# nano


def nano_cases(pair: Pair, answers: Path | None) -> Iterator[tuple[Half, Case]]:
    """Nano's answers, labelled; refusals are left out."""
    for texts, group in by_documents(support_answers.answers(pair, answers)):
        with tempfile.TemporaryDirectory() as folder:
            library = Library(Path(folder))
            documents = [fill(library, "note.txt", [text]) for text in texts]
            for one in group:
                if one.answer != UNKNOWN:
                    refs = [ChunkRef(documents[place].id, 0) for place in one.used]
                    found = provenance.sources(library, one.asked.question, one.answer, documents, refs)
                    yield one.asked.half, Case(one.right, bool(found), one.asked.way)
            library.close()


# Sets with reference answers


def kind(answer: str) -> str:
    """What an answer is, as far as its letters tell."""
    if _NUMBER.search(answer):
        return "number"
    return "name" if any(word[0].isupper() for word in answer.split()[-2:]) else "phrase"


def content(text: str) -> frozenset[str]:
    """What a text says, in terms."""
    return frozenset(terms(text)) - FUNCTION_WORDS


def as_sentence(question: str, answer: str) -> str:
    """The answer in one sentence with the words of the question, as models answer; their order counts for nothing."""
    return f"{answer}{_WH.sub('', question).rstrip(' ?')}."


def other(rows: Sequence[Passage], place: int, number: int, draw: random.Random) -> tuple[str, str] | None:
    """A wrong answer of the same kind as the right one, and whether it is from the same passage."""
    question = rows[place].questions[number]
    right = content(" ".join((question.answer, *question.accepted)))

    def fitting(passage: Passage) -> list[str]:
        answers = [one.answer for one in passage.questions]
        return [
            one for one in answers if kind(one) == kind(question.answer) and content(one) and not content(one) & right
        ]

    if here := fitting(rows[place]):
        return draw.choice(here), "same passage"
    for _ in range(50):
        if there := fitting(draw.choice(rows)):
            return draw.choice(there), "another passage"
    return None


def set_cases(data: Path, source: str, questions: int) -> Iterator[Case]:
    """Reference answers and wrong ones of a set, labelled: half of them as they stand, half in a sentence."""
    files = [one for one in SOURCES if one.name == source]
    rows = list(passages(data, lambda text: len(text.split()), 10_000, files))[:PARAGRAPHS]
    draw = random.Random(0)
    places = [(place, number) for place, row in enumerate(rows) for number in range(len(row.questions))]
    draw.shuffle(places)
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        documents = [fill(library, "paragraphs.txt", [row.text for row in rows])]
        done = 0
        for place, number in places:
            question, wrong = rows[place].questions[number], other(rows, place, number, draw)
            if wrong is None or not content(question.answer):
                continue
            chosen = router.route(library, question.text, documents, Routing(), 8, lambda _: np.zeros(2, np.float32))
            used = [ChunkRef(one.document, one.number) for one in chosen]
            spoken = done % 2 == 1
            for answer, right, about in ((question.answer, True, "right"), (wrong[0], False, wrong[1])):
                said = as_sentence(question.text, answer) if spoken else answer
                found = provenance.sources(library, question.text, said, documents, used)
                yield Case(right, bool(found), f"{about}, {'sentence' if spoken else 'span'}")
            done += 1
            if done == questions:
                break
        library.close()


# Tables


def share(cases: Sequence[Case]) -> float:
    """Share that is called supported."""
    return sum(case.supported for case in cases) / len(cases) if cases else 0.0


def print_rows(table: harness.Table, name: str, cases: Sequence[Case], most: int) -> None:
    """Precision and recall, and the share that is called supported by kind."""
    right = [case for case in cases if case.right][:most]
    wrong = [case for case in cases if not case.right][:most]
    recall, false = share(right), share(wrong)
    precision = recall / (recall + false) if recall + false else 0.0
    kinds = {case.kind: None for case in cases}
    parts = []
    for about in kinds:
        for group in (right, wrong):
            if some := [case for case in group if case.kind == about]:
                parts.append(f"{'right' if group is right else 'wrong'} {about}: {share(some):.1%} of {len(some)}")
    table.row(name, len(right), len(wrong), f"{precision:.1%}", f"{recall:.1%}", "; ".join(parts))


def main() -> None:
    """The command line."""
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--data", type=Path, help="folder with squadshifts/, fairytaleqa/ and ropes/")
    parser.add_argument("--questions", type=int, default=1000, help="right and wrong answers of each set (%(default)s)")
    parser.add_argument("--answers", type=Path, help="keep nano's answers here, for the next time")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    options = parser.parse_args()
    preload_blas()
    table = harness.Table("set", "right", "wrong", "precision", "recall", "called supported")
    for source in options.sets:
        if source == "nano":
            pair = Pair("nano", nano.folder() / "base", nano.folder() / "hypernet")
            halves: dict[Half, list[Case]] = {}
            for half, case in nano_cases(pair, options.answers):
                halves.setdefault(half, []).append(case)
            for half, cases in halves.items():
                print_rows(table, f"nano, {half}", cases, len(cases))
        elif options.data is None:
            continue
        else:
            cases = list(set_cases(options.data, source, options.questions))
            print_rows(table, source, cases, options.questions)


if __name__ == "__main__":
    main()
