"""An address -> what its server sends: http and https only, with limits on size, time and redirections."""

from __future__ import annotations

import string
import time
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import PurePosixPath
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from thoth.errors import DocumentError
from thoth.ingest.files import bounded
from thoth.ingest.names import shown
from thoth.system.version import __version__

TIMEOUT_SECONDS = 20.0  # without a sign of life
MAX_SECONDS = 300.0  # for all of a document
MAX_REDIRECTIONS = 5

_MAX_REASON = 100  # letters of what a server says

_SCHEMES = ("http", "https")
# Without a name of its own, many servers send nothing or another page.
_HEADERS = {"User-Agent": f"thoth/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Page:
    """What a server sent.

    Attributes:
        data: the bytes.
        name: last part of the final address, or its host; safe to show.
        media_type: what the server says it is, None where it says nothing.
        charset: what the server says its encoding is.
    """

    data: bytes
    name: str
    media_type: str | None
    charset: str | None


def fetch(address: str) -> Page:
    """Fetch a document.

    Raises:
        DocumentError: The address is wrong, the server cannot be reached or refuses, or sends too much.
    """
    name, started = shown(address), time.monotonic()
    try:
        with _opener().open(Request(_checked(address), headers=_HEADERS), timeout=TIMEOUT_SECONDS) as response:
            headers: HTTPMessage = response.headers
            if headers.get("Content-Encoding", "identity").lower() != "identity":
                raise DocumentError(f"{name} comes compressed: download it with a browser and use the file")

            def read(size: int) -> bytes:
                if time.monotonic() - started > MAX_SECONDS:
                    raise TimeoutError
                return response.read1(size)

            length = headers.get("Content-Length", "")
            expected = int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else 0
            data = bounded(read, name, expected)
            if len(data) < expected:
                raise DocumentError(f"{name} came incomplete, {len(data)} of {expected} bytes: try again")
            media_type = headers.get_content_type() if "Content-Type" in headers else None
            return Page(data, _name(response.url), media_type, headers.get_content_charset())
    except HTTPError as error:
        reason = shown(" ".join(str(error.reason).split())[:_MAX_REASON])
        raise DocumentError(f"{name} cannot be fetched: the server says {error.code} {reason}") from error
    except TimeoutError as error:
        raise _too_slow(name) from error
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise _too_slow(name) from error
        reason = shown(str(getattr(error.reason, "strerror", None) or error.reason))
        raise DocumentError(f"{name} cannot be reached ({reason}): check the address and the network") from error
    except (HTTPException, OSError, ValueError) as error:
        reason = shown(str(error)) or type(error).__name__
        raise DocumentError(f"{name} cannot be fetched ({reason}): check the address") from error


class _Redirections(HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTIONS
    max_repeats = 2

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Follow to where one may go; never from a protected connection to an open one."""
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise DocumentError(f"{shown(req.full_url)} leads to an address without protection: open that one yourself")
        return super().redirect_request(req, fp, code, msg, headers, _checked(newurl))


def _opener() -> OpenerDirector:
    # By hand: urllib's own opener reads files and ftp servers as well.
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        _Redirections(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


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


def _name(address: str) -> str:
    parts = urlsplit(address)
    return shown(PurePosixPath(unquote(parts.path)).name or parts.hostname or address)


def _too_slow(name: str) -> DocumentError:
    return DocumentError(f"{name} takes too long to come: try again later, or download it and use the file")
