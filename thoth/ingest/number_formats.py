"""Numbers of a spreadsheet as it shows them: dates, percent, currencies, separators (ECMA-376 part 1, 18.8.30).

A date is written as ISO 8601, whatever order the sheet shows it in, because 03/04 means two days. All else follows the
format, with a comma for thousands and a point for decimals.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from xml.etree.ElementTree import Element

from thoth.ingest.elements import attribute, child, children, number

# What Excel does not write into a file: 14 to 22 are dates, 27 to 36 and 50 to 58 those of East Asia.
_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "$#,##0", 6: "$#,##0", 7: "$#,##0.00", 8: "$#,##0.00", 9: "0%",
    10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "yyyy-mm-dd", 15: "yyyy-mm-dd", 16: "d-mmm",
    17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm",
    37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 41: "#,##0", 42: "$#,##0", 43: "#,##0.00",
    44: "$#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@", 32: "h:mm",
    33: "h:mm:ss", 34: "h:mm", 35: "h:mm:ss", 55: "h:mm", 56: "h:mm:ss",
}  # fmt: skip
_QUOTED = re.compile(r'"([^"]*)"|\\(.)|_.|\*.', re.DOTALL)
_BRACKETS = re.compile(r"\[\$([^\]-]*)(?:-[^\]]*)?\]|\[[^\]]*\]")
_DATE = re.compile(r"[yYdDhHsS]|[mM]|AM/PM|A/P|\[[hms]+\]", re.IGNORECASE)
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)\s*(-?[\d.]+)\]")
_DIGITS = re.compile(r"[0#?][0#?,.]*(?:[eE][+-][0#?]+)?")
_LONGEST = 400


class Formats:
    """The formats of one workbook, by the number that a cell has.

    Args:
        root: of `styles.xml`, None where it is missing.
        since_1904: dates count from 1904, as on old Macs.
    """

    def __init__(self, root: Element | None, since_1904: bool) -> None:
        codes = dict(_BUILT_IN)
        for one in children(child(root, "numFmts"), "numFmt"):
            codes[number(attribute(one, "numFmtId"), -1)] = (attribute(one, "formatCode") or "")[:_LONGEST]
        self._codes = [
            codes.get(number(attribute(one, "numFmtId"), 0), "General")
            for one in children(child(root, "cellXfs"), "xf")
        ]
        self._since_1904 = since_1904

    def shown(self, value: str, style: int) -> str:
        """Return a number as a cell of a style shows it."""
        code = self._codes[style] if 0 <= style < len(self._codes) else "General"
        return shown(value, code, since_1904=self._since_1904)

    def of_text(self, text: str, style: int) -> str:
        """Return a text as a cell of a style shows it: `@" pieces"` adds a word."""
        code = self._codes[style] if 0 <= style < len(self._codes) else "General"
        section = _split(code)[-1] if '"' in code else ""
        bare = _QUOTED.sub("", _BRACKETS.sub("", section)).strip()
        if not text or bare != "@":
            return text
        before, _, behind = section.partition("@")
        return (
            "".join(m[1] or "" for m in _QUOTED.finditer(before))
            + text
            + "".join(m[1] or "" for m in _QUOTED.finditer(behind))
        )


def shown(value: str, code: str, *, since_1904: bool = False) -> str:
    """Return a number as a format shows it.

    Args:
        value: the number, as the file has it.
        code: the format, `#,##0.00 "EUR"` for example.
        since_1904: dates count from 1904.
    """
    try:
        found = Decimal(value)
    except InvalidOperation:
        return value
    if not found.is_finite() or abs(found.adjusted()) > 300:
        return value
    section, has_sign = _section(code, found)
    bare = _QUOTED.sub("", _BRACKETS.sub(lambda m: m[0] if re.fullmatch(r"\[[hmsHMS]+\]", m[0]) else "", section))
    if bare.strip().lower() in ("general", "standard", "@", ""):
        literal = _QUOTED.search(section)
        if section.strip() and not bare.strip() and literal:
            return "".join(m[1] or "" for m in _QUOTED.finditer(section)).strip()
        return _general(found)
    if _DATE.search(bare) and not re.search(r"[0#?]", re.sub(r"[sS]+\.0+", "", bare)):
        return _date(found, bare, since_1904) or _general(found)
    if has_sign and not re.search(r"[-(\u2212]", section):
        has_sign = False  # red alone says that it is negative, and letters have no colour
    return _number(abs(found) if has_sign else found, section)


def _section(code: str, value: Decimal) -> tuple[str, bool]:
    """Return the part of a format that holds for a number, and whether that part writes its own sign."""
    sections = _split(code)
    conditions = [_CONDITION.search(section) for section in sections]
    if any(conditions):
        for section, condition in zip(sections, conditions, strict=True):
            if condition is None or _holds(value, condition[1], condition[2]):
                return section, False
        return sections[-1], False
    if value < 0 and len(sections) > 1:
        return sections[1], True
    if value == 0 and len(sections) > 2:
        return sections[2], False
    return sections[0], False


@cache
def _split(code: str) -> list[str]:
    """Split a format at its semicolons; quotes and escapes may hold some."""
    return re.findall(r'(?:"[^"]*"|\\.|[^;"\\]|["\\])+|(?<=;)(?=;|\Z)', code)[:4] or ["General"]


def _holds(value: Decimal, sign: str, limit: str) -> bool:
    try:
        other = Decimal(limit)
    except InvalidOperation:
        return False
    return {"<": value < other, ">": value > other, "<=": value <= other, ">=": value >= other, "=": value == other,
            "<>": value != other}[sign]  # fmt: skip


def _general(value: Decimal) -> str:
    """Return a number with up to 11 digits, as Excel does: 0.1 is not 0.1000000000000000055."""
    if value == value.to_integral_value() and abs(value) < Decimal(10) ** 15:
        return str(int(value))
    text = f"{float(value):.11g}"
    return text.replace("e", "E")


def _number(value: Decimal, section: str) -> str:
    literals: list[str] = []

    def kept(text: str) -> str:
        literals.append(text)
        return chr(0xE000 + len(literals) - 1)

    section = _BRACKETS.sub(lambda m: kept(m[1]) if m[1] else "", section)
    section = _QUOTED.sub(lambda m: kept(m[1] or m[2] or "") if m[1] or m[2] else " ", section)
    percents = section.count("%")
    value *= Decimal(100) ** min(percents, 4)
    if re.search(r"[#0?]+\s*/\s*[#0?\d]+", section):
        text = re.sub(r"[#0?]*\s*[#0?]+\s*/\s*[#0?\d]+", lambda m: _fraction(value, m[0]), section, count=1)
    elif digits := _DIGITS.search(section):
        number_text = _digits(abs(value), digits[0])
        sign = "-" if value < 0 and re.search(r"[1-9]", number_text) else ""
        before, after = section[: digits.start()], _DIGITS.sub("", section[digits.end() :])
        text = (
            (sign + before if sign and not before.strip(" ") else before + sign if not before else sign + before)
            + number_text
            + after
        )
    else:
        text = section
    text = re.sub(
        "[\ue000-\uf8ff]", lambda m: literals[ord(m[0]) - 0xE000] if ord(m[0]) - 0xE000 < len(literals) else "", text
    )
    return " ".join(text.split())


def _digits(value: Decimal, pattern: str) -> str:
    mantissa, _, exponent = pattern.partition("E" if "E" in pattern else "e")
    whole, _, decimals = mantissa.partition(".")
    if not value and not re.search(r"[0-9]", mantissa.replace("#", "").replace("?", "")):
        return ""  # `"-"??` shows a dash for nothing
    thousands = len(mantissa) - len(mantissa.rstrip(","))
    separated = "," in whole.rstrip(",")
    value /= Decimal(1000) ** min(thousands, 5)
    places = min(sum(decimals.count(mark) for mark in "0#?"), 30)
    if exponent:
        text = f"{value:.{places}E}"
        head, _, power = text.partition("E")
        return f"{head}E{power[0]}{power[1:].zfill(len(exponent) - 1)}"
    rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) if abs(value) < Decimal(10) ** 24 else value
    text = f"{rounded:,f}" if separated else f"{rounded:f}"
    head, point, tail = text.partition(".")
    needed = decimals.rstrip("#?").count("0")
    while tail and len(tail) > needed and tail[-1] == "0":
        tail = tail[:-1]
    head = head.zfill(min(whole.count("0"), 30)) if not separated else head
    head = "" if head == "0" and "0" not in whole and tail else head
    return head + (point + tail if tail else "")


def _fraction(value: Decimal, pattern: str) -> str:
    """Write a number as `2 1/2`; how many digits the denominator has is in the pattern, or the denominator itself."""
    bottom = pattern.rpartition("/")[2].strip()
    fixed = int(bottom) if bottom.isdigit() and int(bottom) > 0 else 0
    size = Fraction(abs(value))
    if fixed:
        top = round(size * fixed)
        whole, top = divmod(top, fixed)
        part = (top, fixed)
    else:
        near = size.limit_denominator(10 ** min(len(bottom), 4) - 1)
        whole, rest = divmod(near.numerator, near.denominator)
        part = (rest, near.denominator)
    sign = "-" if value < 0 else ""
    if not part[0]:
        return f"{sign}{whole}"
    has_whole = len(pattern.partition("/")[0].split()) > 1
    if not has_whole:
        return f"{sign}{whole * part[1] + part[0]}/{part[1]}"
    return sign + (f"{whole} " if whole else "") + f"{part[0]}/{part[1]}"


def _date(value: Decimal, bare: str, since_1904: bool) -> str:
    """Write a day count as a date, a time of day, or a duration."""
    if re.search(r"\[[hms]+\]", bare, re.IGNORECASE):
        seconds = int((value * 86400).to_integral_value(ROUND_HALF_UP))
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        has_seconds = re.search(r"s", bare, re.IGNORECASE)
        return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}" + (f":{seconds % 60:02d}" if has_seconds else "")
    if not 0 <= value < 2_958_466:
        return ""
    start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30 if value >= 60 else 31)
    moment = start + timedelta(seconds=int((value * 86400).to_integral_value(ROUND_HALF_UP)))
    lower = re.sub(r"am/pm|a/p", "", bare.lower())
    has_time = re.search("[hs]", lower)
    has_day, has_year = re.search("d", lower), re.search("y", lower)
    # An m is a month unless it stands beside hours or seconds.
    has_month = re.search(r"m{3,}", lower) or re.search(r"m", re.sub(r"h+[^a-z]*m+|m+[^a-z]*s+", "", lower))
    time = f"{moment:%H:%M:%S}" if "s" in lower and moment.second else f"{moment:%H:%M}"
    if not (has_day or has_month or has_year):
        return time
    if not has_day and has_year:
        day = f"{moment:%Y-%m}" if has_month else f"{moment:%Y}"
    elif not has_year and not has_month:
        day = f"{moment:%A}" if "ddd" in lower else f"{moment:%Y-%m-%d}"
    else:
        day = f"{moment:%Y-%m-%d}"
    return f"{day} {time}" if has_time else day
