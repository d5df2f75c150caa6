"""Which stored passage supports an answer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from thoth.events import Passage
from thoth.ingest import Block, Document
from thoth.library.records import ChunkRef, StoredChunk, StoredDocument
from thoth.retrieval.provenance import closest, is_refusal, sources_read, support
from thoth.retrieval.query import about
from thoth.retrieval.terms import Rarity, mass, names, terms

Source = tuple[StoredDocument, StoredChunk]


def document(id: str, name: str = "note.txt") -> StoredDocument:
    return StoredDocument(
        id=id,
        name=name,
        source=None,
        bundle="bundle",
        chunking="meaning",
        complete=True,
        active=True,
        pages=None,
        chunks=1,
        absorbed=1,
        tokens=10,
        bytes=0,
        added=datetime.now(UTC),
    )


def source(
    id: str,
    text: str,
    *,
    number: int = 0,
    name: str = "note.txt",
    headings: tuple[str, ...] = (),
    pages: tuple[int, int] | None = None,
    start: int = 0,
) -> Source:
    return document(id, name), StoredChunk(ChunkRef(id, number), text, pages, headings, start, 10)


NOTES = (
    source("a", "Velmar was founded by Ana Dor. It rained a little. Velmar makes lamps."),
    source("b", "The Norjo is painted blue. The Norjo costs 6077 crowns."),
    source("c", "- The Faldo is painted blue.\n- The Faldo came out in 1790."),
)


def quotes(question: str, answer: str, passages: Sequence[Source] = NOTES) -> list[str]:
    return [passage.quote for passage in support(question, answer, passages)]


@pytest.mark.parametrize(
    ("question", "answer", "quote"),
    [
        ("Who founded Velmar?", "Ana Dor", "Velmar was founded by Ana Dor."),
        ("What colour is the Norjo?", "blue", "The Norjo is painted blue."),
        ("What colour is the Faldo?", "blue", "- The Faldo is painted blue."),
        ("What does the Norjo cost?", "6,077 crowns", "The Norjo costs 6077 crowns."),
        ("What does Velmar make?", "Velmar makes lamps.", "Velmar makes lamps."),
        ("Did Ana Dor found Velmar?", "Yes.", "Velmar was founded by Ana Dor."),
    ],
)
def test_the_sentence_that_says_so(question: str, answer: str, quote: str) -> None:
    assert quotes(question, answer) == [quote]


@pytest.mark.parametrize("order", [1, -1])
def test_the_question_decides_between_equal_sentences_in_any_order(order: int) -> None:
    assert quotes("What colour is the Faldo?", "blue", NOTES[::order]) == ["- The Faldo is painted blue."]


@pytest.mark.parametrize(
    "answer",
    [
        "I don't know.",
        "I don\u2019t know.",
        "I do not know.",
        "I'm sorry, but I cannot say.",
        "Not mentioned in the document.",
        "The document does not say.",
        "This is not in the document.",
        "",
        " ?! ",
        "green",
        "Tor Falsen",
    ],
)
def test_nothing_supports_a_refusal_or_what_is_not_there(answer: str) -> None:
    assert quotes("What colour is the Norjo?", answer) == []


def test_a_value_of_something_else_is_no_support() -> None:
    assert quotes("What is the colour of the Quelzip?", "blue") == []


@pytest.mark.parametrize("answer", ["Ana Falsen", "Ana Dor in 1731", "6078 crowns"])
def test_a_name_or_a_number_that_is_not_there_is_no_support(answer: str) -> None:
    assert quotes("Who founded Velmar, and what does the Norjo cost?", answer) == []


@pytest.mark.parametrize(("answer", "supported"), [("23 May", False), ("23 December", True)])
def test_a_month_that_is_also_a_function_word_counts(answer: str, supported: bool) -> None:
    passages = [source("a", "On 23 December, the Arura Summit opens.")]
    assert bool(quotes("When does the Arura Summit open?", answer, passages)) == supported


def test_a_value_beside_the_sentence_that_answers_is_no_support() -> None:
    passages = [source("a", "Galany lies 1570 metres above the sea. Galany is home to 1969 people. It rained.")]
    assert quotes("How many metres above the sea does Galany lie?", "1570", passages)
    assert not quotes("How many metres above the sea does Galany lie?", "1969", passages)


def test_what_was_said_before_a_sentence_counts() -> None:
    text = "Velmar is old. It was founded by Ana Dor. It rained a little. It makes lamps. Relwood makes ropes."
    passages = [source("a", text)]
    assert quotes("Who founded Velmar?", "Ana Dor", passages) == ["It was founded by Ana Dor."]
    assert quotes("What does Velmar make?", "ropes", passages) == []


def test_answers_without_spaces_are_found() -> None:
    passages = [
        source("a", "押金为9600元、合同期满后退还。租金每月4800元。"),
        source("b", "家賃は月額7万2千円とする。"),
    ]
    assert quotes("押金是多少", "押金是9600元。", passages) == ["押金为9600元、合同期满后退还。"]
    assert quotes("押金是多少", "押金是9700元。", passages) == []
    assert quotes("家賃はいくらですか。", "月額7万2千円です。", passages) == ["家賃は月額7万2千円とする。"]


def test_a_chunk_need_not_repeat_the_name_when_it_speaks_of_the_rest() -> None:
    passages = (*NOTES, source("d", "The revenue of the year was 3.2 million crowns."))
    assert quotes("What was the revenue of Quelzip in that year?", "3.2 million crowns", passages) == [
        "The revenue of the year was 3.2 million crowns."
    ]


def test_a_name_that_all_sentences_share_is_a_name_still() -> None:
    passages = [source("a", "Velmar makes lamps. Velmar was founded by Ana Dor. Velmar is in Belwick. Velmar is old.")]
    assert quotes("To whom does Velmar owe its start?", "Ana Dor", passages) == ["Velmar was founded by Ana Dor."]


def test_no_passages() -> None:
    assert support("Who founded Velmar?", "Ana Dor", []) == ()


def test_a_long_answer_is_traced_sentence_by_sentence_and_names_three_at_most() -> None:
    answer = (
        "Velmar was founded by Ana Dor. The Norjo costs 6077 crowns. The Faldo came out in 1790. Velmar makes lamps."
    )
    passages = support("Tell me about Velmar, the Norjo and the Faldo.", answer, NOTES)
    assert len(passages) == 3
    assert {passage.document for passage in passages} <= {"a", "b", "c"}
    assert [passage.score for passage in passages] == sorted((passage.score for passage in passages), reverse=True)


def test_two_sentences_of_an_answer_from_one_passage_name_it_once() -> None:
    assert quotes("Who founded Velmar?", "Ana Dor founded it. Ana Dor founded Velmar.") == [
        "Velmar was founded by Ana Dor."
    ]


def test_what_stands_around_counts_as_context() -> None:
    passages = (
        source("a", "It was founded in 1731.", headings=("Velmar", "History")),
        source("b", "It was founded in 1731.", headings=("Dorvia", "History")),
        source("c", "It was founded in 1731.", name="quelzip.pdf"),
    )
    for question, id in (("When was Dorvia founded?", "b"), ("When was the Quelzip founded?", "c")):
        assert [passage.document for passage in support(question, "1731", passages)] == [id]


def test_scores_are_shares() -> None:
    (whole,) = support("Who founded Velmar?", "Ana Dor", NOTES)
    (part,) = support("Who founded Velmar?", "Ana Dor, the baker.", NOTES)
    assert 0.6 <= part.score < whole.score <= 1.0


def test_a_passage_says_where_it_is() -> None:
    text = "Velmar makes lamps.\n\nThe founder of Velmar is Ana Dor."
    blocks = (Block("paragraph", 0, 19, page=4), Block("paragraph", 21, len(text), page=5))
    passages = [source("a", text[10:], number=7, pages=(4, 5), headings=("Firms",), start=10)]
    (found,) = support("Who is the founder of Velmar?", "Ana Dor", passages, lambda id: Document(id, text, 5, blocks))
    assert found == Passage("a", "note.txt", 7, 5, ("Firms",), "The founder of Velmar is Ana Dor.", found.score)
    (found,) = support("Who is the founder of Velmar?", "Ana Dor", passages)
    assert found.page == 4  # without the document: the chunk's first


def test_rows_of_a_table_are_passages() -> None:
    passages = [source("a", "Town | River\nNalmouth | Voroon\nRelwood | Saloon")]
    assert quotes("Which river flows through Relwood?", "Saloon", passages) == ["Relwood | Saloon"]


def test_a_page_without_a_full_stop_is_not_quoted_whole() -> None:
    (quote,) = quotes("Who founded Velmar?", "Ana Dor", [source("a", "Velmar Ana Dor founded " + "word " * 5000)])
    assert 500 < len(quote) <= 600
    assert quote.endswith("word")


def test_terms_are_compared_without_case_accents_plurals_and_separators() -> None:
    assert terms("Ümläuts cost 6,077.50 CROWNS") == ["umlaut", "cost", "6077.50", "crown"]
    assert terms("3,5 kg and 3.5 kg, not 35") == ["3.5", "kg", "and", "3.5", "kg", "not", "35"]
    assert terms("glass bus 東京") == ["glass", "bus", "東", "京"]


def test_names_are_capitalised_inside_a_sentence_or_hold_digits() -> None:
    assert names("Who founded Velmar in 1731? Nobody but Ana Dor.") == ["Velmar", "1731", "Ana", "Dor"]
    assert names("NASA has an iPhone; I do not") == ["NASA", "iPhone"]
    assert names("what is the price\nThe price of it") == []
    assert names("E3是什么意思、WD40呢") == ["E3", "WD40"]


def test_rare_terms_weigh_more() -> None:
    rarity = Rarity([["the", "lamp"], ["the", "duck"], ["the", "race"]])
    assert rarity.of("lamp") > rarity.of("the") > 0
    assert rarity.of("never") >= rarity.of("lamp")
    assert rarity.highest == rarity.of("lamp")


def test_what_is_found_weighs_together() -> None:
    weights = {"the": 0.5, "lamp": 2.0, "duck": 1.0}
    assert mass(weights, {"the", "lamp", "race"}) == pytest.approx(2.5)
    assert mass({}, {"lamp"}) == 0.0


PETS = source("p", "Pets are not allowed without written consent of the landlord.")
BLUE = source("b", "The Norjo is painted blue.")
RENT = source("r", "The monthly rent is $1,450, due on the first day of each month.")
COLD = source("c", "The cold store is kept at 5 degrees until 5 May; a share of 50 parts is sold.")
MAYOR = source("m", "Osra Kelland is not the mayor of Harpool.")


@pytest.mark.parametrize(
    ("question", "answer", "stored"),
    [
        ("Are pets allowed?", "No.", PETS),
        ("Are pets allowed?", "No, pets are not allowed.", PETS),
        ("Whose consent is needed for pets?", "the landlord", PETS),
        ("Is the Norjo blue?", "Yes.", BLUE),
        ("Isn't the Norjo blue?", "Yes.", BLUE),
        ("Is the Norjo green?", "No, it is painted blue.", BLUE),
        ("Is Osra Kelland the mayor of Harpool?", "No", MAYOR),
        ("What is the pressure?", "50 bar", source("a", "Do not exceed 50 bar.")),
        ("How long is the cold store kept so?", "until 5 May", COLD),
    ],
)
def test_what_is_affirmed_or_denied_as_the_document_does_is_supported(
    question: str, answer: str, stored: Source
) -> None:
    assert quotes(question, answer, [stored])


@pytest.mark.parametrize(
    ("question", "answer", "stored"),
    [
        ("Are pets allowed?", "Yes.", PETS),
        ("Are pets allowed?", "Yes, pets are allowed.", PETS),
        ("Are pets allowed?", "Pets are allowed.", PETS),
        ("What does the lease say of pets?", "Pets are allowed without written consent of the landlord.", PETS),
        ("Is the Norjo blue?", "No.", BLUE),
        ("Is the Norjo blue?", "The Norjo isn't blue.", BLUE),
        ("Is the Norjo green?", "Yes.", BLUE),
        ("Is Osra Kelland the mayor of Harpool?", "Yes", MAYOR),
        ("What is the rent?", "\u20ac1,450", RENT),
        ("How cold is the store?", "-5 degrees", COLD),
        ("What share is sold?", "50%", COLD),
        ("How long is the cold store kept so?", "from 5 May", COLD),
        ("Why is the Norjo blue?", "because it is", BLUE),
    ],
)
def test_the_opposite_of_what_a_document_says_is_no_support(question: str, answer: str, stored: Source) -> None:
    assert quotes(question, answer, [stored]) == []


@pytest.mark.parametrize(
    ("answer", "stored"),
    [
        ("12 parts", "The Norjo has twelve parts."),
        ("three parts", "The Norjo has 3 parts."),
        ("2024-05-03", "The Norjo came out on 3 May 2024."),
        ("3 May 2024", "The Norjo came out on 2024-05-03."),
        ("5km", "The Norjo runs 5 km."),
        ("50 percent", "The Norjo is 50% steel."),
        ("1450 dollars", "The Norjo costs $1,450.00."),
        ("$1450.00", "The Norjo costs $1,450."),
        ("1,450 francs", "The Norjo costs 1\u2019450 francs."),
    ],
)
def test_numbers_and_dates_are_the_same_however_they_are_written(answer: str, stored: str) -> None:
    assert quotes("What of the Norjo?", answer, [source("a", stored)]) == [stored]


def test_one_wrong_number_of_several_sentences_takes_the_label() -> None:
    passages = [RENT, source("d", "The deposit is $2,900.")]
    question = "What are rent and deposit?"
    assert len(quotes(question, "The rent is $1,450. The deposit is $2,900.", passages)) == 2
    assert quotes(question, "The rent is $1,450. The deposit is $9,999.", passages) == []
    assert quotes(question, "The rent is $1,450. Ask me anything else!", passages)


def test_the_name_that_the_answer_before_gave_is_a_statement_when_it_is_given_again() -> None:
    passages = [source("a", "The mayor of Harpool is Osra Kelland. Tom Hale, from Norby, is the deputy of the town.")]
    query = "And who is the deputy?\n- Harpool\n- Osra Kelland"
    assert quotes(query, "Tom Hale", passages)
    assert "deputy" in about(query)
    assert "Osra" not in about(query)
    assert "Osra" in about("And when was she born?\n- Harpool\n- Osra Kelland")


@pytest.mark.parametrize(
    ("answer", "refuses"),
    [
        ("The document does not need a signature.", False),
        ("The documents do not expire before 2030.", False),
        ("The lease does not include parking.", False),
        ("The lease doesn't say.", True),
        ("The documents do not contain any information about it.", True),
        ("There is no information about that.", True),
        ("It's not stated.", True),
        ("No information is given.", True),
    ],
)
def test_a_refusal_says_that_there_is_no_answer(answer: str, refuses: bool) -> None:
    assert is_refusal(answer) == refuses


def test_an_answer_from_the_context_is_supported_by_what_was_read() -> None:
    text = "Velmar is old.\n\nVelmar makes lamps."
    read = Document("note.pdf", text, 2, (Block("paragraph", 0, 14, (), 1), Block("paragraph", 16, 36, (), 2)))
    unknown: Any = SimpleNamespace(find=lambda *_: None)
    [found] = sources_read(unknown, "What does Velmar make?", "lamps", [read], "bundle")
    assert (found.name, found.page, found.quote) == ("note.pdf", 2, "Velmar makes lamps.")
    stored, chunk = source("a", "Velmar makes lamps.", number=7)
    known: Any = SimpleNamespace(find=lambda *_: stored, chunks=lambda _: [chunk])
    assert [one.chunk for one in sources_read(known, "What does Velmar make?", "lamps", [read], "bundle")] == [7]
    assert sources_read(known, "What does Velmar make?", "ropes", [read], "bundle") == ()


def test_the_sentences_that_speak_most_of_a_question() -> None:
    documents, chunks = zip(*NOTES, strict=True)

    def found(question: str, most: int) -> list[Passage]:
        return [*closest(SimpleNamespace(document=None), question, documents, chunks, most)]  # type: ignore[arg-type]

    [one] = found("What does the Norjo cost?", 1)
    assert (one.document, one.chunk, one.quote) == ("b", 0, "The Norjo costs 6077 crowns.")
    both = found("What does the Norjo cost, and what does Velmar make?", 2)
    assert [one.quote for one in both] == ["Velmar makes lamps.", "The Norjo costs 6077 crowns."]
    assert len(found("Why?", 9)) == 7


@pytest.mark.parametrize(
    ("question", "answer", "supported"),
    [
        ("What does Velmar make?", "Velmar makes.", False),
        ("And who makes lamps?", "Lamps makes lamps.", False),
        ("And who makes lamps?", "Velmar makes lamps.", True),
        ("Does Velmar make lamps?", "Velmar makes lamps.", True),
        ("What does Velmar make, lamps or ropes?", "Lamps.", True),
        ("Is it Velmar where lamps are made?", "Velmar makes lamps.", True),
    ],
)
def test_an_answer_to_an_open_question_adds_something(question: str, answer: str, supported: bool) -> None:
    assert bool(support(question, answer, [source("a", "Velmar makes lamps.")])) == supported
