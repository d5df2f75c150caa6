"""A release: its notes come from the changelog, what is not ready is refused, and the formula is complete."""

import hashlib
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
CHANGELOG = "# Changelog\n\n## 0.2.0 (2026-11-29)\n\n- One.\n- Two.\n\n## 0.1.0\n\n- Before.\n"


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "packaging" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_notes_are_those_of_the_version(release: ModuleType) -> None:
    assert release.notes("v0.2.0", CHANGELOG, "0.2.0") == "- One.\n- Two."


@pytest.mark.parametrize(
    ("tag", "changelog", "says"),
    [
        ("v0.3.0", CHANGELOG, "version of the tree 0.2.0"),
        ("0.2.0", CHANGELOG, "version of the tree 0.2.0"),
        ("v0.2.0", CHANGELOG.replace("## 0.2.0", "## 0.3.0"), r"begins with '0.3.0 \(2026-11-29\)'"),
        ("v0.2.0", CHANGELOG.replace("2026-11-29", "unreleased"), r"begins with '0.2.0 \(unreleased\)'"),
        ("v0.2.0", "# Changelog\n", "begins with 'nothing'"),
    ],
)
def test_what_is_not_ready(release: ModuleType, tag: str, changelog: str, says: str) -> None:
    with pytest.raises(release.ReleaseError, match=says):
        release.notes(tag, changelog, "0.2.0")


def test_the_first_section_is_that_of_this_version(release: ModuleType) -> None:
    title, text = next(iter(release.sections((ROOT / "CHANGELOG.md").read_text("utf-8")).items()))
    assert title.startswith(f"{release.version()} (")
    assert text


def test_the_formula_is_filled_in(release: ModuleType, tmp_path: Path) -> None:
    sdist = tmp_path / "thoth_lora-0.2.0.tar.gz"
    sdist.write_bytes(b"source")
    template = (ROOT / "packaging" / "homebrew" / "thoth.rb").read_text("utf-8")
    formula = release.formula(template, "someone/thoth", "v0.2.0", sdist)
    assert not re.search(r"@[A-Z0-9]+@", formula)
    assert 'url "https://github.com/someone/thoth/releases/download/v0.2.0/thoth_lora-0.2.0.tar.gz"' in formula
    assert f'sha256 "{hashlib.sha256(b"source").hexdigest()}"' in formula


def test_the_workflow_publishes_only_what_was_tried() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
    jobs = workflow["jobs"]
    assert workflow[True]["push"] == {"tags": ["v*"]}  # YAML reads `on` as true
    assert [jobs[name].get("needs") for name in ("build", "install", "publish", "release")] == [
        None, "build", "install", "publish",
    ]  # fmt: skip
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert workflow["permissions"] == {"contents": "read"}
    scripts = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    named = {path for script in scripts for path in re.findall(r"(?:packaging|tests)/[\w/.]+", script)}
    assert named == {"packaging/release.py", "tests/install/install.sh"}
    assert all((ROOT / path).is_file() for path in named)
