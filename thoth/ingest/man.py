r"""Manual pages in troff's `man` macros -> headings, paragraphs, options, examples and tables.

The macros are those of groff_man(7), the glyphs those of groff_char(7) that manual pages use. `.so` includes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from thoth.ingest import text
from thoth.ingest.document import Document, LooseBlock, assemble, table

_TITLE = re.compile(
    rb"\A(?:(?:[.']\\\"|'\\\"|\.\\\"|\.ig)[^\n]*\n|[.']?[ \t]*\n|\.(?:de|ds|nr|if|ie|el|hy|ad)\b[^\n]*\n)*+\.TH[ \t]"
)
_REQUEST = re.compile(r"[.'][ \t]*([A-Za-z]{1,8})(?![A-Za-z])[ \t]*(.*)")
_TERMINAL = re.compile(r"(?:n[ \t]+\.i[fe][ \t]+)*+n[ \t]+(.*)")
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
_FONTS = {"B", "I", "SM", "SB"}
_PARAGRAPHS = {"PP", "P", "LP", "HP", "sp", "RS", "RE", "YS"}


def is_man(data: bytes) -> bool:
    """Tell a manual page's source from other texts: its first request names it."""
    return _TITLE.match(data[:20_000]) is not None


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read the source of a manual page; arguments and errors are those of `text.decode`."""
    page = _Page()
    page.lines(text.decode(data, name, charset).split("\n"))
    return assemble(name, page.close())


class _Page:
    """The blocks so far, and what is being written."""

    def __init__(self) -> None:
        self._parts: list[LooseBlock] = []
        self._words: list[str] = []
        self._tag: str | None = None
        self._heading = 0  # the level of one whose text stands on the next line
        self._wants_tag = False
        self._code: list[str] | None = None

    def lines(self, lines: list[str]) -> None:
        source = iter(lines)
        for line in source:
            found = _REQUEST.match(line)
            if found is None:
                if not line.startswith((".", "'")):
                    self._text(line)
            elif found[1] == "TS":
                self._table(source)
            elif found[1] in ("de", "ig", "EQ", "am"):
                end = {"EQ": ".EN"}.get(found[1], "..")
                next((one for one in source if one.startswith(end)), None)
            elif found[1] in ("if", "ie", "el"):
                self._condition(found[1], found[2], source)
            else:
                self._request(found[1], found[2])

    def close(self) -> list[LooseBlock]:
        self._end()
        return self._parts

    def _request(self, name: str, rest: str) -> None:
        arguments = [(quoted or bare).replace('""', '"') for quoted, bare in _ARGUMENT.findall(_uncommented(rest))]
        joined = " ".join(arguments)
        if name == "TH":
            self._parts.append(LooseBlock("heading", _shown(f"{joined.split()[0]}({arguments[1]})"), 1)) if len(
                arguments
            ) > 1 else None
        elif name in ("SH", "SS"):
            self._end()
            self._heading = 2 if name == "SH" else 3
            if joined:
                self._text(joined)
        elif name in _PARAGRAPHS and self._code is None:
            self._end()
        elif name in ("TP", "TQ"):
            self._end()
            self._wants_tag = True
        elif name == "IP":
            self._end()
            self._tag = _shown(arguments[0]) if arguments else None
        elif name in ("nf", "EX"):
            self._end()
            self._code = []
        elif name in ("fi", "EE"):
            self._end()
        elif name == "br" and self._code is None:
            self._words.append("\n")
        elif name in ("UR", "MT"):
            self._text(f"<{joined}>")
        elif name == "OP":
            self._text(f"[{joined}]")
        elif name == "SY" or name in _FONTS:
            self._text(joined)
        elif re.fullmatch(r"[BIR]{2}", name):  # fonts in turn, without blanks
            self._text("".join(arguments))

    def _text(self, line: str) -> None:
        shown = _shown(_uncommented(line))
        if self._code is not None:
            self._code.append(shown)
        elif self._heading and shown.strip():
            self._parts.append(LooseBlock("heading", " ".join(shown.split()), self._heading))
            self._heading = 0
        elif self._wants_tag and shown.strip():
            self._wants_tag, self._tag = False, " ".join(shown.split())
        elif not shown.strip():
            self._end()
        else:
            if line[0] in " \t":
                self._words.append("\n")
            self._words.append(shown.strip())

    def _end(self) -> None:
        if self._code is not None:
            code = "\n".join(self._code).strip("\n").rstrip()
            self._parts += [LooseBlock("code", code)] if code.strip() else []
            self._code = None
        body = re.sub(r" *\n *", "\n", " ".join(self._words)).strip()
        tag, self._tag, self._words, self._wants_tag = self._tag, None, [], False
        if tag is not None:
            lead = "- " if tag in ("•", "*", "-", "o") else f"{tag}  " if body else tag
            self._parts.append(LooseBlock("list", lead + " ".join(body.split())))
        elif body:
            self._parts.append(LooseBlock("paragraph", body))

    def _condition(self, name: str, rest: str, source: Iterator[str]) -> None:
        """Follow what holds for a terminal (`.if n`); definitions in braces are for programs."""
        if "\\{" in rest:
            depth = rest.count("\\{") - rest.count("\\}")
            while depth > 0 and (line := next(source, None)) is not None:
                depth += line.count("\\{") - line.count("\\}")
        elif name != "el" and (found := _TERMINAL.match(rest)):
            self.lines([found[1]])

    def _table(self, source: Iterator[str]) -> None:
        self._end()
        rows: list[list[str]] = []
        is_data, cell = False, list[str]()
        for line in source:
            if line.startswith(".TE"):
                break
            if not is_data:
                is_data = line.rstrip().endswith(".")
            elif cell and not line.startswith("T}"):
                cell.append(line)
            elif line.startswith("T}"):
                rows[-1][-1] = " ".join(cell[1:])
                rows[-1] += line[2:].split("\t")[1:]
                cell = []
            elif not line.startswith(".") and line.strip("_=\t "):
                rows.append(line.split("\t"))
            if is_data and rows and line.endswith("T{"):
                cell = ["T{"]
        shown = table([[_shown(one.removesuffix("T{")) for one in row] for row in rows])
        self._parts += [LooseBlock("table", shown)] if shown else []


def _uncommented(line: str) -> str:
    return re.sub(r'(?<!\\)\\".*', "", line) if '\\"' in line else line


def _shown(line: str) -> str:
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
