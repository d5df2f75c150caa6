"""Names and folders of model pairs."""

import json
import shutil
from pathlib import Path

import pytest

from thoth.errors import ModelError
from thoth.models import registry


def test_a_folder_with_base_and_hypernet(tiny_pair: Path) -> None:
    pair = registry.resolve(str(tiny_pair))
    assert (pair.base, pair.bundle) == (tiny_pair / "base", tiny_pair / "hypernet")


def test_a_bundle_that_names_its_base(tiny_pair: Path) -> None:
    pair = registry.resolve(str(tiny_pair / "hypernet"))
    assert pair.base.resolve() == (tiny_pair / "base").resolve()
    assert pair.bundle == tiny_pair / "hypernet"


def test_a_known_pair_in_the_home(tiny_pair: Path, home: Path) -> None:
    shutil.copytree(tiny_pair, home / "models" / "gemma-2-2b")
    assert registry.resolve("gemma-2-2b").base == home / "models" / "gemma-2-2b" / "base"


@pytest.mark.parametrize("name", ["ministral-3-3b", "gemma-2-2b", "mistral-7b", "qwen3-4b"])
def test_a_known_pair_that_is_not_here_says_how_to_get_it(name: str) -> None:
    with pytest.raises(ModelError, match="is not on this machine") as raised:
        registry.resolve(name)
    assert f"thoth models pull {name}" in str(raised.value)


def test_the_best_there_is_answers(tiny_pair: Path, home: Path) -> None:
    assert registry.choose(None).name == "nano"
    for name in (".qwen3-4b-0123", "mine", "mistral-7b", "gemma-2-2b"):
        shutil.copytree(tiny_pair, home / "models" / name)
    (home / "models" / "ministral-3-3b" / "base").mkdir(parents=True)
    assert list(registry.installed()) == ["gemma-2-2b", "mistral-7b", "mine"]
    assert registry.choose(None).name == registry.choose("").name == "gemma-2-2b"
    assert registry.choose("mine").base == home / "models" / "mine" / "base"


def test_a_pair_of_ones_own_has_to_be_named(tiny_pair: Path, home: Path) -> None:
    shutil.copytree(tiny_pair, home / "models" / "mine")
    assert registry.choose(None).name == "nano"


def test_the_id_of_a_bundle_is_the_engines(tiny_pair: Path, home: Path, tmp_path: Path) -> None:
    from mlx_hypernet.bundle import load_bundle

    pair = registry.Pair("copy", tiny_pair / "base", shutil.copytree(tiny_pair / "hypernet", tmp_path / "hypernet"))
    id = load_bundle(pair.bundle).id
    assert registry.bundle_id(pair) == id
    assert not home.exists()  # nothing is kept where nothing is
    home.mkdir()
    assert registry.bundle_id(pair) == id
    kept = home / "bundles.json"
    weights_id, _, config_id = id.partition("-")
    kept.write_text(kept.read_text().replace(weights_id, "from the memory"))
    assert registry.bundle_id(pair) == f"from the memory-{config_id}"
    weights = pair.bundle / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    assert registry.bundle_id(pair).partition("-")[0] not in (weights_id, "from the memory")
    (pair.bundle / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="fetch or convert it again"):
        registry.bundle_id(pair)
    weights.unlink()
    with pytest.raises(ModelError, match="fetch or convert the bundle again"):
        registry.bundle_id(pair)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"nano.*ministral-3-3b"):
        registry.resolve("minstral")
    with pytest.raises(ModelError, match="there is no model ~nobody-here/pair"):
        registry.resolve("~nobody-here/pair")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("nonsense", "not a bundle's configuration"),
        (json.dumps({"model_type": "llama"}), "not a bundle's configuration"),
        (json.dumps({"base": {"repository": None}}), "does not name its base"),
        (json.dumps({"base": {"repository": "nobody/nothing"}}), "hf download nobody/nothing"),
        (json.dumps({"base": {"repository": "~nobody-here/base"}}), "is not on this machine"),
    ],
)
def test_a_bundle_without_its_base(tmp_path: Path, config: str, says: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError, match=says):
        registry.resolve(str(tmp_path))


def test_an_fp8_base_is_sent_to_the_converter(tmp_path: Path) -> None:
    """mlx-lm would take its bytes for numbers."""
    from tests.conversion import published
    from thoth import nano
    from thoth.engine.loading import load_pair

    pair = registry.Pair("fp8", published.fp8(tmp_path / "base"), nano.folder() / "hypernet")
    with pytest.raises(ModelError, match="FP8 weights, which mlx-lm misreads; run convert-weights"):
        load_pair(pair)
