"""Random damage: bytes of any kind, XML with its elements moved and nested, archives with members that were hit."""

import io
import random
import zipfile
from xml.etree import ElementTree

TOKENS = [token.encode("latin-1") for token in (
    "\0", "\xff", "\xfe\xff", "\xef\xbb\xbf", "<", ">", "</", "<!--", "-->", "<![CDATA[", "&", "&#x10ffff;",
    "&#0;", '"', "'", "=", "[", "]", "{", "}", "\\", "\\'", "\\u", "\\u-10179?", "\n", "\n\n", "\r", "\t", "  ",
    "|", ";", ",", "---\n", "```", "#", "<table>", "<td>", "<ul><li>", "<math>", "<sup>", "<del>", "<svg>",
    "<text>", "charset=utf-16", 'encoding="utf-7"', "-1", "999999999999", "1e309", "NaN", "null",
    "\\begin{tabular}{l}", "\\footnote{", "$", "--b\n", "Content-Type: ", "-->\n", "00:00:01.000 --> 99:99:99.999",
    "\xed\xa0\x80", "\xe2\x80\xae", "\x1b[31m", "=E9=", "=?utf-8?B?/w==?=", "\\trowd", "\\cell", "\\row", "{\\*\\",
    "w:val=\"", "#+begin_src", "* ", ":a:\n",
)]  # fmt: skip
VALUES = ["", "0", "-1", "1", "9", "999999", "99999999999", "x", "H1", "decimal", "bullet", "../x", "%00", "\u0663",
          "A1048577", "ZZZ9", "super 58%", "true", "1.5", "1e400", "rId1", "#", "%1.%2"]  # fmt: skip


def damaged(data: bytes, dice: random.Random, most: int = 6) -> bytes:
    """Return bytes with a few of them changed, inserted, repeated or removed."""
    out = bytearray(data)
    for _ in range(dice.randint(1, most)):
        length, at, kind = len(out), dice.randrange(len(out) + 1), dice.random()
        if kind < 0.3 and length:
            out[at % length] = dice.randrange(256)
        elif kind < 0.6:
            out[at:at] = dice.choice(TOKENS)
        elif kind < 0.7:
            del out[at : at + dice.randint(1, 60)]
        elif kind < 0.82:
            out[at:at] = out[at : at + dice.randint(1, 200)] * dice.choice([1, 2, 50])
        elif kind < 0.86:
            del out[at:]
        elif kind < 0.96:
            out[at:at] = dice.choice(TOKENS) * dice.choice([10, 300, 3000])
        else:
            out[at:at] = dice.randbytes(dice.randint(1, 40))
    return bytes(out)


def damaged_xml(data: bytes, dice: random.Random) -> bytes:
    """Return XML that is still XML, with attributes, elements and texts changed."""
    try:
        return _changed(ElementTree.fromstring(data), dice)
    except (ElementTree.ParseError, RecursionError, ValueError, TypeError):  # it became too deep to be written
        return damaged(data, dice)


def _changed(root: ElementTree.Element, dice: random.Random) -> bytes:
    for _ in range(dice.randint(1, 6)):
        elements = list(root.iter())
        one, other, kind = dice.choice(elements), dice.choice(elements), dice.random()
        if kind < 0.35 and one.attrib:
            one.attrib[dice.choice(list(one.attrib))] = dice.choice(VALUES)
        elif kind < 0.45 and len(one):
            one.remove(one[dice.randrange(len(one))])
        elif kind < 0.6 and len(elements) < 3000:
            one.append(ElementTree.fromstring(ElementTree.tostring(other)))
        elif kind < 0.7:
            one.tag = other.tag
        elif kind < 0.85:
            one.text = dice.choice([*VALUES, "word " * 50, "\n\n", "\t"])
        else:
            inner = ElementTree.Element(one.tag)
            for _ in range(dice.choice([3, 300, 1500])):
                outer = ElementTree.Element(one.tag, one.attrib)
                outer.append(inner)
                inner = outer
            one.append(inner)
    return ElementTree.tostring(root)


def damaged_archive(data: bytes, dice: random.Random) -> bytes:
    """Return an archive with up to three members hit, now and then one missing."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    hit = set(dice.sample(sorted(members), dice.randint(1, min(3, len(members)))))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", dice.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as file:
        for name, content in members.items():
            if dice.random() < 0.03:
                continue
            change = damaged_xml if dice.random() < 0.7 else damaged
            file.writestr(name, change(content, dice) if name in hit else content)
    out = buffer.getvalue()
    return damaged(out, dice, 2) if dice.random() < 0.15 else out
