"""Connections to servers that nobody vouches for: limits on time and bytes that hold from the first one to the last.

A name is looked up once, its addresses are checked, and the connection goes to one that passed: a second answer of
the name server cannot lead elsewhere.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from thoth.errors import DocumentError
from thoth.ingest.names import shown

FIRST_BYTE_SECONDS = 15.0  # from the request to the end of the headers, each redirection anew
TOTAL_SECONDS = 60.0  # for all of a document, redirections included
MAX_HEAD_BYTES = 256 << 10  # of a status line and headers, those of interim answers included
MAX_BYTES = 64 << 20  # over the wire, and unpacked

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Clock:
    """The time one document may take.

    Args:
        name: of the document, for the error.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._end = time.monotonic() + TOTAL_SECONDS
        self._head_end: float | None = None

    def begin_request(self) -> None:
        """Expect the headers of an answer."""
        self._head_end = time.monotonic() + FIRST_BYTE_SECONDS

    def end_head(self) -> None:
        """Note that the headers are there."""
        self._head_end = None

    @property
    def in_head(self) -> bool:
        """Whether headers are still to come."""
        return self._head_end is not None

    def left(self) -> float:
        """Return the seconds that are left for the next step.

        Raises:
            DocumentError: There are none.
        """
        end = self._end if self._head_end is None else min(self._end, self._head_end)
        seconds = end - time.monotonic()
        if seconds <= 0:
            raise self.too_slow()
        return seconds

    def too_slow(self) -> DocumentError:
        """Return the error for a document that takes too long."""
        return DocumentError(f"{self._name} takes too long to come: try again later, or download it and use the file")


class Backend(httpcore2.NetworkBackend):
    """Opens connections to public addresses, and to one private server where that is allowed.

    Args:
        clock: of the document.
        private: the host and port of a server that may have a private address, or None.
        proxy: the host and port of a proxy, which is the user's own and looks names up itself; or None.
    """

    def __init__(self, clock: Clock, private: tuple[str, int] | None, proxy: tuple[str, int] | None = None) -> None:
        self._clock = clock
        self._trusted = {place for place in (private, proxy) if place is not None}
        self._opener = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address of a host that answers.

        Raises:
            DocumentError: The host has no address that may be used, or time is up.
        """
        addresses = resolve(host, port, self._clock)
        if (host, port) not in self._trusted:
            addresses = public(host, addresses)
        for place, address in enumerate(addresses):
            try:
                stream = self._opener.connect_tcp(address, port, self._clock.left(), local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if place + 1 == len(addresses):
                    raise
            else:
                return _Stream(stream, self._clock)
        raise AssertionError("unreachable")


class _Stream(httpcore2.NetworkStream):
    """A connection whose every step ends in time, and that takes no more bytes than the limits allow."""

    def __init__(self, stream: httpcore2.NetworkStream, clock: Clock) -> None:
        self._stream, self._clock = stream, clock
        self._head_bytes = self._bytes = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        in_head = self._clock.in_head
        try:
            data = self._stream.read(max_bytes, self._clock.left())
        except httpcore2.ReadTimeout as error:
            raise self._clock.too_slow() from error
        self._bytes += len(data)
        self._head_bytes = self._head_bytes + len(data) if in_head else 0
        # What is read together with the end of the headers belongs to the body.
        if self._head_bytes > MAX_HEAD_BYTES + max_bytes or self._bytes > MAX_BYTES + MAX_HEAD_BYTES:
            raise httpcore2.RemoteProtocolError("it sends too much")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._clock.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._clock.left()), self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def resolve(host: str, port: int, clock: Clock) -> list[str]:
    """Return the addresses of a host; a name server that does not answer is given up in time.

    Raises:
        httpcore2.ConnectError: It has none.
        DocumentError: Time is up.
    """
    found: list[str] = []
    errors: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            errors.append(error)
        else:
            found.extend(dict.fromkeys(str(answer[4][0]) for answer in answers))

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(clock.left())
    if thread.is_alive():
        raise clock.too_slow()
    if errors or not found:
        raise httpcore2.ConnectError(str(getattr(errors[0], "strerror", None) or errors[0]) if errors else "no address")
    return found


def is_private(address: str) -> bool:
    """Tell whether an IP address is of this machine or its network, or of no place in the internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_private(str(inner))
    return not ip.is_global or ip.is_multicast


def public(host: str, addresses: Iterable[str]) -> list[str]:
    """Return the public ones among a host's addresses.

    Raises:
        DocumentError: There are none.
    """
    found = [address for address in addresses if not is_private(address)]
    if not found:
        raise DocumentError(
            f"{shown(host)} is a private address, of this machine or its own network, and is not fetched from here: "
            "name it yourself to `thoth absorb`, or download the page and use the file"
        )
    return found


def leads_home(address: str) -> bool:
    """Tell whether the server of an address is this machine or in its own network; looks its name up."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or 80
        clock = Clock(shown(address))
        clock.begin_request()
        return all(map(is_private, resolve(host, port, clock)))
    except (ValueError, DocumentError, httpcore2.ConnectError):
        return False  # fetching it says what is wrong
