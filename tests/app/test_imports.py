"""What `thoth` may import, in which direction, and that it runs without torch; for the others see `tests/inference`."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VIEWS = ("cli", "tui", "__main__.py")  # the parts that may know typer and textual


@cache
def every_import(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """The imports in a file, wherever they stand in it."""
    return [*statements(ast.parse(path.read_text(encoding="utf-8")), every=True)]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, with all its parents."""
    names: set[str] = set()
    for node in every_import(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {".".join(parts[:length]) for parts in (name.split(".") for name in names) for length in range(1, 9)}


FILES = sorted((ROOT / "thoth").rglob("*.py"))
CORE = [path for path in FILES if path.relative_to(ROOT / "thoth").parts[0] not in VIEWS]


def importing(files: list[Path], *names: str) -> dict[str, set[str]]:
    """The files that import one of these names, and which."""
    found = {str(path.relative_to(ROOT)): imports(path) & {*names} for path in files}
    return {path: names for path, names in found.items() if names}


def test_thoth_looks_one_way() -> None:
    assert not importing(FILES, "torch", "torch_train", "convert")


def test_the_core_knows_no_view() -> None:
    assert not importing(CORE, "typer", "textual", "rich", "thoth.cli", "thoth.tui")
    assert importing(FILES, "textual")  # it is seen where it is


def loaded_by(modules: str) -> list[str]:
    """The modules that are loaded after these were imported."""
    code = f"import sys, {modules}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    return result.stdout.split()


def test_help_waits_for_no_room_behind_the_command_line() -> None:
    rooms = {name.split(".")[1] for name in loaded_by("thoth.cli") if name.startswith("thoth.")}
    assert "settings" in rooms
    assert not rooms & {"events", "models", "library", "chats", "ingest", "agent", "serve", "tui"}


def test_the_first_paint_waits_for_nothing_heavy() -> None:
    names = loaded_by("thoth.__main__, thoth.tui.app, thoth.tui.screens.main")
    ours = {name for name in names if name.startswith("mlx_hypernet.")}
    assert {name for name in ours if not name.startswith(("mlx_hypernet.format", "mlx_hypernet.memory"))} == set()
    loaded = {name.partition(".")[0] for name in names}
    assert not loaded & {"mlx", "mlx_lm", "numpy", "pypdf", "markdown_it", "pygments", "typer"}


def test_thoth_runs_without_torch() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES]
    names = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
    # As the program does it, whose imports of these two would take the time.
    hidden = "import sys; sys.modules.update(torch=None, mistral_common=None)"
    quick = "from mlx_hypernet.format import quick_import; quick_import.quicken_transformers()"
    unread = "import transformers; assert transformers._unread"  # nothing asked for a class of a single model
    subprocess.run(
        [sys.executable, "-c", f"{hidden}; {quick}; import mlx_lm, {', '.join(names)}; {unread}"], check=True, cwd=ROOT
    )


# The order of the folders: each imports from those after it only.
ORDER = (
    "__main__",
    "cli",
    "tui",
    "serve",
    "agent",
    "actions",
    "engine",
    "retrieval",
    "chats",
    "library",
    "models",
    "ingest",
    "system",
)
LONGEST_CHAIN = 8

Graph = dict[str, set[str]]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def statements(node: ast.AST, *, every: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports in a module: all of them, or those that run when it is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif every:
            yield from statements(child, every=True)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield from statements(ast.Module([other], []), every=False)
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(child, every=False)


def graph(files: list[Path], *, every: bool) -> Graph:
    """Module -> the modules of ours that it imports."""
    modules = {module_name(path): path for path in files}
    edges: Graph = {}
    for name, path in modules.items():
        targets: set[str] = set()
        nodes = every_import(path) if every else statements(ast.parse(path.read_text(encoding="utf-8")), every=False)
        for node in nodes:
            if isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
            else:
                assert node.level == 0, f"{path} imports relative to itself"
                submodules = {f"{node.module}.{alias.name}" for alias in node.names}
                targets |= submodules & modules.keys() if submodules <= modules.keys() else submodules | {node.module}
        edges[name] = (targets & modules.keys()) - {name}
    return edges


def longest_chain(edges: Graph) -> list[str]:
    """The longest path in a graph; fails if there is a circle."""
    longest: dict[str, list[str]] = {}

    def walk(name: str, path: tuple[str, ...]) -> list[str]:
        if name in path:
            pytest.fail(f"a circle of imports: {' -> '.join([*path[path.index(name) :], name])}")
        if name not in longest:
            below = (walk(target, (*path, name)) for target in sorted(edges[name]))
            longest[name] = [name, *max(below, key=len, default=[])]
        return longest[name]

    return max((walk(name, ()) for name in edges), key=len)


def test_imports_have_no_circle() -> None:
    """Not even one that runs through imports inside functions or imports for type annotations alone."""
    assert len(longest_chain(graph(FILES, every=True))) > 1


def test_no_chain_of_imports_is_long() -> None:
    chain = longest_chain(graph(FILES, every=False))
    assert len(chain) <= LONGEST_CHAIN, " -> ".join(chain)


def test_folders_import_downwards() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, targets in graph(FILES, every=True).items()
        for target in targets
        if (here := folder(name)) in ORDER and (there := folder(target)) in ORDER
        if ORDER.index(there) < ORDER.index(here)
    ]
    assert not wrong


def folder(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_the_longest_chain_is_found() -> None:
    assert longest_chain({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == ["a", "b", "c"]
    with pytest.raises(pytest.fail.Exception, match="b -> c -> b"):
        longest_chain({"a": {"b"}, "b": {"c"}, "c": {"b"}})
