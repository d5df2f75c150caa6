"""A nano that has learnt nothing: its tokenizer, trained on few notes, and its base at random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import Ministral3Config, Ministral3ForCausalLM

from tests.training import tiny_run
from tests.training.tiny_run import SIZES
from torch_train.__main__ import main
from torch_train.nano import tokenizer
from torch_train.training import curves


@pytest.fixture(scope="session")
def words_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    tokenizer.train(folder, notes=600)
    return folder


@pytest.fixture(scope="session")
def words(words_folder: Path) -> Tokenizer:
    return tokenizer.load(words_folder)


@pytest.fixture
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer draws nothing: Matplotlib takes longer than a run of the tests."""
    monkeypatch.setattr(curves, "draw", lambda _: None)


@pytest.fixture
def model() -> Ministral3ForCausalLM:
    torch.manual_seed(0)
    config = Ministral3Config(
        vocab_size=tokenizer.VOCAB_SIZE,
        **SIZES,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "llama_4_scaling_beta": 0.1,
            "original_max_position_embeddings": 512,
        },
    )
    return Ministral3ForCausalLM(config).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def pair(words_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base and its teacher data."""
    folder = tmp_path_factory.mktemp("pair")
    base = tiny_run.save_base(folder / "base", words_folder)
    return base, tiny_run.save_teacher(folder / "teacher", base)


@pytest.fixture(scope="session")
def whole(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run, without curves."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "draw", lambda _: None)
        assert main([str(tiny_run.config_file(folder, *pair))]) == 0
    return folder / "run"
