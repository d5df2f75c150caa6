import importlib.util
import sys
from pathlib import Path

import pytest
from transformers.utils import import_utils

from mlx_hypernet.format.quick_import import quicken_transformers

MODELS = Path(import_utils.__file__).parents[1] / "models"


@pytest.fixture(scope="module")
def plain():
    """transformers' own module, unchanged."""
    spec = importlib.util.spec_from_file_location("transformers.utils.plain_import_utils", import_utils.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_in_force(plain):
    assert import_utils.fetch__all__ is not plain.fetch__all__
    assert import_utils.create_import_structure_from_path.cache_info().maxsize is None


@pytest.mark.parametrize("folder", ["auto", "llama", "ministral3", "gemma2", "deprecated", "clip"])
def test_the_same_exports_are_found(plain, folder):
    found = import_utils.define_import_structure(str(MODELS / folder))
    assert found == plain.define_import_structure(str(MODELS / folder))


@pytest.mark.slow
def test_the_same_exports_are_found_in_all_models(plain):
    assert import_utils.define_import_structure(str(MODELS)) == plain.define_import_structure(str(MODELS))


@pytest.mark.parametrize(
    "content",
    [
        '__all__ = ["A", "B"]\n',
        'x = 1\n__all__ = [\n    "A",\n    "B",\n]\n',
        '__all__ = ["Old"]\nx = 2\n__all__ = ["New"]\n',
        'class A:\n    __all__ = ["Inner"]\n',
        "print(__all__)\n",
        "",
    ],
)
def test_names_are_those_of_the_last_line_that_starts_with_all(plain, content):
    assert import_utils.fetch__all__(content) == plain.fetch__all__(content)


def test_it_waits_for_the_import_and_once_is_enough(monkeypatch):
    before = [finder for finder in sys.meta_path if type(finder).__name__ != "_Quick"]
    monkeypatch.setattr(sys, "meta_path", [*before])
    monkeypatch.delitem(sys.modules, import_utils.__name__)
    for _ in range(2):
        quicken_transformers()
        assert sys.meta_path[1:] == before
    quick = sys.meta_path[0]
    assert quick.find_spec("json", None) is None
    assert quick.find_spec(import_utils.__name__, [str(MODELS.parent / "utils")]).origin == import_utils.__file__


def test_after_the_import_it_does_nothing():
    before = [*sys.meta_path]
    quicken_transformers()
    assert sys.meta_path == before
