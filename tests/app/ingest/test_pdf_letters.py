"""Fonts that do not say what their letters mean: words that can be read stay, numbers of glyphs go."""

import logging

import pytest

from tests.app.ingest import pdf_samples
from thoth.ingest import formats, pdf

WORDS = "Suites for development: new versions of packages are uploaded to unstable, and testing waits for them."


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        (WORDS, True),
        (WORDS + " \u00d0\u00f3\u00ea\u00ee\u00e2\u00ee\u00e4\u00f1\u00f2\u00e2\u00ee" * 20, True),  # beside Cyrillic
        ("".join(chr(ord(letter) - 29) for letter in WORDS), False),
        ("".join(chr(ord(letter) + 7) for letter in WORDS), False),
        ("1 2 3", False),
        ("", False),
    ],
)
def test_words_and_numbers_of_glyphs(text: str, readable: bool) -> None:
    assert pdf._reads_as_words(text) == readable


def test_words_of_such_a_font_are_kept_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pdf, "_unknown_letters", lambda _, text: sorted(map(ord, text))[:40])
    with caplog.at_level(logging.WARNING, logger="thoth"):
        document = formats.read(pdf_samples.pdf_prose(), "prose.pdf")
    assert "Osra Kelland" in document.text
    assert "the letters on page 1 cannot be told" in caplog.messages[0]
