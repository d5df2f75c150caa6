"""Names and folders of model pairs."""

import json
import shutil
from pathlib import Path

import pytest

from thoth import models
from thoth.errors import ModelError


def test_a_folder_with_base_and_hypernet(tiny_pair: Path) -> None:
    pair = models.resolve(str(tiny_pair))
    assert (pair.base, pair.bundle) == (tiny_pair / "base", tiny_pair / "hypernet")


def test_a_bundle_that_names_its_base(tiny_pair: Path) -> None:
    pair = models.resolve(str(tiny_pair / "hypernet"))
    assert pair.base.resolve() == (tiny_pair / "base").resolve()
    assert pair.bundle == tiny_pair / "hypernet"


def test_a_known_pair_in_the_home(tiny_pair: Path, home: Path) -> None:
    shutil.copytree(tiny_pair, home / "models" / "gemma-2-2b")
    assert models.resolve("gemma-2-2b").base == home / "models" / "gemma-2-2b" / "base"


@pytest.mark.parametrize("name", ["ministral-3-3b", "gemma-2-2b", "mistral-7b", "qwen3-4b"])
def test_a_known_pair_that_is_not_here_says_where_to_put_it(name: str, home: Path) -> None:
    with pytest.raises(ModelError, match="is not on this machine") as raised:
        models.resolve(name)
    assert str(home) in str(raised.value)
    assert str(models.KNOWN[name].base) in str(raised.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"nano.*ministral-3-3b"):
        models.resolve("minstral")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("nonsense", "not a bundle's configuration"),
        (json.dumps({"model_type": "llama"}), "not a bundle's configuration"),
        (json.dumps({"base": {"repository": None}}), "does not name its base"),
        (json.dumps({"base": {"repository": "nobody/nothing"}}), "hf download nobody/nothing"),
    ],
)
def test_a_bundle_without_its_base(tmp_path: Path, config: str, says: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError, match=says):
        models.resolve(str(tmp_path))


def test_an_fp8_base_is_sent_to_the_converter(tmp_path: Path) -> None:
    """mlx-lm would take its bytes for numbers."""
    from tests.conversion import published
    from thoth import nano
    from thoth.loading import load_pair

    pair = models.Pair("fp8", published.fp8(tmp_path / "base"), nano.folder() / "hypernet")
    with pytest.raises(ModelError, match="FP8 weights, which mlx-lm misreads: run convert-weights"):
        load_pair(pair)
