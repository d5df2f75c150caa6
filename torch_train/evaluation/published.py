"""What the paper's numbers were measured with: how questions are put, and how words are counted.

Source: `EVAL_INTX_TEMPLATES` and `compute_qa_f1_score` of SakanaAI/doc-to-lora at baa85db; the prompt of QASPER is
LongBench's (arXiv 2308.14508).
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence

BRIEF = (
    "Answer the following question. Output only the answer and do not output any other words.\n\nQuestion: {question}"
)
ONLY = (
    "Answer the following question. Only output the answer and do not output any other words.\n\nQuestion: {question}"
)
QASPER = (
    "Answer the question as concisely as you can, using a single phrase or sentence if possible.\n"
    'If the question cannot be answered based on the information in the article, write "unanswerable".\n'
    'If the question is a yes/no question, answer "yes", "no", or "unanswerable". Do not provide any explanation.\n\n'
    "Question: {question}"
)
PROMPTS = {"qasper": QASPER, "multifieldqa_en": ONLY, "2wikimqa": ONLY}  # of the others: BRIEF

_HIDDEN = "\u00ad\u180e\u2060\ufeff" + "".join(
    map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
# A backslash is no punctuation there: it only escapes what follows it in the reference's expression.
_SPACES = string.punctuation.replace("\\", "") + "\u2014\u2013\u201c\u201d\xab\xbb\u201e\u2018\u2019\u02bc\u2026\xa0"
_TABLE = str.maketrans(dict.fromkeys(_HIDDEN, "") | dict.fromkeys(_SPACES, " "))
_ARTICLES = {"a", "an", "the"}


def asked(source: str, question: str) -> str:
    """A question as the paper's evaluation puts it to the base.

    Args:
        source: Of the row: `squad`, `qasper_e`, ...
        question: What the data set asks.
    """
    return PROMPTS.get(source.removesuffix("_e"), BRIEF).replace("{question}", question)


def words(text: str) -> list[str]:
    """Lower-case words; punctuation separates them, unlike in SQuAD's own script, and articles do not count."""
    return [word for word in text.translate(_TABLE).lower().split() if word not in _ARTICLES]


def overlap(answer: str, references: Sequence[str]) -> dict[str, float]:
    """F1 over words with the best of the references, and the recall with that same one.

    Recall stands beside F1 because a base that writes sentences has a low precision whatever it knows.
    """
    best = (0.0, 0.0)
    found = Counter(words(answer))
    for reference in references:
        expected = Counter(words(reference))
        common = (found & expected).total()
        if common:
            best = max(best, (2 * common / (found.total() + expected.total()), common / expected.total()), key=_f1)
    return {"paper's f1": best[0], "paper's recall": best[1]}


def _f1(pair: tuple[float, float]) -> float:
    return pair[0]
