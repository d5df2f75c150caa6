"""Who may come, and what they may not do to the others."""

import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.app.serve.conftest import Served
from thoth.errors import UsageError
from thoth.serve.server import Address, rules

CHAT = {"model": "thoth", "messages": [{"role": "user", "content": "Who is the mayor of Harpool?"}]}


def raw(server: Served, sent: bytes, *, wait: float = 10) -> bytes:
    """What a server answers to bytes."""
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port), timeout=wait) as connection:
        connection.sendall(sent)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
            if b"\r\n\r\n" in answer:
                break
    return answer


def test_foreign_hosts_and_origins(client: httpx2.Client) -> None:
    assert client.get("/v1/models", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/v1/models", headers={"Host": "localhost:99"}).status_code == 200
    for origin in ("http://evil.example", "null", "http://localhost:3000"):
        refused = client.post("/v1/chat/completions", json=CHAT, headers={"Origin": origin})
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers
        assert refused.json()["error"]["message"]
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert client.options("/v1/chat/completions", headers=preflight).status_code == 403


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"[1]", "the body must be an object"),
        (b'{"model": "thoth"}', "messages is missing"),
        (b'{"model": "thoth", "messages": []}', "last message"),
        (b'{"model": "thoth", "messages": [{"role": "king", "content": "x"}]}', "messages[0].role must be one of"),
        (b'{"model": "thoth", "messages": [{"role": "assistant", "content": "x"}]}', "last message"),
        (b'{"model": 1, "messages": []}', "model must be a text"),
        (b'{"model": "thoth", "temperature": 9, "messages": []}', "temperature must be 2 or less"),
        (b'{"model": "thoth", "max_tokens": 0, "messages": []}', "max_tokens must be 1 or more"),
        (b'{"model": "thoth", "temperature": NaN, "messages": []}', "temperature must be"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_wrong_bodies(client: httpx2.Client, body: bytes, says: str) -> None:
    refused = client.post("/v1/chat/completions", content=body)
    assert refused.status_code == 400
    message = refused.json()["error"]["message"]
    assert says in message
    assert "\n" not in message
    assert "pydantic" not in message.lower()


def test_what_is_not_there(client: httpx2.Client) -> None:
    assert client.get("/v1/nothing").status_code == 404
    assert client.get("/v1/chat/completions").status_code == 405
    assert client.get("/v1/files/file-0000").status_code == 404
    assert "openapi" in client.get("/").json()["error"]["message"]


def test_too_much(server: Served, client: httpx2.Client) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    assert b" 413 " in raw(server, head + b"Content-Length: 1073741824\r\n\r\n")
    assert b" 400 " in raw(server, head + b"Content-Length: many\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    assert b" 413 " in raw(server, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 70)
    many = b"".join(b"X-%d: y\r\n" % n for n in range(10_000))
    assert b" 431 " in raw(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n")
    assert b" 400 " in raw(server, b"\x16\x03\x01 this is TLS\r\n\r\n")
    assert client.get("/health").status_code == 200


def test_slow_clients_keep_nobody_waiting(server: Served, client: httpx2.Client) -> None:
    place = urlsplit(server.url)
    slow = [socket.create_connection((place.hostname, place.port)) for _ in range(40)]
    for connection in slow:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    assert client.post("/v1/chat/completions", json=CHAT).json()["choices"][0]["message"]["content"] == "Osra Kelland"
    for connection in slow:
        connection.close()


def test_a_client_that_leaves_stops_its_answer(server: Served, client: httpx2.Client) -> None:
    long = CHAT | {"max_tokens": 1500, "temperature": 2, "seed": 1, "stream": True, "model": "thoth/none"}
    for body in (long, long | {"stream": False}):
        place = urlsplit(server.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port)
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        if body["stream"]:
            connection.getresponse().read(10)
        connection.close()
    ends = time.monotonic() + 30
    while client.get("/health").json()["questions_in_flight"]:
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `guarded` may read, in `inside`, and what not, in `outside`."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "inside").mkdir()
    (folder / "outside").mkdir()
    return folder


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[Served]:
    """A server with a key, a friend, and a folder that it may read."""
    rules = ("--api-key", "sesame", "--allow-origin", "https://friend.example")
    served = Served(folder / "home", *rules, "--allow-paths", str(folder / "inside"))
    yield served
    served.stop()


def test_a_key(guarded: Served) -> None:
    with httpx2.Client(base_url=guarded.url, timeout=60) as client:
        assert client.get("/health").status_code == 200
        for header in ({}, {"Authorization": "Bearer sesam"}, {"Authorization": "sesame"}):
            refused = client.get("/v1/models", headers=header)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        right = {"Authorization": "Bearer sesame", "Origin": "https://friend.example"}
        allowed = client.get("/v1/models", headers=right)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://friend.example"
        preflight = client.options("/v1/models", headers={"Origin": "https://friend.example"})
        assert preflight.status_code == 204
        assert "Authorization" in preflight.headers["access-control-allow-headers"]


def test_other_machines_need_a_key() -> None:
    with pytest.raises(UsageError, match="--api-key"):
        rules(Address("0.0.0.0"), None)
    assert rules(Address("0.0.0.0"), "key").key == "key"
    assert rules(Address("127.0.0.2"), None).key is None


def test_paths_and_addresses_only_where_allowed(guarded: Served, folder: Path, client: httpx2.Client) -> None:
    inside, outside = folder / "inside", folder / "outside"
    for place in (inside, outside):
        (place / "note.txt").write_text(f"The baker of Merrow is {place.name.title()} Fenwick.")
    (inside / "link.txt").symlink_to(outside / "note.txt")
    for body in ({"path": str(inside / "note.txt")}, {"url": "http://127.0.0.1:9/x.txt"}):
        assert client.post("/v1/documents", json=body).status_code == 403
    key = {"Authorization": "Bearer sesame"}
    with httpx2.Client(base_url=guarded.url, headers=key, timeout=60) as allowed:
        for path in (outside / "note.txt", inside / "link.txt", inside / ".." / "outside" / "note.txt"):
            assert allowed.post("/v1/documents", json={"path": str(path)}).status_code == 403
        assert allowed.post("/v1/documents", json={"path": "note.txt"}).status_code == 403
        assert allowed.post("/v1/documents", json={}).status_code == 400
        assert allowed.post("/v1/documents", json={"path": str(inside / "gone.txt")}).status_code == 404
        added = allowed.post("/v1/documents", json={"path": str(inside / "note.txt")})
        assert added.status_code == 202
        id = added.json()["id"]
        while allowed.get(f"/v1/documents/{id}").json()["state"] != "ready":
            pass
        assert allowed.patch(f"/v1/documents/{id}", json={"name": "Bakers", "active": False}).json()["name"] == "Bakers"
        assert allowed.get("/v1/documents").json()["data"][0]["active"] is False
        (inside / "note.txt").write_text("The baker of Merrow is Second Holt.")
        assert allowed.post(f"/v1/documents/{id}/update").status_code == 202
        while [one["state"] for one in allowed.get("/v1/documents").json()["data"]] != ["ready"]:
            pass
        (one,) = allowed.get("/v1/documents").json()["data"]
        assert (one["name"], one["active"]) == ("Bakers", False)
        assert one["id"] != id
        assert allowed.delete(f"/v1/documents/{one['id']}").json()["deleted"]
        assert allowed.get("/v1/documents").json()["data"] == []


def test_openapi_and_metrics(client: httpx2.Client) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    references = [part.split('"')[0] for part in json.dumps(described).split('"#/components/schemas/')[1:]]
    assert set(references) <= described["components"]["schemas"].keys()
    assert {"/v1/chat/completions", "/v1/responses", "/v1/files/{id}/content"} <= described["paths"].keys()
    client.post("/v1/chat/completions", json=CHAT)
    lines = client.get("/metrics").text.splitlines()
    assert any(line.startswith('thoth_answers_total{support="supported"}') for line in lines)
    assert 'thoth_requests_total{route="GET /openapi.json",status="200"} 1.0' in lines


def test_sigterm_lets_answers_end(guarded: Served) -> None:
    """The last one: it ends the server with a key."""
    address, key = f"{guarded.url}/v1/chat/completions", {"Authorization": "Bearer sesame"}
    texts: list[str] = []

    def ask() -> None:
        body = CHAT | {"model": "thoth/none", "max_tokens": 200, "temperature": 2, "seed": 5}
        texts.append(httpx2.post(address, json=body, headers=key, timeout=60).json()["object"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    # In this order: one that is answered meanwhile would count twice, and one that comes later is turned away.
    while len(texts) + httpx2.get(f"{guarded.url}/health").json()["questions_in_flight"] < 4:
        pass
    guarded.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    guarded.process.wait(60)  # a second SIGTERM, which `stop` would send, ends it at once
    assert guarded.stop()[0] == 0
    assert texts == ["chat.completion"] * 4
