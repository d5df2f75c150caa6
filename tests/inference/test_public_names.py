"""What `mlx_hypernet` exports: the few names that research needs, and none of the weight before one is used."""

import subprocess
import sys
from pathlib import Path

import mlx.core as mx
import pytest

import mlx_hypernet
from mlx_hypernet.bundle import save_bundle

ROOT = Path(__file__).parents[2]


def test_the_import_alone_loads_nothing_heavy():
    code = "import sys, mlx_hypernet; dir(mlx_hypernet); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    assert not {name.partition(".")[0] for name in result.stdout.split()} & {"mlx", "mlx_lm", "numpy", "transformers"}


@pytest.mark.parametrize("name", mlx_hypernet.__all__)
def test_every_name_is_there(name):
    assert getattr(mlx_hypernet, name).__name__ == name


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mlx_hypernet.nothing


def test_from_a_bundle_to_an_adapter_and_back(base, bundle, tmp_path):
    from mlx.utils import tree_flatten

    save_bundle(tmp_path, bundle.config, dict(tree_flatten(bundle.hypernet.parameters())))
    query = mx.array([[1, 3, 20, 21, 22, 4]])
    before = base(query)
    loaded = mlx_hypernet.load_bundle(tmp_path)
    adapter = mlx_hypernet.compose([mlx_hypernet.absorb(base, loaded, [[1, 3, 30, 4]])])
    assert isinstance(adapter, mlx_hypernet.Adapter)
    mlx_hypernet.attach(base, adapter)
    assert mx.abs(base(query) - before).max() > 0.01
    mlx_hypernet.detach(base)
    assert mx.array_equal(base(query), before)
