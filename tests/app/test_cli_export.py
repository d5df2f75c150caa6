"""`thoth export`: what mlx-lm and PEFT load computes what the engine attaches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest
from typer.testing import Result

from mlx_hypernet.storage import read_header
from thoth.actions.export import export
from thoth.library.library import Library
from thoth.library.records import ChunkRef
from thoth.models import registry

if TYPE_CHECKING:
    from mlx_hypernet.adapter import Adapter

Run = Callable[..., Result]
Read = Callable[..., Any]
IDS = [1, 3, 20, 21, 100, 200, 4]


@pytest.fixture
def notes(read: Read, note: Path, tmp_path: Path) -> list[str]:
    """Ids of two documents, one of them of several chunks."""
    long = tmp_path / "long.txt"
    long.write_text("The mayor of Tolquin is Berin Asto. " * 12)
    return [document["id"] for document in read("absorb", note, long)["documents"]]


def attached(home: Path, ids: list[str], base: Path) -> np.ndarray:
    """Logits of the base with the adapter that the engine attaches for all chunks of the documents."""
    from mlx_lm.utils import load_model

    from mlx_hypernet.adapter import compose
    from mlx_hypernet.live import attach

    library, model = Library(home), load_model(base)[0]
    refs = [ChunkRef(id, number) for id in ids for number in range(library.get(id).chunks)]
    assert len(refs) > 3
    plain = np.array(model(mx.array([IDS])))
    attach(model, compose([library.adapters(refs)]))
    logits = np.array(model(mx.array([IDS])))
    assert np.abs(logits - plain).max() > 0.1
    return logits


def types(path: Path) -> set[str]:
    """Types of the tensors in a file: those that the base computes in, not those that the library stores."""
    return {info.dtype for info in read_header(path).values()}


def test_mlx_lm_loads_it(read: Read, notes: list[str], home: Path, tiny_pair: Path, tmp_path: Path) -> None:
    from mlx_lm import load

    folder = tmp_path / "adapter"
    written = read("export", *notes, folder)
    assert written == {
        "folder": str(folder),
        "format": "mlx-lm",
        "rank": written["rank"],
        "documents": notes,
    }
    model, _ = load(str(tiny_pair / "base"), adapter_path=str(folder))
    assert np.abs(np.array(model(mx.array([IDS]))) - attached(home, notes, tiny_pair / "base")).max() < 1e-3
    assert types(folder / "adapters.safetensors") == {"F32"}
    facts = json.loads((folder / "adapter_config.json").read_text())["thoth"]
    assert [document["name"] for document in facts["documents"]] == ["note.txt", "long.txt"]


@pytest.mark.filterwarnings("error::UserWarning")  # PEFT warns of keys it does not know or does not find
def test_peft_loads_it(read: Read, notes: list[str], home: Path, tiny_pair: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "adapter"
    rank = read("export", *notes, folder, "--format", "peft")["rank"]
    assert types(folder / "adapter_model.safetensors") == {"F32"}
    twin = AutoModelForCausalLM.from_pretrained(tiny_pair / "base", dtype=torch.float32)
    model = PeftModel.from_pretrained(twin, folder).eval()
    assert model.peft_config["default"].r == rank
    with torch.inference_mode():
        logits = model(torch.tensor([IDS])).logits.numpy()
    assert np.abs(logits - attached(home, notes, tiny_pair / "base")).max() < 1e-3


@pytest.mark.filterwarnings("error::UserWarning")
def test_peft_finds_the_text_model_of_a_wrapper(tmp_path: Path) -> None:
    import torch
    from mlx_lm.utils import load_model
    from peft import PeftModel
    from transformers import Mistral3ForConditionalGeneration

    from tests.conversion import published
    from thoth.actions.export import _save_peft
    from thoth.models import registry

    base = published.wrapper(tmp_path / "base")
    adapter = random_adapter(published.TEXT)
    folder = tmp_path / "adapter"
    folder.mkdir()
    _save_peft(folder, adapter, load_model(base)[0], registry.Pair("x", base, base), {})
    twin = Mistral3ForConditionalGeneration.from_pretrained(base, dtype=torch.float32)
    weights = dict(PeftModel.from_pretrained(twin, folder).named_parameters())
    loras = {name: weight for name, weight in weights.items() if "lora_" in name}
    assert len(loras) == 2 * adapter.num_layers
    for name, weight in loras.items():
        layer = int(name.partition("layers.")[2].partition(".")[0])
        assert "language_model" in name
        side = adapter.A["down_proj"][layer] if "lora_A" in name else adapter.B["down_proj"][layer].T
        assert np.array_equal(weight.detach().numpy(), np.array(side))


def random_adapter(base: dict[str, Any]) -> Adapter:
    from mlx_hypernet.adapter import Adapter

    layers, d_in, d_out = base["num_hidden_layers"], base["intermediate_size"], base["hidden_size"]
    a, b = (mx.random.normal((layers, 4, width)) for width in (d_in, d_out))
    return Adapter({"down_proj": a}, {"down_proj": b}, 2.0)


def test_a_place_that_is_taken(thoth: Run, notes: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    for force in ([], ["--force"]):
        result = thoth("export", notes[0], folder, *force)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "exists and is not an adapter" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    other = tmp_path / "other"
    assert thoth("export", notes[0], other).exit_code == 0
    before = (other / "adapters.safetensors").read_bytes()
    assert "pass --force to replace it" in thoth("export", notes[1], other).stderr
    assert (other / "adapters.safetensors").read_bytes() == before
    assert thoth("export", notes[1], other, "--force").exit_code == 0
    assert (other / "adapters.safetensors").read_bytes() != before
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_exported(
    thoth: Run, notes: list[str], tiny_pair: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.app.test_ask import other_pair

    pair = other_pair(tiny_pair, tmp_path)
    folder = tmp_path / "adapter"
    for arguments, code, says in (
        ([notes[0], folder, "--model", pair], 5, "thoth docs update"),
        (["nothing", folder], 3, "there is no document"),
        ([notes[0], folder, "--format", "gguf"], 2, "gguf"),
    ):
        result = thoth("export", *arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        assert says in result.stderr
    monkeypatch.setattr("thoth.system.disk.shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
    assert thoth("export", notes[0], folder).exit_code == 6
    assert not folder.exists()


def test_a_document_that_is_not_absorbed_to_its_end(notes: list[str], home: Path, tiny_pair: Path) -> None:
    from dataclasses import replace

    from thoth.errors import DocumentError, UsageError

    library, pair = Library(home), registry.resolve(str(tiny_pair))
    begun = replace(library.get(notes[0]), complete=False, absorbed=0)
    with pytest.raises(DocumentError, match="0 of 1 chunks are absorbed"):
        export(home, pair, [begun], "peft", home / "adapter")
    with pytest.raises(UsageError, match="nothing to export"):
        export(home, pair, [], "peft", home / "adapter")
