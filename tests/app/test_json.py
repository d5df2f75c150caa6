"""What every command prints with `--json` is what docs/schemas/thoth.schema.json says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import Result

from docs.site import commands, schemas
from tests.app import printed
from thoth.agent.permissions import Grants
from thoth.cli import app
from thoth.models import add, registry
from thoth.system import paths

Run = Callable[..., Result]
Read = Callable[..., Any]


def test_every_command_with_json_has_a_schema() -> None:
    given = {
        "-".join(path.split()[1:])
        for path, command, _ in commands.tree("thoth", app)
        if any("--json" in getattr(param, "opts", ()) for param in command.params)
    }
    assert given == set(schemas.commands())


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schemas.whole())


def test_a_field_too_many_or_too_few_is_seen() -> None:
    good = {"models": [], "more": 1}
    with pytest.raises(AssertionError, match="more"):
        printed.check("models-list", good)
    with pytest.raises(AssertionError, match="'models' is a required property"):
        printed.check("models-list", {})


def test_documents(read: Read, thoth: Run, note: Path, tmp_path: Path) -> None:
    result = thoth("absorb", note, tmp_path / "missing.txt", "--json")
    absorbed = json.loads(result.stdout)
    printed.check("absorb", absorbed)
    assert absorbed["failed"]
    for arguments in (
        ("docs", "list"),
        ("docs", "show", "note.txt", "--text", "--chunks"),
        ("docs", "tag", "lamps", "note.txt"),
        ("docs", "untag", "lamps", "note.txt"),
        ("docs", "deactivate", "note.txt"),
        ("docs", "activate", "note.txt"),
        ("docs", "rename", "note.txt", "lamps.txt"),
    ):
        printed.check("-".join(arguments[:2]), read(*arguments))
    printed.check("export", read("export", "lamps.txt", tmp_path / "adapter"))
    note.write_text("The founder of Velmar is Ana Dor. Velmar makes kites.")
    updated = read("docs", "update")
    printed.check("docs-update", updated)
    assert updated["updated"]
    note.unlink()
    printed.check("docs-update", json.loads(thoth("docs", "update", "lamps.txt", "--json").stdout))
    printed.check("docs-remove", read("docs", "remove", "--yes", "lamps.txt"))


def test_answers_and_chats(read: Read, thoth: Run, note: Path, tmp_path: Path) -> None:
    printed.check("ask", read("ask", "--doc", note, "--no-save", "Who founded Velmar?"))
    answer = read("ask", "--doc", note, "Who founded Velmar?")
    printed.check("ask", answer)
    assert answer["stats"]["chunks"]
    printed.check("ask", read("ask", "--in-context", "--doc", note, "Who founded Velmar?"))
    for line in thoth("chat", "--json", stdin="Who?\nWhere?\n").stdout.splitlines():
        printed.check("chat", json.loads(line))
    chats = read("chats", "list")
    printed.check("chats-list", chats)
    printed.check("chats-search", read("chats", "search", "Velmar"))
    name = answer["chat"]
    printed.check("chats-show", read("chats", "show", name))
    printed.check("chats-export", read("chats", "export", name))
    printed.check("chats-export", read("chats", "export", name, tmp_path / "chat.json"))
    printed.check("chats-show", json.loads((tmp_path / "chat.json").read_text()))
    printed.check("chats-delete", read("chats", "delete", "--yes", name))


def test_models(read: Read, tiny_pair: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed.check("models-list", read("models", "list"))
    printed.check("models-use", read("models", "use", "nano"))
    shutil.copytree(tiny_pair, home / "models" / "gemma-2-2b")
    printed.check("models-pull", read("models", "pull", "gemma-2-2b"))  # it is here already
    # Only the conversion is left out.
    monkeypatch.setattr(add, "add", lambda *_, **__: registry.pulled("gemma-2-2b"))
    printed.check("models-add", read("models", "add", home / "file.gguf"))


def test_what_was_decided_and_what_is_wrong(read: Read, thoth: Run, home: Path) -> None:
    printed.check("permissions-list", read("permissions", "list"))
    Grants(paths.permissions()).put(["web"], "always")
    printed.check("permissions-list", read("permissions", "list"))
    printed.check("doctor", json.loads(thoth("doctor", "--repair", "--json").stdout))
    printed.check("templates-list", read("templates", "list"))
    paths.templates().mkdir(parents=True)
    (paths.templates() / "brief.toml").write_text('question = "In short: $input"\ntop_k = 2\n')
    printed.check("templates-list", read("templates", "list"))
    printed.check("templates-show", read("templates", "show", "brief"))
