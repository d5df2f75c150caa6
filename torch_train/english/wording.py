"""Templates to sentences: articles, capitals, and phrases that stand for the subject."""

from __future__ import annotations

import re

_FIELD = re.compile(r"(?:\b(?P<article>the|this|an?) )?\{(?P<field>entity|value)\}", re.I)
_SUBJECT = re.compile(r"(?:the |this )?\{entity\}(?P<own>'s)?(?= [a-z])", re.I)
_DETERMINER = re.compile(r"(?:the|an?|this|our|your|my|his|her|its|their|one|two|three) ", re.I)
_VOWEL = re.compile(r"[aeiou8]|1[18]\b|hour|honest|heir", re.I)
_CONSONANT = re.compile(r"uni|use|eu|one\b|util", re.I)
_POSSESSIVE = {"it": "its", "he": "his", "she": "her"}


def fill(template: str, entity: str, value: str = "") -> str:
    """A template with its subject and its value, as a sentence.

    'a' becomes 'an' before a vowel; an article is left out where the word brings its own.
    """
    words = {"entity": entity, "value": value}

    def written(match: re.Match[str]) -> str:
        word, article = words[match["field"]], match["article"]
        if not article or _DETERMINER.match(word):
            return word
        if article[0] in "aA":
            article = article[0] + "n" * bool(_VOWEL.match(word) and not _CONSONANT.match(word))
        return f"{article} {word}"

    text = _FIELD.sub(written, template)
    return text[0].upper() + text[1:]


def repeats(template: str, noun: str) -> bool:
    """Whether `noun` in place of the subject would say a word twice: 'the flat at the flat'."""
    return template.count("{entity}") > 1 or re.search(rf"\b{re.escape(noun.split()[-1])}", template, re.I) is not None


def with_pronoun(template: str, pronoun: str) -> str | None:
    """The template with `pronoun` (it, he, she) as its subject; None where it does not begin with the subject."""
    match = _SUBJECT.match(template)
    if match is None or template.count("{entity}") > 1:
        return None
    word = _POSSESSIVE[pronoun] if match["own"] else pronoun
    return word.capitalize() + template[match.end() :]
