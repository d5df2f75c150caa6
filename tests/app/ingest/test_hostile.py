"""What attackers make: each file ends, in one line that names it or in its text, and in time that grows with its size.

A test here has no clock: quadratic time would be minutes, so it ends or it does not.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.ingest import packages
from tests.app.reading import read_all
from thoth import ingest
from thoth.errors import DocumentError, NoTextError
from thoth.ingest import formats, latex_macros

SHARED = Path(__file__).parents[4] / "shared" / "cases" / "hostile" / "documents"

REPEATED = {
    "hex.rtf": (b"{\\rtf1 ", b"\\'e9"),
    "groups.rtf": (b"{\\rtf1 ", b"{\\b x}\\par "),
    "open.rtf": (b"", b"{\\rtf1 "),
    "parts.eml": (b"From: a\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n", b"--b\n\nhello\n"),
    "inner.eml": (b"From: a\n", b"Content-Type: message/rfc822\n\n"),
    "words.eml": (b"From: ", b"=?utf-8?B?w5Zm?= "),
    "cues.vtt": (b"WEBVTT\n\n", b"00:01.000 --> 00:02.000\n<v A>hello\n\n"),
    "less.vtt": (b"WEBVTT\n\n", b"<"),
    "times.srt": (b"", b"00:00:01,000 --> 00:00:02,000\n"),
    "quotes.csv": (b"a,b\n", b'"x,1\n'),
    "commas.csv": (b"", b","),
    "open.json": (b"", b"["),
    "keys.json": (b"", b'{"a":'),
    "quotes.json": (b"", b'"'),
    "escaped.json": (b"", b'"a\\'),
    "ruby.vtt": (b"WEBVTT\n\n00:01.000 --> 00:02.000\n", b"<rt>"),
    "drawings.ass": (b"[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,x", b"{\\p1"),
    "conditions.1": (b".TH A 1\nx\n.if ", b"n .if "),
    "arguments.1": (b".TH A 1\n", b'.B "x\n'),
    "preamble.1": (b"", b".de x\n"),
    "outlines.opml": (b"<opml><body>", b'<outline text="&lt;b">'),
    "packed.vcf": (b"BEGIN:VCARD\nFN:x\n", b"FN;ENCODING=QUOTED-PRINTABLE:a=\n"),
    "entries.ics": (b"BEGIN:VEVENT\nSUMMARY:x\n", b"BEGIN:VEVENT\n"),
    "flowed.eml": (b"From: a\nMIME-Version: 1.0\nContent-Type: text/plain; format=flowed\n\n", b"a \n"),
    "files.eml": (b"From: a\nMIME-Version: 1.0\n\nx\n", b"begin 644 a\n"),
    "frames.html": (b"<p>x", b"<iframe srcdoc='<iframe srcdoc=\"x\">'>"),
    "listings.adoc": (b"", b"----\n"),
    "headers.docx": (b"PK\3\4", b"PK\3\4\x14\0\x08\0\x08\0" + bytes(16) + b"\1\0\0\0a"),
    "quotes.org": (b"", b"#+begin_quote\n"),
    "drawers.org": (b"", b":a:\n"),
    "marks.org": (b"", b"*a"),
    "stars.org": (b"", b"*"),
    "osc.log": (b"", b"\x1b]"),
    "data.md": (b"", b"data:image/png;base64,"),
    "types.md": (b"", b"data:a/b;c=d"),
    "doubling.tex": (
        b"".join(b"\\newcommand{\\%c}{%s}" % (letter, b"\\%c" % (letter + 1) * 10) for letter in b"abcd"),
        b"\\a ",
    ),
    "definitions.tex": (b"", b"\\def\\a{"),
    "false.tex": (b"", b"\\iffalse "),
    "options.html": (b"<select>", b"<option>x"),
    "rows.html": (b"", b"<math><mrow>"),
    "fractions.html": (b"<math>", b"<mfrac>"),
    "deleted.html": (b"", b"<del>"),
    "raised.html": (b"<p>", b"<sup>1</sup>"),
    "drawings.html": (b"", b"<svg><text>"),
    "tables.html": (b"", b"<table><td>x"),
    "spans.html": (b"<table><tr>", b"<td colspan=200 rowspan=200>x"),
    "links.html": (b"", b'<a href="#x">'),
    "comments.foo": (b"", b"<!-- -->"),
    "sections.tex": (b"", b"\\section{"),
    "dollars.tex": (b"", b"$a"),
    "notes.tex": (b"", b"\\footnote{"),
    "formulas.tex": (b"", b"\\begin{equation}x"),
    "verbs.tex": (b"", b"\\verb|"),
    "code.tex": (b"", b"\\begin{verbatim}"),
    "raised.tex": (b"", b"\\textsuperscript{a"),
    "macros.tex": (b"\\newcommand{\\a}{\\b\\b}\\newcommand{\\b}{\\a\\a}", b"\\a"),
    "guess.txt": (b"\xe9\xff", b"long line without an end "),
    "marks.txt": (b"", b"a\b"),
}


@pytest.mark.parametrize("name", REPEATED)
def test_repeated_markup_takes_linear_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latex_macros, "_MOST_LETTERS", 200_000)  # a tenth: macros that never end are at it sooner
    head, piece = REPEATED[name]
    ends(head + piece * (60_000 // len(piece)), name)


INNER = "<w:p><w:r><w:t>x</w:t></w:r></w:p>"
ODS_ROW = (
    '<table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="16384">'
    "<text:p>x</text:p></table:table-cell></table:table-row>"
)
LAST_CELL = '<c r="XFD1" t="str"><v>x</v></c>'
LISTS = "<text:list><text:list-item>" * 800 + "</text:list-item></text:list>" * 800
FRACTIONS = "<w:p><m:oMath>" + "<m:f><m:num>" * 300 + "</m:num></m:f>" * 300 + "</m:oMath></w:p>"
ENTITY = '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
# Made when they are tried: all at once they take 0.4 s of every collection.
DEEP: dict[str, Callable[[], bytes]] = {
    "broken.docx": lambda: packages.docx({"files": {"word/document.xml": "<w:p><w:r" * 100_000}}),  # type: ignore[dict-item]
    "runs.docx": lambda: packages.docx({"body": "<w:p>" + "<w:ins>" * 100_000 + "</w:ins>" * 100_000 + "</w:p>"}),
    "tables.docx": lambda: packages.docx(
        {"body": "<w:tbl><w:tr><w:tc>" * 200 + INNER * 200 + "</w:tc></w:tr></w:tbl>" * 200}
    ),
    "formulas.docx": lambda: packages.docx({"body": FRACTIONS}),
    "lists.odt": lambda: packages.odf("odt", {"body": LISTS}),
    "repeats.ods": lambda: packages.odf("ods", {"body": f"<table:table>{ODS_ROW * 9}</table:table>"}),
    "groups.pptx": lambda: packages.pptx(["<p:grpSp>" * 2000 + "</p:grpSp>" * 2000]),
    "rows.xlsx": lambda: packages.xlsx({"sheets": {"A": "<row/>" * 4_000_100}}),
    "columns.xlsx": lambda: packages.xlsx({"sheets": {"A": f"<row>{LAST_CELL * 20_000}</row>"}}),
    "entities.xlsx": lambda: packages.xlsx({"sheets": {"A": ""}, "files": {"xl/worksheets/sheet1.xml": ENTITY}}),
}


@pytest.mark.parametrize("name", DEEP)
def test_archives_of_hostile_xml_end(name: str) -> None:
    ends(DEEP[name](), name)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared: files of known attacks, which are not committed")
@pytest.mark.parametrize("path", sorted(SHARED.iterdir()) if SHARED.is_dir() else [], ids=lambda path: path.name)
def test_known_attacks_end_and_the_next_file_is_read(path: Path, tmp_path: Path) -> None:
    (tmp_path / "next.txt").write_text("The next file.")
    found = [*read_all(path).values(), *read_all(tmp_path / "next.txt").values()]
    assert len(found) == 2
    if not isinstance(found[0], ingest.Document):
        assert path.name in str(found[0])
        assert "\n" not in str(found[0])
    assert isinstance(found[1], ingest.Document)


def ends(data: bytes, name: str) -> None:
    try:
        said = formats.read(data, name).text
    except (DocumentError, NoTextError) as error:
        said = str(error) if name in str(error) and "\n" not in str(error) else ""
    assert said.strip()
