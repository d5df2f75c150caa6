"""`thoth mcp` with the official client, over standard input and output and over HTTP."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from typer.testing import CliRunner

from thoth.cli import app
from thoth.errors import UsageError
from thoth.library.library import Library
from thoth.serve import mcp_clients

MAYOR = "The mayor of Harpool is Osra Kelland."


def stdio(home: Path, *arguments: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "thoth", "mcp", "--model", "nano", *arguments],
        env=os.environ | {"THOTH_HOME": str(home)},
    )


def content(result: Any) -> Any:
    """What a tool returned, as its structured content has it."""
    assert not result.is_error, result.content
    structured = result.structured_content
    return structured.get("result", structured)


def refused(result: Any) -> str:
    assert result.is_error
    text: str = result.content[0].text
    assert "\n" not in text
    return text


async def use(client: Client, folder: Path) -> None:
    """Every tool and resource, once."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert tools.keys() == {
        "search_documents",
        "ask_documents",
        "list_documents",
        "read_pages",
        "absorb_document",
        "remove_document",
    }
    assert all(tool.annotations is not None for tool in tools.values())
    assert tools["ask_documents"].annotations.read_only_hint  # type: ignore[union-attr]
    assert tools["remove_document"].annotations.destructive_hint  # type: ignore[union-attr]
    assert content(await client.call_tool("list_documents", {})) == []

    seen: list[tuple[float, float | None]] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))

    known = content(
        await client.call_tool("absorb_document", {"text": MAYOR, "name": "harpool"}, progress_callback=progress)
    )
    assert (known["name"], known["state"]) == ("harpool", "ready")
    assert seen[-1] == (1.0, 1.0)
    told = content(await client.call_tool("ask_documents", {"question": "Who is the mayor of Harpool?"}))
    assert (told["answer"], told["support"], told["document_tokens_in_context"]) == ("Osra Kelland", "supported", 0)
    assert told["passages"][0]["text"] == MAYOR
    (passage,) = content(await client.call_tool("search_documents", {"query": "mayor Harpool"}))
    assert passage["text"] == MAYOR
    assert content(await client.call_tool("read_pages", {"document": "harpool"}))["text"] == MAYOR
    (listed,) = (await client.list_resources()).resources
    assert listed.name == "harpool"
    (read,) = (await client.read_resource(listed.uri)).contents
    assert read.text == MAYOR  # type: ignore[union-attr]

    assert "no document" in refused(await client.call_tool("read_pages", {"document": "nothing"}))
    assert "one of path, url and text" in refused(await client.call_tool("absorb_document", {}))
    outside = refused(await client.call_tool("absorb_document", {"path": "/etc/hostname"}))
    assert "--allow-paths" in outside
    assert "--allow-urls" in refused(await client.call_tool("absorb_document", {"url": "http://127.0.0.1:9/"}))
    note = folder / "note.txt"
    note.write_text("The founder of Velmar is Ana Dor.")
    assert content(await client.call_tool("absorb_document", {"path": str(note)}))["source"] == str(note)
    assert content(await client.call_tool("remove_document", {"document": "note.txt"}))["name"] == "note.txt"
    assert len(content(await client.call_tool("list_documents", {}))) == 1


async def cancel(client: Client, home: Path) -> None:
    """A call that its client gives up stops, and the next one is served."""
    long = "\n\n".join(f"The owner of house {n} is Bela Roth." for n in range(3000))
    with anyio.move_on_after(60) as scope:

        async def progress(progress: float, total: float | None, message: str | None) -> None:
            if progress:
                scope.cancel()

        await client.call_tool("absorb_document", {"text": long, "name": "long"}, progress_callback=progress)
    told = content(await client.call_tool("ask_documents", {"question": "Who is the owner of house 1?"}))
    assert told["answer"]
    (stored,) = [one for one in content(await client.call_tool("list_documents", {})) if one["name"] == "long"]
    before = Library(home).get(stored["id"]).absorbed
    await anyio.sleep(0.2)  # ten chunks
    assert Library(home).get(stored["id"]).absorbed == before < stored["chunks"]


async def test_over_standard_input_and_output(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with Client(stdio(home, "--allow-paths", str(tmp_path))) as client:
        await use(client, tmp_path)
        await cancel(client, home)


@asynccontextmanager
async def http(home: Path, *arguments: str) -> AsyncIterator[str]:
    command = [sys.executable, "-m", "thoth", "mcp", "--http", "--port", "0", "--model", "nano", *arguments]
    process = subprocess.Popen(command, env=os.environ | {"THOTH_HOME": str(home)}, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if " serves MCP at " in line)
        yield line.split(" serves MCP at ")[1].split(" ")[0]
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


async def test_over_http(tmp_path: Path) -> None:
    async with http(tmp_path / "home", "--allow-paths", str(tmp_path)) as address:
        async with Client(address) as client:
            await use(client, tmp_path)
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        for header, status in (({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403)):
            assert httpx2.post(address, json=ping, headers=header).status_code == status


def inspect(*arguments: str, home: Path) -> Any:
    """What the inspector's command line prints; it gives a server it starts nothing of its own environment."""
    result = subprocess.run(
        ["mcp-inspector", "--cli", "-e", f"THOTH_HOME={home}", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return json.loads(result.stdout)


def inspected(home: Path, place: Sequence[str], tool: str, **given: str) -> Any:
    """Call a tool from the inspector."""
    pairs = [part for name, value in given.items() for part in ("--tool-arg", f"{name}={value}")]
    result = inspect(*place, "--method", "tools/call", "--tool-name", tool, *pairs, home=home)
    assert not result["isError"], result
    return result["structuredContent"].get("result", result["structuredContent"])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mcp-inspector") is None, reason="npm install -g @modelcontextprotocol/inspector")
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_the_inspector_calls_every_tool_and_reads_every_resource(tmp_path: Path, transport: str) -> None:
    home = tmp_path / "home"
    async with AsyncExitStack() as ending:
        place = [sys.executable, "-m", "thoth", "mcp", "--model", "nano"]
        if transport == "http":
            place = [await ending.enter_async_context(http(home)), "--transport", "http"]
        tools = inspect(*place, "--method", "tools/list", home=home)["tools"]
        known = inspected(home, place, "absorb_document", text=MAYOR, name="harpool")
        assert [one["id"] for one in inspected(home, place, "list_documents")] == [known["id"]]
        asked = inspected(home, place, "ask_documents", question="Who is the mayor of Harpool?")
        assert asked["answer"] == "Osra Kelland"
        assert inspected(home, place, "search_documents", query="mayor")[0]["text"] == MAYOR
        assert inspected(home, place, "read_pages", document="harpool")["text"] == MAYOR
        (listed,) = inspect(*place, "--method", "resources/list", home=home)["resources"]
        (read,) = inspect(*place, "--method", "resources/read", "--uri", listed["uri"], home=home)["contents"]
        assert read["text"] == MAYOR
        assert inspected(home, place, "remove_document", document="harpool")["id"] == known["id"]
        assert len(tools) == 6  # all of them were called


@pytest.mark.parametrize("client", mcp_clients.CLIENTS)
def test_the_entry_goes_beside_others(client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    place = mcp_clients.place(client)
    assert mcp_clients.write(client) == place.path  # where there was no file
    place.path.write_text(json.dumps({"other": 1, place.section: {"files": {"command": "x"}}}))
    mcp_clients.write(client, ["--allow-urls"])
    found = json.loads(place.path.read_text())
    assert found["other"] == 1
    assert found[place.section].keys() == {"files", "thoth"}
    made = found[place.section]["thoth"]
    assert [made["command"], *made["args"]] == [sys.executable, "-m", "thoth", "mcp", "--allow-urls"]
    assert json.loads(mcp_clients.shown(client, ["--allow-urls"]))[place.section]["thoth"] == made
    for damaged in ("[1, 2", "[]", json.dumps({place.section: 3})):
        place.path.write_text(damaged)
        with pytest.raises(UsageError, match="by hand"):
            mcp_clients.write(client)
        assert place.path.read_text() == damaged


def test_ctrl_c_ends_a_server_that_waits_for_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK reads lines on a thread, which no cancellation ends."""
    handlers: list[object] = []

    async def run() -> None:
        handlers.append(signal.getsignal(signal.SIGINT))

    space = SimpleNamespace(engine=None, library=None, pair=SimpleNamespace(name="nano"))
    monkeypatch.setattr(
        sys.modules["thoth.cli.mcp"], "started", lambda _: nullcontext(space)
    )  # `thoth.cli.mcp` is the group
    monkeypatch.setattr("thoth.serve.mcp_server.server", lambda _: SimpleNamespace(run_stdio_async=run))
    before = signal.getsignal(signal.SIGINT)
    assert CliRunner().invoke(app, ["mcp"]).exit_code == 0
    assert handlers == [signal.SIG_DFL]
    assert signal.getsignal(signal.SIGINT) is before
