"""Chunks: nothing lost, never too long, ends where meaning ends."""

import random
from pathlib import Path
from typing import Any

import pytest

from mlx_hypernet.format.template import document_ids
from thoth.ingest import Block, Document, sentences, text_blocks
from thoth.ingest import chunks as chunking
from thoth.ingest.chunks import Chunk, split

PREFIX, SUFFIX = (1, 3), (4,)


@pytest.fixture(scope="module")
def tokenizer(tiny_pair: Path) -> Any:
    from mlx_hypernet.tokenizer import load_tokenizer

    return load_tokenizer(tiny_pair / "base")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tokenizer whose tokens are words and marks, so that lengths can be counted by eye."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+|[^\w\s]"), "removed", invert=True)
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="?")


def inner(chunk: Chunk) -> list[int]:
    assert tuple(chunk.ids[:2]) == PREFIX
    assert tuple(chunk.ids[-1:]) == SUFFIX
    return chunk.ids[2:-1]


def cut(document: Document, tokenizer: Any, max_tokens: int) -> list[Chunk]:
    """Cut, and check what always holds."""
    chunks = split(document, tokenizer, max_tokens, PREFIX, SUFFIX)
    assert "".join(chunk.text for chunk in chunks) == document.text.strip()
    assert all(0 < len(inner(chunk)) <= max_tokens for chunk in chunks)
    assert all(document.text.startswith(chunk.text, chunk.start) for chunk in chunks)
    return chunks


def texts(document: Document, tokenizer: Any, max_tokens: int) -> list[str]:
    return [chunk.text.strip() for chunk in cut(document, tokenizer, max_tokens)]


def random_text(seed: int) -> str:
    draw = random.Random(seed)
    pieces = ["# Heading\n\n", "word ", "Sentence. ", "\n\n", "\n", "- item\n", "| a | b |\n", "```\nx\n```\n", "e.g. "]
    pieces += [
        "\u4f60\u597d\u3002",
        "\U0001f468\u200d\U0001f469",
        "x" * 40,
        "   ",
        "1. ",
        "</s>",
        "[INST]",
        "\t",
        "caf\u00e9 ",
    ]
    return "a" + "".join(draw.choices(pieces, k=draw.randint(1, 120)))


@pytest.mark.parametrize("seed", [*range(20), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(20, 40))])
def test_nothing_is_lost(tokenizer: Any, seed: int) -> None:
    document = text_blocks.read(random_text(seed), f"x.{random.Random(seed).choice(['md', 'rst', 'py', 'txt', 'csv'])}")
    for max_tokens in (1, 2, 7, 32, 500):
        chunks = cut(document, tokenizer, max_tokens)
        whole = [token for chunk in chunks for token in inner(chunk)]
        assert whole == tokenizer.encode(document.text.strip(), add_special_tokens=False, split_special_tokens=True)
        assert chunks == split(document, tokenizer, max_tokens, PREFIX, SUFFIX)


@pytest.mark.parametrize("text", ["Ana founded Velmar.", "  \n A note.\n\nIn two parts. ", "control [INST] </s>"])
def test_a_short_document_reads_as_in_the_template(tokenizer: Any, text: str) -> None:
    [chunk] = cut(Document("x", text), tokenizer, 64)
    assert chunk.ids == document_ids(tokenizer, text)


def test_pieces_make_no_difference(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = Document("x", "The founder of the company.\nThe owner of the house.\n\n" * 40)
    whole = cut(document, tokenizer, 50)
    monkeypatch.setattr(chunking, "_PIECE", chunking.re.compile(chunking._PIECE.pattern.replace("50000", "200"), 16))
    assert cut(document, tokenizer, 50) == whole


def sections(*lengths: int) -> Document:
    """Sections of so many words, in paragraphs of five."""
    lines = []
    for number, length in enumerate(lengths):
        lines.append(f"# S{number}")
        lines += ["w " * 4 + "." for _ in range(length // 5)]
    return text_blocks.read("\n\n".join(lines), "x.md")


def test_sections_stay_whole(words: Any) -> None:
    chunks = cut(sections(60, 60, 60), words, 100)
    assert [chunk.headings for chunk in chunks] == [("S0",), ("S1",), ("S2",)]


def test_small_neighbours_share_a_chunk(words: Any) -> None:
    assert [len(inner(chunk)) for chunk in cut(sections(*[10] * 14), words, 100)] == [84, 84]
    [chunk] = cut(sections(10, 10), words, 100)
    assert chunk.headings == ()


def test_a_long_section_is_cut_evenly_between_paragraphs(words: Any) -> None:
    chunks = cut(sections(210), words, 100)
    assert [len(inner(chunk)) for chunk in chunks] == [72, 70, 70]
    assert all(chunk.text.rstrip().endswith(".") for chunk in chunks)
    assert {chunk.headings for chunk in chunks} == {("S0",)}


def test_a_heading_is_never_left_behind(words: Any) -> None:
    document = text_blocks.read("w " * 45 + "\n\n# A\n\n## B\n\n" + "w " * 45, "x.md")
    assert texts(document, words, 60)[1].startswith("# A")


def test_sentences_then_lines_then_words_then_letters(words: Any, tokenizer: Any) -> None:
    text = "One two three. Four five six, e.g. seven eight. Nine ten."
    assert texts(Document("x", text), words, 14) == [text[:14], text[15:]]
    assert texts(Document("x", "a b c d\ne f g h"), words, 5) == ["a b c d", "e f g h"]
    assert texts(Document("x", "a b c d e f g h"), words, 6) == ["a b c d", "e f g h"]
    assert texts(Document("x", "\u4f60\u597d\u4f60\u597d"), tokenizer, 6) == ["\u4f60\u597d", "\u4f60\u597d"]
    assert "".join(texts(Document("x", "x" * 99), tokenizer, 10)) == "x" * 99


def test_tables_and_code_stay_whole_where_they_fit(words: Any) -> None:
    rows = "\n".join(f"r{n} c{n}" for n in range(10))
    document = text_blocks.read(f"{'w ' * 15}\n\n```\n{rows}\n```\n\n{'w ' * 15}", "x.md")
    fenced = f"```\n{rows}\n```"
    assert any(fenced in text for text in texts(document, words, 30))
    small = texts(document, words, 12)
    assert not any(fenced in text for text in small)
    assert all(line in "\n".join(small).split("\n") for line in rows.split("\n"))


def paged() -> Document:
    pages = ["One two. Three four", "five six. Seven eight.", "Nine ten."]
    starts = [0, len(pages[0]) + 2, len(pages[0]) + len(pages[1]) + 4]
    blocks = [Block("paragraph", s, s + len(p), (), n + 1) for n, (s, p) in enumerate(zip(starts, pages, strict=True))]
    return Document("x.pdf", "\n\n".join(pages), 3, tuple(blocks))


def test_pages(words: Any) -> None:
    chunks = cut(paged(), words, 9)
    # The sentence that goes on overleaf stays in one piece.
    assert [chunk.pages for chunk in chunks] == [(1, 2), (2, 3)]
    assert [chunk.text.strip() for chunk in chunks] == ["One two. Three four\n\nfive six.", "Seven eight.\n\nNine ten."]


def test_equal_lengths_as_the_reference_cuts(tokenizer: Any) -> None:
    from mlx_hypernet.format.chunking import split as reference

    document = paged()
    ids = document_ids(tokenizer, document.text)
    chunks = split(document, tokenizer, 8, PREFIX, SUFFIX, chunking="tokens")
    assert [chunk.ids for chunk in chunks] == reference(ids, 8, PREFIX, SUFFIX)
    assert "".join(chunk.text for chunk in chunks) == document.text
    assert chunks[0].pages == (1, 1)
    assert chunks[-1].pages == (3, 3)


@pytest.mark.parametrize(("text", "limit"), [(" \n", 5), ("text", 0)])
def test_nothing_to_cut_is_an_error(tokenizer: Any, text: str, limit: int) -> None:
    with pytest.raises(ValueError, match="cannot cut"):
        split(Document("x", text), tokenizer, limit, PREFIX, SUFFIX)


@pytest.mark.parametrize(
    "piece", ["w " * 30, "a. ", "w", ". ", ".", " \n", "\n- i", "(", "Dr. ", "\u3002", "# h\n\n", "x" * 300 + " "]
)
def test_long_documents_take_linear_time(words: Any, piece: str) -> None:
    # Quadratic time would be minutes: the test ends, or it does not.
    text = piece * (60_000 // len(piece)) + "x"
    cut(text_blocks.read(text, "x.md"), words, 200)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three? Four", 4),
        ("Dr. Dor met Mr. J. Asto of the U.S. Army.", 1),
        ("It costs 3.50 euros, e.g. here. No. 5 is next.", 2),
        ('"Why?" she asked. (Nobody knew.) The end.', 3),
        ("Am 3. Juni kam z.B. Frau Dr. Meier. Dann ging sie.", 2),
        ("\u4f60\u597d\u3002\u6211\u662f\u963f\u5a1c\uff01\u300c\u597d\u3002\u300d\u8d70", 4),
        ("Wait... what? No.", 2),
        ("one\ntwo. \n\nThree.", 2),
    ],
)
def test_sentence_ends(text: str, count: int) -> None:
    assert len([*sentences.ends(text)]) + 1 == count
