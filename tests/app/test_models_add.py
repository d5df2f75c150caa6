"""Adding a GGUF file: it is converted, and joined with the hypernetwork that was made for its model."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.conftest import make_bundle
from tests.conversion import gguf_files
from tests.conversion.command import converts
from thoth.errors import ModelError, UsageError
from thoth.models import add, process, registry

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def same_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The converter runs in this process, which has imported torch already."""
    monkeypatch.setattr(process, "run", lambda command: converts(*command[command.index("-c") + 2 :]))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return gguf_files.write(tmp_path / "Tiny Llama (Q4_1).gguf", "llama", "Q4_1").path


@pytest.fixture
def bundle(tmp_path: Path, file: Path) -> Path:
    """A bundle that was made for the model in the file, before it was quantised."""
    converts(file, tmp_path / "dense", "--dtype", "float32", "--verify", 0)
    make_bundle(tmp_path / "bundle", tmp_path / "dense")
    return tmp_path / "bundle"


def test_a_bundle_that_fits_is_found(
    file: Path, bundle: Path, tiny_pair: Path, home: Path, thoth: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, hypernet in (("another", tiny_pair / "hypernet"), ("original", bundle)):
        shutil.copytree(hypernet, home / "models" / name / "hypernet")
        (home / "models" / name / "base").mkdir()
    result = thoth("models", "add", file)
    assert result.exit_code == 0, result.output
    name = "tiny-llama-q4_1"
    assert result.stdout == f"{name} is ready; choose it with `thoth models use {name}`\n"
    pair = registry.installed()[name]
    assert pair.bundle.resolve() == (home / "models" / "original" / "hypernet").resolve()
    assert registry.config(pair.base)["quantization"]["bits"] == 4
    monkeypatch.setenv("THOTH_MODEL", name)
    note = file.parent / "note.txt"
    note.write_text("The founder of Velmar is Ana Dor.")
    answered = thoth("ask", "--doc", note, "--json", "Who?")
    assert answered.exit_code == 0, answered.output
    assert f'"model": "{name}"' in answered.stdout
    # It is no known pair, so it is never chosen by itself.
    assert registry.choose(None).name == "nano"


def test_a_bundle_that_is_named(file: Path, bundle: Path, home: Path) -> None:
    pair = add.add(file, "mine", str(bundle), bits=8)
    assert pair.is_complete
    assert registry.config(pair.base)["quantization"]["bits"] == 8
    with pytest.raises(UsageError, match="mine is here already; choose another name with --name"):
        add.add(file, "mine", str(bundle))
    assert add.add(file, "again", "mine").bundle.resolve() == bundle.resolve()
    assert "quantization" in registry.config(add.add(file, "mine", str(bundle), force=True).base)


def test_what_is_refused(file: Path, bundle: Path, tiny_pair: Path, home: Path, thoth: Run) -> None:
    for error, words, arguments in (
        (ModelError, "no hypernetwork on this machine was made for the model in .*: give a bundle", (file, "mine")),
        (ModelError, "is not a file", (file.with_name("nowhere.gguf"), "mine")),
        (UsageError, "qwen3-4b is a pair that Thoth knows", (file, "qwen3-4b", str(bundle))),
        (ModelError, "there is no model nowhere|no model", (file, "mine", "nowhere")),
        (ModelError, "the bundle was made for .* but the base has", (file, "mine", str(tiny_pair / "hypernet"))),
    ):
        with pytest.raises(error, match=words) as caught:
            add.add(*arguments)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    for name in ("one", "two"):
        shutil.copytree(tiny_pair, home / "models" / name)
        with (home / "models" / name / "hypernet" / "config.json").open("a") as config:
            config.write("\n" * (name == "two"))
    result = thoth("models", "add", file, "--name", "mine")
    assert result.exit_code == 5
    assert "no hypernetwork on this machine was made for the model in" in result.stderr
    assert sorted(path.name for path in (home / "models").iterdir()) == ["one", "two"]
    assert thoth("models", "add", file, "--bits", "5").exit_code == 2


@pytest.mark.parametrize(
    ("stem", "name"), [("Ministral-3-3B-Q4_K_M", "ministral-3-3b-q4_k_m"), ("..", "base"), ("Ünï (1)", "n-1")]
)
def test_names(stem: str, name: str) -> None:
    assert add.name_for(Path(f"{stem}.gguf")) == name


@pytest.mark.parametrize("name", ["a/b", "../other", ".hidden", ".."])
def test_names_that_are_none(file: Path, home: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a pair's name"):
        add.add(file, name)
    assert not home.exists()
