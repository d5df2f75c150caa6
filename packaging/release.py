"""What a release needs beside the build: its tag is checked, its notes are taken from CHANGELOG.md, the formula filled.

python packaging/release.py check v0.2.0
python packaging/release.py notes v0.2.0
python packaging/release.py formula v0.2.0 OWNER/NAME dist/thoth_lora-0.2.0.tar.gz
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_DATED = re.compile(r"(?P<version>\S+) \(\d{4}-\d\d-\d\d\)")


class ReleaseError(Exception):
    """Something is not ready for this release."""


def version() -> str:
    """Return the version of the tree."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "thoth/system/version.py").read_text("utf-8"), re.MULTILINE)
    assert found
    return found[1]


def sections(changelog: str) -> dict[str, str]:
    """Return what CHANGELOG.md says under each heading, in its order."""
    _, *parts = _HEADING.split(changelog)
    return {title: text.strip() for title, text in zip(parts[::2], parts[1::2], strict=True)}


def notes(tag: str, changelog: str, current: str) -> str:
    """Return the notes of a release.

    Args:
        tag: as `v0.2.0`.
        changelog: the text of CHANGELOG.md.
        current: the version of the tree.

    Raises:
        ReleaseError: The tag is not that of the tree's version, or the changelog is not ready for it.
    """
    if tag != f"v{current}":
        raise ReleaseError(f"the tag is {tag} and the version of the tree {current}: change thoth/system/version.py")
    found = sections(changelog)
    title, text = next(iter(found.items()), ("nothing", ""))
    if (dated := _DATED.fullmatch(title)) is None or dated["version"] != current or not text:
        raise ReleaseError(f"CHANGELOG.md begins with '{title}': make its first section `{current} (YYYY-MM-DD)`")
    return text


def formula(template: str, repository: str, tag: str, sdist: Path) -> str:
    """Return the Homebrew formula of a release.

    Args:
        template: packaging/homebrew/thoth.rb.
        repository: owner and name of the one that has the release.
        tag: of the release.
        sdist: its source distribution.
    """
    filled = {
        "@REPOSITORY@": repository,
        "@TAG@": tag,
        "@SDIST@": sdist.name,
        "@SHA256@": hashlib.sha256(sdist.read_bytes()).hexdigest(),
    }
    for mark, value in filled.items():
        template = template.replace(mark, value)
    return template


def main(arguments: Sequence[str]) -> int:
    """Run one of the three; an error is one line on stderr."""
    match arguments:
        case ["check" | "notes" as what, tag]:
            try:
                found = notes(tag, (ROOT / "CHANGELOG.md").read_text("utf-8"), version())
            except ReleaseError as error:
                print(error, file=sys.stderr)
                return 1
            print(found if what == "notes" else f"{tag} is ready")
        case ["formula", tag, repository, sdist]:
            template = (ROOT / "packaging/homebrew/thoth.rb").read_text("utf-8")
            print(formula(template, repository, tag, Path(sdist)), end="")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
