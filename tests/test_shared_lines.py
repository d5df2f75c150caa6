"""Six or more lines that are in two places: `docs/shared-lines.md` explains each such pair."""

import re
from collections import defaultdict
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "shared-lines.md"
FOLDERS = ("thoth", "mlx_hypernet", "torch_train", "convert", "tests", "benchmarks", "runs", "packaging")
SUFFIXES = {".py", ".sh", ".tcss"}
SHARED = 6
# Also those in programs that are texts. To parse every file takes 2 s.
IMPORT = re.compile(
    r"^[ \t]*(?:from [\w.]+ import (?:\((?:[^)#]|#.*)*\)|[^(\n]+)|import [\w., ]+)[ \t]*(?:#.*)?$", re.MULTILINE
)

# Two files in alphabetical order, and the first shared line that is more than brackets or quotes.
Pair = tuple[str, str, str]


def lines(path: Path) -> list[str]:
    """Lines that are neither blank nor part of an import, with single spaces."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = IMPORT.sub("", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def pairs(files: dict[str, list[str]]) -> dict[Pair, int]:
    """Pairs of places that share lines, and how many."""
    places: defaultdict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for name, content in files.items():
        for at in range(len(content) - SHARED + 1):
            places[tuple(content[at : at + SHARED])].append((name, at))
    found: dict[Pair, int] = {}
    for (one, i), (other, j) in (pair for same in places.values() for pair in combinations(sorted(same), 2)):
        a, b = files[one], files[other]
        if i and j and a[i - 1] == b[j - 1]:
            continue  # the middle of a longer one
        length = SHARED
        while i + length < len(a) and j + length < len(b) and a[i + length] == b[j + length]:
            length += 1
        pair = one, other, next((line for line in a[i : i + length] if re.search(r"\w", line)), a[i])
        found[pair] = max(length, found.get(pair, 0))
    return found


def explained() -> set[Pair]:
    """Pairs in the table: file, file, first line, explanation."""
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \| \S.* \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    return set(rows)


def test_a_pair_is_found_once_and_to_its_end():
    content = [f"x{i} = {i}" for i in range(8)]
    assert pairs({"a.py": ["begin", *content, "end"], "b.py": [*content, "other"]}) == {("a.py", "b.py", "x0 = 0"): 8}
    assert pairs({"a.py": content[:5], "b.py": content[:5]}) == {}
    assert pairs({"a.py": [*content, "between", *content]}) == {("a.py", "a.py", "x0 = 0"): 8}


def test_every_pair_is_explained():
    files = {
        path.relative_to(ROOT).as_posix(): lines(path)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in SUFFIXES and "fixtures" not in path.parts
    }
    assert len(files) > 300
    found = pairs(files)
    new = [
        f"{one} and {other} share {found[one, other, line]} lines from: {line}"
        for one, other, line in found.keys() - explained()
    ]
    assert not new, "write these once, or explain them in docs/shared-lines.md:\n" + "\n".join(sorted(new))
    assert not explained() - found.keys(), "no longer shared: remove these rows from docs/shared-lines.md"
