"""What a tool is: its name, its description and arguments for the model, what it needs, what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thoth.agent.bench import Bench
    from thoth.ingest import Document

Schema = Mapping[str, Any]
Arguments = Mapping[str, Any]

# What a person permits: "files": reading a file; "write": adding to the library; "forget": removing from it; "web":
# going to the network. "mcp:NAME" is everything that the server NAME offers. Reading memory needs none.
FILES, WRITE, FORGET, WEB = "files", "write", "forget", "web"
MCP = "mcp:"


@dataclass(frozen=True)
class Result:
    """What a tool found.

    Attributes:
        text: for the model.
        document: the same as a document, if it has a name, pages or a source of its own; absorbed where it is long.
        source: where `document` came from: an address or an absolute path.
        absorbed: ids of documents that the tool absorbed itself.
        is_data: it holds text of documents, pages or servers, which is wrapped as data.
    """

    text: str
    document: Document | None = None
    source: str | None = None
    absorbed: tuple[str, ...] = ()
    is_data: bool = True


def nothing(_: Arguments) -> tuple[str, ...]:
    """Return the permissions of a tool that needs none."""
    return ()


def anything(_: Arguments) -> None:
    """Accept the arguments of a tool whose schema says all."""


@dataclass(frozen=True)
class Tool:
    """A tool.

    Attributes:
        name: as the model writes it: letters, digits, `_` and `-`.
        description: one line for the model.
        parameters: JSON schema of the arguments, an object.
        needs: permissions that a call with some arguments needs.
        run: does it; raises `ThothError` with a message for the model where it cannot.
        check: raises `ThothError` for arguments that cannot work, before anybody is asked for permission.
    """

    name: str
    description: str
    parameters: Schema
    run: Callable[[Bench, Arguments], Result]
    needs: Callable[[Arguments], tuple[str, ...]] = nothing
    check: Callable[[Arguments], None] = anything

    @property
    def schema(self) -> dict[str, Any]:
        """The tool as chat templates take it."""
        function = {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}
        return {"type": "function", "function": function}


def parameters(**properties: Mapping[str, Any]) -> Schema:
    """Return the schema of an object whose properties are all required."""
    return {"type": "object", "properties": dict(properties), "required": [*properties]}
