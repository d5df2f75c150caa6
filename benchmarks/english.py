"""What the pair smol answers about English documents, from the weights and otherwise, set by set.

    python -m benchmarks.english [--questions 1000] [--pair FOLDER] [--rows WORDS ...] [--json FILE] [--home FOLDER]

Everything goes through `Engine` and `Library`, as in the app. Right: the answer contains a reference answer as words;
for a question that the document does not answer: it is a refusal; for one about nothing: it is what the base answers
alone. F1 is that of words. Quoted: the share of answers that only quote the text, and of those that do so rightly. A
row that is in FILE already is not asked again, a document that is in the home's library not absorbed again. The hundred
questions written by hand are asked with `--rows written` only.
"""

from __future__ import annotations

import importlib.util
import json
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import english_sets, harness
from benchmarks.english_sets import Trial, Trials
from benchmarks.knowledge import BM25, NONE, READ, Bench, Way, last_answer
from mlx_hypernet.blas import preload_blas
from thoth.engine.prompt import TooLongError
from thoth.events import Answer
from thoth.models import registry
from thoth.models.registry import Pair
from thoth.retrieval.routing import Routing
from torch_train.evaluation.metrics import is_refusal, token_f1

WEIGHTS = Way("weights", Routing("all", fallback="none"))
ROUTED = Way("weights, routed", Routing("auto", fallback="none"))
TWICE = Way("weights, then a passage where nothing supports them", Routing("auto", fallback="text"))
BOTH = Way("weights and one passage", Routing("auto", fallback="none", with_text=1))
EVERY = (NONE, WEIGHTS, ROUTED, TWICE, BOTH, READ, BM25[0])
ASKED_BY_NAME = "written by hand"
AT_ONCE = 8


class Row(NamedTuple):
    """A line of the table: a set of questions, what draws them, and how the documents are given."""

    what: str
    trials: Trials
    way: Way


def rows(data: Path) -> dict[str, Row]:
    """All rows, by the name that `--rows` looks for.

    Args:
        data: folder with the data sets of passages; their rows are left out where it is missing.
    """
    sets: dict[str, tuple[Trials, Sequence[Way]]] = {
        f"notes of {facts} fact{'s' * (facts > 1)}": (english_sets.notes(facts), EVERY) for facts in (1, 4, 8)
    }
    if data.is_dir():
        for source in ("squadshifts-wiki", "squadshifts-reddit", "squadshifts-amazon", "fairytaleqa"):
            sets[f"{source}, at most {english_sets.LONGEST_PASSAGE} tokens"] = english_sets.passage(source, data), EVERY
    sets["examples"] = english_sets.examples, (NONE, ROUTED, TWICE, BOTH, READ, BM25[0])
    if importlib.util.find_spec("reportlab"):
        sets[f"PDF of {english_sets.BOOK_PAGES} pages"] = english_sets.book, (ROUTED, TWICE, BOTH, BM25[0])
    for count in (2, 4, 8):
        sets[f"{count} notes of {english_sets.FACTS} facts at once"] = (
            english_sets.together(count),
            (WEIGHTS, ROUTED, READ),
        )
    for length in (256, 1024, 4096, 16384):
        sets[f"needle in {length} tokens"] = english_sets.needle(length), (ROUTED, TWICE)
    sets["question that the note does not answer"] = english_sets.silent, (WEIGHTS, ROUTED, TWICE, READ)
    sets["question about nothing"] = english_sets.unrelated, (WEIGHTS, TWICE)
    sets[ASKED_BY_NAME] = english_sets.written, EVERY
    return {f"{what}, {way.name}": Row(what, trials, way) for what, (trials, ways) in sets.items() for way in ways}


def measure(bench: Bench, name: str, row: Row, questions: int) -> dict[str, Any]:
    """Ask all questions of a row, some at once; returns what the file of numbers stores."""
    asked: list[tuple[Trial, Answer, bool]] = []
    started, absorbing = time.perf_counter(), 0.0
    trials = row.trials(questions)
    for first in range(0, len(trials), AT_ONCE):
        some, before = trials[first : first + AT_ONCE], time.perf_counter()
        stored = [[bench.absorb(text) for text in trial.documents] for trial in some]
        absorbing += time.perf_counter() - before
        alone = [_alone(bench, trial) if not trial.accepted else None for trial in some]
        try:
            running = [
                bench.begin(trial.question, trial.documents, known, row.way)
                for trial, known in zip(some, stored, strict=True)
            ]
            answers = [last_answer(events) for events in running]
        except TooLongError:
            break  # the others are as long
        asked += [
            (trial, answer, is_right(answer.text, trial.accepted or (said or "",), exact=said is not None))
            for trial, answer, said in zip(some, answers, alone, strict=True)
        ]
        print(f"\r{name}: {len(asked)} of {len(trials)}", end=" ", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {"row": name} | _result(row, questions, asked, time.perf_counter() - started - absorbing)


def is_right(answer: str, accepted: Sequence[str], exact: bool = False) -> bool:
    """Whether an answer contains one of the accepted ones as words, or, where those are refusals, is one."""
    if exact:
        return answer in accepted
    if any(map(is_refusal, accepted)):
        return is_refusal(answer)
    text = " ".join(answer.split()).casefold()
    return any(re.search(rf"(?<!\w){re.escape(one.casefold())}(?!\w)", text) for one in accepted)


def _alone(bench: Bench, trial: Trial) -> str:
    return last_answer(bench.begin(trial.question, (), (), NONE)).text


def _result(row: Row, questions: int, asked: Sequence[tuple[Trial, Answer, bool]], seconds: float) -> dict[str, Any]:
    kinds: dict[str, list[bool]] = defaultdict(list)
    for trial, _, right in asked:
        kinds[trial.kind].append(right)
    best = [max((token_f1(answer.text, one) for one in trial.accepted), default=0.0) for trial, answer, _ in asked]
    stats = [answer.stats for _, answer, _ in asked]
    return {
        "what": row.what,
        "way": row.way.name,
        "questions": questions,
        "asked": len(asked),
        "right": _mean([right for *_, right in asked]),
        "f1": _mean(best),
        "refused": _mean([is_refusal(answer.text) for _, answer, _ in asked]),
        "document_tokens": _mean([one.document_tokens_in_context for one in stats]),
        "chunks": _mean([len(one.chunks) for one in stats]),
        "second_looks": _mean([one.second_look for one in stats]),
        "quoted": _mean([one.quoted for one in stats]),
        "quoted_right": _mean([right and answer.stats.quoted for _, answer, right in asked]),
        "seconds": seconds / len(asked) if asked else None,
        "kinds": {kind: [sum(found), len(found)] for kind, found in sorted(kinds.items())},
    }


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def table(results: Sequence[dict[str, Any]]) -> harness.Table:
    """Print the results as Markdown."""
    costs = ("document tokens", "chunks", "second looks", "quoted, rightly", "s a question")
    printed = harness.Table("set", "way", "questions", "right", "F1", "refused", *costs)
    for one in results:
        if not one["asked"]:
            printed.row(one["what"], one["way"], "does not fit", *[""] * 8)
            continue
        shares = [f"{100 * one[name]:.1f}" for name in ("right", "f1", "refused")]
        spent = [f"{one['document_tokens']:.0f}", f"{one['chunks']:.2f}", f"{100 * one['second_looks']:.0f}%"]
        spent.append(", ".join(f"{100 * one.get(name, 0.0):.0f}%" for name in ("quoted", "quoted_right")))
        printed.row(one["what"], one["way"], str(one["asked"]), *shares, *spent, f"{one['seconds']:.1f}")
    return printed


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--questions", type=int, default=1000, help="in every row")
    parser.add_argument("--pair", type=Path, help="folder with base/ and hypernet/; without it, the installed smol")
    parser.add_argument("--rows", nargs="+", default=[""], metavar="WORDS", help="only rows named so")
    parser.add_argument("--data", type=Path, default=english_sets.DATA, help="folder with the data sets (%(default)s)")
    parser.add_argument("--home", type=Path, help="keep the library here, for the next time")
    parser.add_argument("--json", type=Path, help="keep the numbers here, for the next time")
    arguments = parser.parse_args()
    preload_blas()
    folder = arguments.pair
    pair = Pair(folder.name, folder / "base", folder / "hypernet") if folder else registry.resolve(registry.SMOL)
    kept = json.loads(arguments.json.read_text()) if arguments.json and arguments.json.exists() else []
    chosen = {
        name: row
        for name, row in rows(arguments.data).items()
        if any(words in name for words in arguments.rows) and (arguments.rows != [""] or row.what != ASKED_BY_NAME)
    }
    with ExitStack() as stack:
        home = arguments.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = stack.enter_context(Bench(pair, home))
        setting = {"bundle": bench.bundle, "questions": arguments.questions}
        found = []
        for name, row in chosen.items():
            wanted = setting | {"row": name}
            known = next((one for one in kept if wanted.items() <= one.items()), None)
            if known is None:
                known = measure(bench, name, row, arguments.questions) | setting
                kept.append(known)
            found.append(known)
            if arguments.json:
                arguments.json.write_text(json.dumps(kept, indent=1) + "\n")
    table(found)


if __name__ == "__main__":
    main()
