"""Where documents come from: files that change, folders, addresses, standard input; and names that are traps."""

import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from thoth import ingest
from thoth.errors import DocumentError, NoTextError, UnknownFormatError
from thoth.ingest import files, folder, formats, web
from thoth.ingest.names import shown


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a\nb\x1b[2J.txt", "a\\nb\\x1b[2J.txt"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("half\udc80", "half\\udc80"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 caf\u00e9 'x' \"y\"\u00a0z", None),
    ],
)
def test_names_are_shown_safely(name: str, safe: str | None) -> None:
    assert shown(name) == (safe or name)


def test_odd_names_are_read(tmp_path: Path) -> None:
    for name in ("line\nbreak.txt", "\U0001f4a1 'lamp' \"x\".txt", "-", "half\udc80.txt"):
        (tmp_path / name).write_text("text")
        document = ingest.read(tmp_path / name)
        assert (document.name, document.text) == (shown(name), "text")
    with pytest.raises(DocumentError, match=r"no file .*new\\nline"):
        ingest.read(tmp_path / "new\nline")


def test_large_files_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(b"text")
    os.truncate(path, 1 << 30)  # sparse: takes no room
    read: list[int] = []
    monkeypatch.setattr(files, "bounded", lambda read_, *rest: bounded(lambda n: read.append(n) or read_(n), *rest))
    with pytest.raises(DocumentError, match=r"large\.txt has more than 32 MB, .* split it"):
        files.read_file(path)
    assert len(read) == 1
    os.truncate(path, formats.MAX_TEXT_BYTES + 1)
    with pytest.raises(DocumentError, match="more than 32 MB"):
        files.bounded(path.open("rb").read, "pipe")  # the same where the size is not known


bounded = files.bounded


def test_files_that_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.txt"
    path.write_text("0")
    changes = 1

    def changing(*arguments: object) -> bytes:
        nonlocal changes
        data = bounded(*arguments)  # type: ignore[arg-type]
        if changes:
            changes -= 1
            with path.open("a") as file:
                file.write("1")
        return data

    monkeypatch.setattr(files, "bounded", changing)
    assert files.read_file(path) == b"01"  # the second time it stood still
    changes = 2
    with pytest.raises(DocumentError, match="changes while it is being read"):
        files.read_file(path)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"<html><p>text")))
    document = ingest.read("-")
    assert (document.name, document.text) == ("standard input", "text")


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "work"
    make(root, "b.txt", "a/c.md", "a/keep.log", "a/drop.log", "a/deep/no.txt", ".hidden", ".git/config", "build/x.txt")
    make(root, "node_modules/x.js", "__pycache__/x.py", "env/lib/x.py", "env/pyvenv.cfg", "cache/CACHEDIR.TAG")
    (root / ".gitignore").write_text("*.log\nbuild/\n")
    (root / "a" / ".gitignore").write_text("!keep.log\n/deep\n")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "self").symlink_to(root / "self")
    os.mkfifo(root / "pipe")
    expected = ["a/c.md", "a/keep.log", "b.txt"]
    assert [path.relative_to(root).as_posix() for path in folder.files(root) if isinstance(path, Path)] == expected
    # Named relatively, and from below: the rules of the repository hold in a part of it.
    monkeypatch.chdir(root / "a")
    assert [*folder.files(Path("."))] == [Path("c.md"), Path("keep.log")]
    assert [*folder.files(Path("../a"))] == [Path("../a/c.md"), Path("../a/keep.log")]


def test_what_cannot_be_read_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.txt", "z.txt")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "c.txt").write_text("")
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = dict(ingest.read_all([str(tmp_path), str(tmp_path / "none.txt")]))
    kinds = [type(outcome) for outcome in found.values()]
    assert kinds == [ingest.Document, UnknownFormatError, NoTextError, DocumentError, ingest.Document, DocumentError]
    assert "closed may not be read" in str(list(found.values())[3])
    assert "there is no file" in str(found[str(tmp_path / "none.txt")])


class Site(BaseHTTPRequestHandler):
    """Answers by the path; anything unknown is 404."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.answer(302, b"", Location=path.removeprefix("/to/").replace("~", "/"))
        elif path == "/page":
            self.answer(200, "<p>caf\u00e9".encode("cp1252"), **{"Content-Type": "text/html; charset=windows-1252"})
        elif path == "/notes/caf%C3%A9.md":
            self.answer(200, b"# Title", **{"Content-Type": "application/octet-stream"})
        elif path == "/plain":
            self.answer(200, b"<html>quoted", **{"Content-Type": "text/plain"})
        elif path == "/huge":
            self.answer(200, b"text", **{"Content-Length": str(1 << 30)})
        elif path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"text" * 100_000)
            except OSError:
                return
        elif path == "/short":
            self.answer(200, b"text", **{"Content-Length": "10"})
        elif path == "/gzip":
            self.answer(200, b"\x1f\x8b", **{"Content-Encoding": "gzip"})
        elif path == "/slow":
            self.send_response(200)
            self.end_headers()
            self.server.hang.wait(10)  # type: ignore[attr-defined]
        else:
            self.answer(404, b"")

    def answer(self, code: int, data: bytes, **headers: str) -> None:
        self.send_response(code, "No\x1b such thing" if code == 404 else None)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


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
    document = ingest.read(site("/page?x=1#part"))
    assert (document.name, document.text) == ("page", "caf\u00e9")
    document = ingest.read(site("/notes/caf\u00e9.md"))
    assert (document.name, document.blocks[0].kind) == ("caf\u00e9.md", "heading")
    assert ingest.read(site("/plain")).text == "<html>quoted"  # the server says that it is text
    assert ingest.read(site("/to/~page")).name == "page"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/none", "the server says 404"),
        ("/huge", "more than 32 MB"),
        ("/endless", "more than 32 MB"),
        ("/short", "came incomplete, 4 of 10 bytes"),
        ("/gzip", "comes compressed"),
        ("/slow", "takes too long"),
        ("/to/~to~~to~~to", "the server says 30"),
        ("/to/file:~~~etc~passwd", "not on the web|not allowed"),
        ("/to/ftp:~~127.0.0.1~x", "not on the web|not allowed"),
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
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 0.3 if address == "/slow" else 10.0)
    if address == "/to/~to~~to~~to":  # each leads one further, without an end
        monkeypatch.setattr(web._Redirections, "max_redirections", 0)
    with pytest.raises(DocumentError, match=says) as raised:
        ingest.read(site(address) if address.startswith("/") else address)
    assert "\n" not in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_a_protected_connection_is_not_left() -> None:
    request = web.Request("https://127.0.0.1/a")
    with pytest.raises(DocumentError, match="without protection"):
        web._Redirections().redirect_request(request, io.BytesIO(), 302, "", {}, "http://127.0.0.1/b")  # type: ignore[arg-type]
