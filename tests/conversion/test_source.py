"""What SRC may be: paths, repositories on the hub (faked), and what is said when it is neither."""

import errno
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

from convert.errors import CheckpointError, ResourceError
from convert.source import Kind, find
from tests import tiny
from tests.conversion.command import converts, fails

COMMIT = "c0ffee" + "0" * 34


def quiet(message):
    """Nobody listens."""


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_kinds(tmp_path):
    write(tmp_path / "base" / "config.json", '{"model_type": "mistral"}')
    write(tmp_path / "bundle" / "config.json", '{"hypernet": {}, "dtype": "float32"}')
    write(tmp_path / "run" / "config.json", '{"hypernet": {}, "step": 3}')
    touch(tmp_path / "reference" / "pytorch_model.bin", tmp_path / "other.bin")
    for name, kind, path in (
        ("base", Kind.BASE, "base"),
        ("bundle", Kind.BUNDLE, "bundle"),
        ("run", Kind.TRAINING, "run"),
        ("reference", Kind.REFERENCE, "reference/pytorch_model.bin"),
        ("other.bin", Kind.REFERENCE, "other.bin"),
    ):
        source = find(str(tmp_path / name), quiet)
        assert (source.kind, source.path) == (kind, tmp_path / path)


def test_nothing_there(tmp_path):
    fails(5, "does not exist", tmp_path / "nowhere", tmp_path / "bundle")
    (tmp_path / "empty").mkdir()
    fails(5, "is not a training checkpoint", tmp_path / "empty", tmp_path / "bundle")
    write(tmp_path / "notes.txt", "")
    fails(5, "is not a checkpoint", tmp_path / "notes.txt", tmp_path / "bundle")


def test_a_run_with_several_steps_asks_for_one(tmp_path):
    for step in (9, 10, 200):
        write(tmp_path / "run" / f"step-{step}" / "config.json", '{"hypernet": {}}')
    with pytest.raises(
        CheckpointError, match=r"3 checkpoints \(step-9, step-10, step-200\): choose one, as .*step-200"
    ):
        find(str(tmp_path / "run"), quiet)


def test_a_folder_may_be_named_by_a_digit_that_is_no_number(tmp_path):
    write(tmp_path / "\u00b2" / "config.json", '{"hypernet": {}, "step": 3}')
    assert find(str(tmp_path), quiet).path.name == "\u00b2"


def test_a_bundle_is_not_converted(tmp_path):
    write(tmp_path / "old" / "config.json", '{"hypernet": {}, "dtype": "float32"}')
    fails(5, "is a bundle already", tmp_path / "old", tmp_path / "bundle")


@dataclass
class FakeFile:
    """As `snapshot_download(dry_run=True)` describes a file."""

    filename: str
    file_size: int
    will_download: bool = True


class FakeHub:
    """The hub's part in `convert.source`: a repository whose files are those of a folder."""

    def __init__(self, monkeypatch, folder, sizes=None, error=None):
        self.folder, self.sizes, self.error = folder, sizes or {}, error
        self.calls = []
        monkeypatch.setattr(huggingface_hub, "snapshot_download", self.snapshot_download)

    def snapshot_download(self, repo_id, revision=None, dry_run=False, **options):
        self.calls.append({"repo_id": repo_id, "revision": revision, "dry_run": dry_run} | options)
        if self.error is not None:
            raise self.error
        if not dry_run:
            return str(self.folder)
        files = [path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()]
        return [FakeFile(name, self.sizes.get(name, 100)) for name in sorted(files)]


@pytest.fixture
def snapshot(tmp_path):
    """The folder of a snapshot in the hub's cache."""
    folder = tmp_path / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    return folder


def hub_error(kind):
    import httpx2

    return kind("refused", response=httpx2.Response(403, request=httpx2.Request("GET", "https://hub")))


def test_from_the_hub(tmp_path, monkeypatch, snapshot):
    tiny.save_checkpoint(snapshot / "x", None)
    for file in (snapshot / "x").iterdir():
        file.rename(snapshot / file.name)
    (snapshot / "x").rmdir()
    hub = FakeHub(monkeypatch, snapshot, {"model.safetensors": 2_500_000})
    result = converts("owner/name@main", tmp_path / "bundle", "--verify", 0)
    assert "downloading 0.00 GB from owner/name" in result.stderr
    assert [(call["repo_id"], call["revision"], call["dry_run"]) for call in hub.calls] == [
        ("owner/name", "main", True),
        ("owner/name", "main", False),
    ]
    from mlx_hypernet.bundle import load_bundle

    origin = load_bundle(tmp_path / "bundle").config.source
    assert (origin["repository"], origin["revision"], origin["step"]) == ("owner/name", COMMIT, 7)


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.safetensors"])
def test_several_checkpoints_in_a_repository(monkeypatch, snapshot, file):
    touch(snapshot / "gemma" / "checkpoint-80" / file, snapshot / "qwen" / "checkpoint-9" / file)
    hub = FakeHub(monkeypatch, snapshot)
    words = r"gemma/checkpoint-80, qwen/checkpoint-9.*: choose one, as owner/name/qwen/checkpoint-9@main$"
    with pytest.raises(CheckpointError, match=words):
        find("owner/name@main", quiet)
    assert [call["dry_run"] for call in hub.calls] == [True]  # nothing was downloaded


def test_a_folder_of_a_repository(monkeypatch, snapshot):
    touch(snapshot / "gemma" / "checkpoint-80" / "pytorch_model.bin", snapshot / "gemma" / "args.yaml")
    hub = FakeHub(monkeypatch, snapshot)
    source = find("owner/name/gemma/checkpoint-80", quiet)
    assert (source.path, source.kind) == (snapshot / "gemma/checkpoint-80/pytorch_model.bin", Kind.REFERENCE)
    asked = hub.calls[0]["allow_patterns"]
    assert "gemma/args.yaml" in asked
    assert "gemma/checkpoint-80/*pytorch_model.bin" in asked


def test_safetensors_are_preferred_and_nothing_comes_twice(monkeypatch, snapshot):
    write(snapshot / "config.json", '{"model_type": "mistral"}')
    touch(snapshot / "model.safetensors", snapshot / "pytorch_model.bin", snapshot / "other" / "model.safetensors")
    hub = FakeHub(monkeypatch, snapshot)
    assert find("owner/name", quiet).kind is Kind.BASE
    assert hub.calls[1]["allow_patterns"] == ["config.json", "model.safetensors"]
    assert "consolidated*" in hub.calls[1]["ignore_patterns"]


def test_a_download_that_does_not_fit(tmp_path, monkeypatch, snapshot):
    touch(snapshot / "model.safetensors")
    hub = FakeHub(monkeypatch, snapshot, {"model.safetensors": 1 << 60})
    with pytest.raises(ResourceError, match=r"needs 1152921504.61 GB, .* has [\d.]+ GB free"):
        find("owner/name", quiet)
    assert len(hub.calls) == 1
    fails(6, "GB free", "owner/name", tmp_path / "bundle")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RepositoryNotFoundError, "neither a path here nor a repository"),
        (GatedRepoError, "accept its terms"),
        (ConnectionError("no route to host"), "cannot be downloaded: no route to host"),
    ],
)
def test_what_goes_wrong_is_one_line(tmp_path, monkeypatch, snapshot, error, words):
    FakeHub(monkeypatch, snapshot, error=hub_error(error) if isinstance(error, type) else error)
    fails(5, words, "owner/name", tmp_path / "bundle")


def test_a_disk_that_fills_while_downloading(tmp_path, monkeypatch, snapshot):
    FakeHub(monkeypatch, snapshot, error=OSError(errno.ENOSPC, "No space left on device", "blob"))
    fails(6, "No space left", "owner/name", tmp_path / "bundle")


def test_offline(tmp_path, monkeypatch, snapshot):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    touch(snapshot / "pytorch_model.bin")
    hub = FakeHub(monkeypatch, snapshot)
    assert find("owner/name", quiet).path == snapshot / "pytorch_model.bin"
    assert [(call["dry_run"], call["local_files_only"]) for call in hub.calls] == [(False, True)]
    FakeHub(monkeypatch, snapshot, error=LocalEntryNotFoundError("not cached"))
    fails(5, "is not in the hub's cache", "owner/name", tmp_path / "bundle")


def test_a_path_wins_over_a_repository(tmp_path, monkeypatch):
    write(tmp_path / "owner" / "name" / "config.json", '{"model_type": "mistral"}')
    monkeypatch.chdir(tmp_path)
    assert find("owner/name", quiet).path == Path("owner/name")
