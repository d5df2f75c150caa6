"""Real passages with real questions, cut to the length of one chunk.

Readers of `torch_train.data` read the files; what is held out goes by source: articles of Wikipedia, products with
their reviews, backgrounds of ROPES, books of tales. So no passage of dev or test has a neighbour in training.
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch_train.data.readers import READERS
from torch_train.data.reading import read
from torch_train.data.row import ContextRow, RowError
from torch_train.english.cutting import Tokens, cut, tidy
from torch_train.english.leaks import normal
from torch_train.english.question import Question, refusal
from torch_train.english.split import Split, split_of
from torch_train.errors import DataError

LONGEST = 256  # tokens
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}")


@dataclass(frozen=True)
class Passage:
    """A passage and the questions that it answers.

    Attributes:
        text: The passage.
        questions: Questions, all of them known.
        source: Where it comes from, such as `squadshifts-wiki`.
        split: The split it belongs to.
        licence: Licence of its text.
    """

    text: str
    questions: tuple[Question, ...]
    source: str
    split: Split
    licence: str


@dataclass(frozen=True)
class Source:
    """One file of passages.

    Attributes:
        name: Name of the source.
        file: Its file, below the folder of the data.
        reader: Its reader in `torch_train.data`.
        licence: Its licence.
        held_out: The file is its publisher's dev set: none of it is for training.
        group: The part of a row that is held out as a whole, from its place in the file and its context.
    """

    name: str
    file: str
    reader: str
    licence: str
    held_out: bool | None = None
    group: Callable[[str, str], str] = lambda place, context: context


def _article(place: str, context: str) -> str:
    return place.partition(".")[0]


def _background(place: str, context: str) -> str:
    return context.partition("\n\n")[0]


_CC_BY = "CC BY 4.0"
SOURCES = (
    Source("squadshifts-wiki", "squadshifts/new_wiki_v1.0.json", "squad", _CC_BY, group=_article),
    Source("squadshifts-reddit", "squadshifts/reddit_v1.0.json", "squad", _CC_BY),
    Source("squadshifts-amazon", "squadshifts/amazon_reviews_v1.0.json", "squad", _CC_BY, group=_article),
    Source("fairytaleqa", "fairytaleqa/fairytaleqa-train.jsonl", "own", "Apache-2.0", held_out=False),
    Source("fairytaleqa", "fairytaleqa/fairytaleqa-val.jsonl", "own", "Apache-2.0", held_out=True),
    Source("ropes", "ropes/train-v1.0.json", "ropes", _CC_BY, held_out=False),
    Source("ropes", "ropes/dev-v1.0.json", "ropes", _CC_BY, held_out=True, group=_background),
)


def passages(
    folder: Path, tokens: Tokens, longest: int = LONGEST, sources: Sequence[Source] = SOURCES
) -> Iterator[Passage]:
    """The passages of every source in a folder, in the order of `sources`.

    Args:
        folder: Folder with the files of `sources`.
        tokens: Number of tokens of a text.
        longest: Most tokens of a passage. Longer ones are cut at ends of sentences; a question stays with the part
            that has its answer, and is left out where no part has.
        sources: What to read.

    Raises:
        DataError: A file is missing or malformed.
    """
    splits: dict[str, Split] = {}  # of each text and each part: a short part occurs in texts of two splits
    for source in sources:
        for group, row in _rows(folder / source.file, source):
            text, split = tidy(row.context), _split(source, group)
            if normal(text) in splits:
                continue
            splits[normal(text)] = split
            asked = [_question(*pair, source.name) for pair in zip(row.questions, row.answers, strict=True) if pair[1]]
            for part, questions in cut(text, asked, tokens, longest):
                if splits.setdefault(normal(part), split) == split:
                    yield Passage(part, questions, source.name, split, source.licence)


def with_strangers(rows: Sequence[Passage], seed: str) -> list[Passage]:
    """The passages, each with one more question: that of another passage, with a name that this one does not have.

    Questions without such a name are not used: what somebody says of "the story" may be true of this one too.
    """
    asked: dict[tuple[str, Split], list[tuple[str, Question]]] = defaultdict(list)
    for row in rows:
        for question in row.questions:
            name = _NAME.search(question.text)
            if name:
                asked[row.source, row.split].append((name[0], question))
    result = []
    for row in rows:
        draw = random.Random(f"{seed}-{row.text}")
        others = asked[row.source, row.split]
        drawn = [draw.choice(others) for _ in range(5 if others else 0)]
        strange = next((question for name, question in drawn if name not in row.text), None)
        more = () if strange is None else (Question(strange.text, refusal(draw), False, "", row.source),)
        result.append(replace(row, questions=(*row.questions, *more)))
    return result


def write(path: Path, rows: Iterable[Passage]) -> int:
    """Write passages as JSONL, for machines that have not got the sources; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for count, passage in enumerate(rows, start=1):  # noqa: B007
            file.write(json.dumps(asdict(passage), ensure_ascii=False) + "\n")
    return count


def read_written(path: Path) -> list[Passage]:
    """Read passages that `write` wrote.

    Raises:
        DataError: The file is missing or holds something else.
    """
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return [Passage(**row | {"questions": tuple(_from(one) for one in row["questions"])}) for row in rows]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} has no passages that can be read ({error}); write it again") from error


def _from(record: dict[str, object]) -> Question:
    return Question(**record | {"accepted": tuple(record["accepted"])})  # type: ignore[arg-type]


def _rows(path: Path, source: Source) -> Iterator[tuple[str, ContextRow]]:
    """The rows of a file, each with the text whose hash decides on its split."""
    reader = READERS[source.reader]
    if reader.walk is None or reader.paragraph is None:
        for row in read(f"{source.reader}={path}", "train").rows:
            yield f"{source.name} {source.group('', row.context)}", row
        return
    try:
        walked = list(reader.walk(json.loads(path.read_bytes())))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); fetch it again") from error
    for place, record in walked:
        try:
            row = reader.paragraph(record)
        except RowError:  # a paragraph without questions
            continue
        yield f"{source.name} {source.group(place, row.context)}", row


def _split(source: Source, group: str) -> Split:
    if source.held_out is None:
        return split_of(group)
    return "train" if not source.held_out else ("dev", "test")[zlib.crc32(group.encode()) % 2]


def _question(text: str, answers: Sequence[str], source: str) -> Question:
    accepted = tuple(dict.fromkeys(map(tidy, answers)))
    return Question(tidy(text), accepted[0], True, "", source, accepted)
