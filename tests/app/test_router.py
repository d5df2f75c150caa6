"""The router on a real library with made-up adapters: which chunks it chooses, and what it leaves out."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mlx_hypernet.marks import Match
from thoth.events import Chosen
from thoth.ingest import Document
from thoth.ingest.chunks import Chunk
from thoth.library.library import Library
from thoth.library.records import ChunkRef, StoredDocument
from thoth.retrieval import router, terms
from thoth.retrieval.query import conversation_query
from thoth.retrieval.routing import Routing

NOTES = (
    "Velmar was founded by Ana Dor. Velmar makes lamps.",
    "Visitors to Relwood should try the berry tart. The mayor of Relwood is Tor Falsen.",
    "Nalmouth is famous for its roast duck. The mayor of Nalmouth is Yorton Finstrom.",
    "The Jarora Race is held on 3 June. The winner of the Jarora Race gets a necklace.",
)
D = 4

Put = Callable[..., StoredDocument]


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def put(library: Library) -> Put:
    """Store texts as the chunks of one document; all absorbed, unless told how many."""
    import mlx.core as mx

    from mlx_hypernet.adapter import ChunkAdapters

    def store(
        *texts: str,
        features: Sequence[Sequence[float]] | None = None,
        name: str = "note.txt",
        absorbed: int | None = None,
    ) -> StoredDocument:
        text, places = "", []
        for part in texts:
            places.append(len(text))
            text += part + "\n"
        chunks = [Chunk([1, 2, 3], part, None, ("Notes",), at) for part, at in zip(texts, places, strict=True)]
        stored = library.begin(Document(name, text), "bundle", "meaning", chunks, None)
        count = len(texts) if absorbed is None else absorbed
        if not count:
            return stored
        pairs, bias = {"m": mx.zeros((count, 1, 2, 3))}, {"m": mx.zeros((1, 2, 3))}
        adapters = ChunkAdapters(pairs, pairs, bias, bias, 1.0)
        vectors = np.array(features if features is not None else np.eye(len(texts), D), np.float32)
        return library.store(stored.id, range(count), adapters, vectors[:count])

    return store


def nowhere(_: str) -> NDArray[np.float32]:
    """Features that are as far from every chunk."""
    return np.full(D, 0.25, np.float32)


def numbers(library: Library, question: str, stored: StoredDocument, routing: Routing = Routing()) -> list[int]:  # noqa: B008
    chosen = router.route(library, question, [stored], routing, 8, nowhere)
    assert {one.document for one in chosen} <= {stored.id}
    return [one.number for one in chosen]


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("Who founded Velmar?", 0),
        ("What does the winner of the Jarora Race get?", 3),
        ("Who is the mayor of Relwood?", 1),
    ],
)
def test_the_chunk_with_the_answer_alone_is_chosen(library: Library, put: Put, question: str, number: int) -> None:
    assert numbers(library, question, put(*NOTES)) == [number]


def test_a_question_in_lower_case_finds_its_chunk_as_well(library: Library, put: Put) -> None:
    assert numbers(library, "who is the founder of velmar", put(*NOTES))[0] == 0


def test_chunks_that_answer_by_themselves_need_not_fit_as_well(library: Library, put: Put) -> None:
    stored = put(*NOTES)

    def chosen(question: str, top_k: int = 4) -> list[int]:
        found = router.route(library, question, [stored], Routing(top_k=top_k), 8, nowhere, apart=True)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        return [one.number for one in found]

    assert chosen("Who is the mayor of Relwood?")[0] == 1
    assert sorted(chosen("Who is the mayor of Relwood?")) == [0, 1, 2, 3]
    assert len(chosen("Who is the mayor of Relwood?", top_k=2)) == 2
    assert sorted(chosen("Who is the king of Quelstead?")) == [0, 1, 2, 3]  # they say that they do not know


def test_the_matcher_adds_to_what_words_say(library: Library, put: Put) -> None:
    stored = put(*NOTES)
    seen: list[str] = []

    def compare(question: str, groups: Sequence[Sequence[ChunkRef]]) -> list[Match]:
        seen.append(question)
        numbers = sorted([ref.number for ref in group] for group in groups)
        assert numbers == [[0], [0], [0, 1], [1], [1, 2], [2], [2, 3], [3]]
        return [Match(6.0 if group[-1].number == 3 else -6.0, 1.0) for group in groups]

    def chosen(question: str, *, apart: bool = True) -> list[Chosen]:
        return router.route(library, question, [stored], Routing(top_k=2), 8, nowhere, apart=apart, compare=compare)

    best, second = chosen("Who is the mayor of Relwood?")
    assert (best.number, best.answers, best.related) == (3, 6.0, 1.0)
    assert second.answers == -6.0
    assert best.score == second.score > 0.9  # as well as the chunk between them
    assert seen == ["Who is the mayor of Relwood?"]
    strange, *_ = chosen("Who is the mayor of Quelstead?")
    assert (strange.number, strange.answers, strange.related) == (3, 1.0, 1.0)  # no chunk has that name
    assert {one.answers for one in chosen("Summarise the document.")} == {None}  # no chunk answers that better
    assert {one.answers for one in chosen("Who is the mayor of Relwood?", apart=False)} == {None}


def test_a_chunk_is_compared_by_itself_and_beside_the_one_before(library: Library, put: Put) -> None:
    stored = put(*NOTES, absorbed=3)

    def compare(question: str, groups: Sequence[Sequence[ChunkRef]]) -> list[Match]:
        return [Match(float(len(group)), -2.0 * len(group)) for group in groups]

    def judged(documents: list[StoredDocument]) -> dict[int, tuple[float | None, float | None]]:
        found = router.route(library, "mayor", documents, Routing(), 8, nowhere, apart=True, compare=compare)
        return {one.number: (one.answers, one.related) for one in found}

    assert judged([stored]) == {0: (1.0, -2.0), 1: (1.5, -3.0), 2: (1.5, -3.0)}


@pytest.mark.parametrize(
    ("question", "numbers", "compared"),
    [
        ("Who wrote the paper?", {3}, True),  # no chunk has the word, and the matcher says which one tells it
        ("Who is the author of the document?", {3}, True),
        ("Who signed velmar.txt?", {3}, True),
        ("What does the paper say?", {0, 1, 2, 3}, False),
        ("What is in velmar.txt?", {0, 1, 2, 3}, False),
    ],
)
def test_the_matcher_is_asked_where_a_question_points_and_says_more(
    library: Library, put: Put, question: str, numbers: set[int], compared: bool
) -> None:
    other, stored = put("Nothing is said here.", "Nor here.", name="other.txt"), put(*NOTES, name="velmar.txt")

    def compare(question: str, groups: Sequence[Sequence[ChunkRef]]) -> list[Match]:
        assert {ref.document for group in groups for ref in group} == {stored.id}
        return [Match(6.0 if group[-1].number == 3 else -20.0, 1.0) for group in groups]

    documents = [other, stored] if "velmar" in question else [stored]
    found = router.route(library, question, documents, Routing(), 8, nowhere, apart=True, compare=compare)
    assert {one.document for one in found} == {stored.id}
    assert {one.number for one in found if one.answers is None or one.answers > 0} == numbers
    assert {one.answers is not None for one in found} == {compared}


def test_chunks_around_the_one_with_the_name_are_compared(library: Library, put: Put) -> None:
    """The last of them is not absorbed, and those far away are not near enough."""
    texts = [
        "The lease of Velmar.",
        "Rent: 900",
        "Deposit: 700",
        "Nothing else is said.",
        *["Filler."] * 40,
        "The end.",
    ]
    stored = put(*texts, absorbed=len(texts) - 1, features=np.eye(len(texts), D, k=-1))
    compared: list[int] = []

    def compare(question: str, groups: Sequence[Sequence[ChunkRef]]) -> list[Match]:
        compared.extend(ref.number for ref, *others in groups if not others)
        assert {ref.number for group in groups for ref in group} < {*range(len(texts) - 1)}
        return [Match(3.0 if group[-1].number in (2, 30) else -3.0, 1.0) for group in groups]

    def chosen(question: str) -> list[Chosen]:
        return router.route(library, question, [stored], Routing(), 8, nowhere, apart=True, compare=compare)

    best, *_ = chosen("How much is the security in Velmar?")
    assert (best.number, best.answers) == (2, 3.0)
    assert set(compared) < {*range(len(texts) - 1)}
    assert {0, 1, 2} <= set(compared)
    assert len(texts) - 1 not in compared


def test_a_name_outweighs_the_words_of_another_chunk(library: Library, put: Put) -> None:
    question = "What should visitors to Nalmouth try?"
    stored = put(*NOTES)
    assert library.search(question, [stored.id], 1)[0][0].number == 1  # by words alone it is the other one
    assert numbers(library, question, stored)[0] == 2


def test_an_address_says_where_and_not_what(library: Library, put: Put) -> None:
    stored = put(*NOTES)
    assert numbers(library, "Read http://127.0.0.1:37883/lamps and tell me who founded Velmar", stored) == [0]
    assert numbers(library, "What does https://relwood4.test/relwood say?", stored) == [1]


def test_two_things_asked_for_are_both_attached(library: Library, put: Put) -> None:
    assert set(numbers(library, "Are Velmar and Nalmouth the same?", put(*NOTES))) == {0, 2}


def test_names_that_nobody_mentions_attach_nothing(library: Library, put: Put) -> None:
    assert numbers(library, "Who is the mayor of Quelstead?", put(*NOTES)) == []


def test_a_single_chunk_is_attached_whatever_is_asked(library: Library, put: Put) -> None:
    assert numbers(library, "Who is the CEO?", put(NOTES[0])) == [0]


def test_nothing_to_choose_from(library: Library, put: Put) -> None:
    assert router.route(library, "Who founded Velmar?", [], Routing(), 8, nowhere) == []
    stored = put(*NOTES, absorbed=0)
    assert router.route(library, "Who founded Velmar?", [stored], Routing(), 8, nowhere) == []


def test_chunks_that_are_not_absorbed_yet_are_not_chosen(library: Library, put: Put) -> None:
    assert numbers(library, "who is the mayor?", put(*NOTES, absorbed=2)) == [1]


@pytest.mark.parametrize(
    ("routing", "most"),
    [
        (Routing(top_k=2), 2),
        (Routing(top_k=3), 3),
        (Routing(top_k=9, rank_budget=24), 2),  # two of rank 8 and the bias pair
        (Routing(top_k=9, rank_budget=1), 1),  # never less than the best one
    ],
)
def test_limits(library: Library, put: Put, routing: Routing, most: int) -> None:
    stored = put(*[f"The lamp of house {letter} is green." for letter in "abcdef"])
    assert len(numbers(library, "which lamp is green", stored, routing)) == most


def test_without_a_common_word_the_features_decide(library: Library, put: Put) -> None:
    stored = put(*NOTES)

    def near_the_third(_: str) -> NDArray[np.float32]:
        return np.array([0.2, 0.2, 0.9, 0.2], np.float32)

    chosen = router.route(library, "worüber", [stored], Routing(top_k=1), 8, near_the_third)
    assert [one.number for one in chosen] == [2]


def test_what_all_chunks_have_in_common_does_not_count_as_near(library: Library, put: Put) -> None:
    offset = np.array([100.0, 0, 0, 0])  # as mean features of language models have
    stored = put(*NOTES, features=offset + np.array([[9.0, 1, 0, 0], [9, 0, 1, 0], [-9, 0, 0, 1], [9, 0, 0, 0]]))

    def question(_: str) -> NDArray[np.float32]:
        return np.array([99.0, 0, 0, 1], np.float32)

    chosen = router.route(library, "worüber", [stored], Routing(top_k=1), 8, question)
    assert [one.number for one in chosen] == [2]


def test_chosen_says_where_and_how_well(library: Library, put: Put) -> None:
    stored = put(*NOTES, name="notes.txt")

    def same(_: str) -> NDArray[np.float32]:
        return np.eye(1, D, dtype=np.float32)[0]

    (chosen,) = router.route(library, "Who founded Velmar?", [stored], Routing(), 8, same)
    assert (chosen.name, chosen.number, chosen.pages, chosen.headings) == ("notes.txt", 0, None, ("Notes",))
    assert chosen.score == pytest.approx(1.0)  # the first of both rankings


def test_passages_to_read_are_the_best_and_only_those_that_fit(library: Library, put: Put) -> None:
    stored = put(*NOTES)
    found = router.passages(library, "Is it Velmar, Relwood or Nalmouth?", [stored], 2, nowhere)
    assert len(found) == 2
    assert 3 not in [one.number for one in found]
    found = router.passages(library, "Who is the mayor of Relwood?", [stored], 3, nowhere)
    assert [one.number for one in found] == [1]


def test_only_the_given_documents_are_searched(library: Library, put: Put) -> None:
    put(*NOTES)
    other = put("Velmar is a town on the Saloon.", "Nothing else of interest was noted.")
    chosen = router.route(library, "Who founded Velmar?", [other], Routing(), 8, nowhere)
    assert [ChunkRef(one.document, one.number) for one in chosen] == [ChunkRef(other.id, 0)]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Who is the mayor?", ["mayor"]),
        ("WHAT ARE THE QUIET HOURS?", ["QUIET", "HOURS"]),
        ("押金什么时候退还", ["押金", "退还"]),
        ("怎么坐高铁去古镇", ["坐高铁去古镇"]),
        ("家賃はいくらですか。", ["家賃"]),
        ("ごみは何時までに出しますか。", ["ごみ", "出"]),
        ("予約できるのは何時間後までですか。", ["予約できる", "後"]),
    ],
)
def test_words_that_say_how_something_is_asked_are_not_searched_for(question: str, words: list[str]) -> None:
    assert terms.content(question) == words
    assert terms.names(question) == []


def conversation(*texts: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]


def test_a_question_with_a_name_stands_alone() -> None:
    messages = conversation("Who founded Velmar?", "Ana Dor", "Where does Tor Falsen live?")
    assert conversation_query(messages) == "Where does Tor Falsen live?"


def test_a_question_that_names_nothing_gets_the_names_of_the_turn_before() -> None:
    query = conversation_query(
        conversation("Is there a race in Relwood?", "No.", "Who founded Velmar?", "It was Ana Dor.", "And when was it?")
    )
    assert query.startswith("And when was it?")
    assert {"Velmar", "Ana", "Dor"} <= set(query.split())
    assert "Relwood" not in query


def test_names_from_far_back_are_found() -> None:
    query = conversation_query(
        conversation("Who founded Velmar?", "ana dor", "and when?", "long ago", "what does it make?")
    )
    assert query == "what does it make?\n- Velmar"


def test_what_a_document_is_called_by_is_carried_along(library: Library, put: Put) -> None:
    washer = put("Error E18: the pump is blocked.", "The warranty is two years.", name="washer manual.txt")
    dryer = put("Error E18: the filter is full of lint.", "The warranty is three years.", name="dryer manual.txt")
    messages = conversation("what does E18 mean on the dryer?", "It is full of lint.", "how long is the warranty?")
    query = conversation_query(messages, [washer, dryer])
    assert query == "how long is the warranty?\n- dryer E18"
    ranked = router.ranking(library, query, [washer, dryer], 1, lambda _: np.zeros(D, np.float32))
    assert ranked[0].ref.document == dryer.id


def test_a_long_answer_does_not_drown_the_question() -> None:
    answer = "It was " + " and ".join(f"Name{i}" for i in range(100))
    query = conversation_query(conversation("Who founded Velmar?", answer, "and when?"))
    assert query.startswith("and when?\n- Velmar\n- Name0 ")
    assert len(query.replace("-", "").split()) < 12


def test_a_conversation_without_any_name_goes_on_with_the_question_before() -> None:
    query = conversation_query(conversation("how heavy is the board?", "two kilos", "and the price?"))
    assert query == "and the price?\n- how heavy is the board?"
    assert conversation_query(conversation("how heavy is it?")) == "how heavy is it?"


def test_a_follow_up_is_routed_to_what_it_is_about(library: Library, put: Put) -> None:
    query = conversation_query(
        conversation("Who is the mayor of Nalmouth?", "Yorton Finstrom", "What is it famous for?")
    )
    assert numbers(library, query, put(*NOTES))[0] == 2


CASES = Path(__file__).parents[1] / "fixtures" / "cases"


@pytest.mark.parametrize(
    ("folder", "question", "name"),
    [
        ("route_cjk", "图书馆几点开门？", "library.txt"),  # noqa: RUF001
        ("route_spelling", "Who is the keeper of the Lighthouse?", "soft.txt"),
        ("route_spelling", "Who is the captain of the Firefly?", "ligature.txt"),
        ("route_spelling", "Wo liegt die Hafenstrasse?", "street.txt"),
    ],
)
def test_words_are_found_however_they_are_written(
    library: Library, put: Put, folder: str, question: str, name: str
) -> None:
    stored = [put(path.read_text("utf-8"), name=path.name) for path in sorted((CASES / folder).iterdir())]
    best, *_ = router.ranking(library, question, stored, 4, lambda _: np.ones(D, np.float32))
    assert {one.id: one.name for one in stored}[best.ref.document] == name


def test_what_contractions_leave_is_not_looked_for() -> None:
    assert terms.content("Why didn't Ana's dog bark, and what's it that I can\u2019t hear?") == [
        "Ana",
        "dog",
        "bark",
        "hear",
    ]
    assert terms.content("Is Don Mann in CA?") == ["Don", "Mann", "CA"]


def test_who_wrote_a_text_counts_less_than_what_it_is_about(library: Library, put: Put) -> None:
    stored = put("The author wants a lamp.", "We want a slumber party, and a cake too.", "A lamp.", "A boat.", "A hat.")
    assert numbers(library, "What party does the author want?", stored)[0] == 1
