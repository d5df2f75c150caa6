"""Messages between Thoth and its reader process: a length, a JSON object, plain bytes. Nothing is ever unpickled.

The reader process has looked at a stranger's file, so what it sends is untrusted: lengths are bounded, and whoever
takes a message checks every field.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from thoth.ingest.document import Block, Kind

_LENGTHS = struct.Struct(">IQ")
MAX_HEADER_BYTES = 16 << 20
MAX_BODY_BYTES = 8 << 20

# Blocks and letters in one message: a large book stays a row of small messages.
PIECE_BLOCKS = 2000
PIECE_LETTERS = 1 << 20

KINDS: tuple[Kind, ...] = ("heading", "paragraph", "list", "table", "code")


class WireError(Exception):
    """A message is not what it should be."""


def pack(header: dict[str, Any], body_bytes: int = 0) -> bytes:
    """Return what goes in front of a message's body."""
    encoded = json.dumps(header).encode()
    return _LENGTHS.pack(len(encoded), body_bytes) + encoded


class Messages:
    """Cuts a stream of bytes into messages.

    Args:
        max_body_bytes: longest body that is accepted.
    """

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._max_body = max_body_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield the messages that are complete with these bytes.

        Raises:
            WireError: A message is too long, or its header is no JSON object.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            header_bytes, body_bytes = _LENGTHS.unpack_from(self._buffer)
            if header_bytes > MAX_HEADER_BYTES or body_bytes > self._max_body:
                raise WireError("the message is too long")
            start, end = _LENGTHS.size + header_bytes, _LENGTHS.size + header_bytes + body_bytes
            if len(self._buffer) < end:
                return
            try:
                header = json.loads(self._buffer[_LENGTHS.size : start])
            except (ValueError, RecursionError) as error:
                raise WireError("the header is not JSON") from error
            if not isinstance(header, dict):
                raise WireError("the header is no object")
            body = bytes(self._buffer[start:end])
            del self._buffer[:end]
            yield header, body


def pack_blocks(blocks: tuple[Block, ...]) -> dict[str, Any]:
    """Write blocks as JSON, the headings they share once."""
    paths: dict[tuple[str, ...], int] = {}
    rows = [
        [block.kind, block.start, block.end, paths.setdefault(block.headings, len(paths)), block.page]
        for block in blocks
    ]
    return {"headings": [*paths], "blocks": rows}


def unpack_blocks(header: dict[str, Any], after: int, end: int) -> tuple[Block, ...]:
    """Return the blocks of a message.

    Args:
        header: of the message.
        after: where the block before them ends.
        end: how long the text is so far.

    Raises:
        WireError: They are no blocks, overlap, or lie outside of the text.
    """
    found: list[Block] = []
    try:
        paths = [tuple(path) for path in header.get("headings", ())]
        if not all(isinstance(title, str) for path in paths for title in path):
            raise WireError("a heading is no text")
        for kind, start, stop, path, page in header.get("blocks", ()):
            numbers = (start, stop, path, 1 if page is None else page)
            if kind not in KINDS or any(type(number) is not int for number in numbers):
                raise WireError("a block has the wrong fields")
            if not (after <= start <= stop <= end and 0 <= path < len(paths)) or numbers[3] < 1:
                raise WireError("a block lies outside of the text")
            found.append(Block(kind, start, stop, paths[path], page))
            after = stop
    except (TypeError, ValueError) as error:
        raise WireError("the blocks are malformed") from error
    return tuple(found)
