"""Questions as people ask them: each is routed to the right document, or to none; no word switches the library off."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from thoth.ingest import Document
from thoth.ingest.chunks import Chunk
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.retrieval import router
from thoth.retrieval.pointing import pointing
from thoth.retrieval.query import conversation_query, parts
from thoth.retrieval.routing import Routing

LEASE = (
    "Lease of 12 Mill Lane between Ana Duarte (landlord) and Tom Hale (tenant).",
    "The monthly rent is $1,450, due on the first day of each month.",
    "The deposit is $2,900 and is returned within 30 days after the end of the lease.",
    "Pets are not allowed without written consent of the landlord.",
    "The boiler is serviced every October by Northgate Heating at the landlord's cost.",
    "The tenant may repaint the walls but must restore white before leaving.",
)
HARBOUR = (
    "Harpool is a town by the sea. The mayor of Harpool is Osra Kelland.",
    "The harbour of Harpool was built in 1843 and has two piers.",
)
CODE = (
    "def who_is_the_owner(the_thing):\n    return the_thing.owner  # who is the owner of the thing",
    "class Mayor:\n    def __init__(self, is_the_of_the):\n        self.of = is_the_of_the  # Osra Selman wrote this",
)
GERMAN = (
    "Der Bürgermeister der Stadt ist Karl Weber. Die Stadt hat 3.000 Einwohner.",
    "Das Rathaus wurde 1901 gebaut.",
)
MEETING = (
    "Minutes of the budget meeting. Present: Li Wei, Sara Lund and Omar Haddad.",
    "The team agreed to move the launch to 4 May. Sara Lund prepares the press release.",
)

Put = Callable[..., StoredDocument]


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def documents(library: Library) -> list[StoredDocument]:
    import mlx.core as mx

    from mlx_hypernet.adapter import ChunkAdapters

    def store(name: str, texts: Sequence[str], paged: bool = False) -> StoredDocument:
        chunks, start = [], 0
        for number, text in enumerate(texts):
            heading = f"{number + 1}. Part {number + 1}" if paged else "Notes"
            pages = (number + 1, number + 1) if paged else None
            chunks.append(Chunk([1, 2, 3], text, pages, (heading,), start))
            start += len(text) + 1
        stored = library.begin(Document(name, "\n".join(texts)), "bundle", "meaning", chunks, None)
        pairs, bias = {"m": mx.zeros((len(texts), 1, 2, 3))}, {"m": mx.zeros((1, 2, 3))}
        features = np.random.default_rng(len(name)).normal(size=(len(texts), 4)).astype(np.float32)
        return library.store(stored.id, range(len(texts)), ChunkAdapters(pairs, pairs, bias, bias, 1.0), features)

    return [
        store("lease.pdf", LEASE, paged=True),
        store("harbour.txt", HARBOUR),
        store("owner.py", CODE),
        store("stadt.md", GERMAN),
        store("budget meeting.docx", MEETING),  # the newest
    ]


def nowhere(_: str) -> NDArray[np.float32]:
    return np.zeros(4, np.float32)


def routed(library: Library, question: str, documents: Sequence[StoredDocument]) -> list[tuple[str, int]]:
    chosen = router.route(library, question, documents, Routing(), 8, nowhere)
    return [(one.name, one.number) for one in chosen]


@pytest.mark.parametrize(
    ("question", "name", "number"),
    [
        # A word that no chunk has.
        ("What does the PDF say about pets?", "lease.pdf", 3),
        ("Explain in English who repairs the boiler.", "lease.pdf", 4),
        ("Is John allowed to keep pets?", "lease.pdf", 3),
        ("Can Maria repaint the walls?", "lease.pdf", 5),
        ("In which month is the Vaillant boiler serviced?", "lease.pdf", 4),
        ("What is the rent in EUR?", "lease.pdf", 1),
        ("As of 2031, how much is the deposit?", "lease.pdf", 2),
        # Code and other languages beside it make "who is the" rare.
        ("Who is the mayor of Harpool?", "harbour.txt", 0),
        ("who is the mayor of harpool", "harbour.txt", 0),
        ("When was the harbour built?", "harbour.txt", 1),
        ("What Is The Monthly Rent?", "lease.pdf", 1),
        ("What is the date in May of the launch?", "budget meeting.docx", 1),
        ("Wer ist der Bürgermeister?", "stadt.md", 0),
        ("Wann wurde das Rathaus gebaut?", "stadt.md", 1),
        ("Who prepares the press release?", "budget meeting.docx", 1),
        # A name of a file, a page, a chapter.
        ("According to lease.pdf, when is the deposit returned?", "lease.pdf", 2),
        ("What does page 4 say?", "lease.pdf", 3),
        ("What is on p. 2 of the lease?", "lease.pdf", 1),
        ("What does part 5 of the PDF regulate?", "lease.pdf", 4),
        ("What is in section 6?", "lease.pdf", 5),
    ],
)
def test_the_right_chunk_is_first(
    library: Library, documents: list[StoredDocument], question: str, name: str, number: int
) -> None:
    assert routed(library, question, documents)[:1] == [(name, number)]


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Summarise the PDF", "lease.pdf"),
        ("Summarize this PDF in three sentences.", "lease.pdf"),
        ("Give me an overview of the lease.", "lease.pdf"),
        ("What is the lease about?", "lease.pdf"),
        ("Translate lease.pdf into German.", "lease.pdf"),
        ("Summarise harbour.txt", "harbour.txt"),
        ("TL;DR", "budget meeting.docx"),
        ("tldr please", "budget meeting.docx"),
        ("Summarise the last one I added.", "budget meeting.docx"),
        ("What does the latest document say?", "budget meeting.docx"),
        ("List the key points of the budget meeting.", "budget meeting.docx"),
        ("Summarise the Word document", "budget meeting.docx"),
    ],
)
def test_whole_documents_are_spread(
    library: Library, documents: list[StoredDocument], question: str, name: str
) -> None:
    found = routed(library, question, documents)
    assert {document for document, _ in found} == {name}
    chunks = next(document.chunks for document in documents if document.name == name)
    assert len(found) == min(4, chunks)
    assert len({number for _, number in found}) == len(found)


@pytest.mark.parametrize("question", ["What is the capital of Peru?", "Who won the Zandvoort Race in 1977?"])
def test_a_question_about_something_else_attaches_nothing(
    library: Library, documents: list[StoredDocument], question: str
) -> None:
    assert routed(library, question, documents) == []


def test_an_unknown_name_leaves_the_best_chunk_at_most(library: Library, documents: list[StoredDocument]) -> None:
    assert len(routed(library, "Does Quelstead have a mayor, a landlord and a launch?", documents)) == 1


def test_two_documents_are_compared(library: Library, documents: list[StoredDocument]) -> None:
    found = routed(library, "Compare the lease with the budget meeting", documents)
    assert {name for name, _ in found} == {"lease.pdf", "budget meeting.docx"}


@pytest.mark.parametrize(
    ("turns", "name", "number"),
    [
        (("How much is the deposit?", "$2,900", "tell me more about the boiler"), "lease.pdf", 4),
        (("How much is the deposit?", "$2,900", "And when is it returned?"), "lease.pdf", 2),
        (("Who is the mayor of Harpool?", "Osra Kelland", "how old is its harbour?"), "harbour.txt", 1),
    ],
)
def test_follow_ups_keep_the_document(
    library: Library, documents: list[StoredDocument], turns: tuple[str, ...], name: str, number: int
) -> None:
    messages = [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(turns)]
    assert (name, number) in routed(library, conversation_query(messages), documents)


def named(name: str, number: int) -> StoredDocument:
    when = datetime(2026, 1, number, tzinfo=UTC)
    return StoredDocument(f"{number}", name, None, "b", "meaning", True, True, None, 1, 1, 9, 0, when)


@pytest.mark.parametrize(
    ("question", "names", "meant"),
    [
        ("What does annual report.pdf say?", ["report.pdf", "annual report.pdf"], {"2"}),
        ("What does data.md say?", ["a.md", "data.md"], {"2"}),
        ("What is the current balance?", ["rent", "b.txt"], None),
        ("How much is the rent?", ["rent", "b.txt"], None),
        ("Was steht in r\u00e9sum\u00e9.pdf?", ["re\u0301sume\u0301.pdf", "b.txt"], {"1"}),
        ("STRASSE.PDF?", ["stra\u00dfe.pdf", "b.txt"], {"1"}),
        ("Who was the last one to leave the ship?", ["a.txt", "b.txt"], None),
        ("Who was the last person added to the board?", ["a.txt", "b.txt"], None),
        ("When was the last file cabinet bought?", ["a.txt", "b.txt"], None),
        ("What is the last one I added about?", ["a.txt", "b.txt"], {"2"}),
        ("Summarise the latest document.", ["a.txt", "b.txt"], {"2"}),
    ],
)
def test_which_document_a_question_points_at(question: str, names: list[str], meant: set[str] | None) -> None:
    assert pointing(question, [named(name, place) for place, name in enumerate(names, 1)]).documents == meant


def test_a_name_after_letters_that_fold_to_more_is_cut_out_whole() -> None:
    asked = pointing("Stra\u00dfe, \u00df\u00df: what does lease.pdf say on pages 9 to 7?", [named("lease.pdf", 1)])
    assert " ".join(asked.rest.split()) == "Stra\u00dfe, \u00df\u00df: what does say on ?"
    assert asked.pages == (7, 9)


def test_a_list_in_a_question_is_not_what_it_takes_from_the_turn_before() -> None:
    own, carried = parts(
        conversation_query([{"role": "user", "content": "Which is right?\n- the rent\n- the deposit"}])
    )
    assert own.split() == "Which is right? * the rent * the deposit".split()
    assert carried == []
