"""Documents as people have them: the tables in tests/fixtures/cases say what the right text of each is.

A case names a file of that folder, or brings its content along: `text` (in an `encoding`), `bytes` (a letter each), or
the parts of a package: `docx`, `odt`, `ods`, `odp`, `pptx`, `xlsx`, `epub`, `zip`. It expects:

- `is`, `words`: the text, exactly, or with any blanks between its words
- `contains`, `lacks`, `once`, `order`, `lines`, `headings`, `kinds`, `pages`, `longest`
- `warns`: what a warning says; without it there must be none
- `error`, `says`: the class and the words of a refusal; `documents`: how many a folder holds
"""

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.app.ingest import packages
from tests.app.reading import read_all
from thoth import ingest
from thoth.errors import DocumentError, NoTextError

FOLDER = Path(__file__).parents[2] / "fixtures" / "cases"
OTHERS = {"reader-process", "routing"}  # tried in tests/app/ingest/test_web.py and tests/app/test_router.py
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in Python it takes 0.3 s of every collection
ROWS: list[tuple[str, dict[str, Any]]] = [
    (table.stem, case)
    for table in sorted(FOLDER.glob("*.yaml"))
    for case in yaml.load(table.read_text("utf-8"), SAFE_LOADER)
]
CASES = [(table, case) for table, case in ROWS if case.get("owner") not in OTHERS]


def ids(value: object) -> str:
    return str(value["file"]) if isinstance(value, dict) else ""


@pytest.mark.parametrize(("table", "case"), CASES, ids=ids)
def test_case(table: str, case: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = FOLDER / case["file"]
    if (data := packages.build(case)) is not None:
        path = tmp_path / case["file"]
        path.write_bytes(data)
    with caplog.at_level(logging.WARNING, logger="thoth"):
        read = [*read_all(path).values()]
    errors = [found for found in read if isinstance(found, DocumentError | NoTextError)]
    if "says" in case or "error" in case:
        assert len(errors) == 1, read
        assert path.name in str(errors[0])
        assert case["says"] in str(errors[0])
        assert type(errors[0]).__name__ == case.get("error", "DocumentError")
        return
    assert not errors
    documents = [found for found in read if isinstance(found, ingest.Document)]
    assert len(documents) == case.get("documents", 1)
    for document in documents:
        check_blocks(document)
    check_text(case, "\n\n".join(document.text for document in documents))
    check_structure(case, documents[0])
    if table != "cases" or "warns" in case:
        assert ("warns" in case) == bool(caplog.messages), caplog.messages
        assert case.get("warns", "") in "\n".join(caplog.messages)


def check_text(case: dict[str, Any], text: str) -> None:
    if "is" in case:
        assert text == case["is"].removesuffix("\n") or text == case["is"]
    if "words" in case:
        assert text.split() == case["words"].split()
    for expected in case.get("contains", ()):
        assert expected in text
    for unwanted in case.get("lacks", ()):
        assert unwanted not in text
    for single in case.get("once", ()):
        assert text.count(single) == 1
    places = [text.find(expected) for expected in case.get("order", ())]
    assert -1 not in places, text
    assert places == sorted(places)
    lines = [line for line in text.split("\n") if line.strip()]
    if "lines" in case:
        assert lines == case["lines"]
    assert len(text) <= case.get("longest", len(text))


def check_structure(case: dict[str, Any], document: ingest.Document) -> None:
    found = [(block.kind, document.text[block.start : block.end]) for block in document.blocks]
    if "headings" in case:
        assert [text for kind, text in found if kind == "heading"] == case["headings"]
    if "kinds" in case:
        assert [kind for kind, _ in found] == case["kinds"].split()
    if "pages" in case:
        assert document.pages == case["pages"]
        assert {block.page for block in document.blocks} <= set(range(1, case["pages"] + 1))


def check_blocks(document: ingest.Document) -> None:
    """Blocks lie in order, within the text, and nothing but blanks is outside of them."""
    at = 0
    for block in document.blocks:
        assert at <= block.start < block.end <= len(document.text)
        assert not document.text[at : block.start].strip()
        at = block.end
    assert not document.blocks or not document.text[at:].strip()


def test_the_tables_are_read() -> None:
    assert len(CASES) >= 100
    made = {case["file"] for _, case in ROWS}
    here = {path.name for path in FOLDER.iterdir() if path.suffix != ".yaml"}
    assert here <= made, f"files without a case: {sorted(here - made)}"
