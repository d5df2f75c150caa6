"""What `thoth` may import, and that it runs without torch. The other packages are in `tests/inference`."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VIEWS = ("cli", "tui", "__main__.py")  # the parts that may know typer and textual


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, with all its parents."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {".".join(parts[:length]) for parts in (name.split(".") for name in names) for length in range(1, 9)}


FILES = sorted((ROOT / "thoth").rglob("*.py"))
CORE = [path for path in FILES if path.relative_to(ROOT / "thoth").parts[0] not in VIEWS]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_thoth_looks_one_way(path: Path) -> None:
    assert not imports(path) & {"torch", "torch_train", "convert"}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_knows_no_view(path: Path) -> None:
    assert not imports(path) & {"typer", "textual", "rich", "thoth.cli", "thoth.tui"}


def test_the_first_paint_waits_for_nothing_heavy() -> None:
    code = "import sys, thoth.__main__, thoth.tui.app, thoth.tui.screens.main; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    names = result.stdout.split()
    ours = {name for name in names if name.startswith("mlx_hypernet.")}
    assert {name for name in ours if not name.startswith(("mlx_hypernet.format", "mlx_hypernet.memory"))} == set()
    loaded = {name.partition(".")[0] for name in names}
    assert not loaded & {"mlx", "mlx_lm", "numpy", "pypdf", "markdown_it", "pygments", "typer"}


def test_thoth_runs_without_torch() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES]
    names = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
    code = f"import sys; sys.modules['torch'] = None; import mlx_lm, {', '.join(names)}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
