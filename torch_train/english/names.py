"""Names that look real, divided into splits word by word: a name met in training never occurs in a dev or test note.

Persons and places come from the lists of Faker (MIT), read once; the rest from `words.yaml`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from torch_train.english.split import Split, split_of

# Faker's locales with Latin letters, and how often a person has a name of each.
_LOCALES = {
    "en_US": 8,
    "en_GB": 4,
    "en_IE": 1,
    "en_IN": 2,
    "de_DE": 2,
    "fr_FR": 2,
    "es_ES": 2,
    "it_IT": 2,
    "nl_NL": 1,
    "pt_PT": 1,
    "sv_SE": 1,
    "da_DK": 1,
    "fi_FI": 1,
}
_CITY_LOCALES = ("de_DE", "sv_SE", "pt_PT")
_NAME = re.compile(r"[A-Z][a-zß-öø-ÿ]+(?:[-'][A-Z][a-zß-öø-ÿ]+)?")
_PLACE = re.compile(r"[A-Z][a-zß-öø-ÿ]+(?:[ -][A-Z][a-zß-öø-ÿ]+)?")
_LONGEST = 13  # letters: longer ones are rare, and long in tokens

_HEADS = (
    "Al Bel Bor Cal Cor Dal Den El Fal Fen Gal Gor Hal Ister Jor Kal Kel Lor Mar Mel "
    "Nor Ol Or Pel Quin Ral Sel Sor Tal Tor Ul Val Vel Wel Xan Yor Zel"
).split()
_MIDDLES = "a e i o an en in or ar el am iv ex".split()
_TAILS = "via dex mira nix sona tron lia ro ta vex dyne lux cor pha gen zo ria nova bit plex mont tec".split()


@dataclass(frozen=True)
class Family:
    """First and last names of one language."""

    male: tuple[str, ...]
    female: tuple[str, ...]
    last: tuple[str, ...]


@dataclass(frozen=True)
class Names:
    """The names of one split, and the shared lists.

    Attributes:
        families: First and last names by language.
        weights: How often each of the families is drawn.
        cities: Names of cities.
        countries: Names of countries.
        words: The open lists of `words.yaml`, this split's part.
        closed: The closed lists, the same in every split.
        female, male: First names that belong to one gender alone.
    """

    split: Split
    families: tuple[Family, ...]
    weights: tuple[int, ...]
    cities: tuple[str, ...]
    countries: tuple[str, ...]
    words: dict[str, tuple[str, ...]]
    closed: dict[str, tuple[str, ...]]
    female: frozenset[str]
    male: frozenset[str]

    def vocabulary(self) -> frozenset[str]:
        """Every word of the open lists: what no other split may have."""
        found: set[str] = {*self.cities, *self.countries}
        for family in self.families:
            found.update(family.male, family.female, family.last)
        for words in self.words.values():
            found.update(words)
        return frozenset(found)

    def invented(self, draw: random.Random) -> str:
        """A name of syllables for a company or a product; it belongs to this split."""
        while True:
            middle = draw.choice(_MIDDLES) if draw.random() < 0.6 else ""
            word = draw.choice(_HEADS) + middle + draw.choice(_TAILS)
            if split_of(word) == self.split:
                return word


@cache
def names_of(split: Split) -> Names:
    """The names of a split; the lists are read once."""

    def own(words: Iterable[str], pattern: re.Pattern[str] | None = None) -> tuple[str, ...]:
        fits = (word for word in words if pattern is None or (pattern.fullmatch(word) and len(word) <= _LONGEST))
        return tuple(sorted({word for word in fits if split_of(word) == split}))

    people = {locale: _provider("person", locale) for locale in _LOCALES}
    families = tuple(
        Family(
            own(provider.first_names_male, _NAME),
            own(provider.first_names_female, _NAME),
            own(provider.last_names, _NAME),
        )
        for provider in people.values()
    )
    cities = {place[2] for place in _provider("geo").land_coords}
    for locale in _CITY_LOCALES:
        cities.update(_provider("address", locale).cities)
    lists = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text("utf-8"))
    words = {name: own(_parts(text)) for name, text in lists["open"].items()}
    male = frozenset(name for family in families for name in family.male)
    female = frozenset(name for family in families for name in family.female)
    return Names(
        split=split,
        families=families,
        weights=tuple(_LOCALES.values()),
        cities=own(cities, _PLACE),
        countries=own(_provider("address", "en").countries, _PLACE),
        words=words,
        closed={name: _parts(text) for name, text in lists["closed"].items()},
        female=female - male,
        male=male - female,
    )


def _provider(kind: str, locale: str = "") -> Any:
    """One of Faker's classes of lists; its generators, which are slow, are not used."""
    module = import_module(".".join(filter(None, ("faker.providers", kind, locale))))
    return module.Provider


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
