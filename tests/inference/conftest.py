"""Models shared by the tests of inference; those that change a model put it back."""

from pathlib import Path
from typing import Any

import pytest

from tests import tiny


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random `ministral3` base on disk."""
    return tiny.save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def torch_base(base_folder: Path) -> Any:
    """That base in transformers."""
    return tiny.load_torch_base(base_folder)


@pytest.fixture
def base(base_folder: Path) -> Any:
    """That base in mlx-lm, fresh for every test."""
    return tiny.load_base(base_folder)


@pytest.fixture(scope="session")
def bundle() -> Any:
    """A random bundle for that base."""
    return tiny.make_bundle()
