"""Checks the arguments of a call against the tool's schema: not every base is held to it by a grammar."""

from __future__ import annotations

from typing import Any

from thoth.agent.tool import Arguments, Tool
from thoth.errors import UsageError

# Patterns are left out: one that a server made up could take forever to match.
_PATTERNS = {"patternProperties", "propertyNames"}
_TEXTS = {"pattern", "format"}  # keywords with a text; with a schema, they are names of properties


def check(tool: Tool, given: Arguments) -> None:
    """Raise `UsageError` if the arguments are not what the tool's schema allows."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry

    # An empty registry: a schema that refers to an address is not fetched.
    validator = Draft202012Validator(_without_patterns(dict(tool.parameters)), registry=Registry())
    try:
        fault = best_match(validator.iter_errors(dict(given)))
    except Exception as error:  # a server's schema may be anything
        raise UsageError(f"the arguments of {tool.name} cannot be checked ({type(error).__name__})") from error
    if fault is not None:
        where = ".".join(map(str, fault.absolute_path))
        raise UsageError(f"wrong arguments for {tool.name}: {f'{where}: ' if where else ''}{fault.message[:200]}")


def _without_patterns(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: _without_patterns(value)
            for key, value in schema.items()
            if key not in _PATTERNS and not (key in _TEXTS and isinstance(value, str))
        }
    return [_without_patterns(part) for part in schema] if isinstance(schema, list) else schema
