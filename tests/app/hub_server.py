"""A small model hub on loopback: repositories are folders, and files can be cut, damaged or refused."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

COMMIT = "c0ffee" + "0" * 34
_LARGE = (".safetensors", ".bin")  # what a hub keeps apart and names by its SHA-256


@cache
def etag(path: Path) -> str:
    """What the hub calls a file: the SHA-256 of a large one, git's SHA-1 of a small one."""
    content = path.read_bytes()
    if path.suffix in _LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


@dataclass
class Hub:
    """What is served, and what goes wrong with it.

    Attributes:
        repositories: by their ids.
        cut: name of a file -> after so many bytes of it the connection breaks, and the hub is down.
        damaged: names of files of which one byte arrives wrong.
        misnamed: name of a file -> what it is called in place of its digest.
        down: no request is answered any more.
        served: (name, first byte, bytes) of each file that was asked for, in order.
    """

    repositories: dict[str, Path]
    cut: dict[str, int] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    misnamed: dict[str, str] = field(default_factory=dict)
    down: bool = False
    served: list[tuple[str, int, int]] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving(repositories: dict[str, Path]) -> Iterator[Hub]:
    """Serve folders until the block ends."""
    hub = Hub(repositories)

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if self.hub.down:
            self.close_connection = True
            self.connection.close()
            return
        path = urlsplit(self.path).path
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/.+|/tree/.+)?", path):
            self._about(found[1], is_tree=(found[2] or "").startswith("/tree"))
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._file(found[1], found[2], body)
        else:
            self._json(404, {"error": "not found"})

    def _about(self, repository: str, *, is_tree: bool) -> None:
        folder = self.hub.repositories.get(repository)
        if folder is None:
            self._json(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif is_tree:
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            self._json(200, [_entry(path, path.relative_to(folder).as_posix()) for path in files])
        else:
            self._json(200, {"id": repository, "sha": COMMIT, "siblings": [], "tags": [], "private": False})

    def _file(self, repository: str, name: str, body: bool) -> None:
        path = self.hub.repositories[repository] / name
        content = path.read_bytes()
        if name in self.hub.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("ETag", f'"{self.hub.misnamed.get(name, etag(path))}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - first))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if not body:
            return
        left = content[first:]
        if name in self.hub.cut:
            left = left[: self.hub.cut[name]]
            self.close_connection = self.hub.down = True
        self.hub.served.append((name, first, len(left)))
        self.wfile.write(left)

    def _json(self, status: int, found: object, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)


def _entry(path: Path, name: str) -> dict[str, Any]:
    size = path.stat().st_size
    entry: dict[str, Any] = {"type": "file", "path": name, "size": size, "oid": etag(path)[:40]}
    if path.suffix in _LARGE:
        entry["lfs"] = {"oid": etag(path), "size": size, "pointerSize": 134}
    return entry
