"""Letters of symbol fonts -> Unicode: what a page shows as a Greek letter, a tick or a box is stored as `a`, `ü`, `o`.

Symbol's table is Adobe's (`symbol.txt` of the Unicode consortium); those of Wingdings and its kin follow the names that
Unicode 7 took from these fonts, with the plain arrow, tick or box in place of a rare one.
"""

from __future__ import annotations

_SYMBOL = dict(
    zip(
        [*range(0x20, 0x7F), *range(0xA0, 0xFF)],
        " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"
        "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…|─↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑(|)[|]{{{|€〉∫⌠|⌡)|)]|]}}}",
        strict=True,
    )
)

_WINGDINGS = dict(
    enumerate(
        " ✏✂✁👓🔔📖🕯☎✆✉✉📪📫📬📭📁📂📄📄📄🗄⏳⌨🖰🖲💻🖴💾💾✇✍✎✌👌👍👎☜☞☝☟🖐☺😐☹💣☠"
        "🏳🏱✈☼💧❄✞✞✞✠✡☪☯ॐ☸♈♉♊♋♌♍♎♏♐♑♒♓&&●❍■□□❑❒⬧⧫◆❖⬥⌧⮹⌘❀✿“”",
        0x20,
    )
) | dict(enumerate("⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹❺❻❼❽❾❿", 0x80))
_WINGDINGS |= {
    0x9E: "·", 0x9F: "•", 0xA0: "▪", 0xA1: "○", 0xA2: "○", 0xA3: "○", 0xA4: "◉", 0xA5: "◎",
    0xA7: "▪", 0xA8: "☐", 0xAA: "✦", 0xAB: "★", 0xAC: "✶", 0xAD: "✴", 0xAE: "✹", 0xAF: "✵",
    0xD5: "⌫", 0xD6: "⌦", 0xD8: "➢", 0xDC: "➲", 0xDF: "←", 0xE0: "→", 0xE1: "↑", 0xE2: "↓",
    0xE3: "↖", 0xE4: "↗", 0xE5: "↙", 0xE6: "↘", 0xE7: "←", 0xE8: "→", 0xE9: "↑", 0xEA: "↓",
    0xEB: "↖", 0xEC: "↗", 0xED: "↙", 0xEE: "↘", 0xEF: "⇦", 0xF0: "⇨", 0xF1: "⇧", 0xF2: "⇩",
    0xF3: "⇔", 0xF4: "⇕", 0xF5: "⇖", 0xF6: "⇗", 0xF7: "⇙", 0xF8: "⇘", 0xFB: "✗", 0xFC: "✓",
    0xFD: "☒", 0xFE: "☑",
}  # fmt: skip
_WINGDINGS_2 = {0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0x56: "☒", 0x96: "•", 0x97: "●",
                0x98: "●", 0x9E: "■", 0xA2: "■", 0xA3: "□", 0xAE: "◆"}  # fmt: skip
_WINGDINGS_2 |= dict(enumerate("⓪①②③④⑤⑥⑦⑧⑨⑩", 0x69))
_WINGDINGS_3 = {0x66: "←", 0x67: "→", 0x68: "↑", 0x69: "↓", 0x70: "▲", 0x71: "▼", 0x74: "◀", 0x75: "▶", 0x7D: "▶",
                0x84: "◀"}  # fmt: skip
_WEBDINGS = {0x33: "◀", 0x34: "▶", 0x35: "▲", 0x36: "▼", 0x61: "✓", 0x63: "□", 0x67: "■", 0x6E: "●", 0x72: "✗",
             0xC8: "☎"}  # fmt: skip
_FONTS = {"symbol": _SYMBOL, "wingdings": _WINGDINGS, "wingdings 2": _WINGDINGS_2, "wingdings 3": _WINGDINGS_3,
          "webdings": _WEBDINGS, "symbolmt": _SYMBOL, "standard symbols l": _SYMBOL}  # fmt: skip

# Where Office puts the letters of such fonts.
_PRIVATE = 0xF000


def is_symbol_font(font: str | None) -> bool:
    """Tell whether letters in this font stand for others."""
    return bool(font) and _key(font) in _FONTS


def symbol(code: int, font: str | None) -> str:
    """Return the character that a code means in a font, a bullet where nobody knows."""
    code = code - _PRIVATE if _PRIVATE <= code < _PRIVATE + 0x100 else code
    table = _FONTS.get(_key(font))
    if table is not None:
        return table.get(code, "\u2022")
    return chr(code) if 0x20 <= code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def translated(text: str, font: str | None) -> str:
    """Return text that is set in a font with its letters as the page shows them."""
    table = _FONTS.get(_key(font))
    if table is None:
        return text
    codes = ((c, ord(c) - _PRIVATE if _PRIVATE <= ord(c) < _PRIVATE + 0x100 else ord(c)) for c in text)
    return "".join(c if c.isspace() else table.get(code, c) for c, code in codes)


def _key(font: str | None) -> str:
    return (font or "").split(",")[0].strip("\"' ").lower()
