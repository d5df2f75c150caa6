"""The documentation's pages: generated parts, links, anchors, navigation; and the site that is built from them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from docs.site import commands, keys, pages, schemas
from tests.pages import markdown
from thoth.cli import app
from thoth.settings import options

ROOT = Path(__file__).parents[2]
_MARK = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with all pages, generated parts included."""
    folder = tmp_path_factory.mktemp("site") / "docs"
    pages.assemble(folder)
    return folder


def navigation() -> list[str]:
    """The pages that the site's navigation names."""

    def below(entries: list[Any]) -> Iterator[str]:
        for entry in entries:
            for value in entry.values():
                yield from [value] if isinstance(value, str) else below(value)

    return list(below(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]))


def test_every_generated_part_has_one_place() -> None:
    named = [name for page in sorted(pages.DOCS.rglob("*.md")) for name in _MARK.findall(page.read_text())]
    assert sorted(named) == sorted(pages.PARTS)


def test_generated_pages_are_complete(site: Path) -> None:
    text = {name: (site / f"{name}.md").read_text() for name in ("commands", "settings", "json", "app", "python")}
    for path, _, _ in commands.tree("thoth", app):
        assert f"\n## {path}\n" in text["commands"]
    for option in options():
        assert f"\n### {option.name}\n" in text["settings"]
    for name in schemas.commands():
        assert f"\n### thoth {name.replace('-', ' ')} --json\n" in text["json"]
        assert (site / "schemas" / f"{name}.schema.json").is_file()
    for name in ("open", "Workspace.ask", "Workspace.absorb", "AskOptions", "load_bundle"):
        assert re.search(rf"^###+ {re.escape(name)}$", text["python"], re.MULTILINE)
    assert "`Ctrl+G`" in text["app"]
    assert "`/compare`" in text["app"]
    assert not any(_MARK.search(page.read_text()) for page in site.rglob("*.md"))


def test_keys_are_under_a_heading_of_their_own() -> None:
    assert {name for name, _ in keys.bound()} == set(keys.PLACES)


def test_links_lead_to_pages_pictures_and_headings(site: Path) -> None:
    wrong, checked = [], 0
    for page in sorted(site.rglob("*.md")):
        for link in markdown.links(page.read_text(encoding="utf-8")):
            address = urlsplit(link)
            if address.scheme:
                continue
            checked += 1
            target = (page.parent / unquote(address.path)).resolve() if address.path else page
            known = target.is_file() and target.is_relative_to(site)
            if known and address.fragment:
                known = address.fragment in markdown.anchors(target.read_text(encoding="utf-8"))
            if not known:
                wrong.append(f"{page.relative_to(site)}: {link}")
    assert not wrong
    assert checked > 100


def test_links_of_the_readme_lead_somewhere() -> None:
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        for link in markdown.links((ROOT / name).read_text(encoding="utf-8")):
            address = urlsplit(link)
            assert address.scheme or (ROOT / unquote(address.path)).exists(), f"{name}: {link}"


def test_the_navigation_has_every_page(site: Path) -> None:
    named = navigation()
    assert len(named) == len(set(named))
    top = {page.name for page in site.glob("*.md")}
    assert top <= set(named), "pages that zensical.toml does not name"
    assert all((site / page).is_file() for page in named)


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path, site: Path) -> None:
    pytest.importorskip("zensical", reason="zensical is not installed: pip install -e .[docs]")
    shutil.copytree(site, tmp_path / "build" / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    program = Path(sys.executable).with_name("zensical")
    done = subprocess.run([program, "build", "--strict"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    built = sorted((tmp_path / "build" / "site").rglob("*.html"))
    assert len(built) >= len(list(site.rglob("*.md")))
    for page in built:
        loaded = re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"?(https?:)?//", page.read_text())
        assert not loaded, page
    for style in (tmp_path / "build" / "site").rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//", style.read_text()), style


def test_every_measurement_names_date_machine_and_command() -> None:
    sections = re.split(r"^## ", (pages.DOCS / "measurements.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    said = re.compile(
        r"\A[^\n]+\n\n\*\d{4}-\d\d-\d\d · machine [A-Z]\b[^·\n]* · (?:.|\n(?!\n))*`.+`(?:.|\n(?!\n))*\*\n\n"
    )
    assert [one.partition("\n")[0] for one in sections[1:] if not said.match(one)] == []
