"""What is said of a new document: sentences of its own, and questions that were written, checked and tried."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.app import made_up
from thoth.actions import about, suggest
from thoth.errors import DocumentError
from thoth.events import Answer, Passage, Stats
from thoth.ingest import Block, Document
from thoth.library.library import Library
from thoth.models.registry import Pair
from thoth.retrieval.routing import Routing
from thoth.retrieval.summary import summary, telling
from thoth.settings import Settings

BEFORE = Path(__file__).parents[1] / "fixtures" / "home-0.1"
LEASE = [
    "This lease is between Helen Marchetti and Samuel Adeyemi.",
    "It is dry.",
    "The landlord of the lease pays for the roof of the apartment.",
    "Every tenant of the apartment pays the landlord 1,340 euros of rent for the lease.",
    "Bicycles belong into the cellar near the laundry.",
]
STATS = Stats(0, 1, 1, 0.0, 0.0, 0.0, 1, 1, 0)


def test_a_summary_is_the_first_sentence_and_the_one_closest_to_the_rest() -> None:
    assert summary(Document("lease.txt", " ".join(LEASE))) == f"{LEASE[0]} {LEASE[3]}"


def test_a_summary_has_whole_sentences_of_paragraphs_only() -> None:
    rows = "rent | 900 | monthly | euros."
    cut = "A caption of the picture on the right side"
    texts = [("heading", "Rent and other costs of the lease."), ("table", rows), ("paragraph", cut), ("code", LEASE[2])]
    text = "\n\n".join(text for _, text in texts)
    starts = [text.index(each) for _, each in texts]
    blocks = tuple(Block(kind, at, at + len(each)) for at, (kind, each) in zip(starts, texts, strict=True))
    assert summary(Document("rent.md", text, None, blocks)) == ""
    assert summary(Document("rent.md", f"{text}\n\n{LEASE[0]}")) != ""


def test_a_summary_has_no_marks_of_lists() -> None:
    items = "\n".join(f"- {sentence}" for sentence in (LEASE[0], LEASE[3]))
    assert summary(Document("lease.txt", f"What was agreed:\n{items}")) == f"{LEASE[0]} {LEASE[3]}"
    assert summary(Document("lease.txt", items)) == f"{LEASE[0]} {LEASE[3]}"


def test_questions_are_about_sentences_that_name_something() -> None:
    assert telling(Document("lease.txt", " ".join(LEASE))) == [LEASE[3], LEASE[0]]


@dataclass
class Scripted:
    """Writes a question for each sentence, and answers from the sentence that a test wants.

    Attributes:
        written: sentence -> what the base writes.
        quoted: question -> what its answer is based on.
        asked: the questions that were tried.
    """

    written: dict[str, str]
    quoted: dict[str, str]
    asked: list[str] = field(default_factory=list)

    def __call__(
        self, messages: Any, documents: Any = (), *, routing: Routing | None = None, max_tokens: int = 0
    ) -> Answer:
        assert 0 < max_tokens < 64
        said = messages[-1]["content"]
        if not documents:
            return Answer(self.written[said.rsplit("Sentence: ", 1)[1]], STATS)
        assert routing is not None
        self.asked.append(said)
        quote = self.quoted.get(said)
        return Answer("so", STATS, (Passage("id", "lease", 0, 1, (), quote, 0.9),) if quote else ())


@pytest.fixture
def write(home: Path) -> Callable[[Scripted], tuple[str, ...]]:
    library = Library(home)
    stored = made_up.begin(library, made_up.document(LEASE))
    return lambda scripted: suggest.write(scripted, library, stored, Routing())


def test_a_question_is_kept_if_its_answer_is_the_sentence_it_was_written_for(
    write: Callable[[Scripted], tuple[str, ...]],
) -> None:
    rent, parties = "How much rent does a tenant pay?", "Who signs the lease with Samuel Adeyemi?"
    written = {LEASE[3]: f'"{rent}"\nAnswer: 1,340', LEASE[0]: parties}
    assert write(Scripted(written, {rent: LEASE[3], parties: LEASE[0]})) == (rent, parties)
    assert write(Scripted(written, {rent: LEASE[2], parties: LEASE[0]})) == (parties,)
    assert write(Scripted(written, {})) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        "The tenant pays rent.",  # no question
        "How much rent does Osra Kelland pay?",  # a name from elsewhere
        "Does every tenant of the apartment pay the landlord 1,340 euros of rent for the lease?",  # asks nothing
        "What is the colour of the sea?",  # about something else
        "How much " + "rent and " * 30 + "rent?",
        "",
    ],
)
def test_what_is_no_question_about_the_sentence_is_not_even_tried(
    write: Callable[[Scripted], tuple[str, ...]], wrong: str
) -> None:
    scripted = Scripted({LEASE[3]: wrong, LEASE[0]: wrong}, {})
    assert write(scripted) == ()
    assert scripted.asked == []


def test_a_question_cannot_move_the_cursor(write: Callable[[Scripted], tuple[str, ...]]) -> None:
    scripted = Scripted({LEASE[3]: "What \x1b[2Jrent does a tenant pay?", LEASE[0]: ""}, {})
    write(scripted)
    assert all(question.isprintable() for question in scripted.asked)


def test_small_bases_write_only_where_a_person_wants_it() -> None:
    nano, large = (Pair(name, Path(), Path()) for name in ("nano", "ministral-3-3b"))
    assert [suggest.wanted(Settings(suggest=value), nano) for value in ("auto", "on", "off")] == [False, True, False]
    assert [suggest.wanted(Settings(suggest=value), large) for value in ("auto", "on", "off")] == [True, True, False]


def test_questions_go_with_their_document(home: Path) -> None:
    library = Library(home)
    stored = made_up.begin(library, made_up.document(LEASE))
    assert library.questions(stored.id) is None
    assert about.of(library, stored.id) == {"summary": f"{LEASE[0]} {LEASE[3]}", "questions": ()}
    library.set_questions(stored.id, ["How much?", "Who?"])
    library.set_questions(stored.id, ["Who?"])
    assert about.of(Library(home), stored.id)["questions"] == ("Who?",)
    library.remove(stored.id)
    assert library.questions(stored.id) is None
    with pytest.raises(DocumentError, match="not in the library"):
        library.set_questions(stored.id, ["Who?"])


def test_the_library_of_an_older_thoth_learns_questions(home: Path) -> None:
    shutil.copytree(BEFORE, home)
    library = Library(home)
    stored = library.documents()[0]
    assert library.questions(stored.id) is None
    library.set_questions(stored.id, ["Who?"])
    assert Library(home).questions(stored.id) == ("Who?",)
