"""How much memory this machine has; no library is needed to ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Where Linux says what a container may use: cgroup 2, cgroup 1.
_CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_MEMINFO = Path("/proc/meminfo")


def total_memory() -> int:
    """Return the bytes of memory of the machine, or of the container that this runs in."""
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
