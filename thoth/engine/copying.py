"""Answers in the words of what was read: a small base copies a sentence rightly, and makes up what it adds to it."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thoth.engine.sampling import Processor, only
from thoth.ingest import sentences

if TYPE_CHECKING:
    import mlx.core as mx

# What ties words together.
_TIES = (
    "a an the is are was were be been has have had it he she they its his her their of in on at by for to from with "
    "and or not no as than"
).split()
_MARKS = ("", ".", ",")
_CIRCLE = 3  # words
_UNKNOWN = "\ufffd"  # what a part of a letter decodes to


def copying(tokenizer: Any, texts: Sequence[str]) -> Processor:
    """Make a processor of logits that lets an answer be one sentence of words that stand in some texts.

    Args:
        tokenizer: of the base, in mlx-lm's wrapper.
        texts: what was read, and the question.
    """
    words = _words(texts)
    begun = {word[:length] for word in words for length in range(len(word) + 1)}
    stop = sorted(tokenizer.eos_token_ids)
    pieces = _pieces(tokenizer, words)
    begin = -1  # of the answer; -1 before its first token

    def fits(partial: str, piece: str) -> bool:
        *whole, last = f"{partial}{piece}".split(" ")
        return _UNKNOWN in f"{partial}{piece}" or (last in begun and all(word in words for word in whole if word))

    def process(tokens: mx.array, logits: mx.array) -> mx.array:
        nonlocal begin
        begin = len(tokens) if begin < 0 else begin
        said = tokenizer.decode(tokens[begin:].tolist())
        partial = said.rpartition(" ")[2]
        allowed = [id for id, piece in pieces.items() if fits(partial, piece)]
        if partial in words or (said and not partial):  # between words; an empty answer is none
            if _repeats(said.split()):
                return only(logits, stop)
            if any(sentences.ends(f"{said} And")):
                allowed = [id for id in allowed if not pieces[id].startswith(" ")]
            allowed += stop
        return only(logits, allowed or stop)

    return process


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
