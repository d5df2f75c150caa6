"""What the wheel holds: everything that `make demo` needs, and nothing of tests and tools; one version, one torch."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mlx_hypernet.format import installing
from thoth import examples
from thoth.system.version import __version__

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in the wheel, from the commands of setuptools that would copy the files."""
    from setuptools import Distribution

    before = Path.cwd()
    os.chdir(ROOT)
    try:
        distribution = Distribution({"script_name": "setup.py"})
        distribution.parse_config_files()
        command: Any = distribution.get_command_obj("build_py")
        command.build_lib = str(tmp_path_factory.mktemp("build"))
        distribution.get_command_obj("egg_info").egg_base = str(tmp_path_factory.mktemp("egg"))
        command.editable_mode = False
        command.ensure_finalized()
        modules = {Path(*package.split("."), f"{module}.py") for package, module, _ in command.find_all_modules()}
        data = {Path(*package.split("."), name) for package, _, _, names in command.data_files for name in names}
        return {path.as_posix() for path in modules | data}
    finally:
        os.chdir(before)


def test_the_wheel_has_what_the_demo_needs(files: set[str]) -> None:
    nano = {f"thoth/nano/{part}/{name}" for part, name in [
        ("base", "config.json"), ("base", "model.safetensors"), ("base", "tokenizer.json"),
        ("base", "tokenizer_config.json"), ("base", "chat_template.jinja"),
        ("hypernet", "config.json"), ("hypernet", "model.safetensors"),
    ]}  # fmt: skip
    documents = {f"thoth/examples/{path.name}" for path in examples.folder().iterdir() if path.suffix[1:] in
                 ("md", "pdf", "txt")}  # fmt: skip
    assert len(documents) == 6
    assert nano | documents | {"thoth/py.typed", "thoth/tui/screens/main.tcss", "thoth/cli/tryout.py"} <= files


def test_every_module_is_in_the_wheel_and_nothing_else(files: set[str]) -> None:
    packages = ("thoth", "mlx_hypernet", "torch_train", "convert")
    modules = {path.relative_to(ROOT).as_posix() for name in packages for path in (ROOT / name).rglob("*.py")}
    assert {name for name in files if name.endswith(".py")} == modules
    assert {name.partition("/")[0] for name in files} == {*packages}
    suffixes = {Path(name).suffix for name in files}
    assert suffixes <= {".py", ".typed", ".tcss", ".json", ".safetensors", ".jinja", ".txt", ".md", ".pdf", ".yaml"}


def test_one_version_and_one_torch() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "thoth.system.version.__version__"}
    assert __version__.count(".") == 2
    extras = PROJECT["project"]["optional-dependencies"]
    assert extras["convert"] == [installing.TORCH]
    assert f"{PROJECT['project']['name']}[convert]" in extras["train"]
    # `thoth` on the package index is another project.
    assert not [one for needed in extras.values() for one in needed if re.match(r"thoth\b(?!-lora)", one)]
    assert PROJECT["project"]["scripts"]["thoth"] == "thoth.__main__:main"
