"""Settings: every file in the package loads, every problem of a wrong one is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import Ministral3Config

from mlx_hypernet.format.config import HypernetConfig
from torch_train.__main__ import main
from torch_train.model.hypernet import HyperNetwork
from torch_train.training.optimizer import build_optimizer, is_decayed, is_matrix, learning_rate
from torch_train.training.settings import (
    HypernetSettings,
    OptimizerSettings,
    SettingsError,
    TrainingSettings,
    check_files,
    read_settings,
)
from torch_train.training.shape import hypernet_config, meta_base, parameter_counts

CONFIGS = sorted((Path(__file__).parents[2] / "torch_train" / "configs").glob("*.yaml"))
SMALL = "base: {path: a/b}\ndata: {teacher: [x]}\noptimizer: {steps: 3}\nrun: {folder: y}\n"


def test_all_configurations_are_there() -> None:
    names = {path.stem for path in CONFIGS}
    assert names == {
        "ministral-3-3b",
        "ministral-3-3b-chunked",
        "gemma-2-2b",
        "gemma-2-2b-chunked",
        "niah",
        "nano",
        "nano-first",
        "nano-few",
        "nano-notes",
        "nano-more",
        "nano-last",
        "smol",
    }


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configurations_load(path: Path) -> None:
    settings = read_settings(path)
    assert settings.packing.max_chunk_tokens <= settings.packing.context_tokens
    assert settings.hypernet.modules == ("down_proj",)


def _named(name: str) -> TrainingSettings:
    return read_settings(next(path for path in CONFIGS if path.stem == name))


@pytest.mark.parametrize(
    ("stage", "packing", "optimizer"),
    [
        ("gemma-2-2b", (4096, 4096, "few", 4096, 2048), (80_000, 8, 4e-5, 100)),
        ("gemma-2-2b-chunked", (2048, 1024, "random", 512, 512), (20_000, 16, 2e-5, 2000)),
    ],
)
def test_the_papers_stages_are_those_of_its_scripts(
    stage: str, packing: tuple[object, ...], optimizer: tuple[object, ...]
) -> None:
    """scripts/main_exp/1-train.sh and 2-train-chunk.sh of SakanaAI/doc-to-lora at baa85db."""
    read = _named(stage)
    p, o = read.packing, read.optimizer
    assert (p.context_tokens, p.input_tokens, p.chunks, p.max_chunk_tokens, p.max_input_tokens) == packing
    assert (o.steps, o.accumulation, o.learning_rate, o.warmup) == optimizer
    assert (p.max_questions, p.min_chunk_tokens, read.data.floor) == (1, 25, 0.01)
    assert (o.loss, o.weight, o.precision, o.l1, o.neftune) == ("distillation", "question", "autocast", 0.1, 5.0)
    assert (o.betas, o.weight_decay, o.clip, o.final_learning_rate) == ((0.9, 0.999), 0.01, 1.0, 1e-7)
    assert (read.base.encoder_bits, read.base.encoder_double) == (4, True)
    assert read.data.teacher[0].endswith("fineweb")


def test_needles_are_trained_as_published() -> None:
    """scripts/niah/1-train.sh of SakanaAI/doc-to-lora at baa85db."""
    read = _named("niah")
    p, o = read.packing, read.optimizer
    assert (p.context_tokens, p.input_tokens, p.chunks, p.max_chunk_tokens, p.max_questions) == (
        4096,
        4096,
        "random",
        512,
        None,
    )
    assert (o.loss, o.weight, o.accumulation, o.l1, o.neftune) == ("cross_entropy", "context", 16, 1.5, 0.0)
    assert (read.hypernet.num_latents, read.hypernet.num_blocks, read.base.encoder_bits) == (208, 8, None)
    assert read.hypernet.exit_layer == 26 // 4


@pytest.mark.parametrize("name", ["smol", *(path.stem for path in CONFIGS if path.stem.startswith("nano"))])
def test_small_models_are_trained_as_before(name: str) -> None:
    read = _named(name)
    assert (read.optimizer.loss, read.optimizer.weight, read.optimizer.precision) == (
        "distillation",
        "context",
        "inference",
    )
    assert (read.packing.max_questions, read.packing.max_input_tokens, read.data.floor) == (None, None, 0.0)
    assert read.optimizer.l1 == 0.0


def test_the_published_run_is_what_was_published() -> None:
    settings = _named("ministral-3-3b")
    hypernet, packing, optimizer = settings.hypernet, settings.packing, settings.optimizer
    assert (hypernet.rank, hypernet.num_latents, hypernet.num_blocks, hypernet.latent_size) == (8, 8, 9, 512)
    assert (packing.context_tokens, packing.input_tokens, packing.chunks) == (2048, 2048, "few")
    assert (optimizer.steps, optimizer.accumulation, optimizer.l1, optimizer.neftune) == (4000, 8, 0.1, 5.0)
    assert (optimizer.learning_rate, optimizer.final_learning_rate, optimizer.warmup) == (4e-5, 1e-7, 100)
    assert (optimizer.betas, optimizer.weight_decay, optimizer.clip) == ((0.9, 0.999), 0.01, 1.0)


def test_ministral_has_the_published_number_of_parameters() -> None:
    base = Ministral3Config(
        vocab_size=131_072,
        hidden_size=3072,
        intermediate_size=9216,
        num_hidden_layers=26,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        tie_word_embeddings=True,
    )
    model = meta_base(base)
    config = hypernet_config(HypernetSettings(), model.model.layers[0], model.config)
    assert sum(parameter_counts(config).values()) == 360_224_160
    assert config.scale == pytest.approx(45.2548, abs=1e-4)


def test_overrides_win(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    settings = read_settings(path, ["optimizer.steps=7", "run.wandb=mine", "optimizer.learning_rate=1e-3"])
    assert (settings.optimizer.steps, settings.run.wandb, settings.optimizer.learning_rate) == (7, "mine", 1e-3)
    assert settings.packing.chunks == "few"


def test_all_problems_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "base: {path: 3, dtype: float16, encoder_bits: 8}\nhypernet: {rnak: 8, per_layer_processing: 1}\n"
        "optimizer: {steps: many, betas: [0.9]}\nrun: {folder: y}\nextra: {}\n"
    )
    assert main([str(path), "packing.context_tokens=yes", "nonsense"]) == 2
    told = capsys.readouterr().err
    for problem in (
        "extra is unknown; known: base, data, optimizer, run, hypernet, packing",
        "base.path must be a text, not 3",
        "base.dtype must be bfloat16, float32 or auto, not 'float16'",
        "base.encoder_bits must be 4 or null, not 8",
        "hypernet.rnak is unknown; known: modules, rank",
        "hypernet.per_layer_processing must be true or false, not 1",
        "optimizer.steps must be an integer, not 'many'",
        "optimizer.betas must be a list of 2 numbers, not [0.9]",
        "packing.context_tokens must be an integer, not True",
        "data is missing",
        "'nonsense' is no setting: write section.key=value",
    ):
        assert problem in told, problem
    assert len(told.splitlines()) == 11


def test_impossible_values(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    wrong = ["optimizer.steps=0", "optimizer.l1=-1", "packing.chunks=random", "packing.max_chunk_tokens=10"]
    wrong += ["packing.compose=1", "optimizer.kind=muon", "run.sharding=fsdp", "data.teacher=[]"]
    with pytest.raises(SettingsError) as caught:
        read_settings(path, wrong)
    assert len(str(caught.value).splitlines()) == 6


@pytest.mark.parametrize(
    "value",
    [
        ".nan",
        "nan",
        ".inf",
        "-inf",
        "2026-13-01",
        pytest.param("9" * 400, id="400 digits"),
        pytest.param("[" * 1000, id="1,000 brackets"),
    ],
)
def test_numbers_that_are_none(tmp_path: Path, value: str) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    with pytest.raises(SettingsError, match=r"must be a number|the value is not YAML"):
        read_settings(path, [f"optimizer.learning_rate={value}"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "must hold sections"),
        ("a: [", "is not YAML"),
        ("run: {folder: 2026-13-01}", "is not YAML"),
        (None, "No such file"),
    ],
)
def test_files_that_hold_no_settings(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_settings(tmp_path / "a.yaml")


def test_missing_folders_are_all_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    overrides = ["base.path=./nothing", "hypernet.start=step-1", "data.teacher=[one, two]"]
    assert main([str(path), *overrides]) == 2
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in told] == ["base.path", "hypernet.start", "data.teacher", "data.teacher"]
    check_files(read_settings(path), data=False)  # a name on the hub is not looked up


def test_schedule() -> None:
    settings = OptimizerSettings(steps=1000, learning_rate=4e-5, warmup=100)
    rates = [learning_rate(settings, step) for step in range(1001)]
    assert rates[0] == pytest.approx(4e-7)
    assert rates[99] == rates[100] == pytest.approx(4e-5)
    assert rates[550] == pytest.approx((4e-5 + 1e-7) / 2)
    assert rates[1000] == pytest.approx(1e-7)
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_what_decays() -> None:
    decayed = ["head.weight", "pre_head.0.up.weight", "encoder.blocks.0.attention.q_proj.weight"]
    free = ["scaler_A.down_proj", "bias_B.down_proj", "pre_head.0.up.bias", "pre_head.0.norm_in.weight"]
    free += ["encoder.latents", "encoder.norm.weight", "encoder.blocks.0.post_mlp_norm.weight"]
    assert all(map(is_decayed, decayed))
    assert not any(map(is_decayed, free))


def test_muon_takes_the_matrices_and_steps_as_far_as_adamw() -> None:
    torch.manual_seed(0)
    hypernet = HyperNetwork(HypernetConfig(3, 32, {"down_proj": (48, 32)}, 3, 5.0, 16, 4, 2, 4, 2, 8))
    before = {name: parameter.detach().clone() for name, parameter in hypernet.named_parameters()}
    settings = OptimizerSettings(steps=1, kind="muon", learning_rate=0.01, weight_decay=0.0)
    optimizer = build_optimizer(hypernet.named_parameters(), settings)
    for parameter in hypernet.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    for name, parameter in hypernet.named_parameters():
        taken = (parameter - before[name]).detach()
        if is_matrix(name, parameter):
            assert taken.square().mean().sqrt() == pytest.approx(0.002, rel=0.2), name  # 0.2 RMS of the rate
            update = taken / taken.norm(dim=(-2, -1), keepdim=True)
            assert torch.linalg.svdvals(update).min() > 0.05, name  # every direction moves: no rank is starved
        else:
            torch.testing.assert_close(taken.abs(), torch.full_like(taken, 0.01), rtol=1e-3, atol=0, msg=name)
    matrices = {name for name, parameter in hypernet.named_parameters() if is_matrix(name, parameter)}
    assert {"encoder.blocks.1.attention.q_proj.weight", "pre_head.0.up.weight"} <= matrices
    assert not {"head.weight", "encoder.latents", "bias_A.down_proj", "pre_head.0.up.bias"} & matrices
