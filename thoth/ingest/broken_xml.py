"""XML that is damaged -> the elements that can still be told, as a browser reads a page whose tags do not match."""

from __future__ import annotations

import html
import re
from xml.etree.ElementTree import Element, TreeBuilder

_TOKEN = re.compile(r"<!\[CDATA\[|<!--|<[^<>]*>?|[^<]+")
_START = re.compile(r"<([A-Za-z_][\w.:-]*)((?:\s[^<>]*)?)>?")  # it may be cut
_ATTRIBUTE = re.compile(r"""([\w.:-]+)\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""")
_END = re.compile(r"</([A-Za-z_][\w.:-]*)\s*>")
# XML does not allow them, and no document has use for them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MAX_DEPTH = 400  # readers follow elements by recursion


def recovered(markup: str) -> Element | None:
    """Return the root of a damaged XML text, None where there is none; names have no namespaces.

    A tag that cannot be read is left out. An end that fits no open element is left out, one that fits an outer element
    ends the inner ones, and the end of the text ends all.
    """
    builder = TreeBuilder()
    names: list[str] = []
    at, has_root = 0, False
    while token := _TOKEN.match(markup, at):
        part, at = token[0], token.end()
        if part in ("<![CDATA[", "<!--"):
            mark = "]]>" if part.endswith("[") else "-->"
            end = markup.find(mark, at)
            end = len(markup) if end < 0 else end
            if names and mark == "]]>":
                builder.data(_CONTROL.sub("", markup[at:end]))
            at = min(end + len(mark), len(markup))
        elif part[0] != "<":
            if names:
                builder.data(_CONTROL.sub("", html.unescape(part)))
        elif end_tag := _END.fullmatch(part):
            name = _local(end_tag[1])
            while name in names:
                builder.end(last := names.pop())
                if last == name:
                    break
        elif (start := _START.fullmatch(part)) and (names or not has_root):
            name, rest = _local(start[1]), start[2]
            if len(names) >= _MAX_DEPTH:
                continue
            builder.start(name, {_local(key): html.unescape(one or two) for key, one, two in _ATTRIBUTE.findall(rest)})
            has_root = True
            if rest.rstrip().endswith("/"):
                builder.end(name)
            else:
                names.append(name)
    while names:
        builder.end(names.pop())
    return builder.close() if has_root else None


def _local(name: str) -> str:
    return name.rpartition(":")[2]
