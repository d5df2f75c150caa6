"""A zip archive whose directory is missing (a download that was cut off) -> the same archive with a new one.

Each member has a header in front of it that says what it is; the directory at the end only repeats them
(APPNOTE.TXT 6.3.10, sections 4.3.7 and 4.3.12).
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
# Version, flags, method, time, date, checksum, packed size, size, lengths of the name and the extra field.
_HEADER = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_TRAILER = struct.Struct("<4s4H2LH")
_SIZES_BEHIND = 0x8  # the sizes come after the data
_STORED, _DEFLATED = 0, 8
_PIECE = 1 << 16
_MOST_MEMBERS = 20_000
_MOST_UNPACKED = 128 << 20  # while sizes are found out


class _Member(NamedTuple):
    header: tuple[int, ...]  # version, flags, method, time, date
    checksum: int
    packed: int
    size: int
    name: bytes
    offset: int


def repaired(data: bytes) -> bytes | None:
    """Return an archive with a directory of the members that can be found, None where there is none.

    The last member may be incomplete; its checksum is then wrong.
    """
    members: list[_Member] = []
    at, left = 0, _MOST_UNPACKED
    while (at := data.find(_LOCAL, at)) >= 0 and len(members) < _MOST_MEMBERS and left > 0:
        if len(data) < at + _HEADER.size:
            break
        _, *header, checksum, packed, size, name_length, extra = _HEADER.unpack_from(data, at)
        start = at + _HEADER.size + name_length + extra
        name = data[at + _HEADER.size : at + _HEADER.size + name_length]
        if header[2] not in (_STORED, _DEFLATED) or not name_length or start > len(data):
            at += 1
            continue
        if header[1] & _SIZES_BEHIND and not packed:
            checksum, packed, size = _measured(data, start, header[2], left)
            left -= size
        packed = min(packed, len(data) - start)
        header[1] &= ~_SIZES_BEHIND
        members.append(_Member(tuple(header), checksum, packed, size, name, at))
        at = start + packed
    if not members:
        return None
    entries = b"".join(map(_entry, members))
    count = len(members)
    return data + entries + _TRAILER.pack(_END, 0, 0, count, count, len(entries), len(data), 0)


def _measured(data: bytes, start: int, method: int, most: int) -> tuple[int, int, int]:
    """Return checksum, packed size and size of a member that does not say them in front."""
    if method == _STORED:
        end = data.find(b"PK\x07\x08", start)
        end = len(data) if end < 0 else end
        return zlib.crc32(data[start:end]), end - start, end - start
    inflate, checksum, size = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0
    for at in range(start, len(data), _PIECE):
        try:
            piece = inflate.decompress(data[at : at + _PIECE], most - size + 1)
        except zlib.error:
            return ~checksum & 0xFFFFFFFF, at - start, size
        checksum, size = zlib.crc32(piece, checksum), size + len(piece)
        if inflate.eof:
            return checksum, min(at + _PIECE, len(data)) - len(inflate.unused_data) - start, size
        if size > most:
            break
    return ~checksum & 0xFFFFFFFF, len(data) - start, max(size, 1)


def _entry(member: _Member) -> bytes:
    sizes = member.checksum, member.packed, member.size
    version, flags, method, time, date = member.header
    name = member.name
    return (
        _ENTRY.pack(
            _CENTRAL, version, version, flags, method, time, date, *sizes, len(name), 0, 0, 0, 0, 0, member.offset
        )
        + name
    )
