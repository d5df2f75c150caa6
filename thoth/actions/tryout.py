"""`thoth try`: example documents become weights, and each question about them is answered three ways.

What nano is asked is tested to succeed (tests/app/test_try.py). Every other pair gets English documents; smol, which is
small, is asked what it knows (docs/smol.md says how much it does not).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from thoth import examples
from thoth.models import plan, pull, registry

if TYPE_CHECKING:
    from thoth.actions.ask import Knowledge
    from thoth.actions.workspace import Workspace
    from thoth.events import Answer, Progress
    from thoth.library.records import StoredDocument

WAYS: tuple[Knowledge, ...] = ("weights", "none", "context")
_MOST_TOKENS = 32


@dataclass(frozen=True)
class Tour:
    """What is shown with a pair.

    Attributes:
        documents: names of example documents.
        questions: the documents answer them.
        unknown: a question that no document answers; "I don't know." is right.
        next: a question for the user to begin with.
    """

    documents: tuple[str, ...]
    questions: tuple[str, ...]
    unknown: str
    next: str

    @property
    def paths(self) -> list[Path]:
        """Where the documents are."""
        return [examples.folder() / name for name in self.documents]


_NANO = Tour(
    documents=("harbour.txt", "workshop.md", "regatta.pdf"),
    questions=(
        "Who is the mayor of Harpool?",
        "What does Halnova make?",
        "What does the winner of the Rosesta Regatta get?",
    ),
    unknown="Who is the mayor of Velmar?",
    next="What is the Falwing made of?",
)
_ENGLISH = Tour(
    documents=("lease.pdf", "meeting.md", "manual.txt"),
    questions=("Who is the landlord?", "How much is the monthly rent?", "Which company services the boiler?"),
    unknown="Who is the landlord's dentist?",
    next="When does the lease begin?",
)
_SMOL = replace(
    _ENGLISH,
    documents=("lease.pdf",),
    questions=(
        "How much is the monthly rent?",
        "Who is the caretaker?",
        "How much is the deposit?",
        "What does a lost key cost?",
    ),
    next="How large is the apartment?",
)


def tour(pair: str) -> Tour:
    """Return what is shown with a pair, by its name: nano reads its own language, every other one English."""
    return {registry.NANO: _NANO, registry.SMOL: _SMOL}.get(pair, _ENGLISH)


def can_complete_smol() -> bool:
    """Tell whether smol, the pair that reads English, lacks nothing but its base, which can be pulled."""
    pair = registry.pulled(registry.SMOL)
    return pair.bundle.is_dir() and not pair.base.is_dir()


def complete_smol(on_progress: Callable[[Progress], None]) -> None:
    """Pull the base of smol.

    Raises:
        ThothError: It cannot be fetched or converted.
    """
    pull.pull(plan.make(registry.SMOL), on_progress)


def answers(workspace: Workspace, documents: Iterable[StoredDocument], question: str) -> dict[Knowledge, Answer]:
    """Answer a question in all three ways.

    Args:
        workspace: its library has the documents.
        documents: to answer from.
        question: about them.

    Raises:
        ThothError: It cannot be answered.
    """
    known = [*documents]
    return {
        way: workspace.ask(question, known, knowledge=way, fallback="none", max_tokens=_MOST_TOKENS) for way in WAYS
    }
