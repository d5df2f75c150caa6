"""Every format's structure, and what strangers may put into files."""

import io
import logging
import sys
import zipfile
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tests.app.documents import archive, docx, epub, paragraph
from thoth import ingest
from thoth.errors import DocumentError, NoTextError
from thoth.ingest import formats, html, package, refusals, text_blocks
from thoth.ingest.document import Document
from thoth.ingest.tags import Tag, tags_and_text


def outline(document: Document) -> list[tuple[str, str]]:
    """Kind and text of each block; also checks that only whitespace is outside of them."""
    at = 0
    for block in document.blocks:
        assert not document.text[at : block.start].strip()
        assert document.text[block.start : block.end].strip()
        at = block.end
    assert not document.text[at:].strip()
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


PAGE = b"""<!DOCTYPE html><html><head><title>Lamps</title><style>p { color: red }</style>
<script>if (a < b) document.write("<p>never</p>")</script></head><body>
<nav><a href="/">Home</a></nav><div role="navigation">Menu</div><div hidden><div>secret</div></div>
<h1>Lamps &amp; light</h1><p>Velmar makes <a href="x">lamps</a>,<br>and
 sells   them.<p>Second<sup>[1]</sup> paragraph
<h2>Models</h2><ul><li>Small<li>Large<ol start=3><li>red<li><p>blue</p></ol></ul>
<table><caption>Prices</caption><tr><th>Model<th>Price<tr><td>Small<td>5 &euro;</table>
<pre>
def f():
    return 1 &lt; 2
</pre><!-- a comment <p>never</p> --><dl><dt>Lamp<dd>A light.</dl><button>Buy</button>
</body></html>"""


def test_html(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(PAGE)  # no suffix: recognised by its content
    document = ingest.read(tmp_path / "page")
    assert outline(document) == [
        ("heading", "Lamps & light"),
        ("paragraph", "Velmar makes lamps,\nand sells them."),
        ("paragraph", "Second[1] paragraph"),
        ("heading", "Models"),
        ("list", "- Small\n- Large\n  3. red\n  4. blue"),
        ("paragraph", "Prices"),
        ("table", "Model | Price\nSmall | 5 \u20ac"),
        ("code", "def f():\n    return 1 < 2"),
        ("list", "Lamp\n  A light."),
    ]
    assert document.blocks[-1].headings == ("Lamps & light", "Models")
    (tmp_path / "saved.txt").write_bytes(PAGE)  # a whole page, saved under the wrong name
    assert outline(ingest.read(tmp_path / "saved.txt")) == outline(document)
    (tmp_path / "quoted.txt").write_bytes(PAGE + b"is how a page begins and ends.")  # a text that quotes one
    assert ingest.read(tmp_path / "quoted.txt").text == PAGE.decode() + "is how a page begins and ends."


def test_tables_that_only_place_things_are_no_tables() -> None:
    page = "<table><tr><td><h1>Top</h1><td><p>one</p><p>two</p></table><table><tr><td>alone</table><title>T</title>"
    assert [(part.kind, part.text) for part in html.parts(page)] == [
        ("heading", "Top"),
        ("paragraph", "one"),
        ("paragraph", "two"),
        ("paragraph", "alone"),
    ]
    assert [part.text for part in html.parts("<title>T</title><p>text")] == ["T", "text"]


def test_tags_follow_the_standard() -> None:
    markup = "a<b title='x>y' c=d>e</b >1 < 2 <script>'</p>'</script><br/>&lt;<i"
    tokens = [(t.name, t.end) if isinstance(t, Tag) else t for t in tags_and_text(markup)]
    assert tokens == [
        "a",
        ("b", False),
        "e",
        ("b", True),
        "1 ",
        "<",
        " 2 ",
        ("script", False),
        "'</p>'",
        ("script", True),
        ("br", False),
        "<",
        "<i",
    ]
    assert Tag("b", False, "title='x>y' C=d hidden").attributes() == {"title": "x>y", "c": "d", "hidden": ""}


BROKEN = """<!-- |<!a |<?a |<a |</a |<a b='|<a b="|<script>|</|&|<|<ul>|<td>|<table>|<a|<pre> |= """.split("|")


@pytest.mark.parametrize("piece", BROKEN)
def test_broken_html_takes_linear_time(piece: str) -> None:
    # Quadratic time would be minutes here: the test ends, or it does not.
    html.parts(piece * 30_000)


def test_encodings_of_pages(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for data in (
        '<meta charset="shift_jis"><p>\u30e9\u30f3\u30d7'.encode("shift_jis"),
        "<html><p>\u30e9\u30f3\u30d7".encode("utf-16"),
        '<meta charset="no-such-thing"><p>\u30e9\u30f3\u30d7'.encode(),
    ):
        path.write_bytes(data)
        assert ingest.read(path).text == "\u30e9\u30f3\u30d7"


MARKDOWN = """---
title: Lamps
---
# Lamps #

Text of two
lines.

Setext
------

- one
  - two

- three

    code of an item

| a | b |
|---|---|
| 1 | 2 |

```python
# no heading

x = 1
```
## Deep

    indented code
    more
"""


def test_markdown() -> None:
    document = text_blocks.read(MARKDOWN, "x.md")
    assert document.text == MARKDOWN
    found = outline(document)
    assert [kind for kind, _ in found] == [
        "code", "heading", "paragraph", "heading", "list", "list", "list", "table", "code", "heading", "code",
    ]  # fmt: skip
    assert found[8][1].startswith("```python\n# no heading\n\nx = 1")
    assert [block.headings for block in document.blocks][1:4] == [("Lamps",), ("Lamps",), ("Lamps", "Setext")]
    assert document.blocks[-1].headings == ("Lamps", "Deep")


RST = """=====
Lamps
=====

Text::

    code

    more code

Models
------

- one
- two

===== =====
a     b
===== =====
1     2

3     4
===== =====

+---+---+
| a | b |
+---+---+

Deeper
~~~~~~

Prices
------

End.
"""


def test_rst() -> None:
    document = text_blocks.read(RST, "x.rst")
    kinds = [kind for kind, _ in outline(document)]
    assert kinds == "heading paragraph code heading list table table heading heading paragraph".split()
    assert document.blocks[7].headings == ("Lamps", "Models", "Deeper")
    assert document.blocks[-1].headings == ("Lamps", "Prices")


def test_source_code_and_tables() -> None:
    code = "import os\n\n\ndef f():\n    a = 1\n\n    return {\n        a\n    }\n\n\nclass C:\n    pass\n"
    texts = [text for _, text in outline(text_blocks.read(code, "x.py"))]
    assert [text.split("\n")[0] for text in texts] == ["import os", "def f():", "class C:"]
    assert outline(text_blocks.read("#!/bin/sh\necho", "run")) == [("code", "#!/bin/sh\necho")]
    assert outline(text_blocks.read("a,b\n1,2\n", "x.csv")) == [("table", "a,b\n1,2")]
    assert [kind for kind, _ in outline(text_blocks.read("text\n\n* item\n", "x.txt"))] == ["paragraph", "list"]


def test_docx(tmp_path: Path) -> None:
    body = (
        paragraph("Lamps", "berschrift1") + "<w:p><w:r><w:t>Kept</w:t></w:r><w:del><w:r><w:t>gone</w:t></w:r></w:del>"
        '<w:ins><w:r><w:t xml:space="preserve"> text</w:t><w:footnoteReference w:id="2"/></w:r></w:ins></w:p>'
        + paragraph("Models", "Deep")
        + paragraph("one", item=0)
        + paragraph("inner", item=1)
        + paragraph("two", item=0)
        + f"<w:tbl><w:tr><w:tc>{paragraph('a')}</w:tc><w:tc>{paragraph('b')}</w:tc></w:tr>"
        f"<w:tr><w:sdt><w:sdtContent><w:tc>{paragraph('c')}{paragraph('d')}</w:tc></w:sdtContent></w:sdt></w:tr></w:tbl>"
        + f"<w:sdt><w:sdtContent>{paragraph('Next', 'Mine')}</w:sdtContent></w:sdt>"
        + "<w:p><w:r><mc:AlternateContent xmlns:mc='m'><mc:Choice><w:txbxContent>"
        + paragraph("boxed")
        + "</w:txbxContent></mc:Choice><mc:Fallback><w:t>again</w:t></mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    (tmp_path / "report.docx").write_bytes(docx(body))
    document = ingest.read(tmp_path / "report.docx")
    assert outline(document) == [
        ("heading", "Lamps"),
        ("paragraph", "Kept text[1]"),
        ("paragraph", "[1] Since 1999."),
        ("heading", "Models"),
        ("list", "3. one\n  - inner\n4. two"),
        ("table", "a | b\nc d"),
        ("heading", "Next"),
        ("paragraph", "boxed"),
    ]
    assert document.blocks[4].headings == ("Lamps", "Models")
    assert document.blocks[-1].headings == ("Next",)


CHAPTER = '<?xml version="1.0" encoding="latin-1"?><html><title/><script src="x"/><body><h1>{}</h1><p>caf\u00e9</p>'


def test_epub(tmp_path: Path) -> None:
    chapters = {"nav.xhtml": "<p>contents</p>", "one%20x.xhtml": CHAPTER.format("One").encode("latin-1")}
    (tmp_path / "book").write_bytes(epub(chapters | {"two.xhtml": "<h1>Two</h1><h2>Three</h2><p>End."}))
    document = ingest.read(tmp_path / "book")
    assert document.text == "One\n\ncaf\u00e9\n\nTwo\n\nThree\n\nEnd."
    assert document.blocks[-1].headings == ("Two", "Three")


def test_protected_books_are_refused_and_fonts_do_not_matter(tmp_path: Path) -> None:
    listing = '<encryption><EncryptedData><CipherReference URI="{}"/></EncryptedData></encryption>'
    path = tmp_path / "book.epub"
    path.write_bytes(epub({"one.xhtml": "<p>text"}, encryption=listing.format("OEBPS/font.otf")))
    assert ingest.read(path).text == "text"
    path.write_bytes(epub({"one.xhtml": "<p>text"}, encryption=listing.format("OEBPS/one.xhtml")))
    with pytest.raises(DocumentError, match="protected against copying"):
        ingest.read(path)


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><w:document xmlns:w="w">&b;</w:document>'
GOOD = docx(paragraph("text"))
AT = GOOD.index(b"word/document.xml") + 30  # inside of its content


def with_flag(data: bytes, flag: int) -> bytes:
    """Set a flag of each member, in the list at the archive's end."""
    at, out = 0, bytearray(data)
    while (at := out.find(b"PK\x01\x02", at)) >= 0:
        out[at + 8] |= flag
        at += 4
    return bytes(out)


@pytest.mark.parametrize(
    ("name", "data", "error", "says"),
    [
        ("laughs.docx", docx("", document=LAUGHS), DocumentError, "damaged"),
        ("laughs16.docx", docx("", document=LAUGHS.encode("utf-16")), DocumentError, "damaged"),
        ("deep.docx", docx("<w:r>" * 20_000 + "</w:r>" * 20_000), DocumentError, "damaged"),
        ("cut.docx", GOOD[:40], DocumentError, "damaged"),
        ("no_xml.docx", docx("", document="<w:p"), DocumentError, "damaged"),
        ("binary.docx", docx("", document=bytes(range(256))), DocumentError, "damaged"),
        ("flipped.docx", GOOD[:AT] + bytes([GOOD[AT] ^ 0xFF]) + GOOD[AT + 1 :], DocumentError, "damaged"),
        ("locked.docx", with_flag(GOOD, 1), DocumentError, "encrypted"),
        ("other_packing.docx", archive({"[Content_Types].xml": "", "word/document.xml": "<a/>"}, zipfile.ZIP_LZMA),
         DocumentError, "damaged"),
        ("empty.docx", docx(""), NoTextError, "no text"),
        ("sheet.xlsb", archive({"[Content_Types].xml": "", "xl/workbook.bin": ""}), DocumentError, "save it as .xlsx"),
        ("locked_office.docx", refusals.OLE + "EncryptedPackage".encode("utf-16-le"), DocumentError, "encrypted"),
        ("old.doc", refusals.OLE + bytes(600), DocumentError, "save it as .docx"),
        ("lost.epub", epub({"../../../etc/passwd": ""}), DocumentError, "damaged"),
        ("gone.epub", archive({"META-INF/container.xml": "<container/>"}), DocumentError, "damaged"),
        ("empty.html", b"<html><script>x</script></html>", NoTextError, "no text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_strangers_send(tmp_path: Path, name: str, data: bytes, error: type[Exception], says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(error, match=says) as raised:
        ingest.read(tmp_path / name)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_book_reads_nothing_outside_of_itself(tmp_path: Path) -> None:
    (tmp_path / "secret.xhtml").write_text("<p>secret")
    data = epub({"one.xhtml": "<p>text"})
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    book = members["OEBPS/book.opf"].replace(b'href="one.xhtml"', f'href="..{tmp_path}/secret.xhtml"'.encode())
    (tmp_path / "book.epub").write_bytes(archive(members | {"OEBPS/book.opf": book}))
    with pytest.raises(DocumentError, match="damaged"):
        ingest.read(tmp_path / "book.epub")


def test_a_bomb_is_refused_before_it_unpacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MAX_UNPACKED_BYTES", 4 << 20)
    bomb = docx("", document=bytes(package.MAX_UNPACKED_BYTES + 1))
    assert len(bomb) < 10_000
    with pytest.raises(DocumentError, match="unpacks to more than 4 MB"):
        formats.read(bomb, "bomb.docx")


def manual() -> bytes:
    """Four pages with an outline; the third is a picture, and the fourth empty."""
    from PIL import Image

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for number, line in enumerate(("1 Safety", "Never open the lamp.", "1.1 Heat", "It is hot.")):
        canvas.drawString(60, 780 - 16 * number, line)
    canvas.showPage()
    canvas.drawString(60, 780, "Care comes after.")
    canvas.showPage()
    canvas.drawImage(ImageReader(Image.new("L", (60, 80), 200)), 0, 0)
    canvas.showPage()
    canvas.showPage()
    canvas.save()
    writer = PdfWriter(clone_from=PdfReader(buffer))
    safety = writer.add_outline_item(title="Safety", page_number=0)
    writer.add_outline_item(title="Heat", page_number=0, parent=safety)
    writer.add_outline_item(title="No such words", page_number=1)
    result = io.BytesIO()
    writer.write(result)
    return result.getvalue()


def test_pdf_has_pages_and_headings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "manual.pdf").write_bytes(manual())
    with caplog.at_level(logging.WARNING, logger="thoth"):
        document = ingest.read(tmp_path / "manual.pdf")
    assert document.pages == 4
    assert outline(document) == [
        ("heading", "1 Safety"),
        ("paragraph", "Never open the lamp."),
        ("heading", "1.1 Heat"),
        ("paragraph", "It is hot."),
        ("paragraph", "Care comes after."),
    ]
    assert [block.page for block in document.blocks] == [1, 1, 1, 1, 2]
    assert [block.headings for block in document.blocks[2:]] == [("Safety", "Heat")] * 2 + [("No such words",)]
    [warning] = caplog.messages
    assert warning.startswith("manual.pdf: no text on page 3: ")
    assert "--ocr" in warning


def test_suffixes_that_mean_text_are_lower_case() -> None:
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in text_blocks.SUFFIXES)
    assert sys.getrecursionlimit() < 20_000  # the deep document above is deep
