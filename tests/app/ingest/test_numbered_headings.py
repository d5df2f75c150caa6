"""Headings that only their numbers show: which lines are, and what they change."""

from pathlib import Path

from thoth import ingest
from thoth.ingest import Block, Document
from thoth.ingest.numbered_headings import with_headings
from thoth.ingest.text_blocks import read

EXAMPLES = Path(__file__).parents[3] / "examples"


def headings(text: str) -> list[str]:
    return [block.headings[-1] for block in with_headings(read(text, "a.txt")).blocks if block.kind == "heading"]


def test_the_sections_of_the_examples_are_named() -> None:
    for name, count, third in (("lease.pdf", 8, "3. Rent and charges"), ("manual.txt", 9, "3. FIRST USE")):
        document = ingest.read(EXAMPLES / name)
        found = [block for block in document.blocks if block.kind == "heading"]
        assert len(found) == count
        assert found[2].headings == (third,)
        after = document.blocks[document.blocks.index(found[2]) + 1]
        assert after.headings == (third,)
        assert after.kind in ("paragraph", "list")


def test_sections_are_within_sections() -> None:
    text = "1 Boats\n\nRow.\n\n1.1 Skiffs\n\nSmall.\n\n1.2 Ferries\n\nLarge.\n\n2 Fees\n\nIn May."
    blocks = with_headings(read(text, "a.txt")).blocks
    assert blocks[-3].headings == ("1 Boats", "1.2 Ferries")
    assert blocks[-1].headings == ("2 Fees",)


def test_a_list_stays_a_list() -> None:
    assert headings("1. Rope\n\n2. Sail\n\nThat is all.") == []
    assert headings("1. Take the rope.\n\nIt is red.\n\n2. Take the sail.\n\nIt is white.") == []
    assert headings("2. Rope\n\nIt is red.\n\n3. Sail\n\nIt is white.") == []
    assert headings("1. Rope\n\nIt is red.") == []


def test_marked_headings_are_enough() -> None:
    document = read("# Boats\n\n1. Rope\n\nRed.\n\n# Fees\n\n2. Sail\n\nWhite.", "a.md")
    assert with_headings(document) is document


def test_they_stand_under_the_title() -> None:
    text = "Lease\n\n1. Parties\n\nHelen and Samuel.\n\n2. Term\n\nA year."
    blocks = read(text, "a.txt").blocks
    titled = Document("a.html", text, None, (Block("heading", 0, 5, ("Lease",)), *blocks[1:]))
    assert with_headings(titled).blocks[2].headings == ("Lease", "1. Parties")
