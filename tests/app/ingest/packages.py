"""Office files and books from the XML that matters in them, made without the programs that write them."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
M = "http://schemas.openxmlformats.org/officeDocument/2006/math"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
WORD = f'xmlns:w="{W}" xmlns:r="{R}" xmlns:m="{M}" xmlns:a="{A}"'
_NAMES = {
    "office": "office", "text": "text", "table": "table", "style": "style", "draw": "drawing", "svg": "svg-compatible",
    "presentation": "presentation", "number": "datastyle", "fo": "xsl-fo-compatible",
}  # fmt: skip
_OASIS = (f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for short, name in _NAMES.items())
ODF = " ".join([*_OASIS, 'xmlns:xlink="http://www.w3.org/1999/xlink"'])


def build(case: Mapping[str, Any]) -> bytes | None:
    """Return the file that a case brings along, None where it is one of the folder."""
    if "text" in case:
        return str(case["text"]).encode(case.get("encoding", "utf-8"))
    if "bytes" in case:
        return str(case["bytes"]).encode("latin-1")
    for kind, make in MAKERS.items():
        if kind in case:
            return make(case[kind])
    return None


def archive(members: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def relations(*targets: tuple[str, str, str]) -> str:
    """Write a `.rels` part: id, last word of the type, target."""
    items = "".join(
        f'<Relationship Id="{name}" Type="{R}/{kind}" Target="{target}"/>' for name, kind, target in targets
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{items}</Relationships>'


def docx(parts: Mapping[str, str]) -> bytes:
    """Make a Word file: `body`, and other parts by their names; `files` by their paths, `relations` of the body."""
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": relations(("rId1", "officeDocument", "word/document.xml")),
    }
    if "body" in parts:
        members["word/document.xml"] = f"<w:document {WORD}><w:body>{parts['body']}</w:body></w:document>"
    for name, content in parts.items():
        if name in ("styles", "numbering", "footnotes", "endnotes"):
            members[f"word/{name}.xml"] = f"<w:{name} {WORD}>{content}</w:{name}>"
    rels = [(name, kind, target) for name, (kind, target) in dict(parts.get("relations", {})).items()]  # type: ignore[call-overload]
    members["word/_rels/document.xml.rels"] = relations(*rels)
    return archive(members | dict(parts.get("files", {})))  # type: ignore[call-overload]


def odf(kind: str, parts: Mapping[str, str]) -> bytes:
    """Make an OpenDocument file: `body`, `automatic` styles, common `styles`, and `files` by their paths."""
    named = {"odt": "text", "ods": "spreadsheet", "odp": "presentation"}[kind]
    content = (
        f"<office:document-content {ODF}>"
        f"<office:automatic-styles>{parts.get('automatic', '')}</office:automatic-styles>"
        f"<office:body><office:{named}>{parts['body']}</office:{named}></office:body></office:document-content>"
    )
    styles = f"<office:styles>{parts.get('styles', '')}</office:styles>"
    members: dict[str, str | bytes] = {
        "mimetype": f"application/vnd.oasis.opendocument.{named}",
        "content.xml": content,
        "styles.xml": f"<office:document-styles {ODF}>{styles}</office:document-styles>",
    }
    return archive(members | dict(parts.get("files", {})))  # type: ignore[call-overload]


def pptx(slides: list[Any]) -> bytes:
    """Make a presentation: for each slide its shapes, or `shapes` with `notes`, `show` and `files`."""
    rels = [(f"rId{at}", "slide", f"slides/slide{at}.xml") for at in range(1, len(slides) + 1)]
    listed = "".join(f'<p:sldId id="{255 + at}" r:id="rId{at}"/>' for at in range(1, len(slides) + 1))
    space = f'xmlns:p="{P}" xmlns:a="{A}" xmlns:r="{R}" xmlns:m="{M}"'
    members: dict[str, str | bytes] = {
        "_rels/.rels": relations(("rId1", "officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f"<p:presentation {space}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(*rels),
    }
    for at, slide in enumerate(slides, 1):
        slide = slide if isinstance(slide, dict) else {"shapes": slide}
        show = ' show="0"' if slide.get("hidden") else ""
        tree = f"<p:cSld><p:spTree>{slide['shapes']}</p:spTree></p:cSld>"
        members[f"ppt/slides/slide{at}.xml"] = f"<p:sld {space}{show}>{tree}</p:sld>"
        own = [(name, kind, target) for name, (kind, target) in slide.get("relations", {}).items()]
        if "notes" in slide:
            own.append(("rIdN", "notesSlide", f"../notesSlides/notesSlide{at}.xml"))
            body = f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="body"/></p:nvPr></p:nvSpPr>{slide["notes"]}</p:sp>'
            notes = f"<p:notes {space}><p:cSld><p:spTree>{body}</p:spTree></p:cSld></p:notes>"
            members[f"ppt/notesSlides/notesSlide{at}.xml"] = notes
        members[f"ppt/slides/_rels/slide{at}.xml.rels"] = relations(*own)
        members |= slide.get("files", {})
    return archive(members)


def xlsx(parts: Mapping[str, Any]) -> bytes:
    """Make a spreadsheet: `sheets` (name -> rows as XML), `strings`, `styles`, `workbook` properties, `states`."""
    sheets: dict[str, str] = parts["sheets"]
    states = parts.get("states", {})
    listed = "".join(
        f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}"'
        + (f' state="{states[name]}"/>' if name in states else "/>")
        for at, name in enumerate(sheets, 1)
    )
    rels = [(f"rId{at}", "worksheet", f"worksheets/sheet{at}.xml") for at in range(1, len(sheets) + 1)]
    book = f"{parts.get('workbook', '')}<sheets>{listed}</sheets>"
    members: dict[str, str | bytes] = {
        "_rels/.rels": relations(("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{S}" xmlns:r="{R}">{book}</workbook>',
        "xl/_rels/workbook.xml.rels": relations(*rels),
        "xl/styles.xml": f'<styleSheet xmlns="{S}">{parts.get("styles", "")}</styleSheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{S}">{parts.get("strings", "")}</sst>',
    }
    for at, rows in enumerate(sheets.values(), 1):
        before, _, data = rows.rpartition("<!-- rows -->")
        sheet = f"{before}<sheetData>{data}</sheetData>"
        members[f"xl/worksheets/sheet{at}.xml"] = f'<worksheet xmlns="{S}">{sheet}</worksheet>'
    return archive(members | dict(parts.get("files", {})))


def epub(parts: Mapping[str, Any]) -> bytes:
    """Make a book: `chapters` (path -> page), and `files` that replace or add members."""
    chapters: dict[str, str] = parts["chapters"]
    kinds = {".svg": "image/svg+xml", "html": "application/xhtml+xml"}
    items = "".join(
        f'<item id="c{at}" href="{path}" media-type="{kinds.get(path[-4:], "application/xhtml+xml")}"/>'
        for at, path in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{at}"/>' for at in range(len(chapters)))
    members: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf">'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    members |= {f"OEBPS/{path}": page for path, page in chapters.items()}
    members |= parts.get("files", {})
    return archive({name: content for name, content in members.items() if content is not None})


MAKERS = {
    "docx": docx,
    "odt": lambda parts: odf("odt", parts),
    "ods": lambda parts: odf("ods", parts),
    "odp": lambda parts: odf("odp", parts),
    "pptx": pptx,
    "xlsx": xlsx,
    "epub": epub,
    "zip": archive,
}
