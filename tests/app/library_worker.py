"""A process that works on a library until it is done, or killed; what it did stands in its journal.

`python -m tests.app.library_worker` reads lines `HOME JOURNAL SEED` and does each in a child process. It says the
child's process id when it begins, and its exit status when it ends. Lines of a journal are an operation about to begin,
or "done".
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

from mlx_hypernet.blas import preload_blas

preload_blas()

import mlx.core  # noqa: E402, F401 - once here, not in every child

from tests.app import made_up  # noqa: E402
from thoth.ingest import Document  # noqa: E402
from thoth.library.library import Library  # noqa: E402
from thoth.library.records import document_id  # noqa: E402

DOCUMENTS, CHUNKS, OPERATIONS = 6, 5, 400


def note(number: int) -> Document:
    return made_up.document([f"Fact {chunk} of note {number}." for chunk in range(CHUNKS)], f"note {number}")


def note_id(number: int) -> str:
    return document_id(note(number).sha256, made_up.BUNDLE, "meaning")


def main() -> None:
    for line in sys.stdin:
        home, journal, seed = json.loads(line)
        if (child := os.fork()) == 0:
            work(Path(home), os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND), random.Random(seed))
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


def work(home: Path, journal: int, chance: random.Random) -> None:
    """Absorb, rename, activate and remove documents in a random order."""
    library = Library(home)

    def say(*words: object) -> None:
        os.write(journal, json.dumps(words).encode() + b"\n")

    for _ in range(OPERATIONS):
        number = chance.randrange(DOCUMENTS)
        id, stored = note_id(number), library.find(note(number).sha256, made_up.BUNDLE, "meaning")
        if stored is None:
            say("begin", number)
            made_up.begin(library, note(number))
        elif not stored.complete and chance.random() < 0.7:
            numbers = library.missing(id)[: chance.randint(1, 3)]
            say("store", number, numbers)
            library.store(id, numbers, made_up.adapters(numbers), made_up.features(numbers))
        elif (kind := chance.choice(["rename", "activate", "remove"])) == "rename":
            name = f"name {chance.random()}"
            say("rename", number, name)
            library.rename(id, name)
        elif kind == "activate":
            active = chance.random() < 0.5
            say("activate", number, active)
            library.activate([id], active)
        else:
            say("remove", number)
            library.remove(id)
        say("done")


if __name__ == "__main__":
    main()
