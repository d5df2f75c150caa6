"""Office files whose main part is damaged: what can still be read is read, with a warning."""

import logging
import zipfile
from io import BytesIO

import pytest

from tests.app.ingest import packages, pdf_samples
from thoth.errors import DocumentError
from thoth.ingest import broken_xml, formats
from thoth.ingest.mime import Headers

PARAGRAPHS = [f"Sentence {number} of the report on the harbour of Harpool." for number in range(400)]
BODY = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in PARAGRAPHS)


def read(data: bytes, name: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    with caplog.at_level(logging.WARNING, logger="thoth"):
        text = formats.read(data, name).text
    assert caplog.messages == [f"{name} is damaged: what can still be read was read, some of its text may be missing"]
    return text.split("\n\n")


def place_of(data: bytes, member: str) -> tuple[int, int]:
    """Return where a member's bytes begin and end in an archive."""
    info = zipfile.ZipFile(BytesIO(data)).getinfo(member)
    start = info.header_offset + 30 + len(member)
    return start, start + info.compress_size


def test_a_part_that_does_not_unpack_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    data = bytearray(packages.docx({"body": BODY}))
    start, end = place_of(bytes(data), "word/document.xml")
    middle = (start + end) // 2
    data[middle : middle + 40] = b"\xff" * 40
    found = read(bytes(data), "report.docx", caplog)
    assert found[:100] == PARAGRAPHS[:100]


def test_a_checksum_that_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    stored = BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", f"<w:document {packages.WORD}><w:body>{BODY}</w:body></w:document>")
    data = stored.getvalue().replace(b"Sentence 7 of", b"Sentence 7 \xff\xff")
    found = read(data, "report.docx", caplog)
    assert found[8:] == PARAGRAPHS[8:]
    assert found[7].startswith("Sentence 7 \ufffd\ufffd the report")


@pytest.mark.parametrize(
    "broken",
    [
        "<w:p><w:r><w:t>Before</w:t></w:r><w:p><w:r><w:t>After</w:t></w:r></w:p>",  # an end is missing
        "<w:p><w:r><w:t>Before</w:t></w:r></w:p></w:tbl><w:p><w:r><w:t>After</w:t></w:r></w:p>",  # one too many
        '<w:p><w:r><w:t>Before</w:t></w:r></w:p><w:p w:x="<"><w:r><w:t>After</w:t></w:r></w:p>',
        "<w:p><w:r><w:t>Before</w:t></w:r></w:p><w:p><w:r w:<w:t>After</w:t></w:r></w:p>",  # a tag is cut
        "<w:p><w:r><w:t>Before</w:t></w:r></w:p><w:p><x:r><w:t>After</w:t></x:r></w:p>",  # an undeclared namespace
        "<w:p><w:r><w:t>Before</w:t></w:r></w:p><w:p><w:r><w:t>After",  # the end is missing
    ],
)
def test_tags_that_do_not_match(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    text = "\n\n".join(read(packages.docx({"body": broken}), "report.docx", caplog))
    assert "Before" in text
    assert "After" in text


def test_an_opendocument_text_that_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    content = f"<office:document-content {packages.ODF}><office:body><office:text><text:p>Before</text:p><text:p>Aft"
    data = packages.odf("odt", {"body": "", "files": {"content.xml": content}})  # type: ignore[dict-item]
    assert read(data, "report.odt", caplog) == ["Before", "Aft"]


def test_entities_stay_refused() -> None:
    markup = f'<!DOCTYPE x [<!ENTITY a "boo">]><w:document {packages.WORD}><w:body><w:p>&a;</w:body>'
    with pytest.raises(DocumentError, match="is damaged"):
        formats.read(packages.docx({"files": {"word/document.xml": markup}}), "report.docx")  # type: ignore[dict-item]


def test_what_is_no_xml_has_no_root() -> None:
    assert broken_xml.recovered("no tags at all") is None
    assert broken_xml.recovered("< <<< >> </a> <!-- <a>") is None


def test_depth_is_bounded() -> None:
    root = broken_xml.recovered("<a>" * 100_000 + "text")
    assert root is not None
    assert sum(1 for _ in root.iter()) == 400
    assert "".join(root.itertext()) == "text"


class Pipe(BytesIO):
    """A stream that cannot go back: zip then writes the sizes behind each member."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


@pytest.mark.parametrize("stream", [BytesIO, Pipe])
def test_an_archive_that_is_cut_off(stream: type[BytesIO], caplog: pytest.LogCaptureFixture) -> None:
    with zipfile.ZipFile(packed := stream(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", f"<w:document {packages.WORD}><w:body>{BODY}</w:body></w:document>")
        archive.writestr("docProps/app.xml", "<x/>")
    data = packed.getvalue()
    assert formats.read(data[: data.rindex(b"PK\x01\x02")], "whole.docx").text.split("\n\n") == PARAGRAPHS
    assert caplog.messages == [
        "whole.docx is cut short or damaged: what can still be read was read; download or copy it again"
    ]
    half = formats.read(data[: len(data) // 2], "half.docx").text.split("\n\n")
    assert half[:100] == PARAGRAPHS[:100]
    assert "some of its text may be missing" in caplog.text


@pytest.mark.parametrize("kept", [40, 300])
def test_an_archive_of_which_nothing_is_left(kept: int) -> None:
    with pytest.raises(DocumentError, match=r"report\.docx is damaged and cannot be read: download it"):
        formats.read(packages.docx({"body": BODY})[:kept], "report.docx")


@pytest.mark.parametrize(
    "parameters",
    [
        "attachment; filename*=a.txt; filename*0=b.txt",  # one name whole and in parts
        "attachment; filename*0*=x\0y''a.txt",  # an encoding that can have no name
        "attachment; filename*1=b; filename*x=c",
    ],
)
@pytest.mark.parametrize("header", ["Content-Disposition", "Content-Type"])
def test_parameters_of_headers_that_nobody_can_read(parameters: str, header: str) -> None:
    kind = parameters if header == "Content-Disposition" else f"text/plain; format=flowed{parameters[10:]}"
    message = f"Subject: The lamp\n{header}: {kind}; charset=utf-8\n\nThe mayor is Osra Kelland.\n"
    document = formats.read(message.encode(), "lamp.eml")
    assert document.text.startswith("The lamp")
    found = Headers()
    found[header] = kind
    for ask in (found.get_filename, found.get_content_charset, found.get_boundary):
        ask()  # a server's headers, and those of parts


def test_a_damaged_list_of_attached_files_costs_itself(caplog: pytest.LogCaptureFixture) -> None:
    data = pdf_samples.pdf_attached_file()
    expected = formats.read(data, "tides.pdf").text
    damaged = data.replace(b"(tides\\056csv) 10 0 R", b"(tides\\056csv) 99 0 R")
    assert damaged != data
    caplog.clear()
    assert formats.read(damaged, "tides.pdf").text == expected
    assert caplog.messages == ["tides.pdf: the files attached to it were left out: without a name"]
