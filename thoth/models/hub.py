"""What a repository on the hub holds, and its files into the hub's own cache, where every other tool finds them too.

`python -m thoth.models.hub` is the downloading half: only a process can be stopped at any instant, whatever the hub's
client waits for. It writes the bytes it has, one number a line; a stopped download resumes where it was.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlx_hypernet.format import installing
from thoth.errors import ModelError, ResourceError, ThothError

_REPORT_SECONDS = 0.2
_SHA256_DIGITS = 64
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
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
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    disable_progress_bars()  # its client draws on stderr, also below the app's screen
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
    """Download files of a repository into the cache, in the cache's own layout.

    A file that was interrupted resumes where it was, and each is compared with its checksum. The hub's client
    (huggingface-hub 2.4) begins a file again, and compares sizes alone.

    Raises:
        ModelError: The hub cannot be reached, or a file is damaged.
        ResourceError: The disk is full.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.file_download import repo_folder_name
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    disable_progress_bars()
    blobs = cache() / repo_folder_name(repo_id=repository, repo_type="model") / "blobs"
    with _explained(repository), _reported() as files:
        blobs.mkdir(parents=True, exist_ok=True)
        for name in names:
            _fetch(repository, commit, name, blobs, files)
        snapshot_download(repository, revision=commit, allow_patterns=[*names])  # all is there: it makes the links


def _fetch(repository: str, commit: str, name: str, blobs: Path, files: list[Path]) -> None:
    """Bring one file; `files` gets the path that it grows at, then the one that it has in the end."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    url = hf_hub_url(repository, name, revision=commit)
    facts = get_hf_file_metadata(url)
    # It becomes a file's name, so it must be a digest and nothing else.
    if facts.etag is None or facts.size is None or not _DIGEST.fullmatch(facts.etag):
        raise ModelError(f"the hub does not say which version of {name} of {repository} it has: try again later")
    blob, partial = blobs / facts.etag, blobs / f"{facts.etag}.partial"
    files.append(blob)
    if blob.exists():
        return
    files[-1] = partial
    headers = build_hf_headers()
    if urlsplit(facts.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # the token is for the hub, not for where it keeps its files
    with partial.open("ab") as file:
        http_get(facts.location, file, resume_size=file.tell(), headers=headers, expected_size=facts.size)
        file.flush()
        os.fsync(file.fileno())
    if not _is_whole(partial, facts.etag):
        partial.unlink()
        raise ModelError(f"{name} of {repository} arrived damaged and was removed: pull again")
    os.replace(partial, blob)
    files[-1] = blob


def _is_whole(path: Path, etag: str) -> bool:
    """Tell whether a file is what the hub calls it: the SHA-256 of a large file, git's SHA-1 of another."""
    import hashlib

    with path.open("rb") as file:
        if len(etag) == _SHA256_DIGITS:
            return hashlib.file_digest(file, "sha256").hexdigest() == etag
        content = file.read()
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest() == etag


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it has its last name by now
        return 0


@contextmanager
def _reported() -> Iterator[list[Path]]:
    """Write, several times a second, how many bytes there are of the files in the list that the block gets."""

    def report() -> None:
        while not finished.wait(_REPORT_SECONDS):
            print(sum(map(_size, [*files])), flush=True)

    files: list[Path] = []
    finished = threading.Event()
    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield files
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
