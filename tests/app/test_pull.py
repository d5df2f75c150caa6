"""Pulling a pair: what is chosen of a repository, what is checked first, and what a stop leaves. The hub is faked."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
from typer.testing import Result

from thoth.errors import ModelError, ResourceError, Stopped, UsageError
from thoth.events import Progress
from thoth.models import hub, plan, process, pull, registry
from thoth.models.hub import Listing, RemoteFile
from thoth.system import machine

Run = Callable[..., Result]
COMMIT = "c0ffee" + "0" * 34
BASE = [
    ("config.json", 1_000),
    ("tokenizer.json", 2_000),
    ("model-00001-of-00002.safetensors", 4_000_000_000),
    ("model-00002-of-00002.safetensors", 3_000_000_000),
    ("consolidated.safetensors", 7_000_000_000),
    ("README.md", 500),
]
CHECKPOINTS = [
    ("gemma_2b/checkpoint-9/pytorch_model.bin", 1_200_000_000),
    ("gemma_2b/checkpoint-10/pytorch_model.bin", 1_200_000_000),
    ("gemma_2b/checkpoint-10/training_args.bin", 5_000),
    ("gemma_2b/args.yaml", 900),
    ("qwen_4b/checkpoint-20/pytorch_model.bin", 1_500_000_000),
]


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[str, int]]]:
    """What the hub holds, by repository; nothing of it is cached."""
    found = {"google/gemma-2-2b-it": BASE, "Qwen/Qwen3-4B-Instruct-2507": BASE, "SakanaAI/doc-to-lora": CHECKPOINTS}

    def listing(repository: str) -> Listing:
        return Listing(repository, COMMIT, tuple(RemoteFile(*file, cached=False) for file in found[repository]))

    monkeypatch.setattr(hub, "listing", listing)
    monkeypatch.setattr(hub, "cache", lambda: Path("/"))
    monkeypatch.setattr(machine, "total_memory", lambda: 64 << 30)
    monkeypatch.setattr(machine, "free_disk", lambda _: 1 << 40)
    return found


def names(part: plan.PairSource) -> list[str]:
    return [file.name for file in part.files]


def test_what_is_needed_of_a_repository(listings: dict[str, list[tuple[str, int]]]) -> None:
    wanted = plan.make("gemma-2-2b")
    assert names(wanted.base) == [name for name, _ in BASE[:4]]
    assert wanted.base.bytes == wanted.base.to_download == 7_000_003_000
    assert names(wanted.hypernet) == ["gemma_2b/checkpoint-10/pytorch_model.bin", "gemma_2b/args.yaml"]
    assert wanted.hypernet.folder == "gemma_2b/checkpoint-10"
    assert names(plan.make("qwen3-4b").hypernet) == ["qwen_4b/checkpoint-20/pytorch_model.bin"]


def test_safetensors_are_preferred(listings: dict[str, list[tuple[str, int]]]) -> None:
    listings["SakanaAI/doc-to-lora"] = [("model.safetensors", 5), ("config.json", 2), ("pytorch_model.bin", 5)]
    wanted = plan.make("gemma-2-2b")
    assert names(wanted.hypernet) == ["model.safetensors", "config.json"]
    assert (wanted.hypernet.folder, wanted.hypernet.is_pickled) == ("", False)


def test_several_runs_have_to_be_told_apart(listings: dict[str, list[tuple[str, int]]]) -> None:
    listings["SakanaAI/doc-to-lora"] = [*CHECKPOINTS, ("gemma_demo/checkpoint-80/pytorch_model.bin", 7)]
    with pytest.raises(ModelError, match=r"--checkpoint, gemma_2b/checkpoint-10, gemma_2b/checkpoint-9, gemma_demo"):
        plan.make("gemma-2-2b")
    chosen = plan.make("gemma-2-2b", checkpoint="gemma_demo/checkpoint-80")
    assert names(chosen.hypernet) == ["gemma_demo/checkpoint-80/pytorch_model.bin"]
    with pytest.raises(ModelError, match="has no weights in gemma_demo"):
        plan.make("gemma-2-2b", checkpoint="gemma_demo")


def test_fewer_bits_take_less_memory(listings: dict[str, list[tuple[str, int]]]) -> None:
    sizes = [plan.make("gemma-2-2b", bits).memory for bits in (4, 6, 8, None)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 5e9 < 7e9 < sizes[3]


@pytest.mark.parametrize(("name", "says"), [("nano", "comes with Thoth"), ("minstral", "is not known")])
def test_what_cannot_be_pulled(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=f"{says}: pull one of ministral-3-3b, gemma-2-2b"):
        plan.make(name)
    with pytest.raises(UsageError, match="8, 6, 4 bits, not 5"):
        plan.make("gemma-2-2b", 5)


def test_what_does_not_fit_is_known_before(
    listings: dict[str, list[tuple[str, int]]], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    wanted = plan.make("gemma-2-2b")
    plan.check(wanted)
    monkeypatch.setattr(plan, "has_torch", lambda: False)
    with pytest.raises(ModelError, match=r"pip install torch==2\.13\.0"):
        plan.check(wanted)
    monkeypatch.setattr(machine, "total_memory", lambda: 6 << 30)
    with pytest.raises(ResourceError, match=r"needs \d+\.\d GB of memory and this machine has 6.4 GB: try --bits 4"):
        plan.check(wanted)
    with pytest.raises(ResourceError, match="choose a smaller pair"):
        plan.check(replace(wanted, bits=4, base=replace(wanted.base, files=wanted.base.files * 3)))
    monkeypatch.setattr(machine, "free_disk", lambda _: 8_000_000_000)
    with pytest.raises(ResourceError, match=r"needs 9\.4 GB of disk and .* has 8.0 GB left"):  # both on one disk
        plan.check(wanted)
    assert not home.exists()


@pytest.fixture
def cached(tiny_pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's cache with a pair in it, the hypernetwork as a bundle; and no network."""
    cache = tmp_path / "hub"
    known = registry.KNOWN["ministral-3-3b"]
    for repository, part in ((known.base, "base"), (known.hypernet, "hypernet")):
        folder = cache / f"models--{str(repository).replace('/', '--')}"
        shutil.copytree(tiny_pair / part, folder / "snapshots" / COMMIT)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))  # of the converter's process
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return cache


def test_offline_and_without_torch(cached: Path, home: Path, monkeypatch: pytest.MonkeyPatch, thoth: Run) -> None:
    monkeypatch.setattr(plan, "has_torch", lambda: False)
    told: list[Progress] = []
    wanted = plan.make("ministral-3-3b")
    assert wanted.to_download == 0
    pair = pull.pull(wanted, told.append)
    assert pair.base == home / "models" / "ministral-3-3b" / "base"
    assert pair.base.resolve().is_relative_to(cached)
    assert [(progress.stage, progress.done) for progress in told] == [
        ("download", wanted.base.bytes),
        ("download", wanted.base.bytes + wanted.hypernet.bytes),
        *(("convert", done) for done in range(3)),
    ]
    monkeypatch.delenv("THOTH_MODEL")
    result = thoth("ask", "--no-doc", "--json", "Who?")
    assert result.exit_code == 0
    assert '"model": "ministral-3-3b"' in result.stdout  # the best there is
    again = thoth("models", "pull", "ministral-3-3b")
    assert (again.exit_code, again.stdout) == (0, "")
    assert "is here already" in again.stderr


def test_a_base_is_quantised_and_a_checkpoint_converted(
    cached: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way; the converter runs in this process, which has imported torch already."""
    import json

    from mlx_hypernet.bundle import load_bundle
    from tests import tiny
    from tests.conversion import published
    from tests.conversion.command import converts

    monkeypatch.setattr(process, "run", lambda command, _: converts(*command[command.index("-c") + 2 :]))

    known = registry.KNOWN["ministral-3-3b"]
    base, hypernet = (
        cached / f"models--{str(repository).replace('/', '--')}" / "snapshots" / COMMIT
        for repository in (known.base, known.hypernet)
    )
    for folder in (base, hypernet):
        shutil.rmtree(folder)
    published.text_only(base, "ministral3", intermediate_size=96)
    tiny.save_checkpoint(hypernet, None)
    config = json.loads((hypernet / "config.json").read_text())
    config["base"]["vocab_size"] = published.VOCABULARY
    (hypernet / "config.json").write_text(json.dumps(config))

    pair = pull.pull(plan.make("ministral-3-3b", 8))
    assert registry.config(pair.base)["quantization"]["bits"] == 8
    bundle = load_bundle(pair.bundle)
    assert bundle.config.source["repository"] == known.hypernet
    assert bundle.config.source["revision"] == COMMIT
    assert sorted(path.name for path in (home / "models").iterdir()) == ["ministral-3-3b"]


def test_offline_and_not_in_the_cache(cached: Path, thoth: Run, home: Path) -> None:
    result = thoth("models", "pull", "gemma-2-2b", "--yes")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.splitlines()[-1].endswith("Thoth is offline: unset HF_HUB_OFFLINE")
    assert not home.exists()


def child(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let every download be this program."""
    monkeypatch.setattr(hub, "command", lambda *_: [sys.executable, "-I", "-S", "-c", program])


def test_progress_counts_both_repositories(
    listings: dict[str, list[tuple[str, int]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child(monkeypatch, "print(0); print(500)")
    # The converter takes seconds to start and has tests of its own.
    monkeypatch.setattr(process, "converting", lambda *_: [sys.executable, "-I", "-S", "-c", "raise SystemExit(5)"])
    monkeypatch.setattr(hub, "folder", lambda *_: tmp_path / "nothing")
    told: list[Progress] = []
    wanted = plan.make("gemma-2-2b")
    with pytest.raises(ModelError, match="ended with 5"):
        pull.pull(wanted, told.append)
    base, whole = wanted.base.bytes, wanted.base.bytes + wanted.hypernet.bytes
    downloaded = [(progress.done, progress.total) for progress in told if progress.stage == "download"]
    assert downloaded == [(done, whole) for done in (0, 500, base, base, base + 500, whole)]


def test_stopping_ends_the_process_and_leaves_nothing(
    listings: dict[str, list[tuple[str, int]]], monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    child(monkeypatch, f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); print(7, flush=True)\n"
                       "while True: time.sleep(60)")  # fmt: skip
    told: list[Progress] = []
    with pytest.raises(Stopped):
        pull.pull(plan.make("gemma-2-2b"), told.append, lambda: bool(told))
    assert told[0].done == 7
    assert not Path("/proc", pid.read_text()).exists()
    assert not home.exists()


@pytest.mark.parametrize(("code", "kind"), [(5, ModelError), (6, ResourceError)])
def test_what_a_process_says_before_it_fails(
    listings: dict[str, list[tuple[str, int]]], monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    child(monkeypatch, f"import sys; print('noise\\nthe reason', file=sys.stderr); sys.exit({code})")
    with pytest.raises(kind, match=r"^the reason$"):
        pull.pull(plan.make("gemma-2-2b"))


def test_pulling_asks_first(
    thoth: Run, listings: dict[str, list[tuple[str, int]]], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    child(monkeypatch, "raise SystemExit('downloaded without asking')")
    result = thoth("models", "pull", "gemma-2-2b", "--bits", "8")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "8.2 GB to download" in result.stderr
    assert "licence: Gemma terms of use" in result.stderr
    assert result.stderr.splitlines()[-1].endswith("pass --yes")
    assert not home.exists()


def hub_error(kind: type[Exception]) -> Exception:
    import httpx2

    return kind("refused", response=httpx2.Response(403, request=httpx2.Request("GET", "https://hub")))  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RepositoryNotFoundError, "a/b is not on the hub, or private: run `.*hf auth login`"),
        (GatedRepoError, "accept its terms"),
        (ConnectionError("no route\nto host"), r"cannot be reached \(no route to host\): check the connection"),
        (LocalEntryNotFoundError("gone"), "Thoth is offline: check the connection"),
    ],
)
def test_what_the_hub_says(error: object, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise hub_error(error) if isinstance(error, type) else error  # type: ignore[misc]

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ModelError, match=says):
        hub.listing("a/b")


def test_a_download_reports_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = iter([False, False, False, True])
    monkeypatch.setattr(hub.threading.Event, "wait", lambda *_: next(waits))
    monkeypatch.setattr(hub.threading.Thread, "start", lambda _: None)
    monkeypatch.setattr(hub.threading.Thread, "join", lambda self: self.run())
    (tmp_path / "a").write_bytes(bytes(5))
    (tmp_path / "b.partial").write_bytes(bytes(2))
    with hub._reported() as files:
        files += [tmp_path / "a", tmp_path / "b.partial", tmp_path / "gone meanwhile"]
    assert capsys.readouterr().out.splitlines() == ["7", "7", "7"]
