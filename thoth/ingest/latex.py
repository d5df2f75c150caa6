"""LaTeX -> what its page says: headings, text, lists, tables, code; formulas stay the TeX they are.

Nothing is executed; `latex_macros` replaces the document's own commands by what they stand for.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Iterator

from thoth.ingest import formulas, latex_text, text
from thoth.ingest.document import Document, LooseBlock, assemble
from thoth.ingest.flow import Enumeration, Flow, Table
from thoth.ingest.latex_macros import Macros, group
from thoth.ingest.latex_names import ACCENTS, ARGUMENTS, LAYOUTS, LETTERS, LINES, QUANTITIES, SECTIONS

log = logging.getLogger(__name__)

_TOKEN = re.compile(
    r"\\(begin|end)[ \t]*\{([^{}\n]{1,40})\}|\\([a-zA-Z@]+)\*?[ \t]*|(\\\\(?:\[[^\]\n]{0,30}\])?\*?)|\\([^a-zA-Z])"
    r"|(\$\$?)|([{}&~])|(\n[ \t]*\n\s*)|([^\\${}&~\n]+|\n)"
)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*\n?[ \t]*")
_VERBATIM = re.compile(
    r"\\begin\{(verbatim\*?|Verbatim|lstlisting|minted)\}(?:\[[^\]\n]{0,300}\])?(?:\{[^}\n]{0,100}\})?\n?"
)
_VERB = re.compile(r"\\(?:verb\*?|lstinline)([^a-zA-Z\s{*])(.{0,500}?)\1")
_OVERLAY = re.compile(r"<[\w+.,|:@-]{1,30}>")  # when a slide shows it
_QUOTED = re.compile(r"(?<!`)`(?!`)([^`']{1,200})'(?!')")
_INCLUDED = re.compile(r"\\(?:input|include|subfile|import)\s*(?:\{[^{}\n]{0,200}\}\s*)?\{([^{}\n]{1,200})\}")
_HELD = re.compile("\ue000(\\d+)\ue001")

_MATH = re.compile(r"(?:equation|align|gather|multline|eqnarray|displaymath|math|flalign|alignat|dmath)\*?")
_TABULAR = {"tabular", "tabular*", "tabularx", "longtable", "array", "tabulary", "tblr"}
_DROPPED = {"comment", "tikzpicture", "filecontents", "pgfpicture", "CCSXML"}
_DOTLESS = re.compile(r"\\([ij])(?![a-zA-Z])[ \t]*")
_OPTIONAL = re.compile(r"[ \t]*\[([^\[\]]{0,300})\]")
# What a length is set to: `=-2pt plus 1fil`.
_AMOUNT = r"[ \t]*+-?[ \t]*+[\d.]*+[ \t]*+(?:\\[a-zA-Z]+|[a-z]{2})"
_LENGTH = re.compile(rf"[ \t]*+=?{_AMOUNT}(?:[ \t]*+(?:plus|minus){_AMOUNT}l*+)*+[ \t]*+")
_LENGTHS = set(
    """vskip hskip kern itemsep parskip parsep parindent topsep partopsep baselineskip tabcolsep arraycolsep leftmargin
    rightmargin itemindent labelwidth labelsep columnsep hangindent textfloatsep""".split()
)
# What the preamble says that a command prints: of a paper, a letter, a curriculum vitae.
_TITLES = {
    r"\maketitle": ("title", "author", "date"),
    r"\begin{letter}": ("address", "date"),
    r"\makecvtitle": ("name", "title", "address", "phone", "email", "homepage"),
}
_COLUMNS = re.compile(r"\s*\{(\d{1,2})\}")
_COMMAND = re.compile(r"\\[a-zA-Z@]+")
_BRACKETS = re.compile(r"[ \t]*\([lr]{1,2}\)[ \t]*")  # of booktabs' rules
_MAX_DEPTH = 40
_LONGEST_FORMULA = 4_000


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read a LaTeX file; arguments and errors are those of `text.decode`."""
    source = text.decode(data, name, charset)
    held: list[str] = []

    def hold(code: str) -> str:
        held.append(code)
        return f"\ue000{len(held) - 1}\ue001"

    # What is to stay as it is comes out of the way first: a per cent sign in it begins no comment.
    source = "".join(_without_code(source, hold))
    source = _VERB.sub(lambda found: hold(found[2]), source)
    source = _COMMENT.sub(r"\1", source)
    source = _without_false(source)
    theorems = latex_text.theorems(source)
    source = latex_text.algorithms(latex_text.long_tables(source.replace(r"\tabularnewline", r"\\")))
    macros = Macros(latex_text.without_shorthands(source))
    preamble, begins, body = macros.source.partition(r"\begin{document}")
    body = body.partition(r"\end{document}")[0] if begins else macros.source
    writer = _Writer(held, macros, theorems)
    for mark, keys in _TITLES.items() if begins else ():
        for at, key in enumerate(keys if mark in body else ()):
            if found := _argument_of(preamble + body, key):
                found = re.sub(r"\s*\\and\b\s*", ", ", found)
                writer.line(found, 1 if at == 0 and key != "address" else 0)
    writer.write(body, 0)
    if r"\closing" in body and (name_below := _argument_of(preamble, "signature")):
        writer.line(name_below)
    if others := list(dict.fromkeys(_INCLUDED.findall(body))):
        log.warning("%s includes other files, which are read only where they are named too: %s", name, _few(others))
    return assemble(name, writer.close())


def _without_code(source: str, hold: Callable[[str], str]) -> Iterator[str]:
    """Yield the source with what `hold` returns in place of each listing."""
    at, endless = 0, set[str]()
    for found in _VERBATIM.finditer(source):
        name = found[1]
        if found.start() < at or name in endless:
            continue
        end = source.find(f"\\end{{{name}}}", found.end())
        if end < 0:
            endless.add(name)
            continue
        yield source[at : found.start()]
        yield f"\n\n{hold(source[found.end() : end])}\n\n"
        at = end + len(name) + 6
    yield source[at:]


def _without_false(source: str) -> str:
    r"""Return the source without what stands between `\iffalse` and `\fi`."""
    kept, at = [], 0
    while (begin := source.find("\\iffalse", at)) >= 0 and (end := source.find("\\fi", begin + 8)) >= 0:
        kept.append(source[at:begin])
        at = end + 3
    return "".join([*kept, source[at:]])


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _argument_of(source: str, command: str) -> str:
    """Return what is in the braces after a command; a name or an address may have several."""
    found = re.search(rf"\\{command}[ \t]*(?:\[[^\]]*\])?[ \t]*(?=\{{)", source)
    parts, at = [], found.end() if found else len(source)
    while source[at : at + 1] == "{":
        part, at = group(source, at)
        parts.append(part)
    return (" " if command == "name" else ", ").join(part for part in parts if part.strip())


class _Writer:
    """Writes LaTeX into blocks."""

    def __init__(self, held: list[str], macros: Macros, theorems: dict[str, str], outer: _Writer | None = None) -> None:
        self._held, self._macros, self._theorems = held, macros, theorems
        self._is_inner = outer is not None  # its notes stand below a block of the outer one, and count with those
        self._outer = Flow()
        self._tables: list[Table] = []
        self._notes: list[str] = []
        self._noted: int = outer._noted if outer else 0

    def close(self) -> list[LooseBlock]:
        """End everything that is open and return the blocks."""
        while self._tables:
            self._tables.pop().end()
        self._end_block()
        return self._outer.close()

    def line(self, source: str, level: int = 0, depth: int = 0) -> None:
        """Write a line of its own, a heading where it has a level."""
        self._end_block()
        if level:
            self._flow.heading(level)
        self._flow.text(self.plain(source, depth + 1))
        self._end_block()
        if level:
            self._flow.heading(0)

    def plain(self, source: str, depth: int) -> str:
        """Return what a piece of LaTeX says, without blocks of its own."""
        inner = _Writer(self._held, self._macros, self._theorems, self)
        inner.write(source, depth)
        found = " ".join(" ".join(part.text for part in inner.close()).split())
        self._noted = inner._noted
        self._notes += inner._notes
        return found

    @property
    def _flow(self) -> Flow:
        return self._tables[-1].flow if self._tables else self._outer

    def _end_block(self) -> None:
        self._flow.flush()
        if self._notes and not self._tables and not self._is_inner:
            self._outer.adopt([LooseBlock("paragraph", note) for note in self._notes])
            self._notes = []

    def write(self, source: str, depth: int) -> None:
        """Write a piece of LaTeX."""
        at = 0
        while at < len(source) and depth <= _MAX_DEPTH:
            found = _TOKEN.match(source, at)
            if found is None:
                at += 1
                continue
            at = found.end()
            kind, environment, command, newline, sign, math, mark, empty, letters = found.groups()
            if kind == "begin":
                at = self._begin(environment, source, at)
            elif kind == "end":
                self._end(environment)
            elif command is not None:
                at = self._command(command, source, at, depth)
            elif newline is not None:
                if self._tables:
                    self._tables[-1].row()
                    self._tables[-1].cell()
                else:
                    self._flow.line_break()
            elif sign is not None:
                at = self._sign(sign, source, at)
            elif math is not None:
                at = self._formula(source, at, math)
            elif mark == "&" and self._tables:
                self._tables[-1].cell()
            elif mark == "~":
                self._flow.text("\u00a0")
            elif mark == "}" and source.startswith("{", at):  # arguments of a command that nobody knows
                self._flow.text(" ")
            elif empty is not None:
                self._end_block()
            elif letters is not None:
                self._text(letters)

    def _text(self, letters: str) -> None:
        for at, piece in enumerate(_HELD.split(letters)):
            if at % 2:
                code = self._held[int(piece)] if int(piece) < len(self._held) else ""
                if "\n" in code:
                    self._flow.code(True)
                    self._flow.text(code)
                    self._flow.code(False)
                else:
                    self._flow.text(code)
            elif piece:
                piece = _QUOTED.sub("‘\\1’", piece)
                piece = piece.replace("``", "“").replace("''", "”").replace("---", "—").replace("--", "–")
                self._flow.text(piece)

    def _begin(self, name: str, source: str, at: int) -> int:
        if _MATH.fullmatch(name) or name in _DROPPED:
            end = source.find(f"\\end{{{name}}}", at)
            end = len(source) if end < 0 else end
            if name not in _DROPPED:
                formula = re.sub(r"\\(?:label|tag)\{[^{}]*\}|\\nonumber|\\notag", "", source[at:end])
                self._end_block()
                self._flow.text(formulas.tidy_tex(formula.replace("&", "")))
                self._end_block()
            return end
        options = ""
        while option := _OPTIONAL.match(source, at) or _OVERLAY.match(source, at):
            options += option[0].strip()[1:-1]
            at = option.end()
        if name in _TABULAR:
            self._end_block()
            for _ in range(2 if name in ("tabular*", "tabularx", "tabulary") else 1):
                _, at = group(source, at)
            self._tables.append(Table(self._flow))
            self._tables[-1].row()
            self._tables[-1].cell()
        elif name in ("itemize", "enumerate", "description", "thebibliography"):
            if name == "thebibliography":
                _, at = group(source, at)
            self._flow.enumeration(latex_text.enumeration(options) if name == "enumerate" else Enumeration(None))
        else:
            self._end_block()
            for _ in range(LAYOUTS.get(name, 0)):
                _, at = group(source, at) if source[at : at + 1] == "{" else ("", at)
            if title := self._theorems.get(name):
                note = self.plain(options, 1)
                self._flow.text(f"{note if name == 'proof' and note else f'{title} ({note})' if note else title}. ")
            if name == "frame" and source[at : at + 1] == "{":
                title, at = group(source, at)
                self.line(title, SECTIONS["frametitle"])
        return at

    def _end(self, name: str) -> None:
        if name in _TABULAR and self._tables:
            self._tables.pop().end()
        elif name in ("itemize", "enumerate", "description", "thebibliography"):
            self._flow.enumeration(None)
        self._end_block()

    def _command(self, name: str, source: str, at: int, depth: int) -> int:
        if name in self._macros:
            expanded, at = self._macros.expanded(name, source, at)
            self.write(expanded, depth + 8)
        elif name in SECTIONS or name == "caption" or name in LINES:
            while option := _OPTIONAL.match(source, at):
                at = option.end()
            title, at = group(source, at)
            self.line(title, SECTIONS.get(name, 0), depth)
        elif name in ("item", "bibitem"):
            at = overlay.end() if (overlay := _OVERLAY.match(source, at)) else at
            label = _OPTIONAL.match(source, at)
            at = label.end() if label else at
            if name == "bibitem":
                key, at = group(source, at)
                self._flow.item(f"[{key}] ")
            else:
                self._flow.item(f"{self.plain(label[1], depth + 1)} " if label else None)
        elif name in ("footnote", "thanks", "footnotetext"):
            at = option.end() if (option := _OPTIONAL.match(source, at)) else at
            note, at = group(source, at)
            self._noted += 1
            self._flow.text(f"[{self._noted}]")
            self._notes.append(f"[{self._noted}] {self.plain(note, depth + 1)}")
        elif name != "href" and re.fullmatch(r"[a-zA-Z]*cite[a-zA-Z]*|[a-zA-Z]*ref", name):
            while option := _OPTIONAL.match(source, at):
                at = option.end()
            keys, at = group(source, at)
            self._flow.text(f"[{keys}]")
        elif name in QUANTITIES:
            parts = []
            for _ in range(QUANTITIES[name]):
                at = option.end() if (option := _OPTIONAL.match(source, at)) else at
                part, at = group(source, at)
                parts.append(latex_text.unit(part))
            if name.endswith("range"):
                parts.insert(1, "to")
            self._flow.text(" ".join(parts) + ("°" if name == "ang" else ""))
        elif name in ("url", "path", "nolinkurl"):
            address, at = group(source, at)
            self._flow.text(address.replace("\\", ""))
        elif name in ("frac", "sqrt", "textsuperscript", "textsubscript") or name == "ensuremath":
            first, at = group(source, at)
            if name.startswith("text"):
                self._flow.text(self.plain(first, depth + 1), "sup" if name == "textsuperscript" else "sub")
            else:
                self._flow.text(f"\\{name}{{{first}}}" if name != "ensuremath" else first)
        elif name in ACCENTS:
            at = self._accented(name, source, at)
        elif name in LETTERS:
            shown = LETTERS[name]
            if shown == "\n\n":
                self._end_block()
            else:
                self._flow.text(shown) if shown != "\n" else self._flow.line_break()
            at = at + 2 if source.startswith("{}", at) else at
        elif name in _LENGTHS:
            at = length.end() if (length := _LENGTH.match(source, at)) else at
        elif name in ARGUMENTS:
            if name == "multicolumn" and self._tables and (columns := _COLUMNS.match(source, at)):
                self._tables[-1].widen(int(columns[1]))
            for left in range(ARGUMENTS[name], -1, -1):
                while option := _OPTIONAL.match(source, at) or _BRACKETS.match(source, at):
                    at = option.end()
                if not left:
                    break
                if command := _COMMAND.match(source, at):  # \setlength\itemsep{0pt}
                    at = command.end()
                elif source[at : at + 1] == "{":
                    _, at = group(source, at)
        else:  # how something looks: what is in its braces is text
            while option := _OPTIONAL.match(source, at) or _OVERLAY.match(source, at):
                at = option.end()
            # The blank after a command without braces ends its name, and one after a word is a blank.
            if source[at : at + 1] not in ("{", "") and source[at - 1 : at].isspace() and self._flow.has_text:
                self._flow.text(" ")
        return at

    def _sign(self, sign: str, source: str, at: int) -> int:
        if sign in ACCENTS:
            return self._accented(sign, source, at)
        if sign in "([":
            return self._formula(source, at, f"\\{sign}")
        elif sign in " ,;:!\n":
            self._flow.text("" if sign == "!" else " ")
        elif sign in "&%$#_{}":
            self._flow.text(sign)
        elif sign != "-" and sign != "/":
            self._flow.text("")
        return at

    def _accented(self, sign: str, source: str, at: int) -> int:
        dotless = _DOTLESS.match(source, at)
        letter, at = (dotless[1], dotless.end()) if dotless else group(source, at)
        self._accent(sign, letter)
        return at

    def _accent(self, sign: str, letter: str) -> None:
        letter = {"\\i": "i", "\\j": "j"}.get(letter.strip(), letter)
        letter = letter if letter[:1] != "\\" else ""
        self._flow.text(unicodedata.normalize("NFC", letter[:1] + ACCENTS[sign]) + letter[1:] if letter else "")

    def _formula(self, source: str, at: int, opening: str) -> int:
        closing = {"\\(": "\\)", "\\[": "\\]"}.get(opening, opening)
        end = source.find(closing, at, at + _LONGEST_FORMULA)
        if end < 0 or "\n\n" in source[at:end]:  # a dollar sign that is only that
            self._flow.text(opening)
            return at
        self._flow.text(*latex_text.formula(source[at:end]))
        return end + len(closing)
