"""What two texts have in common: their words, the ones that are names, and how much each says."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from thoth.system.spelling import fold, visible

# A number with its separators, one letter of a script without spaces, or a word.
_WIDE = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TERM = re.compile(rf"\d+(?:[.,]\d+)+|[{_WIDE}]|(?:(?![{_WIDE}])[^\W_])+")
_THOUSANDS = re.compile(r"[.,](?=\d{3}(?!\d))")
_WORD = re.compile(r"[^\W_]+")
_WIDE_RUN = re.compile(f"[{_WIDE}]+")
# What a sentence begins with says nothing about names: many languages capitalise it.
_BEGIN = re.compile(r"(?:\A|[.!?:\u2026\n])[\s\"'\u201c\u2018\u00ab\u00bf\u00a1(\[]*\Z")
_LOOK_BACK = 8

# Words that say how something is asked and not what about: they match everywhere, and in a library of code or of other
# languages they are rare enough to look like content.
FUNCTION_WORDS = frozenset(
    # English
    "a about all also am an and any are as at be because been being both but by "
    "can could did do does doing done each either else ever every for from further had has have having "
    "he her here hers him his how i if in into is it its itself just let like may me might must my "
    "near neither no nor not now of on once one or other our per shall she should so "
    "some such than that the their them then there these they this those though through to too until upon us "
    "very was we were what when where whether which while who whom whose why will with within without would yes yet "
    "you your "
    "describe explain give list please show tell "
    # German, French, Spanish, Italian, Dutch
    "aber als auf aus bei das dass dem den der des du ein eine einem einen einer er es haben ich ihr im ist ja "
    "kann mit nach nicht noch nur oder sein sich sie sind um und uns unser vom von vor wann warum was wie wird "
    "wo wer wir zu zum zur au aux avec ce ces cette comment dans de du elle en est et il ils je la le les leur mais ne "
    "nous ou par pas plus qu quand que quel quelle qui sa ses sont sur un une vous como con cual cuando del "
    "donde el ella los las mas mi muy para pero por porque que quien se si su sus una y che chi cosa cui da "
    "dei del della di gli il io lo ma nel nella non perche quando quanto questo sono tra aan dat deze dit een "
    "het hij hoe maar met naar niet ook op te voor waar wat wie wordt ze zijn".split()
)


# The same in Chinese and Japanese, which have no spaces around them. Particles of one letter separate words.
_WIDE_FUNCTION = re.compile(
    # Chinese
    "为什么|什么时候|什么|怎么样|怎么办|怎么|怎样|如何|哪里|哪儿|哪些|哪个|多少钱|多少|多久|是否|有没有|能不能|"
    "几[点天个次年月]|可以|请问|一下|这个|那个|我们|你们|[谁吗呢吧请的了是我你]|"
    # Japanese: interrogatives with their counters, polite endings
    "何[時年月日分人回個円]+間?|何(?:キロ|グラム|メートル)|何|誰|いつ|どこ|なぜ|どれ|どの|どう|いくら|いくつ|"
    "(?:して)?ください|すれば|(?:でき|され|[いしりれきえべて])?(?:ます|ました|ません)か?|でしょうか|でしたか|ですか|です|"
    "とは|について|という|から|まで[にのも]?|より|では|ても"
)
_PARTICLES = re.compile("(?<=\\w)[はがをにでとのへもか]+(?![ぁ-ん])")  # at the end of a word of Japanese

# The end of "what's" and "didn't", all of "can't".
_CONTRACTION = re.compile(
    r"\b(?:ca|sha|wo)n['\u2019]t\b|(?<=\w)(?:n['\u2019]t|['\u2019](?:s|d|m|re|ve|ll))\b", re.IGNORECASE
)

# Words that say who wrote a text or what kind of thing is asked for, which a text seldom does itself: "What type of
# party does the author want?" They count half.
ASKING_WORDS = frozenset(
    "author authors called commenter happen happened happens kind kinds many much name named names narrator "
    "person poster reviewer sort sorts speaker type types writer".split()
)

# Capitalised, these are a month, a name and two countries.
_HOMOGRAPHS = frozenset(("May", "Will", "US", "UK"))
# "May I ..." and "Will the ..." ask, "May 2024" and "Will Smith" do not.
_ASKING_VERB = re.compile(r"(\A|[.!?:\n]\s*)(?:May|Will)(?= (?:I\b|[a-z]))")


def content(text: str) -> list[str]:
    """Return the words of a text that say what it is about, in their order; none where there are only others."""
    text = _CONTRACTION.sub("", _PARTICLES.sub(" ", _WIDE_FUNCTION.sub(" ", text)))
    text = _ASKING_VERB.sub(r"\1", text)
    return [found[0] for found in _WORD.finditer(text) if not _is_function(found[0])]


def _is_function(word: str) -> bool:
    return word.casefold() in FUNCTION_WORDS and word not in _HOMOGRAPHS


def terms(text: str) -> list[str]:
    """Return the words of a text as they are compared: without case, accents, a plural's s, separators of thousands."""
    plain = unicodedata.normalize("NFKD", fold(text))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return [_term(found[0]) for found in _TERM.finditer(unicodedata.normalize("NFC", plain))]


def _term(word: str) -> str:
    if word[0].isdigit():
        return _THOUSANDS.sub("", word).replace(",", ".")
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word


def names(text: str) -> list[str]:
    """Return the words of a text that name something, each once: capitalised inside a sentence, or with a digit.

    They say what a question is about; its other words say what is asked, in one of many ways.
    """
    found: dict[str, None] = {}
    text = _WIDE_RUN.sub(" ", visible(text))  # of "E3是什么意思" the name is E3
    if text.isupper() and sum(word.isalpha() for word in text.split()) > 2:
        text = text.lower()  # a whole question in capitals names nothing by them
    for word in _WORD.finditer(text):
        inner = any(letter.isupper() or letter.isdigit() for letter in word[0][1:])
        begins = _BEGIN.search(text, max(0, word.start() - _LOOK_BACK), word.start()) is not None
        capital = word[0][0].isupper() and len(word[0]) > 1 and not begins
        if (inner or word[0][0].isdigit() or capital) and not _is_function(word[0]):
            found[word[0]] = None
    return list(found)


class Rarity:
    """How much each term says among some texts: the inverse document frequency of BM25, never below zero.

    Args:
        texts: the terms of each text.
    """

    def __init__(self, texts: Iterable[Collection[str]]) -> None:
        self._frequency: Counter[str] = Counter()
        self._texts = 0
        for text in texts:
            self._texts += 1
            self._frequency.update(set(text))

    def of(self, term: str) -> float:
        """Return the weight of a term; one that is in no text weighs as much as one that is in a single one."""
        frequency = max(1, self._frequency[term])
        return math.log1p(max(0.0, self._texts - frequency + 0.5) / (frequency + 0.5))

    @property
    def highest(self) -> float:
        """The weight of a term that is in a single text."""
        return self.of("")


def mass(weights: Mapping[str, float], found: Collection[str]) -> float:
    """Return what the terms that are found weigh together."""
    return sum(weight for term, weight in weights.items() if term in found)
