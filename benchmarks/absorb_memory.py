"""Whether memory grows with the pages of a PDF while it is absorbed: the peak of a process for each length.

    python -m benchmarks.absorb_memory [--pages 10 100] [--model nano]

Each PDF is absorbed by a fresh process into a fresh library. "MLX" is the peak of its arrays, "process" the peak of
everything, the text and the libraries included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import harness

LINES, LETTERS = 45, 88


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--pages", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--absorb", type=Path, help=argparse.SUPPRESS)  # what the fresh process does
    arguments = parser.parse_args()
    if arguments.absorb:
        print(json.dumps(absorb(arguments.absorb, arguments.model)))
        return
    columns = ("pages", "tokens", "chunks", "seconds", "MLX, MB", "process, MB", "of the first: MLX", "process")
    table = harness.Table(*columns)
    first: dict[str, float] = {}
    for pages in arguments.pages:
        with tempfile.TemporaryDirectory() as folder:
            write_pdf(path := Path(folder) / "manual.pdf", pages)
            module = [sys.executable, "-m", "benchmarks.absorb_memory"]
            command = [*module, "--absorb", str(path), "--model", arguments.model]
            environment = os.environ | {"THOTH_HOME": str(Path(folder) / "home")}
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        first = first or found
        ratios = [f"{found[kind] / first[kind]:.2f}" for kind in ("mlx", "process")]
        sizes = [f"{found[kind] / 1e6:.0f}" for kind in ("mlx", "process")]
        table.row(pages, found["tokens"], found["chunks"], f"{found['seconds']:.1f}", *sizes, *ratios)


def write_pdf(path: Path, pages: int) -> None:
    """A manual of full pages, no two alike."""
    from reportlab.pdfgen.canvas import Canvas

    from torch_train.nano.language import Language

    language = Language(1, "test")
    canvas = Canvas(str(path))
    for page in range(pages):
        words: list[str] = []
        while sum(map(len, words)) + len(words) < LINES * LETTERS:
            words += language.note(12, 12).text.split()
        text = canvas.beginText(50, 790)
        text.textLine(f"Chapter {page + 1}")
        line = ""
        for word in words:
            if len(line) + len(word) >= LETTERS:
                text.textLine(line)
                line = ""
            line += word + " "
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()


def absorb(path: Path, model: str) -> dict[str, float]:
    """Absorb a document; tokens, chunks, seconds, and the peaks in bytes."""
    from thoth.engine.engine import Engine
    from thoth.events import Absorbed
    from thoth.library.library import Library
    from thoth.models import registry
    from thoth.system import paths

    with Engine(Library(paths.home())) as engine:
        list(engine.load(registry.resolve(model)))
        started = time.perf_counter()
        *_, event = engine.absorb(path)
        assert isinstance(event, Absorbed), event
        seconds = time.perf_counter() - started
    import mlx.core as mx

    return {
        "tokens": event.document.tokens,
        "chunks": event.document.chunks,
        "seconds": seconds,
        "mlx": mx.get_peak_memory(),
        "process": harness.peak_memory_bytes(),
    }


if __name__ == "__main__":
    main()
