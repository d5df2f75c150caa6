"""What requests mean, without a server process: names of models and files, the choice of tools, pages fetched again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from starlette.responses import Response

from tests.app import made_up
from thoth.actions.absorb import Absorption
from thoth.engine.request import Listener
from thoth.errors import DocumentError, Stopped
from thoth.events import Absorbed, Event, Failed, Token
from thoth.library.library import Library
from thoth.retrieval.routing import Routing
from thoth.serve import bridge, calls, chat, documents, names, responses
from thoth.serve.allowed import allowed
from thoth.serve.app import application
from thoth.serve.faults import Fault
from thoth.serve.guard import Guard, Rules
from thoth.serve.http import stream
from thoth.serve.jobs import Jobs
from thoth.serve.service import Limits, Service
from thoth.serve.shapes import ChatRequest, Message, ResponsesRequest
from thoth.settings import Settings

FUNCTION = {"name": "look", "description": "", "parameters": {"type": "object", "properties": {}}}


def test_a_document_is_a_model_by_its_id_where_its_name_means_something_else(home: Path) -> None:
    library = Library(home)
    texts = {"One.": "twice.txt", "Two.": "twice.txt", "Three.": "none", "Four.": "Towns", "Five.": "alone.txt"}
    ids = {text: made_up.absorb(library, made_up.document([text], name)).id for text, name in texts.items()}
    library.tag("Towns", [ids["Five."]])
    library.tag("Rivers", [ids["Five."]])
    listed = [one["id"].removeprefix("thoth/") for one in names.listed(library, made_up.BUNDLE)]
    assert listed[:3] == ["thoth", "none", "Rivers"]  # "Towns" is the document
    assert sorted(listed[3:]) == sorted([ids["One."], ids["Two."], ids["Three."], "Towns", "alone.txt"])
    with pytest.raises(DocumentError, match=f"matches 2 documents; use an id .*{ids['One.']}"):
        names._way("thoth/twice.txt", None, library, made_up.BUNDLE, Routing())


@pytest.mark.parametrize(
    ("choice", "tools"),
    [(None, 1), ("auto", 1), ("none", 0), ("required", 1), ({"type": "function", "name": "look"}, 1)],
)
def test_responses_take_the_choice_of_tools(choice: Any, tools: int) -> None:
    asked = ResponsesRequest.model_validate(
        {"model": "thoth", "input": "Who?", "tools": [FUNCTION | {"type": "function"}], "tool_choice": choice}
    )
    options = responses._options(asked)
    assert len(options.get("tools", ())) == tools
    assert options.get("calls") == (None if not tools else "auto" if choice in (None, "auto") else "required")


def test_null_is_what_is_left_out() -> None:
    """Clients that are made from OpenAI's schema send every field."""
    empty = {"description": None, "parameters": None}
    asked = ChatRequest.model_validate(
        {
            "model": "thoth",
            "messages": [{"role": "user", "content": "Who?", "name": None, "tool_calls": None}],
            "stream": None,
            "stop": None,
            "n": None,
            "stream_options": {"include_usage": None},
            "tools": [{"type": "function", "function": {"name": "look"} | empty}],
            "thoth": None,
        }
    )
    assert not asked.stream
    assert asked.stream_options is not None
    assert not asked.stream_options.include_usage
    assert calls.options([tool.function.model_dump() for tool in asked.tools or []], "auto")["tools"] == [
        {"type": "function", "function": FUNCTION}
    ]


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file"])
def test_what_nobody_sees_is_refused(kind: str) -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": kind, kind: {}}]}
    with pytest.raises(Fault, match=f"content of type {kind} is not read"):
        chat.conversation([Message.model_validate(message)])


@pytest.mark.parametrize("arguments", ["[1]", "5", "{", "[" * 100_000], ids=["list", "number", "cut", "deep"])
def test_earlier_calls_have_an_object_of_arguments(arguments: str) -> None:
    with pytest.raises(Fault) as refused:
        calls.read("1", "look", arguments)
    assert refused.value.status == 400


@pytest.mark.parametrize("content", ["", "  \n", None, []])
async def test_an_empty_question_is_refused(home: Path, content: Any) -> None:
    engine: Any = SimpleNamespace(bundle_id=made_up.BUNDLE)
    service = Service(engine, Library(home), "nano", Settings())
    transport = httpx2.ASGITransport(app=application(service, Rules()))
    body = {"model": "thoth", "messages": [{"role": "user", "content": content}]}
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post("/v1/chat/completions", json=body)
    assert (answer.status_code, "the last message is empty" in answer.text) == (400, True)


def test_a_path_with_a_null_byte_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault) as refused:
        allowed(f"{tmp_path}/a\0b", (tmp_path,))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Bearer s\xc3\xa9same", 204),
        (b"bearer  s\xc3\xa9same", 204),
        (b"Bearer s\xe9same", 401),
        (b"Basic s\xc3\xa9same", 401),
        (b"s\xc3\xa9same", 401),
        (b"", 401),
    ],
)
async def test_the_key_is_compared_byte_by_byte(header: bytes, status: int) -> None:
    guarded = Guard(Response(status_code=204), Rules(key="s\u00e9same"), Limits())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=guarded), base_url="http://localhost") as client:
        answer = await client.get("/v1/models", headers=[(b"Authorization", header)])
    assert answer.status_code == status


async def test_a_page_that_may_call_reads_the_headers_too() -> None:
    """An MCP client in a browser must know the session that the server names in a header."""
    guarded = Guard(Response("ok"), Rules(origins=("https://friend.example",)), Limits())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=guarded), base_url="http://localhost") as client:
        answer = await client.get("/mcp", headers={"Origin": "https://friend.example"})
    names = ("access-control-allow-origin", "access-control-expose-headers", "vary")
    assert [answer.headers.get(name) for name in names] == ["https://friend.example", "*", "Origin"]


class Asked:
    """A request to an engine that says nothing until it is stopped."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def close(self) -> None:
        self._listener(Failed(Stopped("stopped")))


async def test_a_client_that_leaves_before_the_first_token_stops_its_stream() -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def pieces() -> AsyncIterator[str]:
        async with bridge.listening(Asked, 60, receive=receive) as events:  # type: ignore[arg-type]
            async for _ in events:
                yield "never"

    with pytest.raises(Stopped):
        await stream(pieces())


async def test_a_question_that_takes_too_long_is_stopped() -> None:
    heard: list[Event] = []

    def start(_: Listener) -> Any:
        return Asked(heard.append)

    with pytest.raises(TimeoutError):
        async with bridge.listening(start, 0) as events:
            await anext(events)
    assert [type(event) for event in heard] == [Failed]


async def test_the_engine_waits_until_the_first_piece_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_SEND_SECONDS", 60)
    returned = threading.Event()
    events = bridge.Events(60)

    def tell() -> None:
        events.put(Token("first"))
        returned.set()

    telling = threading.Thread(target=tell)
    telling.start()
    await anext(events)
    assert not returned.wait(0.05)  # while it is sent
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.to_thread(telling.join)
    waiting.cancel()
    events.close()


def test_another_choice_of_tools_is_refused() -> None:
    with pytest.raises(Fault, match="tool_choice must be auto, none, required"):
        calls.options([FUNCTION], "sometimes")


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("a lease.pdf", "a lease.pdf"),
        ("..\\..\\a.txt", "a.txt"),
        ("../..", "document"),
        ("", "document"),
        ("a\0b.txt", "ab.txt"),
        ("\u6e2f" * 120 + ".txt", "\u6e2f" * 65 + ".txt"),  # three bytes each: 364, more than a disk takes
    ],
)
def test_an_upload_has_a_name_that_a_disk_takes(sent: str, name: str, tmp_path: Path) -> None:
    assert documents._file_name(sent) == name
    (tmp_path / name).touch()


async def test_a_page_is_fetched_again_and_pictures_are_read_as_the_settings_say(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(home)
    made_up.begin(library, made_up.document(["Old."], "page"), source="https://example.org/page")
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(documents.updating, "find", lambda *_, **how: asked.append(how))
    engine: Any = SimpleNamespace(bundle_id=made_up.BUNDLE)
    service = Service(engine, library, "nano", Settings(ocr="on"), Limits(addresses=True))
    transport = httpx2.ASGITransport(app=application(service, Rules()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post("/v1/documents/page/update")
    assert answer.status_code == 202
    assert asked == [{"fetch": True, "recognize": True}]


async def test_a_page_that_may_call_sends_the_headers_that_it_asks_for() -> None:
    """A client in a browser has headers of its own: MCP's names its session, the openai package its version."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("a preflight ends at the guard")

    guarded = Guard(app, Rules(origins=("https://friend.example",)), Limits())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=guarded), base_url="http://localhost") as client:
        asks = {"Origin": "https://friend.example", "Access-Control-Request-Headers": "mcp-session-id"}
        allowed = await client.options("/mcp", headers=asks)
        refused = await client.options("/mcp", headers=asks | {"Origin": "https://other.example"})
    assert (allowed.status_code, refused.status_code) == (204, 403)
    assert allowed.headers["access-control-allow-headers"] == "mcp-session-id"
    assert "access-control-allow-headers" not in refused.headers


def test_a_text_that_thoth_0_1_absorbed_is_known_by_its_old_id(home: Path) -> None:
    library = Library(home)
    note = made_up.document(["The mayor of Harpool is Osra Kelland."], "harpool.txt")
    stored = made_up.absorb(library, note)
    bundle = f"{made_up.BUNDLE}-0123"  # the same weights, as bundles are named today

    def absorb(*_: object, listener: Any, **__: object) -> None:
        listener(Absorbed(library.known([stored.id])[0]))

    engine: Any = SimpleNamespace(bundle_id=bundle, absorb=absorb, document_id=lambda *_: "0" * 16)
    jobs = Jobs(Service(engine, library, "nano", Settings()))
    assert jobs.absorb(Absorption(note, "meaning")).id == stored.id
    assert jobs.get(stored.id) is None


async def test_documents_that_are_read_leave_threads_for_others(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are 40 of them, and a page may take a minute to come."""
    come, reading = threading.Event(), list[int]()

    def read(*_: object) -> None:
        reading.append(1)
        come.wait(60)
        raise DocumentError("the page is gone")

    monkeypatch.setattr(documents.ingest, "read", read)
    engine: Any = SimpleNamespace(bundle_id=made_up.BUNDLE)
    service = Service(engine, Library(home), "nano", Settings(), Limits(addresses=True))
    transport = httpx2.ASGITransport(app=application(service, Rules()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", timeout=None) as client:
        adding = [
            asyncio.create_task(client.post("/v1/documents", json={"url": f"https://example.org/{page}"}))
            for page in range(60)
        ]
        while len(reading) < 8:
            await asyncio.sleep(0.01)
        listed = await client.get("/v1/models")
        waiting, at_once = sum(not task.done() for task in adding), len(reading)
        come.set()
        answers = await asyncio.gather(*adding)
    assert (listed.status_code, waiting, at_once) == (200, 60, 8)
    assert {answer.status_code for answer in answers} == {404}
