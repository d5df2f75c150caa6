"""Documents from the web: what servers send, and what slow, endless and lying ones may not do."""

import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from thoth import ingest
from thoth.errors import DocumentError, NoTextError
from thoth.ingest import network, web
from thoth.ingest.options import Options

ALLOWED = Options(allow_private=True)
NOTE = b"The mayor of Harpool is Osra Kelland."


class Site(BaseHTTPRequestHandler):
    """Answers by the path; anything unknown is 404."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.answer(302, b"", Location=path.removeprefix("/to/").replace("~", "/"))
        elif path.startswith("/left/"):  # so many redirections are left
            left = int(path.removeprefix("/left/"))
            self.answer(302, b"", Location=f"/left/{left - 1}" if left > 1 else "/note.txt")
        elif path == "/note.txt":
            self.answer(200, NOTE, **{"Content-Type": "text/plain"})
        elif path == "/page":
            self.answer(200, "<p>caf\u00e9".encode("cp1252"), **{"Content-Type": "text/html; charset=windows-1252"})
        elif path == "/notes/caf%C3%A9.md":
            self.answer(200, b"# Title", **{"Content-Type": "application/octet-stream"})
        elif path == "/plain":
            self.answer(200, b"<html>quoted", **{"Content-Type": "text/plain"})
        elif path == "/named":
            self.answer(200, b"# Title", **{"Content-Disposition": 'attachment; filename="../harbour report.md"'})
        elif path == "/cookie":
            if "s=1" in self.headers.get("Cookie", ""):
                self.answer(200, NOTE)
            else:
                self.answer(302, b"", **{"Location": "/cookie", "Set-Cookie": "s=1"})
        elif path == "/refresh":
            self.answer(200, b'<meta http-equiv="Refresh" content="0; URL=/note.txt">wait', **HTML)
        elif path == "/refresh-later":
            self.answer(200, b'<meta http-equiv=refresh content="300;url=/note.txt"><p>news', **HTML)
        elif path == "/refresh-file":
            self.answer(200, b'<meta http-equiv=refresh content="0;url=file:///etc/passwd"><p>text', **HTML)
        elif path == "/huge":
            self.answer(200, b"text", **{"Content-Length": str(1 << 30)})
        elif path in ("/endless", "/endless-headers"):
            self.endless(b"text" * 100_000, header=path.endswith("headers"))
        elif path == "/interim":
            self.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0)
        elif path == "/slow-headers":
            self.drip(b"x", 0.02, b"HTTP/1.1 200 OK\r\nX-A: ")
        elif path == "/slow-body":
            self.drip(b"x", 0.02, b"HTTP/1.1 200 OK\r\n\r\n")
        elif path == "/short":
            self.answer(200, b"text", **{"Content-Length": "10"})
        elif path == "/short-chunk":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\ntext")
        elif path == "/endless-pdf":
            self.endless(b"text" * 100_000, header=False, kind=b"Content-Type: application/pdf\r\n\r\n%PDF-1.7\n")
        elif path == "/redirect-endless":
            self.endless(b"text" * 100_000, header=False, status=b"302 Found\r\nLocation: /note.txt")
        elif path == "/redirect-slow":
            self.drip(b"x", 0.02, b"HTTP/1.1 302 Found\r\nLocation: /note.txt\r\n\r\n")
        elif path == "/slow-status":
            self.drip(b"O", 0.02, b"HTTP/1.1 200 ")
        elif path == "/slow-chunk":
            self.drip(b"0", 0.02, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        elif path == "/slow-interim":
            self.drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.02)
        elif path in RAW:
            self.wfile.write(b"HTTP/1.1 " + RAW[path])
        elif path in PACKED:
            encoding, data = PACKED[path]
            self.answer(200, data, **{"Content-Encoding": encoding, "Content-Type": "text/plain"})
        elif path == "/bomb":
            bomb = gzip.compress(bytes(network.MAX_BYTES + 1))  # 0.4 s: not for every collection
            self.answer(200, bomb, **{"Content-Encoding": "gzip", "Content-Type": "text/plain"})
        elif path == "/silent":
            self.server.hang.wait(10)  # type: ignore[attr-defined]
        elif path == "/no-http":
            self.wfile.write(b"hello there")
        elif path == "/nothing":
            pass
        elif path.strip("/").isdigit():
            self.answer(int(path.strip("/")), b"", **{"Retry-After": "30"})
        else:
            self.answer(404, b"")

    def answer(self, code: int, data: bytes, **headers: str) -> None:
        self.send_response(code, "No\x1b such thing" if code == 404 else None)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def endless(self, block: bytes, header: bool, status: bytes = b"200 OK", kind: bytes = b"") -> None:
        self.wfile.write(b"HTTP/1.1 " + status + b"\r\n" + kind + (b"X: " if header else b"\r\n"))
        try:
            while True:
                self.wfile.write(block)
        except OSError:
            return

    def drip(self, piece: bytes, seconds: float, begin: bytes = b"") -> None:
        try:
            self.wfile.write(begin)
            while not self.server.hang.wait(seconds):  # type: ignore[attr-defined]
                self.wfile.write(piece)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        pass


HTML = {"Content-Type": "text/html"}
PACKED = {
    "/gzip": ("gzip", gzip.compress(NOTE)),
    "/gzip-twice": ("x-gzip", gzip.compress(NOTE[:10]) + gzip.compress(NOTE[10:])),
    "/deflate": ("deflate", zlib.compress(NOTE)),
    "/deflate-raw": ("deflate", zlib.compress(NOTE)[2:-4]),
    "/not-packed": ("utf-8", NOTE),  # wrong, and seen
    "/empty": ("", NOTE),
    "/identity": ("identity", NOTE),
    "/brotli": ("br", NOTE),
    "/no-gzip": ("gzip", NOTE),
    "/gzip-short": ("gzip", gzip.compress(NOTE)[:-12]),
}

HEAD = b"200 OK\r\nContent-Type: text/plain\r\n"
PAGE = b"200 OK\r\nContent-Type: text/html; charset=%b\r\n\r\n%b"
RAW = {  # whole answers after `HTTP/1.1 `; the connection ends behind them
    "/many-headers": b"200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n" + NOTE,
    "/no-type": b"200 OK\r\n\r\n<html><p>" + NOTE,
    "/octets": b"200 OK\r\nContent-Type: application/octet-stream\r\n\r\n<html><p>" + NOTE,
    "/odd-type": b"200 OK\r\nContent-Type: text/html;charset=utf-8;\tfoo\r\n\r\n<p>" + NOTE,
    "/unknown-charset": PAGE % (b"none", b"<p>" + NOTE),
    "/latin": PAGE % (b"ISO-8859-1", "<p>\u201c\u00e9\u201d".encode("cp1252")),
    "/lie-charset": PAGE % (b"iso-8859-1", "<meta charset=utf-8><p>\u201c\u65e5\u672c\u201d".encode()),
    "/punycode": b"200 OK\r\nContent-Type: text/plain; charset=punycode\r\n\r\na-" + b"99a" * 100_000,
    "/lie-pdf": b"200 OK\r\nContent-Type: application/pdf\r\n\r\n<html><body>" + NOTE,
    "/lie-html.pdf": b"200 OK\r\nContent-Type: text/html\r\n\r\n%PDF-1.7\nnot really %%EOF",
    "/to-fragment": b"302 Found\r\nLocation: /note.txt#part\r\n\r\n",
    "/to-letters": "302 Found\r\nLocation: /notes/caf\u00e9.md\r\n\r\n".encode(),
    "/to-password": b"302 Found\r\nLocation: http://me:word@127.0.0.1/\r\n\r\n",
    "/to-data": b"302 Found\r\nLocation: data:text/plain,hello\r\n\r\n",
    "/to-itself": b"302 Found\r\nLocation: /to-itself\r\n\r\n",
    "/nothing-there": b"204 No Content\r\n\r\n",
    "/script": PAGE % (b"utf-8", b"<div id=root></div><script src=a.js></script><noscript>Enable it.</noscript>"),
    "/file.txt.gz": b"200 OK\r\nContent-Type: application/gzip\r\n\r\n" + gzip.compress(NOTE),
    "/picture": b"200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n" + bytes(300),
    "/long-length": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n" + NOTE,
    "/negative-length": HEAD + b"Content-Length: -5\r\n\r\n" + NOTE,
    "/bad-chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\nhello",
    "/huge-chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello",
    "/two-packings": HEAD + b"Content-Encoding: GZIP, br\r\n\r\nx",
}

# Taken before any test forbids them.
CONNECT, ADDRESSES = socket.socket.connect, socket.getaddrinfo


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """A server on this machine, and nothing beyond it."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        assert address[0] == "127.0.0.1"
        CONNECT(self, address)

    def addresses(host: str, *rest: object, **more: object) -> object:
        if host != "127.0.0.1":
            raise socket.gaierror(-2, "Name or service not known")
        return ADDRESSES(host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", addresses)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.hang = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield lambda path: f"http://127.0.0.1:{server.server_address[1]}{path}"
    server.hang.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def test_addresses(site: Callable[[str], str]) -> None:
    document = ingest.read(site("/page?x=1#part"), ALLOWED)
    assert (document.name, document.text) == ("page", "caf\u00e9")
    document = ingest.read(site("/notes/caf\u00e9.md"), ALLOWED)
    assert (document.name, document.blocks[0].kind) == ("caf\u00e9.md", "heading")
    assert ingest.read(site("/plain"), ALLOWED).text == "<html>quoted"  # the server says that it is text
    assert ingest.read(site("/to/~page"), ALLOWED).name == "page"
    assert ingest.read(site("/named"), ALLOWED).name == "harbour report.md"


@pytest.mark.parametrize(
    "path",
    ["/gzip", "/gzip-twice", "/deflate", "/deflate-raw", "/not-packed", "/empty", "/identity"],
)
def test_compressed_bodies(site: Callable[[str], str], path: str) -> None:
    assert web.fetch(site(path), allow_private=True).data == NOTE


@pytest.mark.parametrize("path", ["/cookie", "/refresh", "/left/10", "/to/~refresh"])
def test_what_leads_on_is_followed(site: Callable[[str], str], path: str) -> None:
    assert web.fetch(site(path), allow_private=True).data == NOTE


@pytest.mark.parametrize("path", ["/redirect-endless", "/redirect-slow", "/many-headers", "/to-fragment"])
def test_what_stands_around_a_document_does_not_hold_it_up(site: Callable[[str], str], path: str) -> None:
    assert web.fetch(site(path), allow_private=True).data == NOTE


@pytest.mark.parametrize(
    ("path", "text"),
    [
        *((path, NOTE.decode()) for path in ("/no-type", "/octets", "/odd-type", "/unknown-charset", "/lie-pdf")),
        ("/latin", "\u201c\u00e9\u201d"),
        ("/lie-charset", "\u201c\u65e5\u672c\u201d"),  # the bytes are UTF-8
        ("/punycode", "a-" + "99a" * 100_000),
        ("/to-letters", "# Title"),
    ],
)
def test_labels_may_be_wrong(site: Callable[[str], str], path: str, text: str) -> None:
    assert ingest.read(site(path), ALLOWED).text == text


def test_a_page_that_stays_a_while_is_read(site: Callable[[str], str]) -> None:
    assert ingest.read(site("/refresh-later"), ALLOWED).text == "news"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/endless-pdf", "more than 64 MB"),
        ("/slow-status", "takes too long"),
        ("/slow-chunk", "takes too long"),
        ("/slow-interim", "takes too long"),
        ("/lie-html.pdf", "is damaged and cannot be read as PDF"),
        ("/to-password", "with a password in it"),
        ("/to-data", "not on the web"),
        ("/to-itself", "leads on and on"),
        ("/nothing-there", "has no text in it"),
        ("/script", "has no text in it: if a browser shows some, print it to PDF"),
        ("/file.txt.gz", r"compressed file \(gzip\): unpack it"),
        ("/picture", r"a picture \(PNG\)"),
        ("/long-length", "came incomplete: try again"),
        ("/negative-length", "does not speak proper HTTP"),
        ("/bad-chunk", "came incomplete: try again"),
        ("/huge-chunk", "came incomplete: try again"),
        ("/two-packings", r"was not asked for \(br\)"),
        ("/none", "the server says 404 .*: check the address"),
        ("/401", "login"),
        ("/429", "try again in 30 s"),
        ("/503", "try again in 30 s"),
        ("/huge", "more than 64 MB"),
        ("/endless", "more than 32 MB"),
        ("/endless-headers", "does not speak proper HTTP"),
        ("/interim", "does not speak proper HTTP"),
        ("/short", "came incomplete, 4 of 10 bytes: try again"),
        ("/short-chunk", "came incomplete: try again"),
        ("/gzip-short", "came incomplete: try again"),
        ("/brotli", r"was not asked for \(br\)"),
        ("/no-gzip", "compressed and damaged"),
        ("/bomb", "more than 32 MB, the most Thoth reads as text"),
        ("/silent", "takes too long"),
        ("/slow-headers", "takes too long"),
        ("/slow-body", "takes too long"),
        ("/no-http", "without an answer"),
        ("/nothing", "without an answer"),
        ("/left/11", "leads on and on"),
        ("/to/~to~~to", "the server says 404"),
        ("/to/file:~~~etc~passwd", "not on the web"),
        ("/refresh-file", "not on the web"),
        ("/to/ftp:~~127.0.0.1~x", "not on the web"),
        ("file:///etc/passwd", "not on the web"),
        ("ftp://127.0.0.1/x", "not on the web"),
        ("http://", "names no server"),
        ("http://[::1", "is no address"),
        ("http://user:word@127.0.0.1/", "with a password in it"),
        ("http://no.such.place/\x1b[2J", "cannot be reached"),
        ("http://127.0.0.1:1/", "cannot be reached"),
    ],
)
def test_addresses_that_fail(
    site: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    if address in ("/slow-body", "/slow-chunk"):
        monkeypatch.setattr(network, "TOTAL_SECONDS", 0.2)
    elif address in ("/silent", "/slow-headers", "/slow-status", "/slow-interim"):
        monkeypatch.setattr(network, "FIRST_BYTE_SECONDS", 0.2)
    with pytest.raises((DocumentError, NoTextError), match=says) as raised:
        ingest.read(site(address) if address.startswith("/") else address, ALLOWED)
    assert "\n" not in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_a_protected_connection_is_not_left() -> None:
    with pytest.raises(DocumentError, match="without protection"):
        web._followed("https://example.org/a", "http://example.org/b")


def test_private_servers_need_a_persons_word(site: Callable[[str], str]) -> None:
    with pytest.raises(DocumentError, match=r"127\.0\.0\.1 is a private address"):
        ingest.read(site("/note.txt"))
    assert network.leads_home(site("/note.txt"))


def test_a_redirection_leads_to_no_other_private_server(site: Callable[[str], str]) -> None:
    other = "http:~~127.0.0.1:9~secret"
    with pytest.raises(DocumentError, match="is a private address"):
        ingest.read(site(f"/to/{other}"), ALLOWED)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("http:~~127.0.0.1:9~secret", "127.0.0.1 is a private address"),
        ("ftp:~~example.org~a", "ftp://example.org/a is not on the web"),
    ],
)
def test_a_refused_redirection_names_the_address_that_was_asked_for(
    site: Callable[[str], str], target: str, said: str
) -> None:
    asked = site(f"/to/{target}")
    with pytest.raises(DocumentError) as raised:
        ingest.read(asked, ALLOWED)
    assert str(raised.value).startswith(f"{asked} leads elsewhere: {said}")


def test_the_address_that_was_checked_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"])  # a name server that changes its mind
    connected: list[str] = []

    def addresses(*_: object, **__: object) -> object:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 80))]

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        connected.append(address[0])
        raise ConnectionRefusedError

    def look_up_numbers_only(host: str, port: int, *_: object, **__: object) -> object:
        if host[0].isdigit():
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        return addresses()

    monkeypatch.setattr(socket, "getaddrinfo", look_up_numbers_only)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(DocumentError, match="cannot be reached"):
        web.fetch("http://harpool.example/")
    assert connected == ["93.184.216.34"]


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("192.168.1.1", True),
        ("169.254.169.254", True),
        ("100.64.0.1", True),
        ("0.0.0.0", True),
        ("224.0.0.1", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("::ffff:127.0.0.1", True),
        ("64:ff9b::7f00:1", True),
        ("2002:7f00:1::", True),
        ("93.184.216.34", False),
        ("2606:2800:220:1:248:1893:25c8:1946", False),
        ("64:ff9b::5db8:d822", False),
    ],
)
def test_private_addresses(address: str, private: bool) -> None:
    assert network.is_private(address) == private
