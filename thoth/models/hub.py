"""What a repository on the hub holds, and its files into the hub's own cache, where every other tool finds them too.

`python -m thoth.models.hub` is the downloading half: only a process can be stopped at any instant, whatever the hub's
client waits for. It writes the bytes it has, one number a line; a stopped download resumes where it was.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mlx_hypernet.format import installing
from thoth.errors import ModelError, ResourceError, ThothError

_REPORT_SECONDS = 0.2
_SHA256_DIGITS, _SHA1_DIGITS = 64, 40
_LOGIN = installing.hub("auth", "login")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository.

    Attributes:
        name: its path in the repository.
        size: in bytes.
        cached: whether it is on this machine already.
    """

    name: str
    size: int
    cached: bool


@dataclass(frozen=True)
class Listing:
    """What a repository holds at one commit."""

    repository: str
    commit: str
    files: tuple[RemoteFile, ...]


def cache() -> Path:
    """Return the folder of the hub's cache; it need not exist."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def listing(repository: str) -> Listing:
    """Ask what a repository holds; offline, what of it is in the cache.

    Raises:
        ModelError: It does not exist, may not be read, or the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import is_offline_mode

    with _explained(repository):
        if is_offline_mode():
            folder = Path(snapshot_download(repository, local_files_only=True))
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            here = (RemoteFile(path.relative_to(folder).as_posix(), path.stat().st_size, True) for path in paths)
            return Listing(repository, folder.name, tuple(here))
        found: Any = snapshot_download(repository, dry_run=True)
        files = (RemoteFile(file.filename, file.file_size or 0, not file.will_download) for file in found)
        return Listing(repository, found[0].commit_hash if found else "main", tuple(files))


def folder(repository: str, commit: str) -> Path:
    """Return where the cache has a commit of a repository.

    Raises:
        ModelError: It is not there.
    """
    from huggingface_hub import snapshot_download

    with _explained(repository):
        return Path(snapshot_download(repository, revision=commit, local_files_only=True))


def command(repository: str, commit: str, names: tuple[str, ...]) -> list[str]:
    """Return the command line that downloads files of a repository."""
    return [sys.executable, "-P", "-m", "thoth.models.hub", repository, commit, *names]


def download(repository: str, commit: str, names: Sequence[str]) -> None:
    """Download files of a repository into the cache, and compare each with its checksum.

    The hub's client compares sizes alone. A damaged file is removed, so that the next download brings it again.

    Raises:
        ModelError: The hub cannot be reached, or a file is damaged.
        ResourceError: The disk is full.
    """
    _download(repository, commit, [*names])
    place = folder(repository, commit)
    for path in sorted(place.rglob("*")):
        if path.is_file() and path.relative_to(place).as_posix() in names and not _is_whole(path):
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise ModelError(f"{path.relative_to(place)} of {repository} arrived damaged and was removed: pull again")


def _is_whole(path: Path) -> bool:
    """Tell whether a file in the cache is what its name there says: SHA-256 of large files, git's SHA-1 of others."""
    import hashlib

    blob = path.resolve()
    with blob.open("rb") as file:
        if len(blob.name) == _SHA256_DIGITS:
            return hashlib.file_digest(file, "sha256").hexdigest() == blob.name
        content = file.read()
    if len(blob.name) != _SHA1_DIGITS or blob == path:  # a cache without links does not say
        return True
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest() == blob.name


def _download(repository: str, commit: str, names: list[str]) -> None:
    from huggingface_hub import snapshot_download
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Counter(tqdm):  # type: ignore[misc]
        """Counts instead of drawing."""

        counting: ClassVar[list[Any]] = []

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options | {"file": nowhere})
            if options.get("unit") == "B":
                Counter.counting.append(self)

    def report() -> None:
        while not finished.wait(_REPORT_SECONDS):
            # There are several bars of bytes, of which some stay at 0: received, written.
            print(max((int(bar.n) for bar in Counter.counting), default=0), flush=True)

    finished = threading.Event()
    with open(os.devnull, "w") as nowhere, _explained(repository):
        reporter = threading.Thread(target=report, daemon=True)
        reporter.start()
        try:
            snapshot_download(repository, revision=commit, allow_patterns=names, tqdm_class=Counter)
        finally:
            finished.set()
            reporter.join()


@contextmanager
def _explained(repository: str) -> Iterator[None]:
    """Turn what the hub's client raises inside the block into one line with a remedy."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import DryRunError, HFValidationError

    try:
        yield
    except (HFValidationError, OSError, HTTPError) as error:  # most of the network's errors are OSErrors too
        # A listing that fails is a DryRunError, whatever the reason was.
        reason = error.__cause__ if isinstance(error, DryRunError) and error.__cause__ else error
        raise _explanation(repository, reason) from error


def _explanation(repository: str, error: BaseException) -> ThothError:
    from huggingface_hub.constants import is_offline_mode
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError
    from huggingface_hub.errors import RepositoryNotFoundError as Missing

    if isinstance(error, GatedRepoError):
        terms = f"accept its terms on huggingface.co/{repository}"
        return ModelError(f"{repository} is gated: {terms}, then run `{_LOGIN}`")
    if isinstance(error, Missing):
        return ModelError(f"{repository} is not on the hub, or private: run `{_LOGIN}`")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return ResourceError(f"the disk of {cache()} is full: free some space, or set HF_HOME")
    if is_offline_mode() or isinstance(error, LocalEntryNotFoundError):
        remedy = "unset HF_HUB_OFFLINE" if is_offline_mode() else "check the connection"
        return ModelError(f"{repository} is not complete on this machine, and Thoth is offline: {remedy}")
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ModelError(f"{repository} cannot be reached ({reason}): check the connection, then try again")


def _main() -> int:
    repository, commit, *names = sys.argv[1:]
    try:
        download(repository, commit, names)
    except ThothError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_main())
