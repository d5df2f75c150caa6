"""Raised and lowered letters -> plain text that means the same: `10^6`, `CO2`, `x_1`, `1/25`, `2nd`.

Written as letters in a row, ten to the sixth is 106. Which mark belongs between the two depends on what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Literal

Script = Literal["", "sup", "sub", "note"]
# Letters, and how they stand.
Run = tuple[str, Script]

_ELEMENTS = """
    Ac|Ag|Al|Am|Ar|As|At|Au|Ba|Be|Bi|Br|Ca|Cd|Ce|Cl|Co|Cr|Cs|Cu|Dy|Er|Eu|Fe|Fr|Ga|Gd|Ge|He|Hf|Hg|Ho|In|Ir|Kr|La|Li|Lu
    |Mg|Mn|Mo|Na|Nb|Nd|Ne|Ni|Np|Os|Pa|Pb|Pd|Pm|Po|Pr|Pt|Pu|Ra|Rb|Re|Rh|Rn|Ru|Sb|Sc|Se|Si|Sm|Sn|Sr|Ta|Tb|Tc|Te|Th|Ti|Tl
    |Tm|Xe|Yb|Zn|Zr|B|C|F|H|I|K|N|O|P|S|U|V|W|Y
"""
# What stands before the index of a formula such as (NH4)2SO4, up to its last element or bracket.
_FORMULA = re.compile(rf"(?:^|[^A-Za-z0-9])(?:[\d()\[\]·+-]|{''.join(_ELEMENTS.split())})*+(?<=[A-Za-z)\]])\Z")
_FORMULA_LETTERS = 60

_ORDINALS = "st nd rd th e er re ère ère me ème eme o a os as d de te".split()
_ABBREVIATIONS = "me mes mme lle lles gr mgr r dr o os a as re er te ve tm sm mc".split()
_INDEX = re.compile(r"[+\-−–]?[\w.,]+[+\-−–]?")
_SLASH = re.compile(r"\s*[/⁄∕]\s*")
_NUMBER = re.compile(r"\s*\d+\s*")
# A number raised after one of these is a note's, not an exponent.
_ENDS_SENTENCE = set(".,;:!?…”’»\"'。！？」』")


def join(runs: Iterable[Run]) -> str:
    """Write runs of text one after the other, with marks where letters are raised or lowered."""
    groups = groupby(((text, script) for text, script in runs if text), key=itemgetter(1))
    merged: list[Run] = [("".join(text for text, _ in group), script) for script, group in groups]
    if len(merged) == 1 and not merged[0][1]:
        return merged[0][0]
    out: list[str] = []
    before, at = "", 0
    while at < len(merged):
        text, script = merged[at]
        after = merged[at + 1][0] if at + 1 < len(merged) else ""
        if fraction := _fraction(merged, at):
            text = (" " if before[-1:].isdigit() else "") + fraction
            at += 2
        elif script and text.strip():
            lead = text[: len(text) - len(text.lstrip())]
            trail = text[len(text.rstrip()) :]
            mark = {"sup": _raised, "sub": _lowered, "note": _note}[script]
            # A blank that was raised as well is a blank all the same.
            text = lead + mark(before + lead, text.strip(), trail + after) + trail
        out.append(text)
        before = (before + text)[-_FORMULA_LETTERS:]
        at += 1
    return "".join(out)


def _fraction(runs: list[Run], at: int) -> str:
    """Return `1/2` where a raised number, a slash and a lowered number follow each other."""
    if at + 2 >= len(runs):
        return ""
    (top, first), (slash, middle), (bottom, last) = runs[at : at + 3]
    if (first, middle, last) != ("sup", "", "sub") or not _SLASH.fullmatch(slash):
        return ""
    if not _NUMBER.fullmatch(top) or not _NUMBER.fullmatch(bottom):
        return ""
    return f"{top.strip()}/{bottom.strip()}"


def _raised(before: str, text: str, after: str) -> str:
    if text[0] in "[({" or not any(character.isalnum() for character in text):
        return text
    last = before[-1:]
    if text.isalpha():
        small = text.lower()
        if small == "o" and re.search(r"\d\s*\Z", before[-4:]) and re.match(r"\s*[CF]\b", after):
            return "°"
        if last.isdigit() and small in _ORDINALS:
            return text
        word = re.search(r"[^\W\d_]*\Z", before[-20:])
        if last.isalpha() and (small in _ABBREVIATIONS or (word and len(word[0]) > 1)):
            return text
        return f"^{text}" if last.strip() else text
    digits = text.isdigit()
    if digits and not before.strip():
        return f"[{text}]" + ("" if after[:1].isspace() else " ")
    if last in _ENDS_SENTENCE and re.fullmatch(r"[\d,\s\-–]+", text):
        return f"[{text}]"
    return f"^{_grouped(text, after)}"


def _note(before: str, text: str, after: str) -> str:
    return text if text[0] in "[(" or before.rstrip().endswith(("[", "(")) else f"[{text}]"


def _lowered(before: str, text: str, after: str) -> str:
    if not any(character.isalnum() for character in text):
        return text
    if text.isdigit() and _FORMULA.search(before):
        return text
    return f"_{_grouped(text, after)}"


def _grouped(text: str, after: str) -> str:
    if text[-1].isdigit() and after[:1].isdigit():  # what follows is no part of it
        return f"({text})"
    return text if _INDEX.fullmatch(text) or (text[0] == "(" and text[-1] == ")") else f"({text})"
