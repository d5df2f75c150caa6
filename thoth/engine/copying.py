"""Answers in the words of what was read: a small base copies a sentence rightly, and makes up what it adds to it."""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from thoth.engine.sampling import Processor, only
from thoth.ingest import sentences

if TYPE_CHECKING:
    import mlx.core as mx

# Words that may stand beside any other.
_TIES = frozenset(
    (
        "a an the is are was were be been has have had it he she they its his her their of in on at by for to from "
        "with and or not no as than"
    ).split()
)
# Words that an answer does not end with.
_OPEN = frozenset("a an the is are was were of by for from with and or as than his its their".split())
# Lead, in nats, that the end of an answer needs over the next word of a name or a quantity.
_BINDS = 4.0
_YEAR = re.compile(r"(1[0-9]|20)\d\d")
_MARKS = ("", ".", ",")
_CIRCLE = 3  # words
_UNKNOWN = "\ufffd"  # what a part of a letter decodes to


def copying(tokenizer: Any, texts: Sequence[str], never: Collection[int] = ()) -> Processor:
    """Make a processor of logits that lets an answer be one sentence of words that stand in some texts.

    Except for function words, two words follow each other only if they do so in a text. The answer does not end inside
    a name or a quantity unless the model clearly prefers to end it.

    Args:
        tokenizer: of the base, in mlx-lm's wrapper.
        texts: what was read, and the question.
        never: tokens that the answer does not begin with.
    """
    words = _Words(texts)
    stop = sorted(tokenizer.eos_token_ids)
    pieces = _pieces(tokenizer, words.all)
    begin = -1  # of the answer; -1 before its first token

    def fits(before: str, partial: str, piece: str) -> bool:
        *whole, last = f"{partial}{piece}".split(" ")
        for word in filter(None, whole):
            if word not in words.after(before):
                return False
            before = word
        return _UNKNOWN in last or last in words.begun(before)

    def process(tokens: mx.array, logits: mx.array) -> mx.array:
        nonlocal begin
        begin = len(tokens) if begin < 0 else begin
        said = tokenizer.decode(tokens[begin:].tolist())
        head, _, partial = said.rpartition(" ")
        before = head.rpartition(" ")[2]
        allowed = [id for id, piece in pieces.items() if fits(before, partial, piece)]
        if not said:
            return only(logits, [id for id in allowed if id not in never] or allowed)
        if partial in words.after(before) or (said and not partial):  # between words; an empty answer is none
            if _repeats(said.split()):
                return only(logits, stop)
            if any(sentences.ends(f"{said} And")):
                allowed = [id for id in allowed if not pieces[id].startswith(" ")]
            more = [id for id in allowed if words.binds(partial, pieces[id])]
            if more and (logits[0, more].max() > logits[0, stop].max() - _BINDS).item():
                return only(logits, more)
            if _core(partial) not in _OPEN:
                allowed += stop
        return only(logits, allowed or stop)

    return process


class _Words:
    """The words of texts, and which follow which.

    Attributes:
        all: what may stand between two spaces.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.all = _words(texts)
        pairs = [pair for text in texts for line in text.splitlines() for pair in pairwise(line.split())]
        self._next = _grouped((_core(one), _core(other)) for text in texts for one, other in pairwise(text.split()))
        self._bound = _grouped((_core(one), other) for one, other in pairs if _is_bound(one, other))
        self._after: dict[str, set[str]] = {}
        self._begun: dict[str, set[str]] = {}

    def after(self, word: str) -> set[str]:
        """The words that may follow one."""
        core = _core(word)
        if not core or core in _TIES or word[-1] in ",;:":
            return self.all
        if core not in self._after:
            following = self._next.get(core, set()).union(_TIES)
            self._after[core] = {other for other in self.all if _core(other) in following}
        return self._after[core]

    def begun(self, word: str) -> set[str]:
        """Beginnings of the words that may follow one."""
        if word not in self._begun:
            self._begun[word] = {other[:length] for other in self.after(word) for length in range(len(other) + 1)}
        return self._begun[word]

    def binds(self, word: str, piece: str) -> bool:
        """Whether a piece begins the next word of a name or a quantity that contains `word`."""
        begins = piece.removeprefix(" ")
        words = self._bound.get(_core(word), ())
        # Digits can be tokens by themselves, behind one that is a space.
        return piece != begins and any(one.startswith(begins) and (begins or one[0].isdigit()) for one in words)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one, other in pairs:
        found.setdefault(one, set()).add(other)
    return found


def _core(word: str) -> str:
    """A word without marks and case."""
    return word.strip(string.punctuation).casefold()


def _is_bound(one: str, other: str) -> bool:
    """Whether two words of a text that follow each other are parts of a name, a date, a number or a quantity."""
    if one[-1:].isalnum() and one[:1].isupper() and (other[:1].isupper() or other[:1].isdigit()):
        return True
    year = _YEAR.fullmatch(other.rstrip(string.punctuation)) is not None
    if not any(map(str.isdigit, one)) or one[-1:] not in f"{string.ascii_letters}{string.digits},":
        return False
    if year or one[-1:] == ",":
        return year
    return other[:1].isdigit() or (other[:1].islower() and _core(other) not in _TIES and not _YEAR.fullmatch(one))


def _repeats(said: Sequence[str]) -> bool:
    """Whether the last three words were said before: the answer runs in a circle."""
    last = [*said[-_CIRCLE:]]
    return any([*said[at : at + _CIRCLE]] == last for at in range(len(said) - _CIRCLE))


def _words(texts: Sequence[str]) -> set[str]:
    """What may stand between two spaces: the words of texts, at the beginning, inside and at the end of a sentence."""
    found = {word for text in texts for word in text.split()}
    found |= {word.rstrip(string.punctuation) for word in found}
    found |= {word.lstrip(string.punctuation) for word in found}
    # A name keeps its capital as well.
    forms = {form for word in found.union(_TIES) if word for form in (word, word[:1].swapcase() + word[1:])}
    return {f"{form}{mark}" for form in forms for mark in (_MARKS if form[-1:].isalnum() else ("",))}


def _pieces(tokenizer: Any, words: set[str]) -> dict[int, str]:
    """The tokens that words are made of, at the beginning of an answer and behind a space, with what each adds."""
    spelled = {f"{space}{word}" for word in words for space in ("", " ")}.union(*words)  # each letter is a way on
    ids = {id for text in spelled for id in tokenizer.encode(text, add_special_tokens=False)}
    # Some tokenizers drop the space that a text begins with.
    before = tokenizer.encode("a", add_special_tokens=False)
    skipped = len(tokenizer.decode(before))
    return {id: tokenizer.decode([*before, id])[skipped:] for id in sorted(ids)}
