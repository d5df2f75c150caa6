"""Questions made by rule: a sentence of the passage with a number, a name or a noun phrase left out."""

from __future__ import annotations

import random
import re

from torch_train.english.cutting import sentences
from torch_train.english.question import Question

BLANK = "____"
SHORTEST, LONGEST = 7, 28  # words of a sentence that is asked about
_WORDINGS = (
    'Complete the sentence: "{}"',
    'Fill in the blank: "{}"',
    'What is left out in this sentence? "{}"',
    'Which words are missing here? "{}"',
    '"{}" What belongs in the blank?',
)
_NUMBER = re.compile(r"(?<![\w.-])\d[\d.,]*\d(?![\w-])|(?<![\w.-])\d(?![\w.-])")
_NAME = re.compile(r"(?<=[a-z,] )(?!I\b)[A-Z][A-Za-z]+(?: [A-Z][A-Za-z]+)*(?![\w(.-])")
# Without a tagger: what stands between an article and the next function word or mark is a noun phrase.
_NOUNS = re.compile(
    r"(?<=\bthe |.\ban |..\ba )((?:[a-z-]{3,} ){0,2}[a-z-]{3,})"
    r"(?=[,;:.]| (?:of|in|on|for|to|is|are|was|that|which|with|by|from|and|or|as|when|if|at|can|will|must|should)\b)"
)
_FUNCTION = frozenset(
    "of in on for to is are was that which with by from and or as when if at can will must should same other given "
    "following first only it its be this than not".split()
)


def cloze(text: str, source: str, count: int) -> tuple[Question, ...]:
    """Up to `count` questions about different sentences of a passage; the same ones for the same passage.

    An answer occurs once in its passage, so that the place of the blank and not the words around it decide.
    """
    draw = random.Random(f"cloze-{text}")
    asked: list[Question] = []
    for sentence in draw.sample(found := [part.strip() for part in sentences(text)], len(found)):
        if len(asked) == count:
            break
        if not SHORTEST <= len(sentence.split()) <= LONGEST or '"' in sentence:
            continue
        for pattern in draw.sample((_NUMBER, _NAME, _NOUNS), 3):
            spans = [match.span() for match in pattern.finditer(sentence) if _asks(match[0], text)]
            if spans:
                start, end = draw.choice(spans)
                blanked = sentence[:start] + BLANK + sentence[end:]
                asked.append(Question(draw.choice(_WORDINGS).format(blanked), sentence[start:end], True, "", source))
                break
    return tuple(asked)


def _asks(answer: str, text: str) -> bool:
    return len(re.findall(rf"\b{re.escape(answer)}\b", text)) == 1 and not _FUNCTION & set(answer.split())
