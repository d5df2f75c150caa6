r"""Short pieces of LaTeX as text: formulas, units, numbering of lists, German quotes and umlauts, names of theorems."""

from __future__ import annotations

import re
from collections.abc import Callable

from thoth.ingest import formulas
from thoth.ingest.flow import Enumeration
from thoth.ingest.latex_macros import group
from thoth.ingest.latex_names import STYLES, UNITS
from thoth.ingest.scripts import Script

_LABEL = re.compile(r"label\*?\s*=\s*\{?([^\w\\{},]{0,3})\\(arabic|alph|Alph|roman|Roman)\*([^\w\\{},]{0,3})")
_SHORT_LABEL = re.compile(r"([^\w\s=]{0,2})([1aAiI])([^\w\s=]{0,2})")
# A formula that only raises or lowers letters of the text around it: H$_2$O, 3$^{rd}$.
_SCRIPT = re.compile(
    r"(?:\{\})?([\^_])(?:\{\s*(?:\\(?:text|mathrm|rm|textrm)\b)?\s*\{?([\w+\-−,. ]{1,20})\}?\s*\}|(\w))"
)
_DEGREE = re.compile(r"(?:\{\})?\^\s*(?:\{\s*\\(?:circ|degree)\s*\}|\\(?:circ|degree)(?![a-zA-Z]))\s*")
_NUMBER_SPACE = re.compile(r"(?<=\d)\\[,;:](?=\d)")
_THEOREM = re.compile(r"\\newtheorem\*?[ \t]*+\{([\w*]{1,40})\}[ \t]*+(?:\[[^\]\n]{0,40}\])?[ \t]*+\{([^{}\n]{1,80})\}")
_GERMAN = re.compile(
    r"\\usepackage\[[^\]]*german[^\]]*\]\{babel\}|\\usepackage\{n?german\}|documentclass\[[^\]]*german"
)
_SHORTHAND = re.compile(r'"([aouAOUsSzZ`\'=~|-])')
_SHORTHANDS = {"a": "ä", "o": "ö", "u": "ü", "A": "Ä", "O": "Ö", "U": "Ü", "s": "ß", "z": "ß", "S": "SS", "Z": "SZ",
               "`": "„", "'": "“", "=": "-", "~": "-", "-": "", "|": ""}  # fmt: skip
_LONG_TABLE, _LONG_TABLE_END = r"\begin{longtable}", r"\end{longtable}"
_TABLE_OPTION = re.compile(r"\*?[ \t]*(?:\[[^\]\n]{0,40}\])?")
_PART_ENDS = re.compile(r"\\(endfirsthead|endhead|endfoot|endlastfoot)(?![a-zA-Z])")
_CAPTION = re.compile(r"\\caption\*?[ \t]*(?:\[[^\]\n]{0,300}\])?[ \t]*(?=\{)")
_CAPTION_END = re.compile(r"\s*(?:\\label\{[^{}]{0,200}\}\s*)?(?:\\\\)?")
# What the packages for algorithms print for a command, each on a line of its own but the last two.
_STEPS = {"state": "", "statex": "", "require": "Require: ", "ensure": "Ensure: ", "if": "if ", "elsif": "else if ",
          "else": "else", "endif": "end if", "for": "for ", "forall": "for all ", "endfor": "end for",
          "while": "while ", "endwhile": "end while", "repeat": "repeat", "until": "until ", "loop": "loop",
          "endloop": "end loop", "function": "function ", "endfunction": "end function", "procedure": "procedure ",
          "endprocedure": "end procedure", "return": " return ", "comment": " // "}  # fmt: skip
_STEP = re.compile(rf"\\({'|'.join(sorted(_STEPS, key=len, reverse=True))})(?![a-zA-Z])[ \t]*", re.IGNORECASE)
_ALGORITHM, _ALGORITHM_END = r"\begin{algorithmic}", r"\end{algorithmic}"


def formula(source: str) -> tuple[str, Script]:
    """Return what a formula within a line says, and whether it is only raised or lowered letters."""
    source = _DEGREE.sub("°", source.strip())
    if found := _SCRIPT.fullmatch(source):
        return (found[2] or found[3]).strip(), "sup" if found[1] == "^" else "sub"
    source = _NUMBER_SPACE.sub(" ", source.replace("{,}", ","))
    return formulas.tidy_tex(re.sub(r"\\([%$#&])", r"\1", source)), ""


def unit(source: str) -> str:
    r"""Return a number or a unit of siunitx as its signs: `\kilo\metre\per\hour` -> `km/h`."""

    def sign(found: re.Match[str]) -> str:
        return UNITS.get(found[1], f" {found[1]}")

    return re.sub(r"\\([a-zA-Z]+)[ \t]*", sign, source).strip()


def enumeration(options: str) -> Enumeration:
    r"""Return a numbered list as `label=(\alph*)` of enumitem, or `(a)` of the package enumerate, has it."""
    found = _LABEL.search(options) or _SHORT_LABEL.fullmatch(options)
    if found is None:
        return Enumeration(1)
    before, style, after = found.groups()
    return Enumeration(1, STYLES[style], frame=f"{before}{{}}{after}")


def theorems(source: str) -> dict[str, str]:
    """Return the environments that a document declares as theorems, with what is printed in front of each."""
    return {"proof": "Proof"} | dict(_THEOREM.findall(source))


def without_shorthands(source: str) -> str:
    """Return a source with the letters that `"a` and `"s` stand for, where it is German."""
    if not _GERMAN.search(source):
        return source
    return _SHORTHAND.sub(lambda found: _SHORTHANDS[found[1]], source)


def long_tables(source: str) -> str:
    r"""Return a source whose `longtable`s have their caption in front, and head and foot once, not for each page."""

    def written(inner: str) -> str:
        option = _TABLE_OPTION.match(inner)
        columns = group(inner, option.end() if option else 0)[1]
        return _long_table(_LONG_TABLE + inner[:columns], inner[columns:])

    return _replaced(source, _LONG_TABLE, _LONG_TABLE_END, written)


def algorithms(source: str) -> str:
    r"""Return a source whose algorithms have what is printed for `\State`, `\If` and their kin."""

    def step(found: re.Match[str]) -> str:
        word = _STEPS[found[1].lower()]
        return word if word.startswith(" ") else rf"\newline {word}"

    return _replaced(source, _ALGORITHM, _ALGORITHM_END, lambda inner: _ALGORITHM + _STEP.sub(step, inner))


def _replaced(source: str, begin: str, end: str, written: Callable[[str], str]) -> str:
    """Return a source with what `written` makes of each environment, up to its end."""
    pieces, at = [], 0
    while (first := source.find(begin, at)) >= 0 and (last := source.find(end, first)) >= 0:
        pieces += [source[at:first], written(source[first + len(begin) : last])]
        at = last
    return "".join([*pieces, source[at:]])


def _long_table(begin: str, content: str) -> str:
    *pieces, rows = _PART_ENDS.split(content)
    parts = dict(zip(pieces[1::2], pieces[::2], strict=True))
    head = parts.get("endfirsthead", parts.get("endhead", ""))
    foot = parts.get("endlastfoot", parts.get("endfoot", ""))
    content = head + rows + foot
    found = _CAPTION.search(content)
    if found is None:
        return begin + content
    caption, at = group(content, found.end())
    end = _CAPTION_END.match(content, at)
    return f"\\caption{{{caption}}}\n\n{begin}{content[: found.start()]}{content[end.end() if end else at :]}"
