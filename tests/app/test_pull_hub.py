"""Pulling from a hub on loopback that has replicas of a pair: whole, interrupted, damaged, without network half-way."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from typer.testing import Result

from tests.app import hub_server
from tests.app.hub_server import Hub
from thoth.errors import ModelError
from thoth.models import hub, plan, process, pull, registry

Run = Callable[..., Result]
NAME = "ministral-3-3b"
WEIGHTS = "model.safetensors"
_CONNECT, _LOOK_UP = socket.socket.connect, socket.getaddrinfo


@pytest.fixture
def served(tiny_pair: Path, tmp_path: Path, no_network: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub; its client and its downloads run in this process, and reach nothing but loopback."""

    def connect(self: socket.socket, address: Any) -> None:
        assert address[0] == "127.0.0.1"
        _CONNECT(self, address)

    def look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        assert host in ("127.0.0.1", b"127.0.0.1")
        return _LOOK_UP(host, *arguments, **options)

    def run(command: list[str], *_: object) -> None:
        assert command[3] == "thoth.models.hub"
        hub.download(command[4], command[5], command[6:])

    known = registry.KNOWN[NAME]
    folders = {}
    for repository, part in ((known.base, "base"), (known.hypernet, "hypernet")):
        folders[str(repository)] = tmp_path / "repositories" / part
        shutil.copytree(tiny_pair / part, folders[str(repository)])
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "_REPORT_SECONDS", 3600)  # what a process of its own says, this one does not
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 256)  # what has arrived is kept in pieces of this size
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    with hub_server.serving(folders) as found:
        monkeypatch.setattr(constants, "ENDPOINT", found.address)
        template = f"{found.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield found


def size(found: Hub, part: str = "base") -> int:
    return next(path for path in found.repositories.values() if path.name == part).joinpath(WEIGHTS).stat().st_size


def test_a_pair_is_pulled_and_answers(served: Hub, home: Path, thoth: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command that a person types: what it takes, that the pair is untried, the check of three questions."""
    monkeypatch.delenv("THOTH_MODEL")  # nothing else is chosen
    result = thoth("models", "pull", NAME, "--yes", "--bits", "16")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{NAME} is ready; Thoth uses it from now on\n"
    lines = result.stderr.splitlines()
    assert any(line.split()[:2] == ["*", "16"] and line.endswith("fits") for line in lines)
    assert any(line.split()[:1] == ["4"] for line in lines)
    assert f"thoth: this project has run {NAME} as a small replica only, never with its real weights" in result.stderr
    assert "conversion: not compared with PyTorch" in result.stderr
    assert sum(line.startswith(("thoth: right: ", "thoth: wrong: ")) for line in lines) == 3
    assert f"{NAME} answers 0 of 3 questions about lease.pdf from its weights" in result.stderr  # random weights
    assert "no answer is right: pull it again" in result.stderr
    assert not (home / "library.db").exists()  # the check leaves the user's library alone
    monkeypatch.setattr(registry, "recall", lambda pair: 0.18)
    half_trained = thoth("models", "check", NAME)
    assert f"{NAME} is half trained and recalls 18% of the facts in short notes" in half_trained.stderr
    assert "pull it again" not in half_trained.stderr


def test_an_interrupted_download_resumes(served: Hub, home: Path) -> None:
    wanted = plan.make(NAME)
    served.cut[WEIGHTS] = 1000
    with pytest.raises(ModelError, match=r"cannot be reached|not complete"):
        pull.pull(wanted)
    assert not (home / "models" / NAME).exists()
    served.cut.clear()
    served.down = False
    served.served.clear()
    pair = pull.pull(plan.make(NAME))
    assert pair.is_complete
    first = next(start for name, start, _ in served.served if name == WEIGHTS)
    assert first > 0, "the file began again"
    assert (pair.base / WEIGHTS).stat().st_size == size(served)


def test_a_damaged_file_is_seen_and_fetched_again(served: Hub, home: Path) -> None:
    served.damaged.add(WEIGHTS)
    with pytest.raises(ModelError, match=rf"{WEIGHTS} of .* arrived damaged and was removed: pull again"):
        pull.pull(plan.make(NAME))
    assert not (home / "models" / NAME).exists()
    served.damaged.clear()
    assert pull.pull(plan.make(NAME)).is_complete


def test_a_damaged_small_file_is_seen_too(served: Hub, home: Path) -> None:
    served.damaged.add("tokenizer.json")
    with pytest.raises(ModelError, match=r"tokenizer\.json of .* arrived damaged"):
        pull.pull(plan.make(NAME))


def test_a_digest_that_is_a_path_leads_nowhere(served: Hub, home: Path, tmp_path: Path) -> None:
    served.misnamed[WEIGHTS] = "../../../planted"
    with pytest.raises(ModelError, match=rf"the hub does not say which version of {WEIGHTS}"):
        pull.pull(plan.make(NAME))
    assert not list(tmp_path.rglob("planted*"))


def test_the_network_goes_away_half_way(served: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two repositories; the first one stays, and the second is fetched when there is a network again."""
    wanted = plan.make(NAME)

    def run(command: list[str], *_: object) -> None:
        hub.download(command[4], command[5], command[6:])
        served.down = True

    with monkeypatch.context() as patch:
        patch.setattr(process, "run", run)
        with pytest.raises(ModelError, match=r"check the connection"):
            pull.pull(wanted)
    assert not (home / "models" / NAME).exists()
    served.down = False
    served.served.clear()
    again = plan.make(NAME)
    assert again.base.to_download == 0 < again.hypernet.to_download
    assert pull.pull(again).is_complete
    assert sum(count for name, _, count in served.served if name == WEIGHTS) == size(served, "hypernet")


def test_no_network_at_all(served: Hub) -> None:
    served.down = True
    with pytest.raises(ModelError, match="check the connection"):
        plan.make(NAME)


def test_a_repository_that_is_not_there(served: Hub) -> None:
    served.repositories.clear()
    with pytest.raises(ModelError, match="is not on the hub, or private"):
        plan.make(NAME)


@pytest.mark.slow
def test_by_processes_of_their_own(tiny_pair: Path, tmp_path: Path, home: Path) -> None:
    """As a person does it, the download in a process of its own: it breaks, resumes, and the pair is checked."""
    import os
    import subprocess
    import sys

    known = registry.KNOWN[NAME]
    folders = {}
    for repository, part in ((known.base, "base"), (known.hypernet, "hypernet")):
        folders[str(repository)] = tmp_path / "repositories" / part
        shutil.copytree(tiny_pair / part, folders[str(repository)])
    with hub_server.serving(folders) as found:
        environment = os.environ | {"HF_ENDPOINT": found.address, "HF_HUB_CACHE": str(tmp_path / "cache")}
        environment.pop("HF_HUB_OFFLINE", None)

        def thoth(*arguments: str) -> "subprocess.CompletedProcess[str]":
            command = [sys.executable, "-m", "thoth", "models", *arguments]
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

        found.cut[WEIGHTS] = 1000
        broken = thoth("pull", NAME, "--yes", "--bits", "16")
        assert (broken.returncode, broken.stdout) == (5, "")
        assert all(line.startswith(("thoth: ", "*", "   ")) for line in broken.stderr.splitlines())
        assert broken.stderr.splitlines()[-1].endswith("check the connection, then try again")
        found.cut.clear()
        found.down = False
        done = thoth("pull", NAME, "--yes", "--bits", "16", "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["name"], shown["installed"], len(shown["check"]["questions"])) == (NAME, True, 3)
