"""Time and memory of reading a PDF: `python -m benchmarks.reading_pdf [FILE]`, beside pdftotext (poppler-utils).

Without a file, one of 350 pages is made with reportlab. Prints the best of five runs each, wall and processor seconds,
and how much the resident memory of this process grew: reading happens in another one.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from thoth import ingest
from thoth.ingest import reader_process
from thoth.system import usage

RUNS = 5
PAGES = 350


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


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "report.pdf"
        if len(sys.argv) < 2:
            make(path)
        ingest.read(path)  # starts the process
        before, ours, theirs = resident(), [], []
        for _ in range(RUNS):
            pid = reader_process.shared().pid
            assert pid is not None
            began, cpu = time.perf_counter(), usage.of(pid).cpu_seconds
            document = ingest.read(path)
            ours.append((time.perf_counter() - began, usage.of(pid).cpu_seconds - cpu))
            began, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            subprocess.run(["pdftotext", path, os.devnull], check=True)
            theirs.append((time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - cpu))
        grown = resident() - before
    print(f"{document.pages} pages, {len(document.text):,} letters")
    for name, runs in (("thoth", ours), ("pdftotext", theirs)):
        wall, cpu = (min(run[place] for run in runs) for place in (0, 1))
        usual = statistics.median(run[0] for run in runs)
        print(f"{name:<10} {wall:.2f} s wall (median {usual:.2f} s), {cpu:.2f} s processor")
    ratio = min(run[1] for run in ours) / min(run[1] for run in theirs)
    print(f"ratio {ratio:.2f} (processor time); this process grew by {grown >> 20} MB")


if __name__ == "__main__":
    main()
