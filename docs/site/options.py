"""The settings, from their schema."""

from __future__ import annotations

from thoth.settings import Option, options


def page() -> str:
    """Return a section for each setting."""
    return "\n".join(_section(option) for option in options())


def _section(option: Option) -> str:
    default = "not set" if option.default in (None, {}) else f"`{option.default}`"
    rows = [("value", option.expects), ("default", default), ("in the environment", _code(option.variable))]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"### {option.name}\n\n{option.help}\n\n| | |\n|---|---|\n{table}\n"


def _code(name: str | None) -> str:
    return "-" if name is None else f"`{name}`"
