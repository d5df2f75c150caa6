"""What Thoth does not read, by its right name and with the way out: "a Keynote presentation: export it as PDF"."""

from __future__ import annotations

import re
from pathlib import PurePath

from thoth.errors import DocumentError, UnknownFormatError
from thoth.ingest.names import shown

_PICTURE = "run text recognition (OCR) on it and use the text"
_SOUND = "make a transcript, and use that"
_ARCHIVE = "unpack it, and use the files in it"
_PDF = "export it as PDF"

# Bytes that a file begins with -> what it is, and what to do; of a folder of these, only the number is told.
_OTHERS: tuple[tuple[bytes, int, str, str], ...] = (
    (b"\x89PNG\r\n", 0, "a picture (PNG)", _PICTURE),
    (b"\xff\xd8\xff", 0, "a picture (JPEG)", _PICTURE),
    (b"GIF8", 0, "a picture (GIF)", _PICTURE),
    (b"II*\0", 0, "a picture (TIFF)", _PICTURE),
    (b"MM\0*", 0, "a picture (TIFF)", _PICTURE),
    (b"WEBP", 8, "a picture (WebP)", _PICTURE),
    (b"8BPS", 0, "a Photoshop picture", _PICTURE),
    (b"ftyphei", 4, "a picture (HEIC)", _PICTURE),
    (b"ftypmif1", 4, "a picture (HEIC)", _PICTURE),
    (b"ftypavif", 4, "a picture (AVIF)", _PICTURE),
    (b"ftypM4A", 4, "a sound recording (M4A)", _SOUND),
    (b"ftyp", 4, "a video", _SOUND),
    (b"moov", 4, "a video (QuickTime)", _SOUND),
    (b"0&\xb2u\x8ef\xcf\x11", 0, "a recording (Windows Media)", _SOUND),
    (b"MThd", 0, "music (MIDI)", "choose a document with text"),
    (b"BM", 0, "a picture (BMP)", _PICTURE),
    (b"\x1aE\xdf\xa3", 0, "a video (Matroska, WebM)", _SOUND),
    (b"AVI ", 8, "a video (AVI)", _SOUND),
    (b"WAVE", 8, "a sound recording (WAV)", _SOUND),
    (b"ID3", 0, "a sound recording (MP3)", _SOUND),
    (b"\xff\xfb", 0, "a sound recording (MP3)", _SOUND),
    (b"\xff\xf3", 0, "a sound recording (MP3)", _SOUND),
    (b"OggS", 0, "a recording (Ogg)", _SOUND),
    (b"fLaC", 0, "a sound recording (FLAC)", _SOUND),
    (b"\x1f\x8b", 0, "a compressed file (gzip)", _ARCHIVE),
    (b"BZh", 0, "a compressed file (bzip2)", _ARCHIVE),
    (b"\xfd7zXZ\0", 0, "a compressed file (xz)", _ARCHIVE),
    (b"\x28\xb5\x2f\xfd", 0, "a compressed file (Zstandard)", _ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", 0, "an archive (7z)", _ARCHIVE),
    (b"Rar!\x1a\x07", 0, "an archive (RAR)", _ARCHIVE),
    (b"ustar", 257, "an archive (tar)", _ARCHIVE),
    (b"xar!", 0, "an installer package", "choose a document with text"),
    (b"SQLite format 3\0", 0, "a database (SQLite)", "export its tables as .csv"),
    (b"PAR1", 0, "a data file (Parquet)", "export it as .csv"),
    (b"\x93NUMPY", 0, "a data file (NumPy)", "export it as .csv"),
    (b"\x89HDF\r\n", 0, "a data file (HDF5)", "export it as .csv"),
    (b"GGUF", 0, "a language model (GGUF)", "convert-weights makes a base of it"),
    (b"!<arch>\n", 0, "an archive (ar)", _ARCHIVE),
    (b"\0asm", 0, "a program (WebAssembly)", "choose a document with text"),
    (b"\x7fELF", 0, "a program", "choose a document with text"),
    (b"MZ", 0, "a program", "choose a document with text"),
    (b"\xcf\xfa\xed\xfe", 0, "a program", "choose a document with text"),
    (b"\xca\xfe\xba\xbe", 0, "a program", "choose a document with text"),
    (b"\0\x01\0\0\0", 0, "a font", "choose a document with text"),
    (b"OTTO", 0, "a font", "choose a document with text"),
    (b"wOF", 0, "a font", "choose a document with text"),
    (b"\x80\x02}", 0, "a Python pickle", "export it as .csv or .json"),
)
# The same for documents: these are named wherever they lie.
_DOCUMENTS: tuple[tuple[bytes, int, str, str], ...] = (
    (b"BOOKMOBI", 60, "a Kindle book (MOBI)", "convert it to EPUB, with Calibre for example"),
    (b"\xeaDRMION\xee", 0, "a protected Kindle book", "Thoth reads books without such protection only"),
    (b"CONT\x02\0", 0, "a Kindle book (KFX)", "convert it to EPUB, with Calibre for example"),
    (b"TPZ3", 0, "a Kindle book (Topaz)", "convert it to EPUB, with Calibre for example"),
    (b"AT&TFORM", 0, "a DjVu document", "convert it to PDF"),
    (b"ITSF", 0, "a Windows help file (CHM)", "convert it to EPUB or PDF"),
    (b"ITOLITLS", 0, "a Microsoft Reader book (LIT)", "convert it to EPUB"),
    (b"%!PS", 0, "a PostScript file", "convert it to PDF, with ps2pdf for example"),
    (b"\xc5\xd0\xd3\xc6", 0, "a PostScript file", "convert it to PDF"),
    (b"\xffWPC", 0, "a WordPerfect document", "save it as .docx or PDF"),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", 0, "a OneNote section", _PDF),
    (b"Standard Jet DB", 4, "an Access database", "export its tables as .csv"),
    (b"Standard ACE DB", 4, "an Access database", "export its tables as .csv"),
    (b"!BDN", 0, "an Outlook mailbox (PST)", "save its messages as .eml"),
    (b"\x78\x9f\x3e\x22", 0, "an Outlook attachment (winmail.dat)", "save the message as .eml"),
    (b"\xdb\xa5-\0", 0, "a document of an old Word", "save it as .docx"),
    (b"1\xbe\0\0", 0, "a Microsoft Write document", "save it as .docx"),
)
_IWORK = {
    ".key": ("a Keynote presentation", f"{_PDF} or PowerPoint"),
    ".pages": ("a Pages document", f"{_PDF} or Word"),
    ".numbers": ("a Numbers spreadsheet", "export it as Excel or CSV"),
}
# Names of streams in the compound files of Microsoft's programs until 2003.
_STREAMS = (
    ("WordDocument", "a Word document of the old kind (.doc)", "save it as .docx"),
    ("PowerPoint Document", "a PowerPoint presentation of the old kind (.ppt)", "save it as .pptx"),
    ("Workbook", "an Excel spreadsheet of the old kind (.xls)", "save it as .xlsx"),
    ("__properties_version1.0", "an Outlook message (.msg)", "save it as .eml"),
    ("VisioDocument", "a Visio drawing", _PDF),
    ("Quill", "a Publisher document", _PDF),
    ("HwpSummaryInformation", "a Hangul document (.hwp)", "save it as .docx or PDF"),
    ("Book", "an Excel spreadsheet of the old kind (.xls)", "save it as .xlsx"),
)
# What the instruction `<?mso-application progid="..."?>` names.
_XML_OF_OFFICE = {b"Word.Document": ".docx", b"Excel.Sheet": ".xlsx", b"PowerPoint.Show": ".pptx"}
_LINKS = {".gdoc": ("document", ".docx"), ".gsheet": ("spreadsheet", ".xlsx"), ".gslides": ("presentation", ".pptx")}
# Addresses that were dragged to the desktop: on a Mac a property list, elsewhere a line `URL=`.
_SHORTCUTS = {".webloc", ".url", ".desktop"}
_SHORTCUT = re.compile(rb"(?:URL=|<string>|_\x10.|[\x50-\x5e])(https?://[\x21-\x3b\x3d\x3f-\x7e]+)", re.DOTALL)
_MOST_SHORTCUT = 4096
_ENCRYPTED_OFFICE = "EncryptedPackage".encode("utf-16-le")

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def by_bytes(data: bytes, name: str) -> DocumentError | None:
    """Return the error for a file of a kind that is not read, told by its first bytes; None for all others."""
    if data.startswith(OLE):
        return _compound(data, name)
    for mark, at, what, remedy in _DOCUMENTS:
        if data.startswith(mark, at):
            return DocumentError(f"{name} is {what}: {remedy}")
    is_short = data[:2] in (b"MZ", b"BM", b"II", b"ID") and b"\0" not in data[:512]  # two letters begin a text as well
    for mark, at, what, remedy in _OTHERS:
        if data.startswith(mark, at) and not is_short:
            return UnknownFormatError(f"{name} is {what}: {remedy}")
    for program, suffix in _XML_OF_OFFICE.items():
        if b'progid="' + program in data[:1024]:
            what = program.decode().partition(".")[0]
            return DocumentError(f"{name} is {what} XML: open it in {what} and save it as {suffix}")
    return _link(data, name)


def archive(members: set[str], name: str) -> DocumentError:
    """Return the error for a zip archive of a kind that is not read."""
    suffix = PurePath(name).suffix.lower()
    if any(member.endswith(".iwa") for member in members) or members & {"Index.zip", "index.apxl", "index.xml.gz"}:
        what, remedy = _IWORK.get(suffix, ("an iWork document", _PDF))
        return DocumentError(f"{name} is {what}: {remedy}")
    if "xl/workbook.bin" in members:
        return DocumentError(f"{name} is a binary Excel spreadsheet (.xlsb): save it as .xlsx")
    if any(member.endswith((".fdseq", ".fpage")) for member in members):
        return DocumentError(f"{name} is an XPS document: save it as PDF")
    if any(member.startswith("visio/") for member in members):
        return DocumentError(f"{name} is a Visio drawing: {_PDF}")
    if suffix == ".hwpx" or "Contents/section0.xml" in members:
        return DocumentError(f"{name} is a Hangul document: save it as .docx or PDF")
    if suffix in _IWORK:
        what, remedy = _IWORK[suffix]
        return DocumentError(f"{name} is {what}: {remedy}")
    pictures = [member for member in members if member.lower().endswith((".jpg", ".jpeg", ".png", ".webp", ".gif"))]
    if suffix == ".cbz" or (pictures and len(pictures) > 0.9 * len(members)):
        return UnknownFormatError(f"{name} is an archive of pictures: {_PICTURE}")
    return UnknownFormatError(f"{name} is an archive (zip): {_ARCHIVE}")


def old_drawing(name: str) -> DocumentError:
    """Return the error for a drawing of LibreOffice."""
    return DocumentError(f"{name} is a drawing (OpenDocument): {_PDF}")


def package(name: str) -> DocumentError | None:
    """Return the error for a folder that is one document of a kind that is not read."""
    found = _IWORK.get(PurePath(name).suffix.lower())
    return DocumentError(f"{name} is {found[0]}: {found[1]}") if found else None


def _compound(data: bytes, name: str) -> DocumentError:
    if _ENCRYPTED_OFFICE in data:
        return DocumentError(f"{name} is encrypted: open it, save a copy without a password, and use the copy")
    for stream, what, remedy in _STREAMS:
        if stream.encode("utf-16-le") in data:
            return DocumentError(f"{name} is {what}: {remedy}")
    suffix = PurePath(name).suffix.lower()
    kinds = {".xls": ".xlsx", ".ppt": ".pptx", ".msg": ".eml"}
    return DocumentError(f"{name} is in the old format of Office: save it as {kinds.get(suffix, '.docx')}")


def _link(data: bytes, name: str) -> DocumentError | None:
    found = _LINKS.get(PurePath(name).suffix.lower())
    if found and data.lstrip()[:1] == b"{":
        return DocumentError(f"{name} is only a link to a {found[0]} in Google Drive: download it as {found[1]}")
    if b"<FictionBook" in data[:2000]:
        return DocumentError(f"{name} is a FictionBook (FB2): convert it to EPUB, with Calibre for example")
    if (shortcut := _SHORTCUT.search(data[:_MOST_SHORTCUT])) and PurePath(name).suffix.lower() in _SHORTCUTS:
        address = shown(shortcut[1].decode().replace("&amp;", "&"))
        return DocumentError(f"{name} only holds an address: absorb {address}")
    if PurePath(name).suffix.lower() == ".icloud":
        return DocumentError(f"{name} is not on this computer yet: download it from iCloud first")
    return None
