"""Import rules: what runs needs no torch, what trains needs no mlx, and packages look one way only."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"thoth", "mlx_hypernet", "torch_train", "convert"}
# Package -> what it may import of the others; a name with a dot allows no more than that part.
MAY_IMPORT = {
    "mlx_hypernet": (),
    "torch_train": ("mlx_hypernet.format",),
    "convert": ("mlx_hypernet", "torch_train"),
}
# Folders of torch_train, each of which may import those after it.
ROOMS = ("evaluation", "training", "teacher", "data", "model")
FRAMEWORKS = {"mlx", "mlx_lm", "torch", "transformers", "numpy", "accelerate"}


@cache
def imported(path: Path) -> frozenset[str]:
    """Full names of everything that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def modules(folder: str) -> list[str]:
    """All modules of a folder except those that run when they are imported."""
    paths = [path for path in (ROOT / folder).rglob("*.py") if path.stem != "__main__"]
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(paths))
    return [name.removesuffix(".__init__") for name in names]


def run(code: str) -> set[str]:
    """Run code in a process of its own and return the words that it printed."""
    result = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    return set(result.stdout.split())


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_look_one_way(package):
    for path in (ROOT / package).rglob("*.py"):
        for name in imported(path):
            if name.split(".")[0] in OURS - {package}:
                allowed = any(f"{name}.".startswith(f"{other}.") for other in MAY_IMPORT[package])
                assert allowed, f"{path} imports {name}"


@pytest.mark.parametrize("room", ROOMS)
def test_the_rooms_of_the_trainer_look_one_way(room):
    above = ROOMS[: ROOMS.index(room)]
    for path in (ROOT / "torch_train" / room).rglob("*.py"):
        upwards = {name for name in imported(path) if name.startswith(tuple(f"torch_train.{one}" for one in above))}
        assert not upwards, f"{path} imports {upwards}"


def test_what_both_frameworks_share_needs_neither():
    code = f"import sys, {', '.join(modules('mlx_hypernet/format'))}; print(*sys.modules)"
    assert not {name.partition(".")[0] for name in run(code)} & FRAMEWORKS


def test_what_trains_does_not_name_mlx():
    """With the two tests above: nor does what it imports of ours."""
    for path in (ROOT / "torch_train").rglob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & {"mlx", "mlx_lm"}, path


@pytest.mark.parametrize(
    ("packages", "absent"),
    [(("mlx_hypernet", "convert"), "torch"), pytest.param(("torch_train",), "mlx", marks=pytest.mark.slow)],
)
def test_the_other_framework_is_not_needed(packages, absent):
    names = [name for package in packages for name in modules(package)]
    assert len(names) > 20
    run(
        "import importlib, sys\n"
        f"sys.modules.update({absent}=None, mistral_common=None)\n"
        "from mlx_hypernet.format import quick_import\n"
        "quick_import.quicken_transformers()\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
    )
