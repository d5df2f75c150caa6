"""How much memory and disk this machine has; no library is needed to ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Where Linux says what a container may use: cgroup 2, cgroup 1.
_CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_MEMINFO = Path("/proc/meminfo")


def total_memory() -> int:
    """Return bytes of memory: the machine's, or what the container this runs in may have of it."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *filter(None, map(_number, _CONTAINER_LIMITS))])


def free_memory() -> int | None:
    """Return bytes a program can have without swapping, or None where the system does not say."""
    if sys.platform == "darwin":
        return _free_on_macos()
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return None


def free_disk(path: Path) -> int:
    """Return free bytes of the disk that `path` is on, or will be."""
    return shutil.disk_usage(existing(path)).free


def existing(path: Path) -> Path:
    """Return the nearest folder above `path`, or `path` itself, that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def size(count: float) -> str:
    """Write bytes in three digits or so: `512 B`, `3.4 MB`, `7.7 GB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return None


def _free_on_macos() -> int | None:
    try:
        lines = subprocess.run(["vm_stat"], capture_output=True, text=True, check=True).stdout.splitlines()
        pages = {name: int(count.strip(" .")) for name, _, count in (line.partition(":") for line in lines[1:])}
        page = os.sysconf("SC_PAGE_SIZE")
        return page * sum(pages[f"Pages {kind}"] for kind in ("free", "inactive", "speculative", "purgeable"))
    except (OSError, ValueError, KeyError, subprocess.CalledProcessError):
        return None
