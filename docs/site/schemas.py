"""What `--json` prints, from `docs/schemas/thoth.schema.json`, and the exit codes, from `thoth/errors.py`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from thoth import errors
from thoth.cli.ask import UNSUPPORTED_EXIT

Schema = dict[str, Any]

_SCHEMA = Path(__file__).parents[1] / "schemas" / "thoth.schema.json"


@cache
def whole() -> Schema:
    """Return the schema with all definitions; a name in lower case is a command's, its words joined with hyphens."""
    return dict(json.loads(_SCHEMA.read_text(encoding="utf-8")))


def of(command: str) -> Schema:
    """Return the schema of what a command prints, complete in itself.

    Args:
        command: its words joined with hyphens, `docs-list` for example.
    """
    known = whole()
    if command not in known["$defs"]:
        raise KeyError(f"docs/schemas/thoth.schema.json has no definition {command}")
    return {"$schema": known["$schema"], "$ref": f"#/$defs/{command}", "$defs": known["$defs"]}


def commands() -> list[str]:
    """Return the names of the commands with a schema."""
    return [name for name in whole()["$defs"] if name[0].islower()]


def files() -> dict[str, Schema]:
    """Return one file for each command, by its name."""
    return {f"{name}.schema.json": of(name) for name in commands()}


def page() -> str:
    """Return a section for each command, and one for each object they share."""
    known = whole()["$defs"]
    parts = [
        f"### thoth {name.replace('-', ' ')} --json\n\n{_about(known[name])}\n\n"
        f"Schema: [{name}.schema.json](schemas/{name}.schema.json)\n\n{_fields(known[name])}"
        for name in commands()
    ]
    shared = [f"### {name}\n\n{_about(known[name])}\n\n{_fields(known[name])}" for name in known if name[0].isupper()]
    return "\n".join([*parts, "## Shared objects\n", *shared])


def exit_codes() -> str:
    """Return a table of the exit codes."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ThothError)]
    rows = {0: "Done."}
    for kind in kinds:
        rows.setdefault(kind.exit_code, (kind.__doc__ or "").splitlines()[0])
    rows[errors.ThothError.exit_code] = "Failed; the line on stderr says why and what to do."
    rows[UNSUPPORTED_EXIT] = "With `--strict`: nothing in the documents supports the answer."
    return "\n".join(["| code | meaning |", "|---|---|", *(f"| {code} | {rows[code]} |" for code in sorted(rows)), ""])


def _about(schema: Schema) -> str:
    return str(schema.get("description") or whole()["$defs"][_name(schema)]["description"])


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[-1]


def _fields(schema: Schema) -> str:
    if "$ref" in schema:
        return f"It is {_link(_name(schema))}.\n"
    if "oneOf" in schema:
        return "\n".join(_fields(one) for one in schema["oneOf"])
    before = "".join(f"All fields of {_link(_name(one))}, and:\n\n" for one in schema.get("allOf", ()))
    required = schema.get("required", [])
    rows = [
        f"| `{name}` | {_type(value)}{'' if name in required else ', optional'} | {value.get('description', '')} |"
        for name, value in schema.get("properties", {}).items()
    ]
    inner = [
        f"Each of `{name}`:\n\n{_fields(value['items'])}"
        for name, value in schema.get("properties", {}).items()
        if "properties" in value.get("items", {})
    ]
    return "\n".join([f"{before}| field | type | |", "|---|---|---|", *rows, "", *inner])


def _type(schema: Schema) -> str:
    """Return the type of a value in words."""
    if "$ref" in schema:
        return _link(_name(schema))
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if "allOf" in schema:
        return _type(schema["allOf"][0])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(kinds)


def _link(name: str) -> str:
    anchor = name.lower() if name[0].isupper() else f"thoth-{name}-json"
    return f"[{name}](json.md#{anchor})"
