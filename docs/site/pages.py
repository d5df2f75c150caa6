"""The pages of the site: those of `docs/`, with the generated parts in the places that name them.

`<!-- generated: NAME -->` in a page is replaced by what `PARTS[NAME]` returns. Nothing generated is committed.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from docs.site import commands, docstrings, keys, options, schemas

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Files at the top of the repository that are pages too.
TOP = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security-policy.md"}
SUFFIXES = (".md", ".svg", ".png", ".css")
_PLACE = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.MULTILINE)
_TARGET = re.compile(r"(?<=\]\()(\.\./)?(docs/)?([^)#\s:]+)(?=[)#])")


def _api() -> str:
    import thoth
    from thoth.actions.workspace import AskOptions

    return f"{docstrings.page(thoth)}\n{docstrings.section(AskOptions)}"


def _mlx() -> str:
    import mlx_hypernet

    return docstrings.page(mlx_hypernet)


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands.page,
    "convert-weights": commands.converting,
    "settings": options.page,
    "keys": keys.page,
    "json": schemas.page,
    "exit-codes": schemas.exit_codes,
    "python": _api,
    "mlx-hypernet": _mlx,
}


def assemble(to: Path) -> None:
    """Write every page, picture and schema into a folder, which is replaced."""
    shutil.rmtree(to, ignore_errors=True)
    for source in sorted(DOCS.rglob("*")):
        if source.suffix in SUFFIXES and source.is_file():
            target = to / source.relative_to(DOCS)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.suffix == ".md":
                target.write_text(filled(_within(source.read_text(encoding="utf-8"))), encoding="utf-8")
            else:
                shutil.copyfile(source, target)
    for name, page in TOP.items():
        (to / page).write_text(_within((ROOT / name).read_text(encoding="utf-8")), encoding="utf-8")
    (to / "schemas").mkdir()
    for name, schema in schemas.files().items():
        (to / "schemas" / name).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


def filled(text: str) -> str:
    """Return a page with its generated parts.

    Raises:
        KeyError: It names a part that there is not.
    """
    return _PLACE.sub(lambda place: PARTS[place[1]]().rstrip(), text)


def _within(text: str) -> str:
    """Return a page with links of the site where it has links to, or of, files at the top of the repository."""

    def target(link: re.Match[str]) -> str:
        _, docs, path = link.groups()
        return TOP.get(path) or (path if docs else link[0])

    return _TARGET.sub(target, text)
