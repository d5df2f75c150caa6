"""Settings: flag, environment, file, default; mistakes are refused, and saving keeps what people wrote."""

from pathlib import Path
from typing import get_args

import pytest

from thoth import settings
from thoth.errors import ThothError, UsageError
from thoth.ingest.chunks import Chunking
from thoth.retrieval.routing import Routing
from thoth.settings import Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_order_of_precedence(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load(file) == Settings()
    file.write_text('model = "from-file"\ntop_k = 7')
    assert settings.load(file) == Settings(model="from-file", top_k=7)
    monkeypatch.setenv("THOTH_MODEL", "from-environment")
    monkeypatch.setenv("THOTH_TOP_K", " 8 ")
    monkeypatch.setenv("THOTH_ROUTE", "")
    assert settings.load(file) == Settings(model="from-environment", top_k=8)
    assert settings.load(file, model="from-flag", top_k=None) == Settings(model="from-flag", top_k=8)


def test_the_routing_they_add_up_to(file: Path) -> None:
    assert settings.load(file).routing() == Routing()
    assert settings.load(file, route="all", top_k=2, rank_budget=3, with_text=1).routing() == Routing("all", 2, 3, 1)


def test_the_choices_are_those_of_the_core() -> None:
    known = {option.name: option for option in settings.options()}
    assert known["chunking"].choices == get_args(Chunking)
    assert [option.kind for option in settings.options()].count("table") == 2  # keys, mcp
    assert known["keys"].variable is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modell = 'x'", "unknown setting modell; known settings: model, route"),
        ("model = 3", "model must be text, not 3"),
        ("model", "is not valid TOML"),
        ("top_k = 3\nmodel: x", "line 2, column 6, is not valid TOML"),
        ("top_k = 0", "top_k must be a whole number, 1 or more, not 0"),
        ("top_k = true", "not true"),
        ("top_k = 1.5", "not 1.5"),
        ("top_k = '4'", "not '4'"),
        ("route = 'some'", "one of auto, all, none"),
        ("keys = 'x'", "a table of strings"),
        ("[keys]\nlibrary = 3", "a table of strings"),
    ],
)
def test_mistakes_are_refused(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError, match=says) as raised:
        settings.load(file)
    assert str(file) in str(raised.value)
    with pytest.raises(UsageError):
        settings.save(file, top_k=3)
    assert file.read_text() == text


@pytest.mark.parametrize(("variable", "value"), [("THOTH_TOP_K", "many"), ("THOTH_ROUTE", "some")])
def test_mistakes_in_the_environment(file: Path, variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=f"^{variable}: .* not '{value}'"):
        settings.load(file)


def test_saving_keeps_comments_and_order(file: Path) -> None:
    file.write_text('# mine\nmodel = "nano"  # for now\n\n[keys]\nlibrary = "ctrl+b"\n')
    settings.save(file, model="gemma-2-2b", top_k=3)
    text = file.read_text()
    assert text.startswith('# mine\nmodel = "gemma-2-2b"  # for now\n')
    assert settings.load(file) == Settings(model="gemma-2-2b", top_k=3, keys={"library": "ctrl+b"})
    settings.save(file, top_k=None, theme=None)
    assert settings.load(file) == Settings(model="gemma-2-2b", keys={"library": "ctrl+b"})


def test_saving_makes_the_file_and_follows_a_link(file: Path, tmp_path: Path) -> None:
    dotfile = tmp_path / "dotfiles" / "thoth.toml"
    file.symlink_to(dotfile)
    settings.save(file, with_text=2)
    assert file.is_symlink()
    assert dotfile.read_text() == "with_text = 2\n"
    assert [path.name for path in dotfile.parent.iterdir()] == ["thoth.toml"]


def test_what_cannot_be_saved(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="known settings"):
        settings.save(file, modell="x")
    with pytest.raises(UsageError, match="a whole number"):
        settings.save(file, top_k=0)
    assert not file.exists()
    (tmp_path / "blocked").write_text("a file where a folder should be")
    with pytest.raises(ThothError, match="THOTH_HOME"):
        settings.save(tmp_path / "blocked" / "settings.toml", top_k=3)


def test_a_number_that_no_float_holds_is_a_number() -> None:
    assert settings.checked(top_k=10**400) == {"top_k": 10**400}
    with pytest.raises(UsageError, match="seed must be a whole number"):
        settings.checked(seed=10**400)
