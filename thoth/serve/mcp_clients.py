"""Where MCP clients keep the list of their servers, and what Thoth's entry in it is."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mlx_hypernet.format import atomic
from thoth.errors import UsageError

Client = Literal["claude", "vscode", "cursor", "lmstudio"]
CLIENTS: tuple[str, ...] = get_args(Client)

_NAME = "thoth"


@dataclass(frozen=True)
class Place:
    """Where one client keeps its servers.

    Attributes:
        path: the file, of this user.
        section: its key with the servers.
    """

    path: Path
    section: str


def place(client: str) -> Place:
    """Return where a client keeps its servers.

    Raises:
        UsageError: The client is not known.
    """
    home = Path.home()
    if sys.platform == "darwin":
        settings = home / "Library" / "Application Support"
    else:
        settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    match client:
        case "claude":
            return Place(settings / "Claude" / "claude_desktop_config.json", "mcpServers")
        case "vscode":
            return Place(settings / "Code" / "User" / "mcp.json", "servers")
        case "cursor":
            return Place(home / ".cursor" / "mcp.json", "mcpServers")
        case "lmstudio":
            return Place(home / ".lmstudio" / "mcp.json", "mcpServers")
    raise UsageError(f"{client} is not known; choose one of {', '.join(CLIENTS)}")


def entry(client: str, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Return Thoth's entry: this interpreter, so that it works outside of any shell.

    Args:
        client: see `CLIENTS`.
        arguments: of `thoth mcp`.
    """
    made: dict[str, Any] = {"command": sys.executable, "args": ["-m", "thoth", "mcp", *arguments]}
    if home := os.environ.get("THOTH_HOME"):
        made["env"] = {"THOTH_HOME": os.path.abspath(os.path.expanduser(home))}
    return {"type": "stdio", **made} if client == "vscode" else made


def merged(client: str, arguments: Sequence[str] = ()) -> str:
    """Return a client's file with Thoth's entry in it; everything else stays.

    Raises:
        UsageError: The file is there and is not a JSON object.
    """
    where = place(client)
    try:
        before = where.path.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = "{}"
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{where.path} cannot be read ({error}); add the entry by hand") from error
    try:
        found = json.loads(before or "{}")
        servers = found.setdefault(where.section, {})
        servers[_NAME] = entry(client, arguments)
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"{where.path} is not a JSON object; add the entry by hand") from error
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def write(client: str, arguments: Sequence[str] = ()) -> Path:
    """Put Thoth's entry into a client's file, at once or not at all, and return the file.

    Raises:
        UsageError: As `merged`, or the file cannot be written.
    """
    where, text = place(client), merged(client, arguments)
    try:
        where.path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(where.path.resolve(), text)
    except OSError as error:
        raise UsageError(f"{where.path} cannot be written ({error.strerror}); add the entry by hand") from error
    return where.path


def shown(client: str, arguments: Sequence[str] = ()) -> str:
    """Return what to paste into a client's file."""
    return json.dumps({place(client).section: {_NAME: entry(client, arguments)}}, indent=2)
