"""Google docstrings as Markdown: what a package exports, its methods and attributes."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from types import ModuleType

_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises):$", re.MULTILINE)
_ENTRY = re.compile(r"^(\S[^:\n]*): ", re.MULTILINE)
_TITLES = {"Args": "Arguments"}


def page(module: ModuleType) -> str:
    """Return a section for each class and function in `__all__`, errors last."""
    exported = [getattr(module, name) for name in module.__all__ if not name.startswith("__")]
    errors = [one for one in exported if inspect.isclass(one) and issubclass(one, Exception)]
    functions = [one for one in exported if inspect.isfunction(one)]
    classes = [one for one in exported if inspect.isclass(one) and one not in errors]
    parts = [_function(one, "###") for one in functions] + [_class(one) for one in classes]
    parts += ["### Errors\n", *map(_error, errors), ""] if errors else []
    return "\n".join(parts)


def section(kind: type) -> str:
    """Return the section of a class that a package does not export by name, a dictionary of options for example."""
    return f"### {kind.__name__}\n\n{markdown(inspect.getdoc(kind) or '')}"


def _class(kind: type) -> str:
    methods = [
        _function(member, "####", f"{kind.__name__}.")
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and not name.startswith("_")
    ]
    return "\n".join([section(kind), *methods])


def _error(kind: type) -> str:
    code = getattr(kind, "exit_code", None)
    said = " ".join(markdown(inspect.getdoc(kind) or "").split())
    return f"- `{kind.__name__}`: {said}" + (f" Exit code {code}." if code is not None else "")


def _function(function: object, heading: str, owner: str = "") -> str:
    name = getattr(function, "__name__", "")
    signature = inspect.signature(function).replace()  # type: ignore[arg-type]
    shown = [one for one in signature.parameters.values() if one.name != "self"]
    signature = signature.replace(parameters=shown)
    lines = "\n".join(_wrapped(f"{owner}{name}", signature))
    return f"{heading} {owner}{name}\n\n```text\n{lines}\n```\n\n{markdown(inspect.getdoc(function) or '')}"


def _wrapped(name: str, signature: inspect.Signature) -> Iterator[str]:
    """Yield a signature, with a line for each parameter where one line is too long."""
    whole = f"{name}{signature}".replace("'", "")
    if len(whole) <= 88:
        yield whole
        return
    yield f"{name}("
    starred = any(one.kind is one.VAR_POSITIONAL for one in signature.parameters.values())
    for one in signature.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not starred:
            starred = True
            yield "    *,"
        yield f"    {one},".replace("'", "")
    result = signature.return_annotation
    yield f") -> {result}" if result is not signature.empty else ")"


def markdown(text: str) -> str:
    """Return a docstring as Markdown: its sections become lists."""
    head, *rest = _SECTION.split(text)
    parts = [_body(head)]
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        inner = textwrap.dedent(body.strip("\n")).strip()
        listed = _listed(inner) if title not in ("Returns", "Yields") else _body(inner)
        parts.append(f"*{_TITLES.get(title, title)}*\n\n{listed}")
    return "\n".join(parts)


def _body(text: str) -> str:
    """Return paragraphs; an indented example becomes a block of code."""
    parts = []
    for part in re.split(r"\n{2,}", text.strip()):
        is_code = part.startswith("    ")
        parts.append(f"```python\n{textwrap.dedent(part)}\n```" if is_code else part)
    return "\n\n".join(parts) + "\n"


def _listed(text: str) -> str:
    """Return `name: what it is` entries as a list."""
    entries: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += f" {line.strip()}"
        elif line:
            entries.append(_ENTRY.sub(r"`\1`: ", line, count=1))
    return "\n".join(f"- {entry}" for entry in entries) + "\n"
