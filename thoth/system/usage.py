"""What another process uses: processor time and memory, as the system counts them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """What a process uses.

    Attributes:
        cpu_seconds: processor time so far, of all its threads.
        resident_bytes: memory it holds now.
    """

    cpu_seconds: float = 0.0
    resident_bytes: int = 0


def of(pid: int) -> Usage:
    """Return what a process uses; nothing for one that has ended."""
    return _linux(pid) if sys.platform == "linux" else _ps(pid)


def _linux(pid: int) -> Usage:
    try:
        # The name, in parentheses, may have anything in it.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        user, system, pages = int(fields[11]), int(fields[12]), int(fields[21])
    except (OSError, ValueError, IndexError):
        return Usage()
    return Usage((user + system) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))


def _ps(pid: int) -> Usage:
    """Ask `ps`, which every Unix has; its times are `[[days-]hours:]minutes:seconds`."""
    try:
        found = subprocess.run(
            ["/bin/ps", "-o", "rss=,time=", "-p", str(pid)], capture_output=True, text=True, timeout=5
        )
        resident, clock = found.stdout.split()
        days, _, rest = clock.rpartition("-")
        seconds = 86_400.0 * int(days or 0)
        for place, part in enumerate(reversed(rest.split(":"))):
            seconds += 60**place * float(part.replace(",", "."))
        return Usage(seconds, int(resident) << 10)
    except (OSError, ValueError, subprocess.SubprocessError):
        return Usage()
