"""Time and memory of reading PDFs: `python -m benchmarks.reading_pdf [--runs 7] [FILE ...]`, beside pdftotext.

pdftotext comes from Debian (`apt-get install poppler-utils`). Without a file, one of 350 pages is made with reportlab.
Each file is read once to start the processes that read, then by each program in turn. Prints for each file the best run
by the clock and the median, processor seconds (of the processes that read and of this one), and how much the resident
memory of this process grew while it read: looked at after each tenth page and at the end.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from thoth import ingest
from thoth.ingest import reader_process
from thoth.system import machine, usage

PAGES = 350
LOOKED_AT = 10


class Run(NamedTuple):
    """What one run took, in seconds."""

    wall: float
    cpu: float


def make(path: Path) -> None:
    import random

    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    chance = random.Random(0)
    words = (
        "the harbour of Harpool was built by people who came over the sea with rope lamps sails and little else".split()
    )
    canvas = Canvas(str(path), pagesize=A4)
    for page in range(PAGES):
        text = canvas.beginText(60, 780)
        text.setFont("Times-Roman", 11)
        for _ in range(48):
            line = ""
            while canvas.stringWidth(line, "Times-Roman", 11) < 440:
                line += chance.choice(words) + " "
            text.textLine(line.strip())
        canvas.drawText(text)
        canvas.drawString(280, 40, str(page + 1))
        canvas.showPage()
    canvas.save()


def resident() -> int:
    return usage.of(os.getpid()).resident_bytes


def timed(run: Callable[[], object], cpu: Callable[[], float]) -> Run:
    began, used = time.perf_counter(), cpu()
    run()
    return Run(time.perf_counter() - began, cpu() - used)


def cpu_of_thoth() -> float:
    return time.process_time() + sum(usage.of(pid).cpu_seconds for pid in reader_process.shared().pids)


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(path: Path, runs: int) -> float:
    """Measure one file; returns how many times as long as pdftotext Thoth takes, by the clock."""
    document = ingest.read(path)  # starts the processes
    before, most = resident(), 0
    ours: list[Run] = []
    theirs: list[Run] = []

    def read() -> None:
        nonlocal document, most
        document = ingest.complete(ingest.reading(path), on_page)

    def on_page(page: int, _: int) -> None:
        nonlocal most
        if page % LOOKED_AT == 0:
            most = max(most, resident())

    for _ in range(runs):
        ours.append(timed(read, cpu_of_thoth))
        most = max(most, resident())
        theirs.append(timed(lambda: subprocess.run(["pdftotext", path, os.devnull], check=True), cpu_of_children))
    print(f"\n{path.name}: {document.pages} pages, {len(document.text):,} letters")
    for name, found in (("thoth", ours), ("pdftotext", theirs)):
        wall, cpu = min(run.wall for run in found), min(run.cpu for run in found)
        usual = statistics.median(run.wall for run in found)
        print(f"  {name:<10} {wall:.3f} s by the clock (median {usual:.3f}), {cpu:.2f} s of processor")
    by_clock, by_cpu = (min(run[at] for run in ours) / min(run[at] for run in theirs) for at in (0, 1))
    print(f"  ratio      {by_clock:.2f} by the clock, {by_cpu:.2f} of processor")
    print(f"  memory     this process grew by {max(0, most - before) / (1 << 20):.1f} MB at most")
    return by_clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    print(f"{machine.cores()} cores")
    with tempfile.TemporaryDirectory() as folder:
        files = arguments.files
        if not files:
            files = [Path(folder) / "report.pdf"]
            make(files[0])
        ratios = [measure(path, arguments.runs) for path in files]
    print(f"\nlargest ratio by the clock: {max(ratios):.2f}")


if __name__ == "__main__":
    main()
