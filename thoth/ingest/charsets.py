"""Names of encodings -> Python codecs, and a guess where nothing is named.

A label means what the WHATWG Encoding Standard says it means, because pages and mails are written for browsers:
`gb2312` is GB 18030, `shift_jis` is Windows-31J, `iso-8859-1` is windows-1252.
"""

from __future__ import annotations

import codecs
import re

# The standard's names that Python knows by another name, or knows as something smaller.
_CODECS = {
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso-8859-8",
    "x-mac-cyrillic": "mac-cyrillic",
    "macintosh": "mac-roman",
    "ibm866": "cp866",
}
# Labels that Python knows and the standard does not; mails from old systems use them.
_OLD = {"cp437", "cp850", "cp852", "ibm437", "ibm850", "ibm852", "utf-7", "utf-32", "utf-32le", "utf-32be", "mac-roman"}
_NO_TEXT = {"x-user-defined", "replacement"}

# What is tried where nothing is named, as Python calls them; all other encodings are rarer than a wrong guess.
_CANDIDATES = """
    cp1252 cp1250 cp1251 koi8_r koi8_u cp866 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 iso8859_2 iso8859_5
    gb18030 big5 cp932 euc_jp cp949 mac_roman mac_cyrillic cp850
""".split()
_JAPANESE = re.compile(rb"\x1b\$[@B][!-~]")
# XML's first line, a style sheet's, and the comment of Python and Emacs in one of the first two lines.
_DECLARED = re.compile(
    rb"<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([\w.:-]+)|@charset\s+[\"']([\w.:-]+)"
    rb"|(?:[^\n]*\n)?[ \t]*#[^\n]{0,200}?coding[:=][ \t]*([\w.-]+)"
)
# What is Japanese in EUC-JP has the letters of these encodings too, but other ones than people write in them.
_LIKE_JAPANESE = {"cp949", "gb18030", "big5", "euc_kr"}
# Signs of windows-1252 within words: letters of Central Europe in windows-1250.
_POLISH = re.compile(r"[³¹¿¯œŸ£][a-zóêñ]|[a-z][³¹¿¯]\b")
_SAMPLE_BYTES = 1 << 16
_FEWEST_HIGH_BYTES = 8

# Letters and marks of Western Europe. Where windows-1252 gives nothing else, rarer encodings lose against it.
_WESTERN = re.compile(
    r"[\x00-\x7fàâäáãåæçéèêëíìîïñóòôöõøœßúùûüÀÂÄÁÅÆÇÉÈÊËÍÎÑÓÔÖØŒÚÛÜ¿¡«»‘’“”„‚–—…€£§°©®™·•\xa0½¼¾²³µ×ªº´]*"
)
_LIKE_WESTERN = {"cp1257", "cp1258", "mac_roman", "cp850"}
# In windows-1252, Turkish looks like Icelandic without its vowels.
_TURKISH = re.compile(r"[\x00-\x7fçöüþðýÇÖÜÞÐÝâîû’“”–…\xa0«»]*")

# Shift-JIS read as UTF-16 gives ideographs too, but only those above U+8000.
_CJK = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef\s]")
_LOW_CJK = re.compile(r"[\u3000-\u7fff]")


def codec(label: str | None) -> str | None:
    """Return the Python codec that a label means, None for one that means no encoding of text."""
    if not label:
        return None
    import webencodings

    label = label.strip(" \t\n\r\f\"'").lower()
    found = webencodings.lookup(label)
    if found is None:
        return label if label in _OLD else None
    if found.name in _NO_TEXT:
        return None
    return _CODECS.get(found.name, found.name)


def declared(data: bytes) -> str | None:
    """Return the encoding that source code, a style sheet or XML names in its first lines."""
    found = _DECLARED.match(data[:1024])
    label = next((name.decode() for name in found.groups() if name), None) if found else None
    return label if label is None or codec(label) else label.replace("-", "")  # Python also writes `latin-1`


def utf16_without_mark(data: bytes) -> str | None:
    """Return `utf-16-le` or `utf-16-be` (or their 32-bit forms) where the zero bytes of ASCII letters show it."""
    head = data[: _SAMPLE_BYTES & ~3]
    quarters = [head[start::4].count(0) for start in range(4)]
    length = max(1, len(head) // 4)
    if len(head) >= 8 and len(data) % 4 == 0:
        if min(quarters[1:]) > 0.6 * length and quarters[0] < 0.05 * length:
            return "utf-32-le" if quarters[1] > 0.6 * length else None
        if min(quarters[:3]) > 0.6 * length and quarters[3] < 0.05 * length:
            return "utf-32-be"
    even, odd = quarters[0] + quarters[2], quarters[1] + quarters[3]
    low, high, name = (even, odd, "utf-16-le") if odd > even else (odd, even, "utf-16-be")
    # A space or a line's end in twenty letters is enough; a zero in the wrong half says that it is no text.
    return name if high > 0.02 * length and high > 2 and low <= 0.02 * high else None


def japanese_mail(data: bytes) -> str | None:
    """Return a text in ISO-2022-JP, which is ASCII with escape codes that switch to Japanese; None: it is none."""
    return _strict(data, "iso2022_jp") if _JAPANESE.search(data) else None


def cjk_in_utf16(data: bytes) -> str | None:
    """Recognise Chinese or Japanese in UTF-16 without a mark: nearly all its letters are of one kind."""
    if len(data) % 2:
        return None
    head = data[: _SAMPLE_BYTES & ~1]
    for name in ("utf-16-le", "utf-16-be"):
        text = _strict(head, name)
        if not text or len(text) < 4:
            continue
        if len(_CJK.findall(text)) > 0.9 * len(text) and len(_LOW_CJK.findall(text)) > 0.35 * len(text):
            return name
    return None


def guess(data: bytes) -> str | None:
    """Return the Python codec of a text that names no encoding and is not UTF-8, None where nothing fits."""
    high = len(data) - len(data.translate(None, bytes(range(0x80, 0x100))))
    sample = _sample(data)
    western = _strict(sample, "cp1252")
    is_western = western is not None and _WESTERN.fullmatch(western) is not None
    if high < _FEWEST_HIGH_BYTES:
        return "cp1252" if is_western else None
    found = _normalizer(sample)
    if found in _LIKE_JAPANESE and (japanese := _strict(sample, "euc_jp")) and _is_japanese(japanese):
        return "euc_jp"
    if found == "cp1252" and western and len(_POLISH.findall(western)) > 1 and _strict(sample, "cp1250"):
        return "cp1250"
    if is_western and (found is None or found in _LIKE_WESTERN or _strict(sample, found) == western):
        return "cp1252"
    # Letters of French and Portuguese that windows-1250 turns into rare ones.
    if is_western and found == "cp1250" and western and re.search("[àãÀÃ]|[êœ](?!.*³)", western, re.DOTALL):
        return "cp1252"
    if western and found in ("cp1250", "cp1252", None) and re.search("[þð]", western) and "ý" in western:
        return "cp1254" if _TURKISH.fullmatch(western) else found
    return found


def _is_japanese(text: str) -> bool:
    letters = [letter for letter in text if letter > "\x7f"]
    return sum("\u3040" <= letter <= "\u30ff" for letter in letters) > 0.2 * len(letters)


def _normalizer(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    # It leaves out what resembles an encoding that failed, ISO 8859-2 for windows-1250 among them.
    for candidates in (_CANDIDATES, ["iso8859_2"]):
        best = from_bytes(sample, cp_isolation=candidates).best()
        if best is not None:
            return codecs.lookup(best.encoding).name.replace("-", "_")
    return None


def _sample(data: bytes) -> bytes:
    """Return lines with bytes above ASCII: the others tell nothing."""
    if len(data) <= _SAMPLE_BYTES:
        return data
    lines, length = [], 0
    for line in data.split(b"\n"):
        if not line.isascii():
            first = re.search(rb"[\x80-\xff]", line)
            lines.append(line[max(0, first.start() - 1000) if first else 0 :][:_SAMPLE_BYTES] + b"\n")
            length += len(lines[-1])
            if length > _SAMPLE_BYTES:
                break
    return b"".join(lines)


def _strict(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        return None
