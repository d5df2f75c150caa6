r"""JSON -> its text with letters instead of `\u00e9`, and one value a line where it was written on a few long ones.

Numbers and the order of keys stay as they are; what is no JSON stays the text it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from thoth.ingest import text, text_blocks
from thoth.ingest.document import Document

# A string that is never closed ends with its line, or each of its quotes would be tried as the begin of another.
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*+"?|[{}\[\],:]|[^\s{}\[\],:"]+')
_ESCAPE = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\/|\\\\")
_LONG_LINE = 200
_BINARY = re.compile(r'"(?:[A-Za-z0-9+/]{200,}={0,2}|[A-Za-z0-9_-]{400,})"')
_MAX_INDENT = 40


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read JSON, or lines of it; arguments and errors are those of `text.decode`."""
    content = _ESCAPE.sub(_letter, text.decode(data, name, charset))
    content = _BINARY.sub('"..."', content)  # pictures and keys, as base64
    if any(len(line) > _LONG_LINE for line in content.split("\n")) and not _is_lines(content):
        content = "".join(_spread(content)).strip()
    return text_blocks.read(content, name if name.lower().endswith((".json", ".jsonl")) else f"{name}.json")


def _is_lines(content: str) -> bool:
    """Tell lines that are each a value: they are rows, and stay rows."""
    lines = [line for line in content.split("\n", 50)[:50] if line.strip()]
    return len(lines) > 1 and all(line.lstrip()[0] in "{[" and line.rstrip()[-1] in "}]" for line in lines)


def _letter(found: re.Match[str]) -> str:
    if found[1]:
        return chr(0x10000 + ((int(found[1], 16) - 0xD800) << 10) + int(found[2], 16) - 0xDC00)
    if found[3]:
        code = int(found[3], 16)
        keeps = code < 0x20 or code in (0x22, 0x5C, 0x7F, 0x2028, 0x2029) or 0xD800 <= code < 0xE000
        return found[0] if keeps or 0x80 <= code < 0xA0 else chr(code)
    return "/" if found[0] == "\\/" else found[0]


def _spread(content: str) -> Iterator[str]:
    """Yield JSON with one value a line; no parser, so that every number stays as it was written."""
    depth, previous = 0, ""
    for token in _TOKEN.findall(content):
        if token in "}]":
            depth = max(0, depth - 1)
            if previous not in ("{", "["):
                yield _line(depth)
            yield token
        elif token == ",":
            yield token + _line(depth)
        elif token == ":":
            yield ": "
        else:
            if previous in ("{", "["):
                yield _line(depth)
            elif previous in ("}", "]") and token in ("{", "["):
                yield "\n"
            yield token
            depth += token in ("{", "[")
        previous = token


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, _MAX_INDENT)
