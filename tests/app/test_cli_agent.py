"""`thoth ask --agent` and `thoth permissions`; the model's part is a script, everything else is real."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.app import printed
from tests.app.agents import STATS
from thoth.agent.loop import Agent
from thoth.agent.permissions import Grants
from thoth.chats.sessions import Sessions
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
    assert "knows no tools; ask without --agent, or use another model" in result.stderr


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
