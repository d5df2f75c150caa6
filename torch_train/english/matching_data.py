"""Questions, and what each chunk of a document is to them: what the matcher learns from.

Documents are the notes of `notes.py` and real passages, cut as the app cuts them: into chunks of 32 tokens at most.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mlx_hypernet.format.template import affixes
from torch_train.english.cutting import Tokens
from torch_train.english.notes import English
from torch_train.english.nothing import prompts_of
from torch_train.english.passages import Passage
from torch_train.english.question import Question
from torch_train.english.split import Split
from torch_train.model.base import fast_dtype, load_base
from torch_train.model.tokenizer import load_tokenizer

CHUNK_TOKENS = 32
QUESTION_TOKENS = 48
UNRELATED, SILENT, ANSWERS, NO_ANSWER = range(4)  # the last: either of the first two
_NOTE = "note"
_ALIKE = 0.7  # share of other documents that are of the same kind
_BATCH = 32  # texts that the base reads at once
_PIECE = re.compile(r".+?(?:(?<=[.!?])[\"')\u201d]*\s+|\n+|\Z)", re.DOTALL)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Asked:
    """A question about a document.

    Attributes:
        text: number of its text.
        known: the document answers it.
        answers: places of the chunks that have the answer.
    """

    text: int
    known: bool
    answers: tuple[int, ...]


@dataclass(frozen=True)
class Chunked:
    """A document.

    Attributes:
        kind: "note", or the source of a passage.
        chunks: numbers of the texts of its chunks.
        asked: the questions about it.
    """

    kind: str
    chunks: tuple[int, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True)
class Material:
    """What one split has.

    Attributes:
        documents: those with a question.
        nothing: numbers of the texts of prompts that no document is about.
        ids: of every text, without the template's.
        features: of every text, (T, hidden) bf16.
    """

    documents: tuple[Chunked, ...]
    nothing: tuple[int, ...]
    ids: list[Tensor]
    features: list[Tensor]


def material(split: Split, notes: int, passages: Sequence[Passage], base: Path, layer: int) -> Material:
    """Draw the documents of a split and let the base read them.

    Args:
        split: which names, wordings and passages.
        notes: number of notes.
        passages: real ones of this split, with their questions.
        base: folder of the base.
        layer: block whose input is read.
    """
    tokenizer = load_tokenizer(base)
    texts: list[str] = []
    documents = []
    drawn = [(_NOTE, note.text, note.questions) for note in _notes(split, notes)]
    drawn += [(passage.source, passage.text, passage.questions) for passage in passages]

    def tokens(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    for kind, text, questions in drawn:
        parts = chunks(text, tokens)
        first = len(texts)
        texts += parts
        asked = []
        for question in questions:
            places = _answering(parts, question)
            if places or not question.known:
                asked.append(Asked(len(texts), question.known, places))
                texts.append(question.text)
        if asked:
            documents.append(Chunked(kind, tuple(range(first, first + len(parts))), tuple(asked)))
    prompts = prompts_of(split)
    nothing = tuple(range(len(texts), len(texts) + len(prompts)))
    ids = [tokenizer.encode(text, add_special_tokens=False)[:QUESTION_TOKENS] for text in [*texts, *prompts]]
    read = features(_first_blocks(base, layer), ids, affixes(tokenizer)[0])
    return Material(tuple(documents), nothing, list(map(torch.tensor, ids)), read)


def chunks(text: str, tokens: Tokens, longest: int = CHUNK_TOKENS) -> list[str]:
    """A text in parts of at most `longest` tokens: whole sentences and lines, words where one is too long."""
    parts, part = [], ""
    for piece in _PIECE.findall(text):
        for some in [piece] if tokens(piece) <= longest else re.findall(r"\S+\s*", piece):
            if part and tokens((part + some).strip()) > longest:
                parts.append(part.strip())
                part = ""
            part += some
    return [*parts, *filter(None, [part.strip()])]


@torch.no_grad()
def features(decoder: nn.Module, ids: Sequence[Sequence[int]], before: Sequence[int]) -> list[Tensor]:
    """What a decoder makes of texts, for each of their own tokens: (T, hidden) bf16.

    The template's tokens before a text are read once: they are more than most questions have. Those after it change
    nothing before them.

    Args:
        decoder: of transformers.
        ids: of the texts.
        before: the chat template's ids before each.
    """
    shared = decoder(input_ids=torch.tensor([[*before]]), use_cache=True).past_key_values if before else None
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    found: list[Tensor] = [torch.empty(0)] * len(ids)
    for start in range(0, len(order), _BATCH):
        some = order[start : start + _BATCH]
        longest = max(1, *(len(ids[i]) for i in some))
        rows = torch.tensor([[*ids[i], *[0] * (longest - len(ids[i]))] for i in some])
        cache = copy.deepcopy(shared)
        if cache is not None:
            cache.batch_repeat_interleave(len(some))
        hidden = decoder(input_ids=rows, past_key_values=cache, use_cache=cache is not None).last_hidden_state
        for row, i in enumerate(some):
            found[i] = hidden[row, : len(ids[i])].bfloat16().clone()
    return found


def _first_blocks(base: Path, layer: int) -> nn.Module:
    """The base up to the input of a block, without the final norm."""
    device = torch.device("cpu")
    decoder = load_base(base, fast_dtype(device), device).decoder
    decoder.layers, decoder.norm = decoder.layers[:layer], nn.Identity()
    return decoder


def pairs(data: Material, draw: random.Random, questions: int) -> Iterator[tuple[int, int, int]]:
    """Draw questions and set beside each some chunks; yields (question, chunk, what the chunk is to it).

    The chunk with the answer, two others of the same document, and one of another document, mostly of the same kind.
    """
    by_kind: dict[str, list[Chunked]] = {}
    for document in data.documents:
        by_kind.setdefault(document.kind, []).append(document)
    for _ in range(questions):
        document = draw.choice(data.documents)
        asked = draw.choice(document.asked)
        others = [chunk for place, chunk in enumerate(document.chunks) if place not in asked.answers]
        if asked.answers:
            yield asked.text, document.chunks[draw.choice(asked.answers)], ANSWERS
        for chunk in draw.sample(others, min(2, len(others))):
            yield asked.text, chunk, SILENT
        other = draw.choice(by_kind[document.kind] if draw.random() < _ALIKE else data.documents)
        if other is not document:  # what is asked of a note could be asked of any; no two passages are about the same
            yield asked.text, draw.choice(other.chunks), NO_ANSWER if document.kind == _NOTE else UNRELATED
    for _ in range(questions // 10):
        yield draw.choice(data.nothing), draw.choice(draw.choice(data.documents).chunks), UNRELATED


def _notes(split: Split, count: int) -> Iterator[Any]:
    stream, draw = English("matcher", split), random.Random(f"matcher-{split}")
    for _ in range(count):
        facts, filler, silent = draw.randint(1, 6), draw.randint(0, 2), draw.randint(1, 3)
        yield stream.note(facts, filler=filler, silent=silent, strangers=1)


def _answering(parts: Sequence[str], question: Question) -> tuple[int, ...]:
    """The places of parts that have an answer as words."""
    if not question.known:
        return ()
    answers = [_words(answer) for answer in question.accepted or (question.answer,)]
    return tuple(i for i, part in enumerate(parts) if any(a.strip() and a in _words(part) for a in answers))


def _words(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "
