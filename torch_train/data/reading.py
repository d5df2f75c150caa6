"""From a file or the hub to rows; malformed ones are counted, named by file and line, and refused above 1%."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from torch_train.data.readers import READERS, Reader
from torch_train.data.row import ContextRow
from torch_train.data.shards import MANIFEST, Shards
from torch_train.errors import DataError

MAX_BAD = 0.01  # share of malformed rows from which a source is refused
NAMED = 5  # how many of them a message names

_Item = tuple[str, Callable[[], ContextRow]]  # place of a row, and how to read it


@dataclass(frozen=True)
class Reading:
    """What a source gave: rows, how many records were read, and what was wrong with the malformed ones."""

    rows: list[ContextRow]
    total: int
    bad: list[str]


def read(argument: str, split: str, limit: int | None = None) -> Reading:
    """Read one source.

    Args:
        argument: `squad` for the hub's copy, `ropes=train-v1.0.json` for a file, `own=shards/` for a folder of parquet.
        split: `train`, `dev` or `test`, needed to download from the hub.
        limit: Read no more records than this.

    Raises:
        DataError: An unknown source, nothing to read, or more than 1% of the rows malformed.
    """
    name, _, path = argument.partition("=")
    reader = READERS.get(name)
    if reader is None:
        raise DataError(f"no source is called {name!r}: choose from {', '.join(READERS)}")
    items = _files(Path(path), reader, name) if path else _hub(reader, name, split, limit)
    return _collect(argument, islice(items, limit))


def _collect(argument: str, items: Iterator[_Item]) -> Reading:
    rows, bad, total = [], [], 0
    for where, make in items:
        total += 1
        try:
            rows.append(make())
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:  # whatever an odd record makes of parsing it
            bad.append(f"{where}: {error if isinstance(error, ValueError) else f'malformed ({error!r})'}")
    if not total:
        raise DataError(f"{argument}: nothing to read")
    if len(bad) > MAX_BAD * total:
        named = "; ".join(bad[:NAMED]) + ("; ..." if len(bad) > NAMED else "")
        raise DataError(f"{argument}: {len(bad)} of {total} rows are malformed; fix or remove them: {named}")
    return Reading(rows, total, bad)


def _files(path: Path, reader: Reader, name: str) -> Iterator[_Item]:
    """The rows of a file, or of all parquet files of a folder."""
    if path.is_dir():
        if (path / MANIFEST).exists():
            Shards.read(path)  # refuses a folder that is not finished
        shards = sorted(path.glob("*.parquet"))
        if not shards:
            raise DataError(f"{path} has no parquet files in it")
        for shard in shards:
            yield from _parquet(shard, reader)
    elif not path.is_file():
        raise DataError(f"{path} does not exist")
    elif path.suffix == ".jsonl":
        yield from _lines(path, reader)
    elif path.suffix == ".parquet":
        yield from _parquet(path, reader)
    elif path.suffix == ".json" and reader.walk is not None:
        yield from _published(path, reader, name)
    else:
        kinds = "JSONL or parquet" if reader.walk is None else "the published JSON, JSONL or parquet"
        raise DataError(f"{path}: {name} is read from {kinds}; name the file accordingly")


def _lines(path: Path, reader: Reader) -> Iterator[_Item]:
    with path.open("rb") as file:  # bytes: a line that is not UTF-8 must not end the reading
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield f"{path.name}:{number}", partial(_decoded, reader.record, line)


def _decoded(record: Callable[[Any], ContextRow], line: bytes) -> ContextRow:
    return record(json.loads(line))


def _parquet(path: Path, reader: Reader) -> Iterator[_Item]:
    try:
        number = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                for record in batch.to_pylist():
                    number += 1
                    yield f"{path.name}:{number}", partial(reader.record, record)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} is not a complete parquet file: make or download it again") from error


def _published(path: Path, reader: Reader, name: str) -> Iterator[_Item]:
    assert reader.walk is not None
    assert reader.paragraph is not None
    try:
        for where, paragraph in reader.walk(json.loads(path.read_bytes())):
            yield f"{path.name}:{where}", partial(reader.paragraph, paragraph)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not {name} in its published format: {error}") from error


def _hub(reader: Reader, name: str, split: str, limit: int | None) -> Iterator[_Item]:
    hub = reader.hub
    if hub is None:
        raise DataError(f"{name} needs a file: write {name}=FILE")
    if split not in hub.splits:
        raise DataError(f"{hub.repository} has no {split} split, only {', '.join(hub.splits)}")
    from datasets import load_dataset

    where = f"{hub.repository}[{hub.splits[split]}]"
    try:
        records = load_dataset(
            hub.repository,
            hub.configuration,
            split=hub.splits[split],
            revision=hub.revision,
            streaming=limit is not None,  # FineWeb-Edu's sample is 28 GB: fetch what is asked for
        )
        for number, record in enumerate(records, start=1):
            yield f"{where}:{number}", partial(reader.record, record)
    except (OSError, ValueError) as error:
        raise DataError(f"{where} cannot be downloaded ({error}): go online, or pass {name}=FILE") from error
