"""An address -> what its server sends: http and https only, with limits on size, time and redirections."""

from __future__ import annotations

import re
import ssl
import string
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2
import httpx2

from thoth.errors import DocumentError
from thoth.ingest import network, tags
from thoth.ingest.files import bounded
from thoth.ingest.mime import Headers
from thoth.ingest.names import shown
from thoth.system.version import __version__

MAX_REDIRECTIONS = 10

_MAX_REASON = 100  # letters of what a server says
_MAX_REFRESH_SECONDS = 5  # a page that stays longer is meant to be read
_REFRESH_WITHIN = 16 << 10
_UNPACKED_AT_ONCE = 1 << 16

_SCHEMES = ("http", "https")
_PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's `wbits`
_UNREADABLE = {"br", "zstd", "compress", "x-compress", "dcb", "dcz"}
_REDIRECTS = {301, 302, 303, 307, 308}
# Without a name of its own, many servers send nothing or another page.
_HEADERS = {"User-Agent": f"thoth/{__version__}", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}


@dataclass(frozen=True)
class Page:
    """What a server sent.

    Attributes:
        data: the bytes.
        name: what the server calls it, else the last part of the final address, or its host; safe to show.
        media_type: what the server says it is, None where it says nothing.
        charset: what the server says its encoding is.
    """

    data: bytes
    name: str
    media_type: str | None
    charset: str | None


def fetch(address: str, *, allow_private: bool = False) -> Page:
    """Fetch a document.

    Args:
        address: where it is.
        allow_private: whether its server may be this machine or in its own network: only where a person said so.
            A redirection may lead back to the same server, to no other private one.

    Raises:
        DocumentError: The address is wrong or private, the server cannot be reached or refuses, or sends too much.
    """
    name = shown(address)
    url = _checked(address)
    clock = network.Clock(name)
    target: str | None = None  # where the last answer led
    try:
        with httpx2.Client(
            transport=_Transport(clock, _place(url) if allow_private else None),
            headers=_HEADERS,
            timeout=None,  # the clock's times hold
            trust_env=False,
        ) as client:
            for _ in range(MAX_REDIRECTIONS + 1):
                page, target = _request(client, url, name, clock)
                if target is None:
                    return page
                url = _followed(url, target)
    except DocumentError as error:
        if target is None or name in str(error):
            raise
        raise DocumentError(f"{name} leads elsewhere: {error}") from error
    except (
        httpx2.TransportError,
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.TimeoutException,
    ) as error:
        raise _explained(name, error, clock) from error
    except (httpx2.InvalidURL, httpx2.CookieConflict, ValueError) as error:
        raise DocumentError(f"{name} cannot be fetched ({_short(error)}): check the address") from error
    raise DocumentError(f"{name} leads on and on, more than {MAX_REDIRECTIONS} times: open it in a browser and save it")


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust; read once, which takes 30 ms."""
    return httpx2.create_ssl_context()


class _Transport(httpx2.BaseTransport):
    """Sends requests over connections that are watched.

    Args:
        clock: of the document.
        private: host and port of a private server that is allowed.
    """

    def __init__(self, clock: network.Clock, private: tuple[str, int] | None) -> None:
        self._clock, self._private = clock, private
        self._context = _certificates()
        self._pools: dict[str, httpcore2.ConnectionPool] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = httpcore2.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        self._clock.begin_request()
        answer = self._pool(request.url.scheme, request.url.host).handle_request(
            httpcore2.Request(request.method, url, headers=request.headers.raw, content=b"")
        )
        self._clock.end_head()
        stream = _Body(answer)
        return httpx2.Response(answer.status, headers=answer.headers, stream=stream, extensions=answer.extensions)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool(self, scheme: str, host: str) -> httpcore2.ConnectionPool:
        address = None if proxy_bypass(host) else getproxies().get(scheme, getproxies().get("all"))
        key = address or ""
        if key not in self._pools:
            if address is None:
                backend = network.Backend(self._clock, self._private)
                self._pools[key] = httpcore2.ConnectionPool(ssl_context=self._context, network_backend=backend)
            else:
                self._pools[key] = self._proxy(address)
        return self._pools[key]

    def _proxy(self, address: str) -> httpcore2.ConnectionPool:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        place = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        backend = network.Backend(self._clock, self._private, place)
        login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return httpcore2.HTTPProxy(
            f"{parts.scheme}://{parts.hostname}:{place[1]}",
            proxy_auth=login,
            ssl_context=self._context,
            network_backend=backend,
        )


class _Body(httpx2.SyncByteStream):
    """The body of an answer as it comes."""

    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _request(client: httpx2.Client, url: str, name: str, clock: network.Clock) -> tuple[Page, str | None]:
    """Fetch one address; returns what came, and where it leads on to."""
    response = client.send(client.build_request("GET", url), stream=True)
    try:
        headers = response.headers
        if response.status_code in _REDIRECTS and "location" in headers:
            return Page(b"", "", None, None), headers["location"]
        if response.status_code >= 400:
            raise _refused(name, response)
        data = _body(response, name)
    finally:
        response.close()
    kind = Headers()
    for header in ("content-type", "content-disposition"):
        if headers.get(header):
            kind[header] = headers[header]
    media_type = kind.get_content_type() if "content-type" in kind else None
    page = Page(data, _name(url, kind.get_filename()), media_type, kind.get_content_charset())
    return page, _refresh(page, url)


def _body(response: httpx2.Response, name: str) -> bytes:
    """Read a body, unpacked; never more than the limits."""
    packing = [
        word for part in response.headers.get("content-encoding", "").split(",") if (word := part.strip().lower())
    ]
    if unreadable := _UNREADABLE.intersection(packing):
        raise DocumentError(
            f"{name} comes compressed in a way that was not asked for ({', '.join(unreadable)}): "
            "download it with a browser and use the file"
        )
    length = response.headers.get("content-length", "")
    expected = int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else 0
    if expected > network.MAX_BYTES:
        raise _too_large(name)
    received = 0

    def counted() -> Iterator[bytes]:
        nonlocal received
        for block in response.iter_raw():
            received += len(block)
            yield block

    blocks: Iterator[bytes] = counted()
    packed = [word for word in packing if word in _PACKED]
    for word in reversed(packed):
        blocks = _unpacked(blocks, _PACKED[word], name)
    left = b""

    def read(size: int) -> bytes:
        nonlocal left
        while not left and (block := next(blocks, None)) is not None:
            left = block
        piece, left = left[:size], left[size:]
        return piece

    try:
        data = bounded(read, name, 0 if packed else expected)
    except (httpcore2.ProtocolError, httpcore2.NetworkError, httpx2.TransportError) as error:
        counts = f", {received} of {expected} bytes" if expected else ""
        if "too much" in str(error):
            raise _too_large(name) from error
        raise DocumentError(f"{name} came incomplete{counts}: try again") from error
    if len(data) > network.MAX_BYTES:
        raise _too_large(name)
    return data


def _too_large(name: str) -> DocumentError:
    return DocumentError(f"{name} has more than {network.MAX_BYTES >> 20} MB: download it and use the file")


def _unpacked(blocks: Iterator[bytes], wbits: int, name: str) -> Iterator[bytes]:
    """Unpack a stream piece by piece: a bomb of a kilobyte must not become a gigabyte at once."""
    unpacker, total = zlib.decompressobj(wbits), 0
    is_first = True
    for block in blocks:
        rest = block
        while rest:
            try:
                piece = unpacker.decompress(rest, _UNPACKED_AT_ONCE)
            except zlib.error as error:
                if is_first and wbits == 15:  # some servers leave out zlib's own header
                    unpacker, wbits, is_first = zlib.decompressobj(-15), -15, False
                    continue
                raise DocumentError(f"{name} comes compressed and damaged: try again") from error
            is_first = False
            total += len(piece)
            if total > network.MAX_BYTES:
                raise DocumentError(
                    f"{name} unpacks to more than {network.MAX_BYTES >> 20} MB: download it and use the file"
                )
            yield piece
            rest = unpacker.unconsumed_tail
            if unpacker.eof and unpacker.unused_data:  # a second member, as `cat a.gz b.gz` makes it
                rest, unpacker = unpacker.unused_data, zlib.decompressobj(wbits)
    while not unpacker.eof and (piece := unpacker.decompress(unpacker.unconsumed_tail, _UNPACKED_AT_ONCE)):
        yield piece
    if total and not unpacker.eof:
        raise DocumentError(f"{name} came incomplete: try again")


def _refresh(page: Page, url: str) -> str | None:
    """Return where a page sends browsers to at once."""
    head = page.data[:_REFRESH_WITHIN]
    if page.media_type not in (None, "text/html", "application/xhtml+xml") or b"refresh" not in head.lower():
        return None
    for token in tags.tags_and_text(head.decode("utf-8", "replace")):
        if not isinstance(token, tags.Tag) or token.name != "meta" or token.end:
            continue
        found = token.attributes()
        if found.get("http-equiv", "").strip().lower() != "refresh":
            continue
        seconds, _, target = re.sub(r"[;,]", ";", found.get("content", "")[:2000], count=1).partition(";")
        match = re.match(r"\s*(?:url\s*=\s*)?['\"]?([^'\"]*)", target, re.IGNORECASE)
        wait = re.match(r"\s*(\d{0,4})", seconds)
        if match and match[1].strip() and wait and int(wait[1] or 0) <= _MAX_REFRESH_SECONDS:
            leads_to = match[1].strip()
            return None if _same(urljoin(url, leads_to), url) else leads_to
    return None


def _same(one: str, other: str) -> bool:
    return one.partition("#")[0] == other.partition("#")[0]


def _followed(url: str, target: str) -> str:
    """Return the address that a redirection leads to, checked as the first one was."""
    followed = _checked(urljoin(url, target.strip()))
    if urlsplit(url).scheme == "https" and urlsplit(followed).scheme != "https":
        raise DocumentError(f"{shown(url)} leads to an address without protection: open that one yourself")
    return followed


def _checked(address: str) -> str:
    """Return the address as it goes over the wire: letters outside of ASCII encoded, no fragment."""
    name = shown(address)
    try:
        parts = urlsplit(address)
        host, has_password = parts.hostname, "@" in parts.netloc
        port = f":{parts.port}" if parts.port else ""
        wire_host = host.encode("idna").decode("ascii") if host and not host.isascii() else host
    except ValueError as error:
        raise DocumentError(f"{name} is no address: check it") from error
    if parts.scheme.lower() not in _SCHEMES:
        raise DocumentError(f"{name} is not on the web: Thoth fetches http and https addresses, and reads files")
    if not wire_host:
        raise DocumentError(f"{name} names no server: check the address")
    if has_password:
        raise DocumentError("an address with a password in it is not fetched: download the file and use that")
    wire_host = f"[{wire_host}]" if ":" in wire_host else wire_host
    path = quote(parts.path or "/", safe=string.punctuation)
    query = f"?{quote(parts.query, safe=string.punctuation)}" if parts.query else ""
    return f"{parts.scheme.lower()}://{wire_host}{port}{path}{query}"


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _name(address: str, filename: str | None) -> str:
    parts = urlsplit(address)
    named = PurePosixPath((filename or "").replace("\\", "/")).name
    return shown(named or PurePosixPath(unquote(parts.path)).name or parts.hostname or address)


def _refused(name: str, response: httpx2.Response) -> DocumentError:
    code = response.status_code
    reason = shown(" ".join(response.reason_phrase.split())[:_MAX_REASON])
    said = f"{name} cannot be fetched: the server says {code} {reason}".rstrip()
    wait = response.headers.get("retry-after", "")
    if code in (401, 403, 407):
        return DocumentError(f"{said}, it may want a login: open it in a browser, save it and use the file")
    if code in (404, 410):
        return DocumentError(f"{said}: check the address")
    if code == 429 or code >= 500:
        when = f"in {wait} s" if wait.isascii() and wait.isdecimal() and len(wait) < 6 else "later"
        return DocumentError(f"{said}: try again {when}")
    return DocumentError(f"{said}: open it in a browser, save it and use the file")


def _explained(name: str, error: Exception, clock: network.Clock) -> DocumentError:
    if isinstance(error, httpcore2.TimeoutException | httpx2.TimeoutException):
        return clock.too_slow()
    if isinstance(error, httpcore2.ConnectError | httpx2.ConnectError):
        return DocumentError(f"{name} cannot be reached ({_short(error)}): check the address and the network")
    if "without sending a response" in str(error):
        return DocumentError(f"{name} cannot be fetched: the server closed the connection without an answer; try again")
    if isinstance(error, httpcore2.NetworkError | httpx2.NetworkError):
        return DocumentError(f"{name} cannot be fetched, the connection broke ({_short(error)}): try again")
    return DocumentError(
        f"{name} cannot be fetched, its server does not speak proper HTTP ({_short(error)}): check the address"
    )


def _short(error: Exception) -> str:
    text = str(error)
    return shown(" ".join(text.split())[:_MAX_REASON]) or type(error).__name__
