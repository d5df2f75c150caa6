"""Tools in OpenAI's words: what a request may offer, what a model called, what it called before."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from thoth.events import Call
from thoth.serve.faults import Fault


def options(functions: Sequence[dict[str, Any]], choice: str | dict[str, Any]) -> dict[str, Any]:
    """Return what `Engine.ask` must know about tools.

    Args:
        functions: name, description and parameters of each.
        choice: "auto", "none", "required", or an object that names one.

    Raises:
        Fault: The choice names none of them, or is another word.
    """
    if isinstance(choice, dict):
        name = (choice.get("function") or choice).get("name")
        functions = [function for function in functions if function["name"] == name]
        if not functions:
            raise Fault(400, f"tool_choice names {name}, which is not among the tools")
    elif choice not in ("auto", "none", "required"):
        raise Fault(400, "tool_choice must be auto, none, required, or an object that names a tool")
    if not functions or choice == "none":
        return {}
    empty = {"type": "object", "properties": {}}
    tools = [
        {"type": "function", "function": function | {"parameters": function["parameters"] or empty}}
        for function in functions
    ]
    return {"tools": tools, "calls": "auto" if choice == "auto" else "required"}


def read(id: str, name: str, arguments: str) -> dict[str, Any]:
    """Return a call of an earlier message as chat templates take it.

    Raises:
        Fault: The arguments are not a JSON object.
    """
    try:
        found = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise Fault(400, f"the arguments of an earlier call of {name} are not JSON") from error
    if not isinstance(found, dict):  # templates read them by name
        raise Fault(400, f"the arguments of an earlier call of {name} are not a JSON object")
    return {"id": id, "type": "function", "function": {"name": name, "arguments": found}}


def listed(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Return calls as a chat completion lists them."""
    return [
        {
            "id": f"call_{uuid.uuid4().hex[:9]}",
            "type": "function",
            "function": {"name": call.tool, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)},
        }
        for call in calls
    ]
