r"""MathML and Word's OMML -> one line of TeX-like text: `1/25`, `x^2`, `\frac{a+b}{2a}`, `\sqrt{x}`, `∑_{i=1}^n`.

Where a page brings the formula's TeX along, that is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from thoth.ingest.elements import attribute, child, local

# Deeper formulas are written without their structure; none that people wrote is.
_MAX_DEPTH = 60

_STYLE = re.compile(r"\\(?:displaystyle|textstyle|scriptstyle|scriptscriptstyle)\s*")
_SHORT_GROUP = re.compile(r"([\^_])\{(\w|[0-9]+)\}(?![0-9])")
_INVISIBLE = str.maketrans(dict.fromkeys("\u2061\u2062\u2063\u2064\u200b"))
_ACCENTS = {"¯": "\u0304", "‾": "\u0304", "\u0304": "\u0304", "\u0305": "\u0304", "^": "\u0302", "\u0302": "\u0302",
            "ˆ": "\u0302", "~": "\u0303", "˜": "\u0303", "\u0303": "\u0303", "→": "\u20d7", "\u20d7": "\u20d7",
            "˙": "\u0307", "\u0307": "\u0307", "¨": "\u0308", "\u0308": "\u0308"}  # fmt: skip


def tidy_tex(source: str) -> str:
    """Return a formula's TeX without what only sets its size, and without braces around single letters."""
    source = _STYLE.sub("", source.strip())
    for opening, closing in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("{", "}")):
        inner = source[len(opening) : -len(closing)]
        if source.startswith(opening) and source.endswith(closing) and len(source) > len(opening) and _balanced(inner):
            source = inner.strip()
    return " ".join(_SHORT_GROUP.sub(r"\1\2", source).split())


def _balanced(source: str) -> bool:
    depth = 0
    for character in source:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0


def mathml(math: Element) -> str:
    """Write a `<math>` element as text."""
    alternative = math.get("alttext")
    if alternative and alternative.strip():
        return tidy_tex(alternative)
    for element in math.iter():
        if local(element) == "annotation" and "tex" in (element.get("encoding") or "").lower() and element.text:
            return tidy_tex(element.text)
    return _spaced(_mathml(math, 0))


def omml(math: Element) -> str:
    """Write Word's `<m:oMath>` or `<m:oMathPara>` as text."""
    return _spaced(_omml(math, 0))


def _spaced(text: str) -> str:
    return " ".join(text.translate(_INVISIBLE).split())


def _fraction(top: str, bottom: str) -> str:
    if re.fullmatch(r"[\w.,]+", top) and re.fullmatch(r"[\w.,]+", bottom):
        return f"{top}/{bottom}"
    return f"\\frac{{{top}}}{{{bottom}}}"


def _with_scripts(base: str, lower: str = "", upper: str = "") -> str:
    if len(base) > 1 and re.search(r"[+\-−/=]", base) and not re.fullmatch(r"[(\[|].*[)\]|]", base):
        base = f"({base})"
    return base + (f"_{_group(lower)}" if lower else "") + (f"^{_group(upper)}" if upper else "")


def _group(text: str) -> str:
    return text if re.fullmatch(r"\w|\d+|['′″*]", text) else f"{{{text}}}"


def _root(radicand: str, degree: str = "") -> str:
    return f"\\sqrt[{degree}]{{{radicand}}}" if degree and degree != "2" else f"\\sqrt{{{radicand}}}"


def _accented(base: str, accent: str) -> str:
    mark = _ACCENTS.get(accent.strip())
    return base + mark if mark and len(base) == 1 else _with_scripts(base, upper=accent)


def _row(items: Iterable[Element], texts: Iterable[str]) -> str:
    """Join what stands side by side; a number and the fraction after it stay apart."""
    out = ""
    for item, text in zip(items, texts, strict=True):
        apart = local(item) in ("mfrac", "f") or (local(item) == "mn" and out.endswith("\u2062"))
        out += (" " if apart and text and out.rstrip("\u2062\u2064")[-1:].isdigit() else "") + text
    return out


def _mathml(element: Element, depth: int) -> str:
    name = local(element)
    if depth > _MAX_DEPTH:
        return "".join(element.itertext())
    if name in ("mi", "mn", "mo", "ms", "mtext"):
        text = "".join(element.itertext())
        return text if name == "mtext" else text.strip()
    if name in ("annotation", "annotation-xml", "mphantom", "none", "mprescripts"):
        return ""
    if name == "mspace":
        return " "
    if name == "semantics":
        return _mathml(element[0], depth + 1) if len(element) else ""
    parts = [_mathml(item, depth + 1) for item in element]
    first, second, third = (*parts, "", "", "")[:3]
    match name:
        case "mfrac":
            if (element.get("linethickness") or "").startswith("0"):
                return f"\\binom{{{first}}}{{{second}}}"
            return _fraction(first, second)
        case "msup":
            return _with_scripts(first, upper=second)
        case "msub" | "munder":
            return _with_scripts(first, lower=second)
        case "msubsup" | "munderover":
            return _with_scripts(first, second, third)
        case "mover":
            return _accented(first, second)
        case "msqrt":
            return _root(_row(element, parts))
        case "mroot":
            return _root(first, second)
        case "mfenced":
            mark = (element.get("separators", ",").strip() or "")[:1]
            return element.get("open", "(") + mark.join(parts) + element.get("close", ")")
        case "mtable":
            return "[" + "; ".join(parts) + "]" if len(parts) > 1 else first
        case "mtr" | "mlabeledtr":
            return ", ".join(parts)
    if not len(element):
        return (element.text or "").strip()
    return _row(element, parts)


def _omml(element: Element, depth: int) -> str:
    name = local(element)
    if depth > _MAX_DEPTH:
        return "".join(element.itertext())
    if name == "t":
        return element.text or ""
    if name.endswith("Pr") or name in ("del", "moveFrom"):
        return ""

    def part(which: str) -> str:
        found = child(element, which)
        return "" if found is None else _omml(found, depth + 1).strip()

    match name:
        case "f":
            kind = attribute(child(child(element, "fPr"), "type"), "val")
            if kind == "noBar":
                return f"\\binom{{{part('num')}}}{{{part('den')}}}"
            return _fraction(part("num"), part("den"))
        case "sSup" | "sSub" | "sSubSup":
            return _with_scripts(part("e"), part("sub"), part("sup"))
        case "sPre":
            return _with_scripts("", part("sub"), part("sup")) + part("e")
        case "rad":
            return _root(part("e"), part("deg"))
        case "nary":
            sign = attribute(child(child(element, "naryPr"), "chr"), "val") or "∫"
            return f"{_with_scripts(sign, part('sub'), part('sup'))} {part('e')}"
        case "limLow":
            return _with_scripts(part("e"), lower=part("lim"))
        case "limUpp":
            return _with_scripts(part("e"), upper=part("lim"))
        case "func":
            return f"{part('fName')} {part('e')}"
        case "acc":
            return _accented(part("e"), attribute(child(child(element, "accPr"), "chr"), "val") or "^")
        case "bar":
            return _accented(part("e"), "¯")
        case "d":
            properties = child(element, "dPr")
            opening, mark, closing = (
                attribute(child(properties, which), "val") for which in ("begChr", "sepChr", "endChr")
            )
            inner = [_omml(item, depth + 1) for item in element if local(item) == "e"]
            opening, closing = "(" if opening is None else opening, ")" if closing is None else closing
            return opening + ("|" if mark is None else mark).join(inner) + closing
        case "m":
            return "[" + "; ".join(_omml(row, depth + 1) for row in element if local(row) == "mr") + "]"
        case "mr":
            return ", ".join(_omml(item, depth + 1) for item in element if local(item) == "e")
        case "eqArr" | "oMathPara":
            return "; ".join(text for item in element if (text := _omml(item, depth + 1)).strip())
    return _row(element, [_omml(item, depth + 1) for item in element])
