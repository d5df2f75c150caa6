"""A long PDF read from both ends: the same to the letter as from its first page to its last."""

import json
import logging
import socket
from collections.abc import Iterable

import pytest

from tests.app.ingest.pdf_drawing import OTHER, PROSE, lines, pages
from tests.app.ingest.pdf_samples import SAMPLES
from thoth.errors import ThothError
from thoth.ingest import formats, pdf_ends, wire
from thoth.ingest.document import Document, PageRead

SEVERAL = ("pdf_word_across_pages", "pdf_outline", "pdf_repeated_headers")
# Few words whose letters may be Cyrillic: they are where an earlier page was.
RUSSIAN = "Библиотека открывается в девять часов утра и закрывается в шесть часов вечера."
FEW = "Use dpkg and apt for пакетов in every case, as the manual of the project says in chapter two."


class Second:
    """A process that has read the last pages of a file by the time it is connected.

    Args:
        data: the file.
        after: how often it is asked for before it is there.
        most: pages that it reads before it ends.
    """

    fewest_pages = 1

    def __init__(self, data: bytes, after: int = 0, most: int = 1000) -> None:
        self._data, self._after, self._most = data, after, most

    def connection(self) -> socket.socket | None:
        self._after -= 1
        if self._after >= 0:
            return None
        ours, theirs = socket.socketpair()
        with theirs:
            for _, message in zip(range(self._most), pdf_ends._backwards(self._data, False), strict=False):
                theirs.sendall(message)
        return ours


class Messages(Second):
    """A process that sends what it likes."""

    def __init__(self, messages: Iterable[bytes]) -> None:
        super().__init__(b"")
        self._sent = messages

    def connection(self) -> socket.socket | None:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(b"".join(self._sent))
        return ours


def read(data: bytes, caplog: pytest.LogCaptureFixture, second: Second | None = None) -> list[object]:
    """Return all that is found out about a file: the document, its pages as they came, and the warnings."""
    caplog.clear()
    came: list[PageRead] = []
    found: Document | str
    try:
        found = formats.read(data, "sample.pdf", on_page=came.append, second=second)
    except ThothError as error:
        found = str(error)
    return [found, came, caplog.messages[:]]


def latin(text: str) -> str:
    return text.encode("cp1251").decode("latin-1")


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_second_process_reads_pages_as_the_first(sample: str, caplog: pytest.LogCaptureFixture) -> None:
    data = SAMPLES[sample]()
    assert read(data, caplog, Second(data)) == read(data, caplog)


@pytest.mark.parametrize("sample", SEVERAL)
@pytest.mark.parametrize(("after", "most"), [(1, 1000), (0, 1), (1000, 1000)])
def test_pages_of_both_make_one_document(sample: str, after: int, most: int, caplog: pytest.LogCaptureFixture) -> None:
    data = SAMPLES[sample]()
    assert read(data, caplog, Second(data, after, most)) == read(data, caplog)


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_few_cyrillic_words_depend_on_an_earlier_page(after: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    text = [latin(RUSSIAN)], [latin(FEW)], OTHER
    data = pages(*(lines(page) for page in text))
    expected = read(data, caplog)
    assert isinstance(expected[0], Document)
    assert "пакетов" in expected[0].text
    assert "pages 1-2 were read as Cyrillic" in caplog.text
    assert read(data, caplog, Second(data, after)) == expected
    data = pages(lines(OTHER), lines([latin(FEW)]))  # no page before it is
    expected = read(data, caplog)
    assert isinstance(expected[0], Document)
    assert latin("пакетов") in expected[0].text
    assert read(data, caplog, Second(data, after)) == expected


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"number": 1},
        {"number": 1, "groups": [["paragraph", 1, True]], "marks": []},
        {"number": 1, "groups": [["picture", "text", True]], "marks": []},
        {"number": 1, "groups": [["paragraph", "text"]], "marks": []},
        {"number": 1, "groups": [], "marks": ["lost"]},
        {"number": [], "groups": [], "marks": []},
    ],
)
def test_nonsense_of_the_second_process_is_not_used(page: object, caplog: pytest.LogCaptureFixture) -> None:
    data = pages(lines(PROSE), lines(OTHER))
    message = wire.pack(json.loads(json.dumps(page)))
    assert read(data, caplog, Messages([message])) == read(data, caplog)
    assert read(data, caplog, Messages([b"\xff" * 40])) == read(data, caplog)


def test_the_second_process_stops_when_the_first_has_enough() -> None:
    data = pages(*[lines(OTHER)] * 3)
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(wire.pack({"recognize": False}, len(data)) + data)
        ours.close()
        pdf_ends.serve(theirs)  # returns, and raises nothing


def test_a_short_file_needs_no_second_process(caplog: pytest.LogCaptureFixture) -> None:
    class Never(Second):
        fewest_pages = 3

        def connection(self) -> socket.socket | None:
            raise AssertionError("asked for")

    data = pages(lines(PROSE), lines(OTHER))
    assert read(data, caplog, Never(data)) == read(data, caplog)
