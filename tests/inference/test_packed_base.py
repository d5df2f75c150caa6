"""The trainer's packed base against mlx-lm on the same weights, one sample at a time, beyond YaRN's original length."""

import numpy as np
import pytest

from tests import tiny

# 32 positions are the original length of the toy base: rotations and llama-4's attention scale change beyond it.
LENGTHS = {"masked": (5, 130, 41), "padded": (60, 130, 70, 90, 120)}


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("model_type", ["ministral3", "mistral", "gemma2", "qwen3"])
def test_packed_logits_agree_with_mlx_lm(tmp_path, model_type, lengths):
    import mlx.core as mx
    import torch

    from torch_train.model.base import load_base
    from torch_train.model.ragged import Ragged

    tiny.save_base(tmp_path, model_type=model_type)
    samples = [np.random.default_rng(length).integers(0, 96, size=(1, length)) for length in lengths]
    base = load_base(tmp_path, "float32", torch.device("cpu"))
    with torch.inference_mode():
        x = base.embed(torch.from_numpy(np.concatenate(samples, axis=1)[0]))
        layout = base.layout(x, Ragged.of(lengths))
        for layer in base.layers:
            x = base.block(layer, x, layout)
        packed = base.logits(base.norm(x)).numpy()
    twin, start = tiny.load_base(tmp_path), 0
    for sample, length in zip(samples, lengths, strict=True):
        alone = np.array(twin(mx.array(sample)))[0]
        np.testing.assert_allclose(packed[start : start + length], alone, atol=2e-4)
        start += length
