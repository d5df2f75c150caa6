r"""Short pieces of LaTeX as text: formulas, units, numbering of lists, German quotes and umlauts, names of theorems."""

from __future__ import annotations

import re

from thoth.ingest import formulas
from thoth.ingest.flow import Enumeration
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
