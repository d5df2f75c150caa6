"""Documents whose structure attacks: PDFs that refer to themselves, chains of filters, entities, archives of headers.

Made here, read by `hostile_documents.py`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

_FEWEST = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R /Resources 5 0 R >>"
_CATALOG = b"<< /Type /Catalog /Pages 2 0 R %s >>"
_PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
_FONT = b"<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> /XObject << %s >> >>"
_SHOWN = b"BT /F 9 Tf 9 9 Td (The mayor of Harpool) Tj ET"

Archive = Callable[[dict[str, bytes]], bytes]


def made(archive: Archive) -> dict[str, bytes]:
    """Return the cases by their names; `archive` zips members."""
    return _pdfs() | _marked_up(archive) | _messages()


def pdf(parts: Sequence[bytes], *, previous: bool = False) -> bytes:
    """Return a PDF of numbered objects, the first its catalog; `previous`: its table names itself as the one before."""
    data, places = b"%PDF-1.7\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    link = b"/Prev %d" % len(data) if previous else b""
    tail = b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n"
    return data + tail % (len(parts) + 1, table, len(parts) + 1, link, len(data))


def _stream(data: bytes, entries: bytes = b"", length: int | None = None) -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data) if length is None else length, entries, data)


def _one_page(content: bytes, more: Sequence[bytes] = (), objects: bytes = b"", catalog: bytes = b"") -> list[bytes]:
    return [_CATALOG % catalog, _PAGES, _FEWEST, content, _FONT % objects, *more]


def _pdfs() -> dict[str, bytes]:
    zeros = zlib.compress(zlib.compress(zlib.compress(bytes(1 << 30), 9), 9), 9)
    runs = zlib.compress(b"\x81\x00" * 4_000_000, 9)  # each pair is 128 zeros
    shown = _stream(_SHOWN)
    # Twelve forms, each of which shows the next one twelve times.
    forms = [
        _stream(b"/X Do " * 12, b"/Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >>" % (at + 1))
        for at in range(6, 18)
    ]
    last = _stream(_SHOWN, b"/Subtype /Form /BBox [0 0 9 9]")
    itself = _stream(b"/X Do /X Do", b"/Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 6 0 R >> >>")
    deep = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 /Parent %d 0 R >>" % (at + 1, at - 1) for at in range(2, 20_000)]
    own_font = b"<< /Font << /F << /Subtype /Type1 /BaseFont /A /ToUnicode 6 0 R >> >> >>"
    picture = b"BI /W 60000 /H 60000 /BPC 8 /CS /RGB /F /JBIG2Decode ID x EI "
    mapping = (
        b"1 begincodespacerange <00> <ff> endcodespacerange\n"
        + b"1 beginbfrange <00> <ffffffff> <0041> endbfrange\n" * 9_000
    )
    fields = b"/AcroForm << /Fields [%s] >>" % b" ".join([b"6 0 R"] * 100_000)
    field = b"<< /T (a) /FT /Tx /V (b) /Parent 6 0 R /Kids [6 0 R 6 0 R] /Subtype /Widget /Rect [0 0 9 9] >>"
    items = [b"<< /Title (a) /Next %d 0 R /First 7 0 R /Dest [3 0 R /Fit] >>" % at for at in (7, 6)]
    strange = [
        _one_page(_stream(zeros, b"/Filter [/FlateDecode /FlateDecode /FlateDecode]")),
        _one_page(_stream(runs, b"/Filter [/FlateDecode /RunLengthDecode /RunLengthDecode]")),
        _one_page(_stream(b"z" * 4_000_000 + b"~>", b"/Filter [/ASCII85Decode /LZWDecode]")),
        _one_page(_stream(b"/X Do", length=5), [*forms, last], b"/X 6 0 R"),
        _one_page(_stream(b"/X Do"), [itself], b"/X 6 0 R"),
        [_CATALOG % b"", *deep, _FEWEST],
        [_CATALOG % b"", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 9 >>", _FEWEST, shown],
        _one_page(_stream(_SHOWN, length=2**31 - 1)),
        _one_page(_stream(_SHOWN, length=-1)),
        _one_page(_stream(b"q " * 2_000_000 + _SHOWN)),
        _one_page(_stream(b"[" * 2_000_000 + _SHOWN)),
        _one_page(_stream(b"BT /F 9 Tf " + b"(a) Tj 0 0 Td " * 500_000 + b"ET")),
        _one_page(shown, [field], catalog=fields),
        _one_page(shown, items, catalog=b"/Outlines << /First 6 0 R >>"),
        [_CATALOG % b"", _PAGES, _FEWEST, shown, own_font, _stream(mapping)],
        _one_page(_stream(picture + _SHOWN)),
    ]  # fmt: skip
    names = (
        "flate_thrice runs_twice letters_lzw forms_times forms_itself tree_deep tree_itself length_large length_minus "
        "states brackets strings fields outline_itself mapping picture"
    ).split()
    found = {f"{name}.pdf": pdf(parts) for name, parts in zip(names, strange, strict=True)}
    return found | {"table_itself.pdf": pdf(_one_page(shown), previous=True)}


def _marked_up(archive: Archive) -> dict[str, bytes]:
    laughs = b"<!DOCTYPE x [<!ENTITY a 'ha'>" + b"".join(
        b"<!ENTITY %c '%s'>" % (letter + 1, b"&%c;" % letter * 10) for letter in b"abcdefghi"
    )
    relation = b'<Relationship Id="r%d" Type="x/officeDocument" Target="word/document.xml"/>'
    header = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 8, 8, 0, 0, 0, 0, 0, 17, 0) + b"word/document.xml"
    bomb = zlib.compressobj(9, wbits=-15)
    packed = bomb.compress(bytes(120 << 20)) + bomb.flush()
    return {
        "laughs.svg": laughs + b"]><svg><text>&j;</text></svg>",
        "laughs.fodt": laughs + b"]><office:document><office:body>&j;</office:body></office:document>",
        "relations.docx": archive(
            {"_rels/.rels": laughs + b"]><Relationships>&j;" + b"".join(relation % at for at in range(200_000))}
        ),
        "headers.docx": header * 600_000,
        "cut.docx": (header + packed) * 30,
        "attribute.html": b"<p title='" + b"a " * (15 << 20) + b"'>text</p>",
        "tags.html": b"<div>" * 1_000_000 + b"text",
        "frames.html": b"<iframe srcdoc='" + b"<iframe srcdoc=&quot;" * 400_000 + b"'>text",
        "line.csv": b'"' + b"a;b," * (7 << 20),
    }


def _messages() -> dict[str, bytes]:
    circle = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
    return {
        "circle.eml": b"From: a\n" + circle * 100_000,
        "messages.mbox": b"From a 2024\nFrom: a\nSubject: x\n\ny\n\n" * 120_000,
        "parameters.eml": b"From: a\nContent-Type: text/plain" + b'; a="b' * 200_000 + b"\n\ntext",
        "entries.ics": b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\nSUMMARY:x\n" * 800_000,
        "options.1": b".TH A 1\n" + b".TP\n.B a\n" * 400_000,
        "options.8": b".Dd 1\n.Dt A 8\n.Bl -tag\n" + b".It Fl a\n" * 400_000,
        "marks.8": b".Dd 1\n.Dt A 8\n.Ar " + b") " * 1_000_000,
        "around.8": b".Dd 1\n.Dt A 8\n." + b"Op Pq " * 500_000,
        "lengths.tex": b"\\vskip" + b" \t" * 1_000_000 + b"x\\newtheorem{a}" + b" " * 1_000_000,
        "open_cues.ttml": b"<tt>" + b"<p begin='1s'>" * 200_000,
    }
