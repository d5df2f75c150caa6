"""Recall of words: Thoth's readers against pdftotext (PDF) and pandoc (DOCX, EPUB, ODT, RTF and more) over a folder.

    python -m benchmarks.reading FOLDER [--before COMMIT] [--worst 5] [--kinds .pdf]

Both tools come from Debian: `apt-get install poppler-utils pandoc`. A word counts as often as it occurs; recall is the
share of the tool's words that Thoth has too, precision the share of Thoth's words that the tool has. A file that the
tool cannot read, or in which it finds fewer than 20 words, is left out; one that Thoth cannot read counts as 0.
With --before, files whose recall fell by more than 0.002 are named. pdftotext writes raised and lowered letters as if
they stood on the line (106 for ten to the sixth), which makes other words of them: for each such file, recall is also
given for both texts without marks such as Thoth writes there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from benchmarks import harness

PROJECT = Path(__file__).parents[1]
PANDOC = {".docx": "docx", ".epub": "epub", ".odt": "odt", ".rtf": "rtf", ".ipynb": "ipynb", ".html": "html",
          ".tex": "latex", ".org": "org"}  # fmt: skip
FEWEST_WORDS = 20
SECONDS = 180
MAY_FALL = 0.002
# `10^6`, `x_1`, `x_(ij)`, and the number of a note: `word.[3]`.
MARKS = re.compile(r"(?<=\w)[\^_]\(?(?=\w)|(?<=\S)\[(?=\d{1,3}\])")

READER = """
import json, logging, sys, time
from pathlib import Path
logging.disable(logging.CRITICAL)
from thoth.ingest import formats
for line in sys.stdin:
    path = Path(line.rstrip("\\n"))
    started = time.process_time()
    try:
        text = formats.read(path.read_bytes(), path.name).text
    except Exception as error:
        text = None
    print(json.dumps([text, time.process_time() - started]), flush=True)
"""


def words(text: str) -> Counter[str]:
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u00ad", "")
    # Chinese and Japanese have no spaces: each letter counts.
    return Counter(re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+", text))


class Read(NamedTuple):
    """What is found in a file; nothing where it cannot be read.

    Attributes:
        is_read: whether it can.
        words: of it.
        unmarked: the words where raised and lowered letters have no marks.
        cpu: seconds that it takes.
    """

    is_read: bool
    words: Counter[str]
    unmarked: Counter[str]
    cpu: float

    @classmethod
    def of(cls, text: str, cpu: float = 0.0) -> Read:
        """Count the words of a text."""
        return cls(True, words(text), words(MARKS.sub("", text)), cpu)


NOTHING = Read(False, Counter(), Counter(), 0.0)


def by_tool(path: Path) -> Read | None:
    """Return what pdftotext or pandoc finds, None where it fails."""
    kind = path.suffix.lower()
    command = ["pdftotext", path, "-"]
    if kind != ".pdf":  # wide lines, or it breaks the words in narrow columns
        command = ["pandoc", "-f", PANDOC[kind], "-t", "plain", "--columns=20000", path]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
    except (subprocess.SubprocessError, OSError):
        return None
    found = Read.of(done.stdout.decode("utf-8", "replace"))
    return found if found.words.total() >= FEWEST_WORDS else None


def by_thoth(tree: Path, files: list[Path]) -> dict[Path, Read]:
    """Return what the readers of a source tree find in each file."""
    environment = os.environ | {"PYTHONPATH": str(tree)}
    found: dict[Path, Read] = {}
    at = 0
    while at < len(files):  # a reader that dies costs that file alone
        lines = "".join(f"{path}\n" for path in files[at:])
        command = [sys.executable, "-c", READER]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, env=environment, cwd=tree)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        for path, (text, seconds) in zip(files[at:], answers, strict=False):
            found[path] = NOTHING if text is None else Read.of(text, seconds)
        at += len(answers)
        if at < len(files):
            found[files[at]] = NOTHING
            at += 1
    return found


def shares(ours: Counter[str], theirs: Counter[str]) -> tuple[float, float]:
    """Return recall and precision."""
    if not ours:
        return 0.0, 0.0
    common = (ours & theirs).total()
    return common / theirs.total(), common / ours.total()


def checkout(commit: str, folder: Path) -> Path:
    archive = folder / "tree.tar"
    subprocess.run(["git", "-C", PROJECT, "archive", "-o", archive, commit], check=True)
    with tarfile.open(archive) as file:
        file.extractall(folder / "tree", filter="data")
    return folder / "tree"


def _most(counts: Counter[str]) -> str:
    return ", ".join(word for word, _ in counts.most_common(12))


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--before", help="a commit to compare with")
    parser.add_argument("--worst", type=int, default=0, help="files of each kind to name")
    parser.add_argument("--kinds", nargs="+", default=[".pdf", *PANDOC], help="suffixes of the files to read")
    arguments = parser.parse_args()
    kinds = {*arguments.kinds}
    files = [path.resolve() for path in sorted(arguments.folder.rglob("*")) if path.suffix.lower() in kinds]
    reference = {path: found for path in files if path.is_file() and (found := by_tool(path))}
    with tempfile.TemporaryDirectory() as folder:
        trees = {"now": PROJECT}
        if arguments.before:
            trees = {arguments.before: checkout(arguments.before, Path(folder)), **trees}
        read = {name: by_thoth(tree, list(reference)) for name, tree in trees.items()}
    table = harness.Table("kind", "files", "readers", "recall", "precision", "not read", "CPU s")
    for kind in sorted(kinds):
        chosen = [path for path in reference if path.suffix.lower() == kind]
        for name, found in read.items() if chosen else ():
            both = [shares(found[path].words, reference[path].words) for path in chosen]
            failed = sum(not found[path].is_read for path in chosen)
            recall, precision = mean(one for one, _ in both), mean(one for _, one in both)
            seconds = sum(found[path].cpu for path in chosen)
            table.row(kind, len(chosen), name, f"{recall:.3f}", f"{precision:.3f}", failed, f"{seconds:.1f}")
        last = read["now"]
        for path in chosen if arguments.before else ():
            before, now = (shares(found[path].words, reference[path].words)[0] for found in read.values())
            if before - now > MAY_FALL:
                gone = (read[arguments.before][path].words & reference[path].words) - last[path].words
                unmarked, _ = shares(last[path].unmarked, reference[path].unmarked)
                print(f"  {path.name}: recall fell from {before:.4f} to {now:.4f}; gone: {_most(gone)}")
                print(f"    without marks of raised and lowered letters: {unmarked:.4f}")
        worst = sorted(chosen, key=lambda path: shares(last[path].words, reference[path].words)[0])
        for path in worst[: arguments.worst]:
            recall, precision = shares(last[path].words, reference[path].words)
            missing = reference[path].words - last[path].words
            print(f"  {path.name}: recall {recall:.3f}, precision {precision:.3f}; missing: {_most(missing)}")


if __name__ == "__main__":
    main()
