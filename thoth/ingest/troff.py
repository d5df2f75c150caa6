"""What manual pages have in common, whichever macros they are in: requests, arguments, escapes and glyphs of troff.

The glyphs are those of groff_char(7) that manual pages use.
"""

from __future__ import annotations

import re

_REQUEST = re.compile(r"[.'][ \t]*([A-Za-z]{1,8}|%[A-Z])(?![A-Za-z])[ \t]*(.*)")
_ARGUMENT = re.compile(r'"((?:[^"]|"")*+)"?|(\S+)')
_ESCAPE = re.compile(
    r"\\(?:\((..)|\[([^\]\n]{1,40})\]|[fFmMgkn](?:\([^\n]{2}|\[[^\]\n]{0,40}\]|.)|\*(?:\(([^\n]{2})|\[([^\]\n]{1,40})\]|(.))"
    r"|s(?:[-+]?\d{1,2}|\[[^\]\n]{0,9}\])|[hvwlLDoRXxbN]'[^'\n]{0,80}'|([\s\S])|\Z)"
)
_GLYPHS = {
    "em": "—", "en": "–", "hy": "-", "bu": "•", "lq": "“", "rq": "”", "oq": "‘", "cq": "’", "aq": "'", "dq": '"',
    "co": "©", "rg": "®", "tm": "™", "de": "°", "+-": "±", "mu": "×", "di": "÷", "<=": "≤", ">=": "≥", "!=": "≠",
    "->": "→", "<-": "←", "ha": "^", "ti": "~", "rs": "\\", "ga": "`", "aa": "´", "at": "@", "sh": "#", "ss": "ß",
    "Fo": "«", "Fc": "»", "Po": "£", "Eu": "€", "eu": "€", "sc": "§", "*a": "α", "*b": "β", "12": "½", "14": "¼",
    ":a": "ä", ":o": "ö", ":u": "ü", ":A": "Ä", ":O": "Ö", ":U": "Ü", "'e": "é", "`e": "è", "`a": "à", ",c": "ç",
    "L\"": "“", "R\"": "”", "C`": "", "C'": "", "R": "®", "Tm": "™", "lB": "[", "rB": "]", "mc": "µ",
}  # fmt: skip
_LETTERS = {"-": "-", "e": "\\", "\\": "\\", "E": "\\", " ": " ", "~": " ", "0": " ", "t": "\t", "'": "'", "`": "`",
            ".": ".", "\n": ""}  # fmt: skip


def request(line: str) -> tuple[str, str] | None:
    """Return the name of a line's request or macro and the rest of the line, None for a line of text."""
    found = _REQUEST.match(line)
    return (found[1], found[2]) if found else None


def arguments(rest: str) -> list[str]:
    """Return the arguments of a request, those in quotes in one piece."""
    return [(quoted or bare).replace('""', '"') for quoted, bare in _ARGUMENT.findall(uncommented(rest))]


def uncommented(line: str) -> str:
    """Return a line without the comment at its end."""
    return re.sub(r'(?<!\\)\\".*', "", line) if '\\"' in line else line


def shown(line: str) -> str:
    """Return a line with its escapes as what they print."""
    return _ESCAPE.sub(_letter, line) if "\\" in line else line


def _letter(found: re.Match[str]) -> str:
    name = found[1] or found[2] or found[3] or found[4] or found[5]
    if name is not None:
        code = re.fullmatch(r"u([0-9A-Fa-f]{4,6})", name)
        if code and int(code[1], 16) < 0x110000 and not 0xD800 <= int(code[1], 16) < 0xE000:
            return chr(int(code[1], 16))
        return _GLYPHS.get(name, "")
    return _LETTERS.get(found[6] or "", "")
