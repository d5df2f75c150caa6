"""The disk's room and the machine's memory, and how sizes are written; no library is needed to ask."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from mlx_hypernet.memory import free_memory, total_memory

__all__ = ["cores", "existing", "free_disk", "free_memory", "size", "total_memory"]


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


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
