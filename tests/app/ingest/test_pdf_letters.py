"""Fonts that do not say what their letters mean: words that can be read stay, numbers of glyphs go."""

import logging

import pytest

from tests.app.ingest import pdf_samples
from thoth.ingest import cyrillic_letters, formats, pdf_text

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
    assert pdf_text._reads_as_words(text) == readable


def test_words_of_such_a_font_are_kept_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pdf_text, "_unknown_letters", lambda _, text: sorted(map(ord, text))[:40])
    with caplog.at_level(logging.WARNING, logger="thoth"):
        document = formats.read(pdf_samples.pdf_prose(), "prose.pdf")
    assert "Osra Kelland" in document.text
    assert "the letters on page 1 cannot be told" in caplog.messages[0]


RUSSIAN = "Ёлки: создание пакетов и их обновление, № 5 — это «просто», если знать, где искать."


@pytest.mark.parametrize("is_unmapped", [True, False])
def test_cyrillic_under_latin_names(is_unmapped: bool) -> None:
    if is_unmapped:  # T2A has letters of its own for these
        special = {"Ё": "\x9c", "ё": "\xbc", "№": "\x9d", "«": "\xbe", "»": "\xbf"}
        latin = "".join(special.get(letter) or letter.encode("cp1251").decode("latin-1") for letter in RUSSIAN)
    else:
        latin = RUSSIAN.encode("cp1251").decode("cp1252")
    text = cyrillic_letters.restored(latin.replace("\x97", "—"), is_unmapped=is_unmapped, is_likely=False)
    assert text == RUSSIAN


@pytest.mark.parametrize(
    "text",
    [
        "Café à Évian: où l'été dernier, près du château, l'élève a déjà mangé des crêpes.",
        "Ångström är en enhet. Ö är både ett ord och en bokstav; åäö är de sista.",
        "Das Öl läuft über. ÖÄÜ äöü ÄÖÜß sind Umlaute, keine Wörter.",
        "3 × 4 ÷ 2, ½ ± ¼",
    ],
)
def test_accents_stay(text: str) -> None:
    assert cyrillic_letters.restored(text, is_unmapped=False, is_likely=False) == text


def test_a_few_words_are_enough_behind_a_cyrillic_page() -> None:
    latin = "Use dpkg and apt for ïàêåòîâ in every case, as the manual of the project says in chapter two."
    assert cyrillic_letters.restored(latin, is_unmapped=False, is_likely=False) == latin
    assert "пакетов" in cyrillic_letters.restored(latin, is_unmapped=False, is_likely=True)
