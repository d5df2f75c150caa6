"""`thoth ask --agent` and `thoth permissions`; the model's part is a script, everything else is real."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.app import printed
from tests.app.agents import STATS
from thoth.agent.loop import Agent
from thoth.agent.permissions import Grants, Wish
from thoth.chats.sessions import Sessions
from thoth.cli.agent import CommandAgent
from thoth.cli.agent import _asked as asked_on_terminal
from thoth.cli.agent import _show_result as show_result
from thoth.events import Answer, Call
from thoth.library.library import Library

Run = Callable[..., Result]
TEXT = {"kind": "text", "content": "The mayor of Harpool is Osra Kelland."}


@pytest.fixture
def scripted(thoth: Run, tool_pair: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[Call], str], None]:
    """Let the model make some calls, then say something."""
    monkeypatch.setenv("THOTH_MODEL", str(tool_pair))

    def set_script(calls: Sequence[Call], text: str) -> None:
        rounds = iter([Answer("", STATS, calls=tuple(calls)), Answer(text, STATS)])
        monkeypatch.setattr(Agent, "_ask", lambda *_, **__: next(rounds))

    return set_script


def test_a_step_that_is_not_permitted_is_refused_and_says_how_to_permit_it(
    thoth: Run, scripted: Callable[..., None], home: Path
) -> None:
    scripted([Call("remember", TEXT)], "I may not.")
    result = thoth("ask", "--agent", "Remember the mayor.")
    assert result.exit_code == 0
    assert result.stdout == "I may not.\n"
    assert (
        "thoth: remember was refused: it wants to add to the library; to permit it, add --allow write" in result.stderr
    )
    assert not Library(home).documents()


def test_a_step_that_fails_says_why(thoth: Run, scripted: Callable[..., None]) -> None:
    scripted([Call("read_pages", {"document": "x", "first": 1, "last": 1})], "I cannot.")
    result = thoth("ask", "--agent", "Read the first page of x.")
    assert re.search(r"thoth: read_pages\(x, 1, 1\): failed, .* s: there is no document x", result.stderr)
    assert "<data>" not in result.stderr


def test_what_a_tool_found_is_shown(thoth: Run, scripted: Callable[..., None]) -> None:
    """A small model says that there is something; what it is, only the result says."""
    scripted([Call("remember", TEXT)], "Kept.")
    result = thoth("ask", "--agent", "--allow", "write", "Remember the mayor.")
    assert result.stderr.splitlines()[1:4] == [
        "  Absorbed 1 chunk.",
        "  Title: The mayor of Harpool is Osra Kelland.",
        "  The mayor of Harpool is Osra Kelland.",
    ]
    assert result.stdout == "Kept.\n"
    assert "Absorbed" not in thoth("ask", "--agent", "--allow", "write", "-q", "Remember the mayor.").stderr


def test_a_remembered_document_that_the_model_cannot_read_is_named(
    thoth: Run, scripted: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thoth.actions.readable.warning", lambda document, pair: f"{pair} cannot read {document.name}")
    scripted([Call("remember", TEXT)], "Kept.")
    result = thoth("ask", "--agent", "--allow", "write", "Remember the mayor.")
    assert "cannot read The mayor of Harpool is Osra Kelland." in result.stderr


def test_of_a_long_result_the_beginning_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_result("\n".join(["x" * 400, *map(str, range(20))]))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [f"  {'x' * 300}…", "  0"]
    assert lines[-1] == "  … 9 more lines"


def test_steps_and_permissions_in_json_and_in_the_chat(thoth: Run, scripted: Callable[..., None], home: Path) -> None:
    scripted([Call("remember", TEXT), Call("forget", {"document": "x"})], "Done.")
    result = thoth("ask", "--agent", "--allow", "write", "--json", "Remember the mayor.")
    answer = json.loads(result.stdout)
    printed.check("ask", answer)
    assert answer["answer"] == "Done."
    assert [(step["tool"], step["state"]) for step in answer["steps"]] == [("remember", "done"), ("forget", "refused")]
    assert answer["permissions"] == {"allowed": ["write"], "refused": ["forget"]}
    (stored,) = Library(home).documents(active=True)
    assert answer["steps"][0]["documents"] == [stored.id]
    (turn,) = Sessions(home).turns(answer["chat"])
    assert [step.tool for step in turn.steps] == ["remember", "forget"]
    assert turn.steps[0].arguments == TEXT
    shown: Any = json.loads(thoth("chats", "show", answer["chat"], "--json").stdout)
    assert shown["turns"][0]["steps"][0]["tool"] == "remember"


def test_what_a_chat_that_is_not_kept_absorbed_is_removed(
    thoth: Run, scripted: Callable[..., None], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOTH_AGENT_ABSORB_OVER", "50")
    scripted([Call("remember", TEXT | {"content": "word " * 200}), Call("list_documents", {})], "Done.")
    thoth("ask", "--agent", "--allow", "write", "--no-save", "Remember.")
    assert len(Library(home).documents()) == 1  # the user's own stays


def test_a_base_without_tools_is_named(thoth: Run) -> None:
    result = thoth("ask", "--agent", "Hello?")
    assert result.exit_code == 5
    assert "knows no tools; leave out --agent, or use another model" in result.stderr


def test_a_chat_calls_tools_and_a_permission_holds_for_it(
    thoth: Run, scripted: Callable[..., None], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = iter([Answer("", STATS, calls=(Call("remember", TEXT),)), Answer("Kept.", STATS)] * 3)
    scripted([], "")
    monkeypatch.setattr(Agent, "_ask", lambda *_, **__: next(rounds))
    asked: list[str] = []
    decisions = iter(["chat", "no"])
    monkeypatch.setattr(CommandAgent, "_ask", lambda _, wish: asked.append(wish.tool) or next(decisions))
    result = thoth("chat", "--agent", "--json", stdin="Remember it.\nRemember it again.\n")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert [one["steps"][0]["state"] for one in (first, second)] == ["done", "done"]
    assert asked == ["remember"]
    assert first["chat"] == second["chat"]
    assert [len(turn.steps) for turn in Sessions(home).turns(first["chat"])] == [1, 1]


def test_a_chat_on_a_pipe_refuses_what_was_not_allowed(thoth: Run, scripted: Callable[..., None]) -> None:
    scripted([Call("remember", TEXT)], "I may not.")
    result = thoth("chat", "--agent", stdin="Remember it.\n")
    assert result.stdout == "I may not.\n"
    assert "to permit it, add --allow write" in result.stderr


@pytest.mark.parametrize(
    ("typed", "decision"),
    [("o", "once"), ("Chat", "chat"), ("a", "always"), ("v", "never"), ("", "no"), ("yes", "no"), ("and then?", "no")],
)
def test_a_permission_is_asked_for_on_a_terminal(
    typed: str, decision: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    assert asked_on_terminal(Wish("remember", {"content": "a\x1b[2Jb\n"}, ("write",))) == decision
    shown = capsys.readouterr().err
    assert "remember wants to add to the library" in shown
    assert "\x1b" not in shown


def test_a_private_address_is_permitted_once_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a\n"))
    assert asked_on_terminal(Wish("web_fetch", {"address": "http://127.0.0.1/"}, ("web", "private"))) == "no"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("web_fetch", {"address": "http://127.0.0.1/"}),
        ("remember", {"kind": "address", "content": "http://127.0.0.1/"}),
    ],
)
def test_without_a_terminal_to_name_a_private_address_is_to_permit_it(
    tool: str, arguments: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    asking: Any = CommandAgent(None, [], None, {"web", "write"})  # type: ignore[arg-type]
    assert asking._ask(Wish(tool, arguments, ("private",))) == "once"
    assert "http://127.0.0.1/ is on this machine or its own network; fetching it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--allow", "web"], "--allow is for tools; use it with --agent"),
        (["--agent", "--allow", "mail"], "--allow knows no mail; it takes: files, write, forget, web"),
        (["--agent", "--compare"], "--agent answers from memory and tools"),
    ],
)
def test_options_that_make_no_sense(thoth: Run, arguments: list[str], said: str) -> None:
    result = thoth("ask", *arguments, "Hello?")
    assert result.exit_code == 2
    assert said in result.stderr


def test_permissions_are_listed_and_revoked(thoth: Run, home: Path) -> None:
    assert "no permission is kept; the agent asks each time" in thoth("permissions", "list").stderr
    Grants(home / "permissions.json").put(("web", "mcp:notes"), "always")
    listed = thoth("permissions", "list").stdout
    assert "go to the web" in listed
    assert "use the MCP server notes" in listed
    assert thoth("permissions", "revoke", "web").exit_code == 0
    kept = json.loads(thoth("permissions", "list", "--json").stdout)["permissions"]
    assert [one["need"] for one in kept] == ["mcp:notes"]
    missing = thoth("permissions", "revoke", "web")
    assert missing.exit_code == 2
    assert "no permission web is kept; see `thoth permissions list`" in missing.stderr
