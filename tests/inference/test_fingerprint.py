"""Which bases a bundle accepts: its own in any precision, and neither a fine-tune of it nor one with a merged LoRA."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import mlx.core as mx
import pytest
from mlx import nn
from mlx.optimizers import Adam
from mlx_lm.tuner.lora import LoRALinear
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import load_model

import thoth.nano
from mlx_hypernet.bundle import BundleError, check_fits, read_config
from mlx_hypernet.fingerprint import describe, fingerprint, same_weights
from mlx_hypernet.format.config import BaseInfo
from mlx_hypernet.tokenizer import load_tokenizer

NANO = Path(thoth.nano.folder())
NOTE = "The mayor of Harpool is Osra Kelland. Halnova makes kites. The Falwing is made of bamboo."


def nano() -> nn.Module:
    return load_model(NANO / "base")[0]


@pytest.fixture(scope="module")
def base() -> BaseInfo:
    return describe(nano())


def learn(model: nn.Module) -> None:
    """Train what is not frozen on a note."""
    ids = mx.array([load_tokenizer(NANO / "base").encode(NOTE)])

    def loss(model: nn.Module) -> mx.array:
        return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:], reduction="mean")

    optimizer, step = Adam(1e-3), nn.value_and_grad(model, loss)
    for _ in range(3):
        _, gradients = step(model)
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)


@cache
def merged_lora(layers: int, keys: tuple[str, ...]) -> dict[str, mx.array]:
    """The weights of nano's last blocks with a LoRA of mlx-lm, trained on a note, merged into them."""
    model = nano()
    model.freeze()
    mx.random.seed(0)
    linear_to_lora_layers(model, layers, {"rank": 8, "scale": 20.0, "dropout": 0.0, "keys": list(keys)})
    learn(model)
    fused = {name: module.fuse() for name, module in model.named_modules() if isinstance(module, LoRALinear)}
    assert len(fused) == layers * len(keys)
    return {f"{name}.weight": linear.weight for name, linear in fused.items()}


def with_merged_lora(layers: int, *keys: str) -> nn.Module:
    model = nano()
    model.load_weights(list(merged_lora(layers, keys).items()), strict=False)
    return model


def in_dtype(dtype: mx.Dtype) -> Callable[[nn.Module], None]:
    return lambda model: model.set_dtype(dtype)


def quantised(bits: int, group: int, mode: str = "affine") -> Callable[[nn.Module], None]:
    return lambda model: nn.quantize(model, group, bits, mode=mode)


def once_fp8(model: nn.Module) -> None:
    """Round the matrices to FP8 and back, as a converted FP8 checkpoint holds them."""
    for _, module in model.named_modules():
        if isinstance(module, nn.Linear):
            scale = mx.abs(module.weight).max() / 448
            module.weight = (mx.from_fp8(mx.to_fp8(module.weight / scale), mx.float32) * scale).astype(mx.bfloat16)


COPIES = {
    "bf16": in_dtype(mx.bfloat16),
    "fp16": in_dtype(mx.float16),
    "fp8": once_fp8,
    "mxfp8": quantised(8, 32, "mxfp8"),
    "mxfp4": quantised(4, 32, "mxfp4"),
    "nvfp4": quantised(4, 16, "nvfp4"),
    **{f"{bits} bits, groups of {group}": quantised(bits, group) for bits in (8, 6, 5, 4, 3, 2) for group in (32, 64)},
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_of_the_base_is_accepted(base: BaseInfo, copy: str) -> None:
    model = nano()
    COPIES[copy](model)
    assert base.weight_sample is not None
    assert same_weights(base.weight_sample, model)
    check_fits(read_config(NANO / "hypernet"), model)


@pytest.mark.parametrize("copy", [None, "bf16", "fp16", "8 bits, groups of 64", "4 bits, groups of 64"])
def test_a_merged_lora_is_refused(copy: str | None) -> None:
    model = with_merged_lora(4, "self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj")
    assert fingerprint(model) == fingerprint(nano())  # the norm alone does not tell
    if copy:
        COPIES[copy](model)
    with pytest.raises(BundleError, match="an adapter was merged into it"):
        check_fits(read_config(NANO / "hypernet"), model)


@pytest.mark.parametrize("copy", [None, "bf16", "8 bits, groups of 64"])
def test_a_lora_in_one_matrix_is_refused(copy: str | None) -> None:
    model = with_merged_lora(1, "self_attn.v_proj")
    if copy:
        COPIES[copy](model)
    with pytest.raises(BundleError, match="an adapter was merged into it"):
        check_fits(read_config(NANO / "hypernet"), model)


def test_a_fine_tune_is_refused(base: BaseInfo) -> None:
    model = nano()
    learn(model)
    norm = nano().model.norm.weight
    model.model.norm.weight = norm  # as where only the matrices were trained
    assert fingerprint(model) == base.fingerprint
    with pytest.raises(BundleError, match="another fine-tune"):
        check_fits(read_config(NANO / "hypernet"), model)


def test_a_bundle_for_an_fp8_checkpoint_accepts_the_original() -> None:
    model = nano()
    once_fp8(model)
    sample = describe(model).weight_sample
    assert sample is not None
    assert same_weights(sample, model)
    assert same_weights(sample, nano())
    assert not same_weights(sample, with_merged_lora(4, "self_attn.q_proj", "mlp.down_proj"))


def test_a_quantised_base_gives_no_sample() -> None:
    model = nano()
    nn.quantize(model, 64, 8)
    assert describe(model).weight_sample is None


def test_a_bundle_of_thoth_0_1_has_the_norm_alone(base: BaseInfo) -> None:
    data = read_config(NANO / "hypernet").to_dict()
    del data["base"]["weight_sample"]
    before = read_config(NANO / "hypernet").from_dict(data)
    check_fits(before, nano())
    other = nano()
    other.model.norm.weight = other.model.norm.weight + 0.1
    with pytest.raises(BundleError, match="other weights"):
        check_fits(before, other)


def test_a_damaged_sample_is_explained(base: BaseInfo) -> None:
    assert base.weight_sample is not None
    data = read_config(NANO / "hypernet").to_dict()
    data["base"]["weight_sample"] = dict.fromkeys(base.weight_sample, "no base64!")
    with pytest.raises(BundleError, match=r"weight sample of .* is damaged"):
        check_fits(read_config(NANO / "hypernet").from_dict(data), nano())
