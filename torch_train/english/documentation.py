"""Passages out of public documentation: Python's library, installed packages, Debian's packages; with cloze questions.

Source files are parsed and never imported. A package or a module is held out as a whole. What is installed differs from
machine to machine: write the passages to a file once (`passages.write`) and train from that.
"""

from __future__ import annotations

import ast
import gzip
import re
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from itertools import chain, islice
from pathlib import Path

from torch_train.english.cloze import cloze
from torch_train.english.cutting import Tokens, tidy
from torch_train.english.passages import Passage
from torch_train.english.question import Question
from torch_train.english.split import split_of

FEWEST, MOST = 40, 200  # tokens of a passage
EACH = 100  # most passages of one package or module
FILES = 200  # most files of one package or module that are parsed
QUESTIONS = 3  # most questions of a passage
DEBIAN = Path("/usr/share/doc")
_README = ("", ".gz", ".Debian", ".md", ".txt")
_SKIPPED = {"test", "tests", "idlelib", "lib2to3", "__pycache__"}
_PACKAGES = ("site-packages", "dist-packages")

_PERMISSIVE = re.compile(r"\b(?:mit|bsd|apache|psf|python software|isc|unlicense|zlib|0bsd|public domain)\b", re.I)
_COPYLEFT = re.compile(r"gpl|copyleft|mozilla|mpl|proprietary|commercial", re.I)
_UNWANTED = re.compile(
    r">>>|::|[<>{}|\\=_@~^#\[]|https?:|www\.|\(\)|---|copyright|warrant|licen[cs]e|redistribut|^[-*•+:]|^\d+[.)]|\.\. ",
    re.I,
)
_ROLE = re.compile(r":[a-z:]+:`[~!.]?([^`<]+?)(?: <[^>]*>)?`")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_TICKS = re.compile(r"[`*]+")
_STOP = frozenset(
    "the of to and a in is that for it as be this with are by an or on from which not can if at you".split()
)


@dataclass(frozen=True)
class _Work:
    """The documents of one package or module, read only as far as they are wanted."""

    name: str
    licence: str
    documents: Iterator[str]


def documentation(
    tokens: Tokens, library: Path | None = None, packages: Path | None = None, debian: Path = DEBIAN
) -> Iterator[Passage]:
    """Paragraphs of prose with up to three cloze questions each; every paragraph occurs once.

    Args:
        tokens: Number of tokens of a text.
        library: Folder of Python's library; by default that of the running interpreter.
        packages: Folder of installed packages; by default that of the running interpreter. Only those under a
            permissive licence are read.
        debian: Folder of the documents of Debian's packages.
    """
    paths = sysconfig.get_paths()
    works = chain(
        _modules(library or Path(paths["stdlib"])), _packages(packages or Path(paths["purelib"])), _debian(debian)
    )
    seen: set[str] = set()
    for work in works:
        texts = (text for document in work.documents for text in _paragraphs(document, tokens))
        new = (text for text in texts if text not in seen)
        for text, questions in islice(_asked(new), EACH):
            seen.add(text)
            yield Passage(text, questions, "documentation", split_of(work.name), work.licence)


def _asked(texts: Iterator[str]) -> Iterator[tuple[str, tuple[Question, ...]]]:
    """The texts that a question can be made of."""
    for text in texts:
        questions = cloze(text, "documentation", QUESTIONS)
        if questions:
            yield text, questions


def _modules(library: Path) -> Iterator[_Work]:
    """Python's library, by module."""
    for path in sorted(library.glob("*")):
        if path.name not in (*_SKIPPED, *_PACKAGES) and (path.suffix == ".py" or path.is_dir()):
            yield _Work(
                f"python {path.stem}", "PSF-2.0", _docstrings(library, [path] if path.is_file() else path.rglob("*.py"))
            )


def _packages(folder: Path) -> Iterator[_Work]:
    """Installed packages under a permissive licence: README and docstrings."""
    found = {str(one.metadata["Name"]).lower(): one for one in distributions(path=[str(folder)])}
    for name, package in sorted(found.items()):
        licence = _licence(package)
        if licence and name != "thoth":
            files = [
                folder / str(file) for file in package.files or () if file.suffix == ".py" and ".." not in file.parts
            ]
            readme = str(package.metadata.get_payload() or "")  # type: ignore[attr-defined]
            yield _Work(f"package {name}", licence, chain([readme], _docstrings(folder, files)))


def _licence(package: Distribution) -> str:
    """The licence of a package; empty where it is not known to be a permissive one."""

    def stated(field: str) -> list[str]:
        return [str(line) for line in package.metadata.get_all(field) or () if str(line).strip()]

    classifiers = [line.split(" :: ")[-1] for line in stated("Classifier") if line.startswith("License ::")]
    fields = stated("License-Expression") or classifiers or stated("License") or [""]
    licence = "; ".join(fields).split("\n")[0]
    return licence if _PERMISSIVE.search(licence) and not _COPYLEFT.search(licence) else ""


def _debian(folder: Path) -> Iterator[_Work]:
    """README files of Debian's packages."""
    for package in sorted(path for path in folder.glob("*") if path.is_dir() and not path.is_symlink()):
        files = [file for file in sorted(package.glob("README*")) if file.is_file() and file.suffix in _README]
        yield _Work(f"debian {package.name}", f"Debian's copyright file of {package.name}", map(_read, files))


def _read(file: Path) -> str:
    data = file.read_bytes()
    return (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8", "ignore")


def _docstrings(root: Path, files: Iterable[Path]) -> Iterator[str]:
    for file in sorted(file for file in files if not _SKIPPED & set(file.relative_to(root).parts))[:FILES]:
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError, OSError, RecursionError):  # other people's files: templates, old Python
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield ast.get_docstring(node) or ""


def _paragraphs(text: str, tokens: Tokens) -> Iterator[str]:
    """Consecutive paragraphs of prose, together as long as a passage should be."""
    gathered = ""
    for paragraph in [*re.split(r"\n\s*\n", text), ""]:
        plain = tidy(_TICKS.sub("", _LINK.sub(r"\1", _ROLE.sub(r"\1", paragraph))))
        joined = f"{gathered}\n\n{plain}" if gathered else plain
        if _is_prose(plain) and len(joined) < 6 * MOST and tokens(joined) <= MOST:
            gathered = joined
        else:
            if gathered and tokens(gathered) >= FEWEST:
                yield gathered
            gathered = plain if _is_prose(plain) and tokens(plain) <= MOST else ""


def _is_prose(paragraph: str) -> bool:
    words = paragraph.casefold().split()
    return (
        len(words) >= 8
        and paragraph[0].isupper()
        and paragraph[-1] == "."
        and not _UNWANTED.search(paragraph)
        and sum(word in _STOP for word in words) >= 0.25 * len(words)
    )
