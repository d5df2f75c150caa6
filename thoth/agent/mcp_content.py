"""What MCP servers offer and return -> what a model reads. All of it is data, and none of it is trusted to be short."""

from __future__ import annotations

import json
import re
from typing import Any

from thoth.engine import call_schema

_LONGEST_SCHEMA = 4000  # letters
_LONGEST_DESCRIPTION = 200
_LONGEST_RESULT = 1 << 20
_LONGEST_NAME = 64
_CUT = "\n[the rest is left out]"


def tool_name(server: str, name: str) -> str:
    """Return the name of a server's tool as a model writes it."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", f"{server}_{name}")[:_LONGEST_NAME]


def description(tool: Any) -> str:
    """Return what a server says of a tool, on one line."""
    return " ".join((tool.description or "").split())[:_LONGEST_DESCRIPTION]


def fault(tool: Any) -> str:
    """Return why a tool cannot be called; empty if it can."""
    if tool.execution is not None and tool.execution.task_support == "required":
        return "it runs as a task only, which Thoth does not do"
    letters = len(json.dumps(tool.input_schema))
    if letters > _LONGEST_SCHEMA:
        return f"its schema has {letters} letters, {_LONGEST_SCHEMA} is the most"
    return call_schema.fault(tool.input_schema)


def text(result: Any) -> str:
    """Return the text of a result: its blocks, or else its structured content."""
    found = "\n".join(map(_block, result.content))
    if not found and result.structured_content is not None:
        found = json.dumps(result.structured_content, ensure_ascii=False)
    return found if len(found) <= _LONGEST_RESULT else found[:_LONGEST_RESULT] + _CUT


def _block(block: Any) -> str:
    match block.type:
        case "text":
            return str(block.text)
        case "resource":
            return str(getattr(block.resource, "text", "")) or f"[{_kind(block.resource)}: {block.resource.uri}]"
        case "resource_link":
            return f"[resource {block.name}: {block.uri}]"
        case _:
            return f"[{_kind(block)}, not shown]"


def _kind(one: Any) -> str:
    return one.mime_type or "resource"
