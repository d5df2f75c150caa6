"""Three questions to a pair: whether it answers about a document from its weights, and what that costs."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thoth import examples, settings
from thoth.errors import ModelError
from thoth.models import registry
from thoth.models.registry import Pair
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.events import Event

_MOST_TOKENS = "32"
_NOTE = {
    "Who is the mayor of Harpool?": "Osra Kelland",
    "How many residents does Harpool have?": "4310",
    "What should visitors to Harpool try?": "smoked trout",
}
_LEASE = {
    "Who is the landlord?": "Marchetti",
    "How much is the monthly rent?": "1,340",
    "Which company services the boiler?": "Northgate",
}


@dataclass(frozen=True)
class SelfTest:
    """What was measured.

    Attributes:
        document: the name of the example.
        answers: each question, the answer from the weights, and whether it is right.
        tokens: length of the document.
        absorb_seconds: time to turn it into weights.
        first_token_seconds: time to the first token, the median of the three.
        tokens_per_second: speed after it, the median of the three.
        peak_memory_bytes: of MLX.
    """

    document: str
    answers: tuple[tuple[str, str, bool], ...]
    tokens: int
    absorb_seconds: float
    first_token_seconds: float
    tokens_per_second: float
    peak_memory_bytes: int

    @property
    def right(self) -> int:
        """Number of right answers."""
        return sum(right for _, _, right in self.answers)


def run(pair: Pair, listener: Callable[[Event], object] = lambda _: None) -> SelfTest:
    """Load a pair, absorb an example and ask about it, in a home of its own: the user's library stays as it is.

    Args:
        pair: nano gets a note in its language, every other one a lease in English.
        listener: gets the progress of loading.

    Raises:
        ModelError: The pair is damaged.
        ResourceError: Not enough memory.
    """
    from thoth.actions import workspace

    name, asked = ("harbour.txt", _NOTE) if pair.name == registry.NANO else ("lease.pdf", _LEASE)
    with tempfile.TemporaryDirectory() as folder, paths.at(Path(folder)):
        chosen = settings.load(paths.settings(), model=pair.name, max_tokens=_MOST_TOKENS)
        with workspace.load(pair, chosen, listener) as opened:
            started = time.perf_counter()
            documents = opened.absorb(examples.folder() / name)
            seconds = time.perf_counter() - started
            found = [opened.ask(question, documents, fallback="none") for question in asked]
    answers = tuple(
        (question, answer.text, right.casefold() in answer.text.casefold())
        for (question, right), answer in zip(asked.items(), found, strict=True)
    )
    return SelfTest(
        document=name,
        answers=answers,
        tokens=sum(document.tokens for document in documents),
        absorb_seconds=seconds,
        first_token_seconds=sorted(answer.stats.time_to_first_token_seconds for answer in found)[len(found) // 2],
        tokens_per_second=sorted(answer.stats.tokens_per_second for answer in found)[len(found) // 2],
        peak_memory_bytes=max(answer.stats.peak_memory_bytes for answer in found),
    )


@dataclass(frozen=True)
class Parity:
    """What `convert-weights` measured when it converted one half of a pair, against PyTorch.

    Attributes:
        passed: whether all differences are within the tolerance.
        largest: the largest absolute difference of the logits, or of the last tensor compared where there are none.
        tensor: which tensor that is.
    """

    passed: bool
    largest: float
    tensor: str


def parity(folder: Path) -> Parity | None:
    """Return the parity report in the folder of a base or a bundle; None if it was not compared.

    Raises:
        ModelError: The report cannot be read.
    """
    path = folder / "conversion.json"
    if not path.is_file():
        return None
    try:
        report: Any = json.loads(path.read_text(encoding="utf-8")).get("parity")
        if not report:
            return None
        last = report["differences"][-1]
        return Parity(bool(report["passed"]), float(last["max_absolute"]), str(last["tensor"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is no report of a conversion ({error}): pull the pair again with --force") from error
