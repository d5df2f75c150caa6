"""Scores of an answer against reference answers, 0 to 1; of several references the best counts."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from torch_train.evaluation.published import overlap

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORDS = re.compile(r"[a-z0-9]+")
# How instruction-tuned models say that a text does not hold the answer: a list of habits, so count with it, no more.
_REFUSAL = re.compile(
    r"\b(i (do not|don'?t) (know|have)|(is|are|was|were)( not|n'?t) (mentioned|provided|stated|specified|given|clear)|"
    r"(does|do|did)( not|n'?t) (mention|say|state|provide|contain|specify|give|include)|no (information|mention)|"
    r"(can ?not|can'?t|unable to|impossible to) (answer|determine|be determined|tell|say|find|provide))\b"
)


def normalised(text: str) -> str:
    """SQuAD's: lower case, without punctuation, articles and superfluous white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, reference: str) -> float:
    """Whether both are the same once normalised. Source: SQuAD v1.1's evaluation script."""
    return float(normalised(answer) == normalised(reference))


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall over normalised words. Source: as `exact_match`."""
    found, expected = normalised(answer).split(), normalised(reference).split()
    if not found or not expected:
        return float(found == expected)
    return _f1(sum((Counter(found) & Counter(expected)).values()), len(found), len(expected))


def rouge_l(answer: str, reference: str) -> float:
    """F-measure of the longest common subsequence of words, without stemming (Lin, 2004)."""
    found, expected = _WORDS.findall(answer.lower()), _WORDS.findall(reference.lower())
    lengths = [0] * (len(expected) + 1)
    for word in found:
        diagonal = 0
        for i, other in enumerate(expected, start=1):
            above = lengths[i]
            lengths[i] = diagonal + 1 if word == other else max(above, lengths[i - 1])
            diagonal = above
    return _f1(lengths[-1], len(found), len(expected))


# Of one reference at a time; `overlap` adds the paper's own two.
METRICS: dict[str, Callable[[str, str], float]] = {"exact": exact_match, "f1": token_f1, "rouge-l": rouge_l}


SCORES = (*METRICS, "paper's f1", "paper's recall")


def scores(answer: str, references: Sequence[str]) -> dict[str, float]:
    """Every metric of an answer, the best over at least one reference, by the names in `SCORES`."""
    best = {name: max(metric(answer, reference) for reference in references) for name, metric in METRICS.items()}
    return best | overlap(answer, references)


def is_refusal(answer: str) -> bool:
    """Whether an answer says that the question cannot be answered."""
    return bool(_REFUSAL.search(answer.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))


def _f1(common: int, found: int, expected: int) -> float:
    return 2 * common / (found + expected) if common else 0.0
