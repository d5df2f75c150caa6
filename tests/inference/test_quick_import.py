import importlib
import importlib.util
import sys
from pathlib import Path

import pytest
from transformers.utils import import_utils

from mlx_hypernet.format.quick_import import _define_later, _read_later, quicken_transformers

MODELS = Path(import_utils.__file__).parents[1] / "models"


@pytest.fixture(scope="module")
def plain():
    """transformers' own module, unchanged."""
    spec = importlib.util.spec_from_file_location("transformers.utils.plain_import_utils", import_utils.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_in_force(plain):
    assert import_utils.define_import_structure is not plain.define_import_structure
    assert import_utils.fetch__all__ is not plain.fetch__all__
    assert import_utils.create_import_structure_from_path.cache_info().maxsize is None


@pytest.mark.parametrize("folder", ["auto", "llama", "ministral3", "gemma2", "deprecated", "clip"])
def test_the_same_exports_are_found(plain, folder):
    found = import_utils.define_import_structure(str(MODELS / folder))
    assert found == plain.define_import_structure(str(MODELS / folder))


@pytest.mark.slow
def test_the_same_exports_are_found_in_all_models(plain):
    for prefix in ("models", None):
        first = import_utils.define_import_structure(str(MODELS), prefix)
        every = first.read()
        assert every == plain.define_import_structure(str(MODELS), prefix)
        assert all(every[needs][module] == names for needs, found in first.items() for module, names in found.items())


@pytest.fixture
def models(plain, tmp_path, monkeypatch):
    """A package of models, as transformers makes it: its folder, and the package with quick and with plain parts."""
    folder = tmp_path / "few_models"
    for name in ("auto", "lama"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
        (folder / name / f"modeling_{name}.py").write_text(f'__all__ = ["{name.title()}Model"]')
        (folder / name / f"configuration_{name}.py").write_text(
            f'__all__ = ["{name.title()}Config"]\nclass {name.title()}Config: pass'
        )
    init = folder / "__init__.py"
    init.touch()
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module(folder.name)
    read = []

    def define(path, prefix=None):
        read.append(path)
        return plain.define_import_structure(path, prefix)

    class Lazy(plain._LazyModule):
        pass

    _read_later(Lazy)
    packages = []
    for define_all, lazy in ((_define_later(folder, define), Lazy), (plain.define_import_structure, plain._LazyModule)):
        exports = define_all(str(init))
        exports[frozenset()]["own"] = {"OwnName"}  # as transformers adds its own
        packages.append(lazy(folder.name, str(init), exports, own.__spec__, {"__version__": "5"}))
    yield read, *packages
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]


def test_models_are_read_when_one_of_them_is_asked_for(models):
    read, quick, plain_package = models
    assert quick.AutoConfig.__name__ == "AutoConfig"
    assert not hasattr(quick, "__wrapped__")
    assert quick.__version__ == "5"
    assert len(read) == 1
    assert quick.LamaConfig.__module__ == "few_models.lama.configuration_lama"
    assert len(read) == 2
    for part in ("_class_to_module", "_modules", "_object_missing_backend", "_import_structure", "_objects"):
        assert getattr(quick, part) == getattr(plain_package, part), part
    assert sorted(quick.__all__) == sorted(plain_package.__all__)
    with pytest.raises(AttributeError, match="NoModel"):
        _ = quick.NoModel
    assert len(read) == 2


@pytest.mark.parametrize("names", [dir, lambda package: package.__all__])
def test_a_list_of_all_names_has_those_of_all_models(models, names):
    _, quick, plain_package = models
    assert {*names(quick)} - {"_unread"} == {*names(plain_package)} - {"__all__"}


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
