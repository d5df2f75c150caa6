"""MCP servers: what they offer is used; one that hangs, dies or floods costs a line."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.app import raw_mcp_server
from tests.app.agents import script, stage
from thoth.agent import mcp_servers
from thoth.agent.mcp_servers import Servers
from thoth.errors import Stopped
from thoth.events import Call

SERVER = Path(__file__).with_name("mcp_server.py")


def command(kind: str) -> str:
    return shlex.join([sys.executable, str(SERVER), kind])


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def raw(lines: list[str]) -> Iterator[Servers]:
    """A server without the SDK."""
    started = Servers({"raw": shlex.join([sys.executable, raw_mcp_server.__file__])}, lines.append)
    yield started
    started.close()


@pytest.fixture(scope="module")
def remarks() -> list[str]:
    """Lines about `lasting`."""
    return []


@pytest.fixture(scope="module")
def lasting(remarks: list[str]) -> Iterator[Servers]:
    """A server that no test ends."""
    started = Servers({"good": command("serves")}, remarks.append)
    yield started
    started.close()


def test_tools_of_a_server_are_prefixed_and_permitted_by_its_name(
    lasting: Servers, remarks: list[str], tmp_path: Path
) -> None:
    tools = lasting.tools()
    assert [tool.name for tool in tools] == ["good_add", "good_wait", "good_fail"]
    assert {tool.needs({}) for tool in tools} == {("mcp:good",)}
    assert "\n" not in tools[0].description
    calls = [Call("good_add", {"a": 2, "b": 3}), Call("good_fail", {"text": "bread"})]
    setting = stage(tmp_path, script(calls, "done"), tools=tools, allowed=["mcp:good"])
    setting.ask("go")
    assert setting.steps[0].result == "<data>\n5\n</data>"
    assert setting.steps[1].state == "failed"
    assert "Error executing tool fail" in setting.steps[1].result
    assert remarks == []


@pytest.mark.parametrize(
    ("tool", "said"), zip(raw_mcp_server.ENDS, ("it ended", "it sends more than 16 MB at once"), strict=True)
)
def test_a_server_that_is_lost_costs_a_line_and_the_chat_goes_on(
    raw: Servers, lines: list[str], tmp_path: Path, tool: str, said: str
) -> None:
    calls = [Call(f"raw_{tool}", {}), Call("raw_twice", {})]
    setting = stage(tmp_path, script(calls, "done"), tools=raw.tools(), allowed=["mcp:raw"])
    assert setting.ask("go").text == "done"
    assert [step.state for step in setting.steps] == ["failed", "failed"]
    assert lines == [f"MCP server raw: {said}; continuing without it"]
    assert raw.tools() == []


def test_a_server_gets_neither_the_model_nor_the_user(raw: Servers, lines: list[str], tmp_path: Path) -> None:
    """It is told so at once, whatever it asks for; what does not follow the protocol costs the call alone."""
    tools = raw.tools()
    calls = [Call(f"raw_{name}", {}) for name in raw_mcp_server.NAMES if name not in raw_mcp_server.ENDS]
    setting = stage(tmp_path, script(calls, "done"), tools=tools, allowed=["mcp:raw"])
    assert setting.ask("go").text == "done"
    told = [step.result.removeprefix("<data>\n").removesuffix("\n</data>") for step in setting.steps]
    assert told == [
        "Sampling not supported",
        "Elicitation not supported",
        "List roots not supported",
        "Error: MCP server raw: the issue is closed",
        "Error: MCP server raw: what it sends does not follow the protocol",
        "twice",
    ]
    assert lines == []


def test_a_call_that_hangs_is_stopped_by_the_user(lasting: Servers, tmp_path: Path) -> None:
    setting = stage(tmp_path, script(Call("good_wait", {"text": "x"})), tools=lasting.tools(), allowed=["mcp:good"])

    def stop() -> None:
        while not setting.steps:
            time.sleep(0.01)
        time.sleep(0.1)  # the call is at the server
        setting.agent.bench.stopper.stop()

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(Stopped):
        setting.ask("go")
    assert setting.steps[0].state == "stopped"
    following = script(Call("good_fail", {"text": "bread"}), "done")
    setting = stage(tmp_path / "next", following, tools=lasting.tools(), allowed=["mcp:good"])
    setting.ask("go")
    assert "Error executing tool fail" in setting.steps[0].result  # asked at once, though its last call never ends


def test_a_call_that_hangs_ends_in_time(lasting: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = lasting.tools()
    monkeypatch.setattr(mcp_servers, "CALL_SECONDS", 0.2)
    setting = stage(tmp_path, script(Call("good_wait", {"text": "x"}), "done"), tools=tools, allowed=["mcp:good"])
    assert setting.ask("go").text == "done"
    assert "it does not answer" in setting.steps[0].result


def test_a_server_that_hangs_as_it_starts_costs_a_line(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_servers, "START_SECONDS", 0.2)
    assert said_of({"hangs": command("hangs")}, lines) == {"hangs": "it does not answer; continuing without it"}


def test_servers_that_cannot_start_cost_a_line_each(lines: list[str]) -> None:
    named = {kind: command(kind) for kind in ("dies", "floods", "chatters")}
    named |= {
        "missing": "thoth-no-such-program",
        "empty": "A=1",
        "bad name": "true",
        "quote": "echo 'a",
        "folder": "/",
        "closed": "http://127.0.0.1:9/mcp",
    }
    said = said_of(named, lines)
    assert {*said} == {*named}
    assert said["dies"].startswith("it ended")
    assert said["floods"].startswith("it sends more than 16 MB at once")
    assert said["missing"].startswith("its command is not installed")
    assert said["bad name"].startswith("its name may have letters")
    assert said["quote"].startswith("a quote in its command is left open")
    assert said["folder"].startswith("its command may not be run")


def test_addresses_without_a_server_cost_a_line_each(
    lines: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b": " + b"x" * 65536 + b"\n"

    def handle(request: httpx2.Request) -> httpx2.Response:
        match request.url.path:
            case "/floods":
                return httpx2.Response(200, headers={"Content-Type": "text/event-stream"}, content=endless())
            case "/page":
                return httpx2.Response(200, html="<p>Hello")
            case "/nonsense":
                return httpx2.Response(200, headers={"Content-Type": "application/json"}, content=b'{"a": [')
            case path:
                return httpx2.Response(int(path[1:]))

    monkeypatch.setattr(httpx2, "AsyncHTTPTransport", lambda: httpx2.MockTransport(handle))
    said = said_of({f"at{path}": f"http://a.example/{path}" for path in ("floods", "page", "nonsense", "500")}, lines)
    assert said["atfloods"].startswith("it sends more than 16 MB at once")
    assert said["atpage"] == said["at500"] == "its address answers, but not as an MCP server; continuing without it"
    assert said["atnonsense"].startswith("what it sends does not follow the protocol")
    assert capfd.readouterr() == ("", "")  # the SDK's warnings are not for people


def said_of(named: dict[str, str], lines: list[str]) -> dict[str, str]:
    """What is said of each server, once, when none of them starts."""
    started = Servers(named, lines.append)
    try:
        assert started.tools() == []
    finally:
        started.close()
    said = dict(line.removeprefix("MCP server ").split(": ", 1) for line in lines)
    assert len(said) == len(lines)
    return said
