"""Manual pages in troff's `mdoc` macros, as BSD and macOS write them -> headings, paragraphs, options, examples.

The macros are those of mdoc(7). A line of macros is a row of words; some macros stand within it and say how the words
behind them look: `.Op Fl n Ar count` is `[-n count]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from thoth.ingest import troff
from thoth.ingest.document import LooseBlock, table

# Macros whose words are written as they are.
_PLAIN = set(
    """Ad An Ar Cd Cm Dv Em Er Ev Fa Fd Ft Fr Ic Li Lk Ms Mt No Ns Nm Pa Pf Sx Sy Tn Va Vt Xr Fl Ap St Bx Nx Fx Ox Dx
    At Ux Bt Ud Eo Ec Es En Rv Ex Lb In Tg Bf Ef Cx Bc Bo Po Pc""".split()
)
# Macro -> what it puts around the rest of its line.
_AROUND = {"Op": ("[", "]"), "Aq": ("<", ">"), "Bq": ("[", "]"), "Brq": ("{", "}"), "Dq": ("“", "”"), "Pq": ("(", ")"),
           "Ql": ("‘", "’"), "Qq": ('"', '"'), "Sq": ("‘", "’"), "D1": ("", ""), "Dl": ("", "")}  # fmt: skip
# The same over several lines: where one begins, and where it ends.
_OPENS = {"Oo": "[", "Ao": "<", "Bo": "[", "Bro": "{", "Do": "“", "Po": "(", "Qo": '"', "So": "‘"}
_CLOSES = {"Oc": "]", "Ac": ">", "Bc": "]", "Brc": "}", "Dc": "”", "Pc": ")", "Qc": '"', "Sc": "’"}
_SYSTEMS = {"At": "AT&T UNIX", "Bx": "BSD", "Nx": "NetBSD", "Fx": "FreeBSD", "Ox": "OpenBSD", "Dx": "DragonFly",
            "Ux": "UNIX"}  # fmt: skip
_INNER = _PLAIN | set(_AROUND) | set(_OPENS) | set(_CLOSES)
_CLOSING, _OPENING = set(".,:;)]?!"), set("([")
_GLUE = "\0"  # between two words: no blank
_MAX_DEPTH = 8


class Page:
    """The blocks of a page so far, and what is being written."""

    def __init__(self) -> None:
        self._parts: list[LooseBlock] = []
        self._words: list[str] = []
        self._code: list[str] | None = None
        self._lists: list[str] = []  # kinds of those that are open
        self._numbers: list[int] = []
        self._tag: str | None = None
        self._rows: list[list[str]] = []
        self._name = ""

    def lines(self, lines: list[str]) -> None:
        """Take the source of a page."""
        for line in lines:
            request = troff.request(line)
            if request is None:
                if not line.startswith((".", "'")):
                    self._text(troff.shown(troff.uncommented(line)))
            else:
                name, rest = request
                cells = rest.replace("\t", " Ta ") if self._lists[-1:] == ["column"] else rest
                self._request(name, troff.arguments(cells))

    def close(self) -> list[LooseBlock]:
        """End what is open and return the blocks."""
        self._end()
        return self._parts

    def _text(self, shown: str) -> None:
        if self._code is not None:
            self._code.append(shown)
        elif shown.strip():
            self._words.append(shown.strip())
        elif not self._rows:
            self._end()

    def _request(self, name: str, words: list[str]) -> None:
        if name == "Dt" and words:
            title = f"{words[0]}({words[1]})" if len(words) > 1 else words[0]
            self._parts.append(LooseBlock("heading", troff.shown(title), 1))
        elif name in ("Sh", "Ss"):
            self._end()
            self._lists.clear()
            self._parts.append(LooseBlock("heading", self._inline(words), 2 if name == "Sh" else 3))
        elif name in ("Pp", "Lp", "sp"):
            if not self._rows:
                self._end()
        elif name == "Bd":
            self._end()
            self._code = [] if {"-literal", "-unfilled"} & set(words) else None
        elif name == "Ed":
            self._end()
        elif name in ("D1", "Dl"):
            self._end()
            self._parts.append(LooseBlock("code", self._inline(words)))
        elif name == "Bl":
            self._end()
            self._lists.append(next((word[1:] for word in words if word.startswith("-")), "item"))
            self._numbers.append(0)
        elif name == "El":
            self._end()
            if self._rows:
                self._parts.append(LooseBlock("table", table(self._rows)))
                self._rows = []
            if self._lists:
                self._lists.pop()
                self._numbers.pop()
        elif name == "It":
            self._item(words)
        elif name == "Nd":
            self._words.append(f"— {self._inline(words)}")
        elif name == "Nm":
            self._name = self._name or " ".join(words[:1])
            self._text(self._inline(["Nm", *words]))
        elif name in _INNER:
            self._text(self._inline([name, *words]))
        elif name == "Ta" and self._rows:
            self._rows[-1].append(self._inline(words))
        elif name == "br" and self._code is None:
            self._words.append("\n")
        elif name == "Rs" or (name == "Re" and not self._words):
            self._end()
        elif name == "Re":
            self._words[-1] = self._words[-1].removesuffix(",") + "."
            self._end()
        elif name[0] == "%":  # a part of a reference
            self._text(self._inline(words) + ",")
        elif name == "Fn":
            self._text(f"{' '.join(words[:1])}({', '.join(words[1:])})")

    def _item(self, words: list[str]) -> None:
        self._end_item()
        kind = self._lists[-1] if self._lists else "item"
        if kind == "column":
            self._rows.append([self._inline(cell) for cell in _cells(words)])
        elif kind in ("bullet", "dash", "hyphen", "item"):
            self._tag = "-" if kind != "item" else None
        elif kind == "enum":
            self._numbers[-1] += 1
            self._tag = f"{self._numbers[-1]}."
        else:
            self._tag = self._inline(words)

    def _end_item(self) -> None:
        if self._rows and self._words:  # text that goes on in the last cell
            self._rows[-1][-1] = " ".join([self._rows[-1][-1], *self._words]).strip()
            self._words = []
        elif not self._rows:
            self._end()

    def _end(self) -> None:
        if self._code is not None:
            code = "\n".join(self._code).strip("\n").rstrip()
            self._parts += [LooseBlock("code", code)] if code.strip() else []
            self._code = None
        body = re.sub(r" *\n *", "\n", re.sub(r"(?<=[(\[{]) | (?=[)\]}])", "", " ".join(self._words))).strip()
        tag, self._tag, self._words = self._tag, None, []
        if tag is not None:
            lead = f"{tag}{' ' if tag == '-' or tag[:1].isdigit() else '  '}" if body else tag
            self._parts.append(LooseBlock("list", lead + " ".join(body.split())))
        elif body:
            self._parts.append(LooseBlock("paragraph", body))

    def _inline(self, words: list[str], depth: int = 0) -> str:
        """Return what a row of words and macros says."""
        out: list[str] = []
        macro = ""
        stop = len(words)
        while not depth and stop and words[stop - 1] in _CLOSING:
            stop -= 1
        words, trailing = words[:stop], words[stop:]
        for at, word in enumerate(words):
            if word in _AROUND and depth < _MAX_DEPTH:
                opening, closing = _AROUND[word]
                out.append(opening + self._inline(words[at + 1 :], depth + 1) + closing)
                break
            if word in _OPENS:
                out.append(_OPENS[word])
            elif word in _CLOSES:
                out.append(_CLOSES[word])
            elif word == "Ns" or word == "Ap":
                out += [_GLUE, *(["'", _GLUE] if word == "Ap" else [])]
            elif word in _INNER:
                macro = word
                if at + 1 == len(words) or words[at + 1] in _INNER or words[at + 1] in _CLOSING:
                    out.append(self._alone(word))
            else:
                out.append(self._word(macro, word, words[at - 1 : at]))
                if macro == "Pf":
                    out.append(_GLUE)
                    macro = ""
        return _spaced([*out, *trailing])

    def _alone(self, macro: str) -> str:
        """Return what a macro says without words of its own."""
        return {"Nm": self._name, "Ar": "file ...", "Fl": "-"}.get(macro, _SYSTEMS.get(macro, ""))

    def _word(self, macro: str, word: str, before: list[str]) -> str:
        shown = troff.shown(word)
        if macro == "Fl" and word not in _CLOSING | {"|"}:
            return f"-{shown}"
        if macro == "Xr" and before != ["Xr"] and re.fullmatch(r"\d\w{0,2}", word):
            return f"{_GLUE}({shown})"
        if macro in ("Bx", "Nx", "Fx", "Ox") and before == [macro]:
            return f"{_SYSTEMS[macro]} {shown}"
        return shown


def _cells(words: list[str]) -> Iterator[list[str]]:
    cell: list[str] = []
    for word in words:
        if word == "Ta":
            yield cell
            cell = []
        else:
            cell.append(word)
    yield cell


def _spaced(words: list[str]) -> str:
    """Join words by blanks, but none before a closing mark, behind an opening one, or where they are glued."""
    out: list[str] = []
    for word in filter(None, words):
        closes = word.startswith(_GLUE) or word in _CLOSING or word in ("]", ">", "}", ")", "”", "’")
        glued = not out or closes or out[-1].endswith((_GLUE, "(", "[", "{", "<"))
        out += [word] if glued else [" ", word]
    return "".join(out).replace(_GLUE, "")
