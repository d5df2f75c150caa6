"""The protocol's example servers, installed from npm and PyPI: every tool is called once."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.app.agents import script, stage
from thoth.agent.mcp_servers import Servers
from thoth.events import Call

pytestmark = pytest.mark.slow
SCOPE = "@modelcontextprotocol"
EVERYTHING: dict[str, dict[str, Any]] = {
    "echo": {"message": "bread"},
    "get-annotated-message": {"messageType": "error", "includeImage": True},
    "get-env": {},
    "get-resource-links": {"count": 2},
    "get-resource-reference": {"resourceType": "Text", "resourceId": 1},
    "get-structured-content": {"location": "Chicago"},
    "get-sum": {"a": 2, "b": 3},
    "get-tiny-image": {},
    "gzip-file-as-resource": {"name": "a.gz", "data": "data:text/plain,bread", "outputType": "resource"},
    "toggle-simulated-logging": {},
    "toggle-subscriber-updates": {},
    "trigger-long-running-operation": {"duration": 1, "steps": 2},
}


def installed(command: Sequence[str]) -> None:
    """Run an installer; skip the test where there is none, or no registry that it reaches."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if result.returncode:
        pytest.skip(f"{command[0]} could not install {command[-1]}")


def npm(folder: Path, package: str) -> str:
    installed(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"{SCOPE}/{package}"])
    return str(folder / "node_modules" / ".bin" / f"mcp-{package}")


def called(folder: Path, command: Sequence[str], given: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, str], str]:
    """Call each tool of a server that arguments are given for; what a model reads, and what was said of the server."""
    lines: list[str] = []
    servers = Servers({"x": shlex.join(command)}, lines.append)
    try:
        tools = servers.tools()
        assert {tool.name.removeprefix("x_") for tool in tools} >= given.keys(), lines
        calls = [Call(f"x_{name}", arguments) for name, arguments in given.items()]
        setting = stage(folder / "home", script(calls, "done"), tools=tools, allowed=["mcp:x"], agent_steps=20)
        assert setting.ask("go").text == "done"
        states = {step.tool: step.state for step in setting.steps}
        assert {*states.values()} <= {"done", "failed"}
    finally:
        servers.close()
    assert len(setting.steps) == len(given)
    return {step.tool.removeprefix("x_"): f"{step.state}: {step.result}" for step in setting.steps}, " / ".join(lines)


def test_everything(tmp_path: Path) -> None:
    found, said = called(tmp_path, [npm(tmp_path, "server-everything")], EVERYTHING)
    assert all(result.startswith("done: <data>\n") for result in found.values()), found
    assert "Echo: bread" in found["echo"]
    assert "[image/png, not shown]" in found["get-annotated-message"]
    assert "[resource Text Resource 2: demo://" in found["get-resource-links"]
    assert "Resource 1: This is a plaintext resource" in found["get-resource-reference"]
    assert '"temperature"' in found["get-structured-content"]
    assert " 5" in found["get-sum"]
    assert "[application/gzip: demo://" in found["gzip-file-as-resource"]
    assert "Long running operation completed" in found["trigger-long-running-operation"]
    assert "left out 1 tool: x_simulate-research-query (it runs as a task only" in said


def test_filesystem(tmp_path: Path) -> None:
    (allowed := tmp_path / "allowed").mkdir()
    (allowed / "a.txt").write_text("bread")
    (tmp_path / "secret.txt").write_text("gold")
    file, pattern = str(allowed / "a.txt"), {"path": str(allowed), "pattern": "*.txt"}
    given: dict[str, dict[str, Any]] = {
        "read_text_file": {"path": file},
        "search_files": pattern,
        "write_file": {"path": str(allowed / "b.txt"), "content": "butter"},
        "directory_tree": {"path": str(allowed)},
        "get_file_info": {"path": file},
        "read_multiple_files": {"paths": [file, str(tmp_path / "secret.txt")]},
        "list_allowed_directories": {},
    }
    found, said = called(tmp_path, [npm(tmp_path, "server-filesystem"), str(allowed)], given)
    assert all(result.startswith("done: <data>\n") for result in found.values()), found
    assert found["read_text_file"] == "done: <data>\nbread\n</data>"
    assert file in found["search_files"]
    assert (allowed / "b.txt").read_text() == "butter"
    assert "gold" not in str(found)
    assert said == ""


def test_fetch(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    installed([str(python), "-m", "pip", "install", "-q", "mcp-server-fetch"])
    address = {"url": "http://127.0.0.1:9/"}
    found, said = called(tmp_path, [str(python), "-m", "mcp_server_fetch"], {"fetch": address})
    assert found["fetch"].startswith("failed: <data>\nError: x: ")
    assert said == ""


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The line that a person needs is the server's own."""
    lines: list[str] = []
    servers = Servers({"x": f"{npm(tmp_path, 'server-filesystem')} {tmp_path}/nowhere"}, lines.append)
    assert servers.tools() == []
    servers.close()
    assert lines == [
        "MCP server x: it ended: Error: None of the specified directories are accessible; continuing without it"
    ]
