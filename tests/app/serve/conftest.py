"""A server process with nano and three documents."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

NOTES = {
    "harpool.txt": "The mayor of Harpool is Osra Kelland.",
    "velmar.txt": "The founder of Velmar is Ana Dorsen.",
    "tolquin.txt": "The teacher of Tolquin is Berin Asto.",
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients reach this machine, and nothing else."""
    look_up = socket.getaddrinfo

    def local(host: object, *arguments: Any, **options: Any) -> Any:
        if host not in ("127.0.0.1", "localhost", b"127.0.0.1"):
            pytest.fail(f"a test reached for {host!r}")
        return look_up(host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", local)


class Served:
    """A server process.

    Attributes:
        url: where it listens.
        process: the process.
    """

    def __init__(self, home: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "thoth", "serve", "--model", "nano", "--port", "0", *arguments],
            env=os.environ | {"THOTH_HOME": str(home)},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        said = ""
        for line in self.process.stderr:
            said += line
            if " serves at " in line:
                self.url = line.split(" serves at ")[1].split("/v1")[0]
                return
        raise AssertionError(f"the server ended: {said}")

    def stop(self) -> tuple[int, str]:
        """End it as a service manager does; its exit code, and what it said meanwhile."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("home"))
    with httpx2.Client(base_url=served.url, timeout=60) as client:
        for name, text in NOTES.items():
            id = client.post("/v1/files", files={"file": (name, text)}, data={"purpose": "user_data"}).json()["id"]
            while client.get(f"/v1/files/{id}").json()["status"] == "uploaded":
                pass
    yield served
    code, said = served.stop()
    assert (code, said) == (0, "")


@pytest.fixture
def client(server: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=60) as client:
        yield client
