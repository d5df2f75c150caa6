"""A number as a list counts: `c`, `IV`, `2nd`, `twelve`; the names are Word's, and those of CSS for pages."""

from __future__ import annotations

_ROMAN = [(1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
          (9, "ix"), (5, "v"), (4, "iv"), (1, "i")]  # fmt: skip
_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen""".split()
_TENS = "- ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
             "twelve": "twelfth"}  # fmt: skip
_HAN = "〇一二三四五六七八九"
_ALPHABETS = {
    "hebrew1": "אבגדהוזחטיכלמנסעפצקרשת",
    "arabicalpha": "أبتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "russianlower": "абвгдежзиклмнопрстуфхцчшщэюя",
    "russianupper": "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЭЮЯ",
    "lower-greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "aiueofullwidth": "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン",
    "ideographtraditional": "甲乙丙丁戊己庚辛壬癸",
    "ganada": "가나다라마바사아자차카타파하",
}
_BULLETS = {"bullet", "none", "disc", "circle", "square"}


def is_bullet(style: str | None) -> bool:
    """Tell whether a list of this style does not count."""
    return style in _BULLETS


def written(number: int, style: str | None) -> str:
    """Write a number in a list's style; in digits where the style is not known."""
    style = (style or "decimal").lower()
    if style in ("decimal-leading-zero", "decimalzero"):
        return f"{number:02d}"
    if number < 1 or number > 100_000:
        return str(number)
    match style:
        case "lowerletter":  # Word doubles the letter after z
            return _doubled(number, "abcdefghijklmnopqrstuvwxyz")
        case "upperletter":
            return _doubled(number, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        case "a" | "lower-alpha" | "lower-latin":
            return _letters(number)
        case "upper-alpha" | "upper-latin":
            return _letters(number).upper()
        case "lowerroman" | "i" | "lower-roman":
            return _roman(number)
        case "upperroman" | "upper-roman":
            return _roman(number).upper()
        case "ordinal":
            return f"{number}{_suffix(number)}"
        case "cardinaltext":
            return _words(number).capitalize()
        case "ordinaltext":
            return _ordinal_words(number).capitalize()
        case "decimalenclosedcircle" | "decimalenclosedcirclechinese" if number <= 20:
            return chr(0x2460 + number - 1)
        case (
            "chinesecounting" | "chinesecountingthousand" | "ideographdigital" | "japanesecounting" | "cjk-ideographic"
        ):
            return _han(number)
        case "decimalfullwidth" | "decimalfullwidth2":
            return "".join(chr(0xFF10 + int(digit)) for digit in str(number))
        case "hex":
            return f"{number:X}"
        case "numberindash":
            return f"- {number} -"
    alphabet = _ALPHABETS.get(style)
    return _doubled(number, alphabet) if alphabet else str(number)


def _doubled(number: int, alphabet: str) -> str:
    times, at = divmod(number - 1, len(alphabet))
    return alphabet[at] * (min(times, 50) + 1)


def _letters(number: int) -> str:
    out = ""
    while number:
        number, at = divmod(number - 1, 26)
        out = chr(ord("a") + at) + out
    return out


def _roman(number: int) -> str:
    if number >= 5000:
        return str(number)
    out = ""
    for value, letters in _ROMAN:
        times, number = divmod(number, value)
        out += letters * times
    return out


def _suffix(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _words(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    most, rest = divmod(number, size)
    return f"{_words(most)} {name}" + (f" {_words(rest)}" if rest else "")


def _ordinal_words(number: int) -> str:
    head, last = _words(number), ""
    for mark in ("-", " "):
        if mark in head:
            head, _, last = head.rpartition(mark)
            return f"{head}{mark}{_ordinal_word(last)}"
    return _ordinal_word(head)


def _ordinal_word(word: str) -> str:
    return _ORDINALS.get(word) or (word[:-1] + "ieth" if word.endswith("y") else f"{word}th")


def _han(number: int) -> str:
    """Write up to 99 as people count, more digit by digit."""
    if number < 10:
        return _HAN[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return ("" if tens == 1 else _HAN[tens]) + "十" + (_HAN[ones] if ones else "")
    return "".join(_HAN[int(digit)] for digit in str(number))
