"""Mail (EML, Apple's EMLX, MBOX) and saved web pages (MHTML) -> the message; attachments are named, not read."""

from __future__ import annotations

import binascii
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import PurePath
from urllib.parse import unquote_to_bytes

from thoth.errors import DocumentError
from thoth.ingest import cards, charsets, html, text
from thoth.ingest.document import Document, LooseBlock, assemble
from thoth.ingest.mime import Headers
from thoth.ingest.text_blocks import kind_of

log = logging.getLogger(__name__)

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_NOT_SHOWN = {"text/css", "text/rfc822-headers", "text/x-amp-html"}
_MAX_DEPTH = 12
_MAX_HEADER = 2_000
# A plain text that says no more than "view this in a browser" is short, and much shorter than the HTML.
_SHORT, _FEWEST_LETTERS = 300, 0.5
_MBOX = re.compile(rb"^From [^\n]*\d{4}[^\n]*\n(?=[A-Za-z-]+:)", re.MULTILINE)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
# A file within a text, as mail programs wrote it before MIME.
_UUENCODED = re.compile(
    r"^begin [0-7]{3,4} ([^\n]{1,200})\n(?:[!-`][ -`]{1,90}\n)*+(?:[` ]?\n)?end[ \t]*$", re.MULTILINE
)


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read a message, a mailbox of several, or a web page that was saved as one file.

    Args:
        data: the file.
        name: of the document.
        charset: not looked at; every part names its own.

    Raises:
        DocumentError: The message is encrypted, or the file is no message.
    """
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    suffix = PurePath(name).suffix.lower()
    if suffix == ".emlx":
        data = _without_frame(data)
    try:
        messages = _messages(data)
        parts = [part for message in messages for part in _message(message, name, 0)]
    except RecursionError as error:  # messages within messages, a thousand deep
        raise DocumentError(f"{name} is damaged and cannot be read: save the message again") from error
    if not any(message.keys() for message in messages):
        raise DocumentError(f"{name} is no mail message: if it is a text, give it the suffix .txt")
    return assemble(name, parts)


def _without_frame(data: bytes) -> bytes:
    """Return a message without what Apple Mail puts around it: its length in front, a property list at the end."""
    first, _, rest = data.partition(b"\n")
    return rest[: int(first)] if first.strip().isdigit() and len(first) < 12 else data


def _messages(data: bytes) -> list[Message]:
    if data.startswith(b"From "):
        starts = [found.start() for found in _MBOX.finditer(data)]
        if starts:
            pieces = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
            return [_parsed(_QUOTED_FROM.sub(rb"\1", piece.partition(b"\n")[2])) for piece in pieces]
    return [_parsed(data.lstrip())]


def _parsed(data: bytes) -> Message:
    # The old policy: the new one parses addresses and dates on the way, and fails on those of spam.
    return message_from_bytes(data, Headers, policy=policy.compat32)


def _message(message: Message, name: str, depth: int) -> Iterator[LooseBlock]:
    page = _saved_page(message)
    if page is not None:
        yield from html.parts(_text(page, name))
        return
    subject = _header(message, "Subject")
    if subject:
        yield LooseBlock("heading", subject, min(depth + 1, 6))
    headers = [f"{key}: {found}" for key in _HEADERS if key != "Subject" and (found := _header(message, key))]
    if headers:
        yield LooseBlock("paragraph", "\n".join(headers))
    attached: list[str] = []
    yield from _body(message, name, depth, attached)
    if attached:
        yield LooseBlock("paragraph", f"Attachments: {', '.join(attached)}")


def _saved_page(message: Message) -> Message | None:
    """Return the page of an MHTML file, None for mail."""
    is_saved = "Snapshot-Content-Location" in message or "Saved by" in str(message.get("From", ""))
    if "To" in message or "Received" in message or ("From" in message and not is_saved):
        return None
    if message.get_content_type() == "text/html" and "Content-Location" in message:
        return message
    if message.get_content_type() != "multipart/related" or not message.is_multipart():
        return None
    pages = [part for part in message.walk() if part.get_content_type() in ("text/html", "application/xhtml+xml")]
    start = str(message.get_param("start") or "")
    return next((page for page in pages if start and page.get("Content-ID") == start), pages[0] if pages else None)


def _body(message: Message, name: str, depth: int, attached: list[str]) -> Iterator[LooseBlock]:
    """Yield the text of a message's parts, and collect the names of the others."""
    if depth > _MAX_DEPTH:
        return
    kind = message.get_content_type()
    filename = _filename(message)
    is_attachment = message.get_content_disposition() == "attachment"
    if kind == "message/rfc822" and message.is_multipart():
        for inner in _inner(message):
            yield from _message(inner, name, depth + 1)
    elif message.is_multipart():
        parts: list[Message] = message.get_payload()  # type: ignore[assignment]
        if kind == "multipart/alternative":
            yield from _best(parts, name, depth, attached)
        elif kind == "multipart/encrypted":
            raise DocumentError(f"{name} is encrypted: open it in your mail program and save its text")
        else:
            for part in parts:
                yield from _body(part, name, depth + 1, attached)
    elif kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        raise DocumentError(f"{name} is encrypted or sealed: open it in your mail program and save its text")
    elif is_attachment or (filename and not kind.startswith("text/")):
        if filename and filename not in ("smime.p7s", "signature.asc"):
            attached.append(filename)
    elif kind in ("text/html", "application/xhtml+xml"):
        yield from html.parts(_text(message, name), titled=False)
    elif kind == "text/calendar":
        yield from cards.parts(_text(message, name))
    elif (kind.startswith("text/") and kind not in _NOT_SHOWN) or kind.startswith("multipart/"):
        found = _text(message, name)  # of several parts, where nothing says where one ends, too
        if message.get_param("format") == "flowed":
            found = _unflowed(found, message.get_param("delsp") == "yes")
        attached += _UUENCODED.findall(found)
        yield from _paragraphs(_UUENCODED.sub("", found))


def _inner(message: Message) -> Iterator[Message]:
    """Yield the messages within one; Python's parser leaves one packed that a program wrote in base64."""
    is_packed = str(message.get("Content-Transfer-Encoding", "")).strip().lower() == "base64"
    inner: Message
    for inner in message.get_payload():  # type: ignore[assignment]
        packed = inner.get_payload()
        if is_packed and isinstance(packed, str) and not inner.keys():
            with suppress(binascii.Error, ValueError):
                inner = _parsed(binascii.a2b_base64(packed))
        yield inner


def _best(parts: list[Message], name: str, depth: int, attached: list[str]) -> Iterator[LooseBlock]:
    """Yield one of several versions: the plain text, unless it only says that there is an HTML version."""
    versions = []
    for part in parts:
        names: list[str] = []
        versions.append((part.get_content_type(), list(_body(part, name, depth + 1, names)), names))
    lengths = [sum(len(part.text) for part in found) for _, found, _ in versions]
    longest = max(lengths, default=0)
    order = sorted(range(len(versions)), key=lambda at: versions[at][0] != "text/plain")
    for at in order:
        kind, found, _ = versions[at]
        stands_for_it = lengths[at] > _SHORT or lengths[at] >= _FEWEST_LETTERS * longest
        if kind != "text/calendar" and lengths[at] and stands_for_it:
            yield from found
            break
    for kind, found, names in versions:
        attached += [one for one in names if one not in attached]
        if kind == "text/calendar":
            yield from found


def _text(message: Message, name: str) -> str:
    """Return a text part, in the encoding that it names."""
    data = _payload(message)
    named = message.get_content_charset()
    if named is None or charsets.codec(named) is None:
        named = html.declared_charset(data) if message.get_content_type() == "text/html" else None
        return text.decode(data, name, named, is_markup=True) if data.strip() else ""
    return text.decode(data, name, named) if data.strip() else ""


def _payload(message: Message) -> bytes:
    data = message.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _header(message: Message, key: str) -> str:
    """Return a header as people read it: encoded words decoded, the date in ISO 8601."""
    raw = next((str(value) for name, value in message.raw_items() if name.lower() == key.lower()), "")
    shown = _decoded(raw[:_MAX_HEADER])
    if key == "Date":
        try:
            return f"{parsedate_to_datetime(shown):%Y-%m-%d %H:%M %z}".strip()
        except (ValueError, TypeError, IndexError, OverflowError):
            return shown
    return shown


def _decoded(raw: str) -> str:
    raw = _raw(raw)
    try:
        found = decode_header(raw)
    except (MessageError, ValueError, binascii.Error):
        found = [(raw, None)]
    pieces = [
        piece.decode(charsets.codec(label) or "utf-8", "replace") if isinstance(piece, bytes) else piece
        for piece, label in found
    ]
    return " ".join(text.clean("".join(pieces)).split())


def _raw(header: str) -> str:
    """Return a header whose letters were sent as they are, in UTF-8 or in what old programs took for granted."""
    data = header.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(charsets.guess(data) or "utf-8", "replace")


def _filename(message: Message) -> str:
    found = message.get_param("filename", None, "content-disposition") or message.get_param("name")
    if isinstance(found, tuple):  # RFC 2231: encoding, language, letters
        label, _, letters = found
        data = unquote_to_bytes(letters) if "%" in letters else letters.encode("latin-1", "replace")
        return data.decode(charsets.codec(label) or "utf-8", "replace")
    return _decoded(str(found)) if found else ""


def _unflowed(found: str, joins_words: bool) -> str:
    """Join the lines that format=flowed (RFC 3676) broke: those that end with a blank, at the same depth of quotes."""
    out: list[str] = []
    pieces: list[str] = []  # of the line that is being put together
    before = ""  # its quotes
    for line in found.split("\n"):
        mark = line[: len(line) - len(line.lstrip(">"))]
        content = line[len(mark) :].removeprefix(" ")
        is_open = bool(pieces) and pieces[-1].endswith(" ") and "".join(pieces[-2:]) not in ("-- ", f"{mark} -- ")
        if is_open and mark == before and content:
            pieces[-1] = pieces[-1][:-1] if joins_words else pieces[-1]
            pieces.append(content)
        else:
            out.append("".join(pieces))
            pieces, before = [f"{mark} {content}" if mark else content], mark
    out.append("".join(pieces))
    return "\n".join(out[1:])


def _paragraphs(found: str) -> Iterator[LooseBlock]:
    for piece in re.split(r"\n[ \t]*\n", found):
        if piece.strip():
            yield LooseBlock(kind_of(piece.lstrip("\n")), piece.strip("\n").rstrip())
