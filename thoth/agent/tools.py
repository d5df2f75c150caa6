"""The built-in tools: what the model is told about them, and which permissions they need.

Imports light: nano's training data is made from this table (`docs/architecture.md`, "The agent").
"""

from __future__ import annotations

from thoth.agent import memory_tools, web_tools
from thoth.agent.tool import FILES, FORGET, WEB, WRITE, Arguments, Tool, parameters

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}

_REMEMBER = {"text": (WRITE,), "file": (WRITE, FILES), "address": (WRITE, WEB)}


def _remembering(arguments: Arguments) -> tuple[str, ...]:
    return _REMEMBER[arguments["kind"]]


def _check_remembered(arguments: Arguments) -> None:
    if arguments["kind"] == "address":
        web_tools.check_address(arguments["content"])


def _check_fetched(arguments: Arguments) -> None:
    web_tools.check_address(arguments["address"])


BUILT_IN = (
    Tool(
        "search_memory",
        "Find passages in the documents.",
        parameters(query=_TEXT),
        memory_tools.search_memory,
    ),
    Tool(
        "ask_memory",
        "Answer a question from the documents.",
        parameters(question=_TEXT),
        memory_tools.ask_memory,
    ),
    Tool("list_documents", "List the documents.", parameters(), memory_tools.list_documents),
    Tool(
        "read_pages",
        "Read pages of a document.",
        parameters(document=_TEXT, first=_NUMBER, last=_NUMBER),
        memory_tools.read_pages,
    ),
    Tool(
        "remember",
        "Add a text, file or web page to the documents.",
        parameters(kind={"type": "string", "enum": [*_REMEMBER]}, content=_TEXT),
        memory_tools.remember,
        _remembering,
        _check_remembered,
    ),
    Tool(
        "forget",
        "Remove a document.",
        parameters(document=_TEXT),
        memory_tools.forget,
        lambda _: (FORGET,),
    ),
    Tool("web_search", "Search the web.", parameters(query=_TEXT), web_tools.web_search, lambda _: (WEB,)),
    Tool(
        "web_fetch",
        "Read a web page.",
        parameters(address=_TEXT),
        web_tools.web_fetch,
        lambda _: (WEB,),
        _check_fetched,
    ),
)


def named(name: str) -> Tool:
    """Return a built-in tool."""
    return next(tool for tool in BUILT_IN if tool.name == name)
