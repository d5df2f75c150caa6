"""HTML -> start tags, end tags and text between them, in one pass whose time is linear in the length.

The standard library's parser takes quadratic time over unclosed markup in many Python releases that are in use
(CVE-2025-6069), and web pages come from strangers. The rules are those of the HTML standard, section 13.2.5.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape as _unescape

# A quote counts only behind "="; all possessive, so that a tag without an end is not tried again and again.
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)((?:[^>=]|=\s*(?:\"[^\"]*\"|'[^']*'|))*+)>")
_ATTRIBUTE = re.compile(r"([^\s=/\"'>]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")

# Python refuses to make a number of so many digits; no letter has more than seven.
_LONG_REFERENCE = re.compile(
    r"&#(?:0*+[1-9][0-9]{7,}+|[xX]0*+[1-9a-fA-F][0-9a-fA-F]{6,}+);?|&#[xX]?0{40,}+[0-9a-fA-F]*;?"
)

# Up to its end tag, such an element holds text and no markup.
_RAW = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "plaintext")
}


@dataclass(frozen=True, slots=True)
class Tag:
    """A start or end tag; the name is in lower case."""

    name: str
    end: bool
    source: str

    @property
    def empty(self) -> bool:
        """Whether it is written as XHTML's `<name/>`."""
        return self.source.endswith("/")

    def attributes(self) -> dict[str, str]:
        """Return the attributes, names in lower case; one without a value has an empty one."""
        found = _ATTRIBUTE.findall(self.source)
        return {name.lower(): unescape(double or single or bare) for name, double, single, bare in found}


def unescape(text: str) -> str:
    """Return text with its character references resolved; one that is no character becomes U+FFFD."""
    return _unescape(_LONG_REFERENCE.sub("\ufffd", text)) if "&" in text else text


def tags_and_text(markup: str) -> Iterator[Tag | str]:
    """Yield tags and the text between them; comments, declarations and instructions are left out."""
    at = 0
    is_xml = markup.lstrip()[:5] == "<?xml"
    while (less := markup.find("<", at)) >= 0:
        if less > at:
            yield unescape(markup[at:less])
        following = markup[less + 1 : less + 2]
        if is_xml and markup.startswith("<![CDATA[", less):
            end = markup.find("]]>", less)
            end = len(markup) if end < 0 else end
            yield markup[less + 9 : end]
            at = end + 3
        elif following in ("!", "?"):
            mark = "-->" if markup.startswith("<!--", less) else ">"
            end = markup.find(mark, less + 2)
            at = len(markup) if end < 0 else end + len(mark)
        elif not ((following.isascii() and following.isalpha()) or following == "/"):
            yield "<"
            at = less + 1
        elif match := _TAG.match(markup, less):
            tag = Tag(match[2].lower(), match[1] == "/", match[3].strip())
            yield tag
            at = match.end()
            if tag.name in _RAW and not tag.end and not tag.empty:
                found = _RAW[tag.name].search(markup, at)
                stop = found.start() if found else len(markup)
                yield unescape(markup[at:stop])
                at = stop
        elif following == "/":  # an end tag of nothing
            end = markup.find(">", less)
            at = len(markup) if end < 0 else end + 1
        else:  # a tag that never ends: all the rest may be meant as text
            at = less
            break
    if at < len(markup):
        yield unescape(markup[at:])
