"""What commands print with `--json`, compared with the schema that the documentation shows."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from docs.site import schemas


def check(command: str, printed: Any) -> None:
    """Fail if an object is not what the schema of a command says, `docs-list` for example."""
    validator = Draft202012Validator(schemas.of(command), format_checker=FormatChecker())
    wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(printed)]
    if wrong:
        raise AssertionError("\n".join(wrong))
