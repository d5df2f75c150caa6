"""The table of sources: how each one's records become rows.

A source is read from the hub, or from a file: the published JSON, or JSONL and parquet with the hub's columns. Data
sets with one question per record give rows of one question; `compact.py` joins them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch_train.data.row import ContextRow, RowError

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Hub:
    """A data set on the Hugging Face hub, by its exact commit; `splits` maps train, dev and test to its names."""

    repository: str
    revision: str
    splits: Mapping[str, str]
    configuration: str | None = None


@dataclass(frozen=True)
class Reader:
    """How a source is read.

    Attributes:
        record: one line of JSONL, or one record of parquet or of the hub, to a row.
        hub: where it is published, if it is.
        walk: the published JSON to its paragraphs, each with its place in the file.
        paragraph: one of these to a row.
    """

    record: Callable[[Record], ContextRow]
    hub: Hub | None = None
    walk: Callable[[Any], Iterator[tuple[str, Record]]] | None = None
    paragraph: Callable[[Record], ContextRow] | None = None


def text(record: Record, key: str) -> str:
    """The text under `key`.

    Raises:
        RowError: There is none.
    """
    value = record.get(key) if isinstance(record, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"no text under {key!r}")
    return value


def _list(record: Record, key: str) -> list[Any]:
    value = record.get(key) if isinstance(record, Mapping) else None
    if not isinstance(value, list):
        raise RowError(f"no list under {key!r}")
    return value


def _first(record: Record, *keys: str) -> Any:
    """The value under the first of `keys` that has one, or None."""
    if not isinstance(record, Mapping):
        raise RowError(f"{type(record).__name__} instead of an object with named values")
    return next((record[key] for key in keys if record.get(key) is not None), None)


def _single(record: Record, context: str, answers: list[Any], source: str, key: str = "question") -> ContextRow:
    """A row of one question; duplicates among the answers are removed."""
    return ContextRow(context, (text(record, key),), (tuple(dict.fromkeys(answers)),), source)


# SQuAD and ROPES: data[].paragraphs[].qas[], and `answers.text` on the hub.


def _articles(document: Any) -> Iterator[tuple[str, Record]]:
    for a, article in enumerate(_list(document, "data")):
        for p, paragraph in enumerate(_list(article, "paragraphs")):
            yield f"data[{a}].paragraphs[{p}]", paragraph


def _asked(paragraph: Record, context: str, source: str) -> ContextRow:
    """A row of all `qas` of a paragraph."""
    qas = _list(paragraph, "qas")
    if not qas:
        raise RowError("no questions")
    answers = [dict.fromkeys(text(answer, "text") for answer in _first(qa, "answers") or ()) for qa in qas]
    return ContextRow(context, tuple(text(qa, "question") for qa in qas), tuple(map(tuple, answers)), source)


def _texts(record: Record) -> list[str]:
    answers = _first(record, "answers")
    return _list(answers, "text") if answers is not None else []


def _squad(record: Record) -> ContextRow:
    return _single(record, text(record, "context"), _texts(record), "squad")


def _ropes_context(record: Record) -> str:
    # A question of ROPES needs both: the cause in general, and the case to apply it to.
    return f"{text(record, 'background').strip()}\n\n{text(record, 'situation').strip()}"


def _ropes(record: Record) -> ContextRow:
    return _single(record, _ropes_context(record), _texts(record), "ropes")


# DROP: {passage id: {passage, qa_pairs[]}}; an answer is a number, a date, or spans that only count together.


def _passages(document: Any) -> Iterator[tuple[str, Record]]:
    if not isinstance(document, Mapping):
        raise RowError("no object with passages")
    yield from document.items()


def _drop_answer(answer: Any) -> str:
    spans = _first(answer, "spans") or []
    date = _first(answer, "date") or {}
    parts = (date.get(part) for part in ("day", "month", "year"))
    return str(_first(answer, "number") or "").strip() or ", ".join(spans) or " ".join(filter(None, parts))


def _drop_paragraph(paragraph: Record) -> ContextRow:
    pairs = _list(paragraph, "qa_pairs")
    if not pairs:
        raise RowError("no questions")
    answers = []
    for pair in pairs:
        known = [_drop_answer(answer) for answer in (pair["answer"], *(pair.get("validated_answers") or ()))]
        answers.append(tuple(dict.fromkeys(filter(None, known))))
    return ContextRow(
        text(paragraph, "passage"), tuple(text(pair, "question") for pair in pairs), tuple(answers), "drop"
    )


def _drop(record: Record) -> ContextRow:
    # The hub's copy has flattened spans and validated answers into one list: each counts as acceptable.
    spans = _first(record, "answers_spans")
    return _single(record, text(record, "passage"), _list(spans, "spans") if spans is not None else [], "drop")


def _pwc(record: Record) -> ContextRow:
    return ContextRow(text(record, "input"), (text(record, "prompt"),), ((text(record, "answer"),),), "pwc")


def _longbench(source: str, record: Record) -> ContextRow:
    # LongBench keeps a qasper context's instructions apart; `input` is the question alone.
    return _single(record, text(record, "context"), _list(record, "answers"), source, key="input")


def _document(source: str, record: Record) -> ContextRow:
    """A document without questions; `generate.py` writes them."""
    return ContextRow(text(record, "text"), (), (), source)


def _own(record: Record) -> ContextRow:
    """Rows of one's own: `context`; `questions` or `question`; `answers` or `answer`, if there are any.

    Several questions take a list of answers, or of lists of answers; one question takes a text or a list of texts.
    """
    questions = _first(record, "questions", "question")
    answers = _first(record, "answers", "answer")
    if isinstance(questions, str):
        questions, answers = [questions], None if answers is None else [answers]
    if questions is None:
        questions = []
    if not isinstance(questions, list) or not isinstance(answers, list | None):
        raise RowError("'questions' and 'answers' must be texts or lists")
    known = [[]] * len(questions) if answers is None else [[a] if isinstance(a, str) else a or [] for a in answers]
    if not all(isinstance(some, list) for some in known):
        raise RowError("an answer must be a text or a list of texts")
    source = _first(record, "source") or "own"
    return ContextRow(text(record, "context"), tuple(questions), tuple(tuple(some) for some in known), source)


LONGBENCH = ("qasper", "multifieldqa_en", "2wikimqa")
_TRAIN_DEV = {"train": "train", "dev": "validation"}
READERS: dict[str, Reader] = {
    "squad": Reader(
        _squad,
        Hub("rajpurkar/squad", "7b6d24c440a36b6815f21b70d25016731768db1f", _TRAIN_DEV),
        _articles,
        lambda paragraph: _asked(paragraph, text(paragraph, "context"), "squad"),
    ),
    "drop": Reader(
        _drop,
        Hub("ucinlp/drop", "95cda593fae71b60b5b19f82de3fcf3298c1239c", _TRAIN_DEV),
        _passages,
        _drop_paragraph,
    ),
    "ropes": Reader(
        _ropes,
        Hub("allenai/ropes", "d59f1e2ee2b423d7c6ba71edd47fceb4158b07dd", _TRAIN_DEV | {"test": "test"}),
        _articles,
        lambda paragraph: _asked(paragraph, _ropes_context(paragraph), "ropes"),
    ),
    "pwc": Reader(
        _pwc,
        Hub("sggetao/PwC", "d41505547145b4e8c5c2907e3a686222afb32f43", {"train": "train", "test": "test"}),
    ),
    "fineweb": Reader(
        partial(_document, "fineweb"),
        Hub(
            "HuggingFaceFW/fineweb-edu",
            "87f09149ef4734204d70ed1d046ddc9ca3f2b8f9",
            {"train": "train"},
            "sample-10BT",
        ),
    ),
    # From the JSONL files of LongBench's data.zip: the hub has them behind a script, which is not run.
    **{name: Reader(partial(_longbench, name)) for task in LONGBENCH for name in (task, f"{task}_e")},
    "documents": Reader(partial(_document, "documents")),
    "own": Reader(_own),
}
