"""Tables of contents: found by their page numbers, and left out of the index of words."""

import pytest

from thoth.ingest.contents import contents, without_contents
from thoth.ingest.document import Document, LooseBlock, assemble

TABLE = """Contents

Preface ... iv
1 Introduction 1
1.1 Purpose ... 1
1.2 Who should read this
and why ... 2
2 Brakes . . . . . . 7
ii
2.1 Front brake ... 7
2.2 Rear brake ... 9"""


def document(text: str, pages: int | None = 12) -> Document:
    return Document("manual.pdf", text, pages)


def found(text: str, pages: int | None = 12) -> list[str]:
    return [text[first:after] for first, after in contents(document(text, pages))]


def test_a_table_of_contents_is_found() -> None:
    text = f"The manual.\n\n{TABLE}\n\nThe rear brake is blue."
    assert found(text) == [TABLE[TABLE.index("Preface") :]]
    first, after = contents(document(text))[0]
    parts = [(0, 40), (40, 120), (120, len(text))]
    kept = "".join(without_contents(text[a:b], a, [(first, after)]) for a, b in parts)
    assert kept == text[:first] + text[after:]


def test_two_tables_are_two() -> None:
    figures = "\n".join(f"Figure {number} ... {number}" for number in range(1, 7))
    assert len(found(f"{TABLE}\n{figures}")) == 2
    between = "The brakes are old. " * 3
    assert len(found(f"{TABLE}\n{between}\n{between}\n{between}\n{between}\n{figures}")) == 2


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        (TABLE, None),
        (TABLE, 6),
        ("\n".join(f"{what} ... {price}" for what, price in zip("abcdefg", (3, 2, 4, 3, 5, 4, 6), strict=True)), 9),
        ("\n".join(f"{what} ... 3.50" for what in "abcdefg"), 9),
        ("\n".join(f"{what} ... {number}" for number, what in enumerate("abcd", 1)), 9),
        ("And so on ... 1\n" + "He said nothing.\n" * 4, 9),
        ("\n".join(f"Row {number} {number}" for number in range(1, 9)), 9),
    ],
    ids="no-pages more-than-pages prices decimals four once no-dots".split(),
)
def test_what_is_none(text: str, pages: int | None) -> None:
    assert found(text, pages) == []


def test_dots_across_a_line_are_three() -> None:
    parts = [
        LooseBlock("table", "Purpose ........................ 1\nScope . . . . . . . . . . . 2\nName: ........"),
        LooseBlock("paragraph", "Wait... and see .... 4 dots. e.g. a. b. c."),
        LooseBlock("code", "x = 1 ......... # kept"),
    ]
    assert assemble("a.pdf", parts, 1).text == (
        "Purpose ... 1\nScope ... 2\nName: ...\n\nWait... and see .... 4 dots. e.g. a. b. c.\n\nx = 1 ......... # kept"
    )
