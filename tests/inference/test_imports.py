"""Import rules: what runs needs no torch, what trains needs no mlx, and packages look one way only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"thoth", "mlx_hypernet", "torch_train", "convert"}
MAY_IMPORT = {
    "mlx_hypernet": set(),
    "torch_train": set(),
    "convert": {"mlx_hypernet", "torch_train"},
}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_look_one_way(package):
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            found = {name.split(".")[0] for name in names} & OURS - {package}
            assert found <= MAY_IMPORT[package], f"{path} imports {found}"


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ([f"mlx_hypernet.{path.stem}" for path in (ROOT / "mlx_hypernet").glob("*.py")], "torch"),
        ([f"convert.{path.stem}" for path in (ROOT / "convert").glob("*.py")], "torch"),
        (["torch_train", "torch_train.model.config", "torch_train.model.hypernet"], "mlx"),
    ],
    ids=["mlx_hypernet", "convert", "torch_train"],
)
def test_the_other_framework_is_not_needed(modules, absent):
    code = (
        "import importlib, sys\n"
        f"sys.modules[{absent!r}] = None\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
