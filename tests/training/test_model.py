"""The packed model against a slow, obvious version of itself: one chunk, one question, merged weights at a time."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, Mistral3Config, Mistral3ForConditionalGeneration

from mlx_hypernet.format.config import HypernetConfig
from tests.training import tiny_run
from torch_train.errors import TrainingError
from torch_train.model.attention import RowAttention
from torch_train.model.base import FrozenBase, load_base
from torch_train.model.chunking import Chunking
from torch_train.model.encoder import packed_features
from torch_train.model.hypernet import HyperNetwork
from torch_train.model.moving import Distinct
from torch_train.model.ragged import Ragged
from torch_train.training.distillation import DistillationModel, neftune_noise
from torch_train.training.packing import PackedBatch, Packer, group
from torch_train.training.statistics import standardise

CPU = torch.device("cpu")
ROWS = [
    tiny_run.teacher_row(0, 90, [(7, 4), (12, 1)]),  # cut into four chunks
    tiny_run.teacher_row(1, 20, [(5, 3)]),
    tiny_run.teacher_row(2, 41, [(9, 2), (30, 5), (6, 6)]),
]


ARCHITECTURES = ["ministral3", "mistral", "llama", "gemma2", "gemma3_text", "qwen2", "qwen3"]
# The contexts that are absorbed together: each alone, or the last two as one library.
APART, TOGETHER = (0, 1, 2), (0, 1, 1)


@pytest.fixture(params=[APART, TOGETHER], ids=["apart", "together"])
def batch(request: pytest.FixtureRequest) -> PackedBatch:
    batch = tiny_run.packed(ROWS, Chunking(25, (1, 3), (4,)))
    lengths = torch.bincount(batch.inputs.samples).tolist()
    contexts = (batch.chunk_contexts.tolist(), batch.input_contexts.tolist())
    groups = group(np.array(request.param), *contexts, torch.bincount(batch.answers).tolist(), lengths)
    return replace(batch, context_groups=torch.tensor(request.param), groups=groups)


@pytest.fixture(scope="module")
def make_base(tmp_path_factory: pytest.TempPathFactory, words_folder: Path) -> Callable[[str], Path]:
    """The folder of an architecture's base, which is made once."""
    return cache(lambda kind: tiny_run.save_base(tmp_path_factory.mktemp(kind), words_folder, kind, vocabulary=96))


@pytest.fixture(params=ARCHITECTURES)
def folder(request: pytest.FixtureRequest, make_base: Callable[[str], Path]) -> Path:
    return make_base(request.param)


@cache
def _loaded(folder: Path) -> FrozenBase:
    """A loaded base; tests must not change it."""
    return load_base(folder, "float32", CPU)


@cache
def _plain(folder: Path) -> Any:
    """The same in transformers alone."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)


def _base(folder: Path) -> FrozenBase:
    """A copy for one test."""
    return copy.deepcopy(_loaded(folder))


def _model(folder: Path, hypernet: HyperNetwork, recompute: bool = False, neftune: float = 0.0) -> DistillationModel:
    base = _base(folder)
    return DistillationModel(hypernet, base, base, recompute=recompute, neftune=neftune)


@pytest.mark.parametrize("batch", [APART], indirect=True, ids=["apart"])
def test_packed_features_are_those_of_each_chunk_alone(folder: Path, batch: PackedBatch) -> None:
    base = _loaded(folder)
    packed = list(packed_features(base, batch.context_ids[0], batch.chunks))
    assert not any(feature.requires_grad for feature in packed)
    plain = _plain(folder)
    for chunk in range(len(batch.chunk_contexts)):
        own = batch.chunks.samples == chunk
        hidden = plain(batch.context_ids[:, own], output_hidden_states=True).hidden_states
        for layer in range(2):
            torch.testing.assert_close(packed[layer][own], hidden[layer][0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(packed[2][own], plain.model.norm(hidden[2])[0], atol=1e-4, rtol=1e-4)


def _slow_losses(folder: Path, hypernet: HyperNetwork, batch: PackedBatch) -> tuple[float, float, float]:
    """(distillation, decision, magnitude) with one model per context, its weights merged, and loops."""
    plain, frozen = _plain(folder), _loaded(folder)
    scale, bias = hypernet.config.scale, hypernet.bias()
    by_context, decisions, magnitude = [], 0.0, 0.0
    for context in range(len(ROWS)):
        merged = copy.deepcopy(plain)
        pairs = [{name: (a[None], b[None]) for name, (a, b) in bias.items()}]
        groups = batch.context_groups[batch.chunk_contexts]
        for chunk in (groups == batch.context_groups[context]).nonzero()[:, 0].tolist():
            ids = batch.context_ids[0, batch.chunks.samples == chunk]
            recorded = hypernet.config.recorded
            features = torch.stack(list(packed_features(frozen, ids, Ragged.of([len(ids)]), recorded=recorded)))
            early = hypernet.config.exit_layer
            features = features if early is None else frozen.norm(features[early])[None]
            if not hypernet.config.reads_template:
                features = features[:, 2:-1]
            pairs.append(hypernet(features[None, list(hypernet.config.layers) if early is None else [0]]))
        most = groups.bincount().max().item() + 1  # padded to the longest, bias included
        for pair in pairs:
            magnitude += sum((a.abs().mean() + b.abs().mean()).item() for a, b in pair.values()) / len(bias) / most
        for pair in pairs:
            for name, (a, b) in pair.items():
                for layer, block in enumerate(merged.model.layers[hypernet.config.first_layer :]):
                    target = block.mlp.down_proj if name == "down_proj" else block.self_attn.q_proj
                    target.weight += scale * b[0, layer].T @ a[0, layer]
        by_answer, first = [], []
        for sample in (batch.input_contexts == context).nonzero()[:, 0].tolist():
            own = (batch.inputs.samples == sample).nonzero()[:, 0]
            log_q = merged(batch.input_ids[:, own]).logits[0].log_softmax(-1)
            by_token = [
                -sum(
                    batch.teacher_log_probabilities[n, k].float().exp() * log_q[at - own[0], batch.teacher_ids[n, k]]
                    for k in range(16)
                )
                for n, at in enumerate(batch.predicts.tolist())
                if batch.answers[n] == sample
            ]
            by_answer.append(sum(by_token) / len(by_token))
            first.append(by_token[0])
        by_context.append(sum(by_answer) / len(by_answer))
        decisions += float(sum(first) / len(first))
    return float(sum(by_context)), decisions, magnitude


def _references() -> Iterator[Any]:
    """Every architecture, group and shape; in the fast tier all of ministral3, and one of the four of each other."""
    shapes = {"reference": tiny_run.SHAPE, "smol": tiny_run.AS_SMOL}
    ways = [*itertools.product({"apart": APART, "together": TOGETHER}.items(), shapes.items())]
    for number, kind in enumerate(ARCHITECTURES):
        for at, ((grouped, groups), (shape, config)) in enumerate(ways):
            marks = [] if kind == "ministral3" or at == number % len(ways) else [pytest.mark.slow]
            yield pytest.param(kind, groups, config, id=f"{kind}-{grouped}-{shape}", marks=marks)


@torch.no_grad()
@pytest.mark.parametrize(("folder", "batch", "config"), _references(), indirect=["folder", "batch"])
def test_losses_are_those_of_a_slow_reference(folder: Path, batch: PackedBatch, config: HypernetConfig) -> None:
    hypernet = tiny_run.hypernet(config=config)
    distillation, decision, magnitude = _slow_losses(folder, hypernet, batch)
    losses = _model(folder, hypernet)(batch)
    assert losses.distillation.item() == pytest.approx(distillation, rel=1e-4)
    assert losses.decision.item() == pytest.approx(decision, rel=1e-4)
    assert losses.magnitude.item() == pytest.approx(magnitude, rel=1e-4)
    untouched = HyperNetwork(hypernet.config)
    assert _model(folder, untouched)(batch).distillation.item() != pytest.approx(distillation, rel=1e-3)


@torch.no_grad()
def test_an_early_exit_reads_once_for_all_layers(ministral: Path) -> None:
    hypernet = tiny_run.hypernet(config=replace(tiny_run.SHAPE, exit_layer=1))
    assert hypernet.decoder.latents.shape[0] == 3 * 2 * 3  # layers, modules, ranks
    batch = tiny_run.packed(ROWS, Chunking(25, (1, 3), (4,)))
    model = _model(ministral, hypernet)
    expected = _slow_losses(ministral, hypernet, batch)
    assert [loss.item() for loss in model(batch)] == pytest.approx(expected, rel=1e-4)
    ran = []
    for number, block in enumerate(model._frozen[1].layers):  # the encoder stops there
        block.mlp.register_forward_pre_hook(lambda *_, number=number: ran.append(number))
    model.read(batch)
    assert set(ran) <= {0}


def test_autocast_rounds_everything_to_bf16(ministral: Path, batch: PackedBatch) -> None:
    """Losses and gradients in fp32 and under the reference's outer autocast: near each other, and not the same."""
    found = {}
    for precision in ("inference", "autocast"):
        hypernet = tiny_run.hypernet()
        base = _base(ministral)
        model = DistillationModel(hypernet, base, base, recompute=precision == "autocast", precision=precision)
        losses = model(batch)
        losses.distillation.backward()
        gradient = torch.cat([p.grad.flatten() for p in hypernet.parameters() if p.grad is not None])
        assert losses.distillation.dtype == gradient.dtype == torch.float32
        found[precision] = losses.distillation.item(), gradient
    (exact, whole), (rounded, coarse) = found.values()
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.02)
    assert torch.cosine_similarity(whole, coarse, dim=0) > 0.9


@torch.no_grad()
def test_swapped_adapters_are_those_of_the_chunk_before(ministral: Path) -> None:
    model = _model(ministral, tiny_run.hypernet())
    batch = tiny_run.packed(ROWS, Chunking(100, (1, 3), (4,)))  # one chunk to a context
    own = [batch.chunks.samples == chunk for chunk in (2, 0, 1)]
    context_ids = torch.cat([batch.context_ids[:, tokens] for tokens in own], 1)
    moved = replace(
        batch,
        context_ids=context_ids,
        distinct=Distinct.of(context_ids[0]),
        chunks=Ragged.of([int(tokens.sum()) for tokens in own]),
    )
    expected = model(moved).distillation
    torch.testing.assert_close(model(batch, swapped=True).distillation, expected)
    assert model(batch).distillation.item() != pytest.approx(expected.item(), rel=1e-3)


@torch.no_grad()
def test_statistics_are_those_of_the_documents_own_tokens(folder: Path) -> None:
    hypernet = HyperNetwork(tiny_run.AS_SMOL)
    model = _model(folder, hypernet)
    chunking = Chunking(25, (1, 3), (4,))
    standardise(model, Packer(ROWS, 512, 512, chunking, 0))
    seen = []
    for chunk in [c for row in ROWS for c in chunking.chunks(row.context_ids.tolist())]:
        features = packed_features(_loaded(folder), torch.tensor(chunk), Ragged.of([len(chunk)]))
        seen.append(torch.stack(list(features))[1:, 2:-1])
    tokens = torch.cat(seen, 1)
    torch.testing.assert_close(hypernet.feature_mean, tokens.mean(1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(hypernet.feature_deviation, tokens.std(1, unbiased=False), atol=1e-4, rtol=1e-3)


@pytest.fixture
def ministral(make_base: Callable[[str], Path]) -> Path:
    return make_base("ministral3")


def test_recomputing_changes_no_gradient(ministral: Path, batch: PackedBatch) -> None:
    gradients = []
    for recompute in (False, True):
        hypernet = tiny_run.hypernet()
        losses = _model(ministral, hypernet, recompute)(batch)
        (losses.distillation + losses.magnitude).backward()
        gradients.append({name: parameter.grad for name, parameter in hypernet.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=lambda text, name=name: f"{name}: {text}")


def test_batches_of_a_step_weigh_every_context_alike(ministral: Path) -> None:
    """Sums over batches, divided by the contexts of all of them, are what one large batch gives."""
    chunking, hypernet = Chunking(25, (1, 3), (4,)), tiny_run.hypernet()
    model = _model(ministral, hypernet)
    together = model(tiny_run.packed(ROWS, chunking))
    (together.distillation / 3).backward()
    expected = {name: parameter.grad.clone() for name, parameter in hypernet.named_parameters()}
    hypernet.zero_grad()
    for rows in (ROWS[:2], ROWS[2:]):
        (model(tiny_run.packed(rows, chunking)).distillation / 3).backward()
    for name, parameter in hypernet.named_parameters():
        apart = (parameter.grad - expected[name]).norm() / expected[name].norm()
        assert apart < 1e-4, name  # rounding: 2e-5; a context that weighs twice: 0.3


def test_every_parameter_learns_from_the_second_step_on(ministral: Path, batch: PackedBatch) -> None:
    torch.manual_seed(0)
    hypernet = HyperNetwork(tiny_run.hypernet().config)
    model = _model(ministral, hypernet, recompute=True)
    optimizer = torch.optim.SGD(hypernet.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(batch).distillation.backward()
        learning = {name for name, p in hypernet.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
        if _ == 0:  # B is zero at first, so only what makes B is reached
            assert learning == {f"{part}_B.{name}" for part in ("scaler", "bias") for name in ("down_proj", "q_proj")}
        optimizer.step()
    assert learning == {name for name, _ in hypernet.named_parameters()}


def test_noise_depends_on_its_generator_alone(ministral: Path, batch: PackedBatch) -> None:
    model = _model(ministral, tiny_run.hypernet(), neftune=5.0)
    with torch.no_grad():
        one, same, other = (model(batch, torch.Generator().manual_seed(seed)).distillation for seed in (1, 1, 2))
        silent = model(batch).distillation
    assert one == same
    assert len({one.item(), other.item(), silent.item()}) == 3
    noise = neftune_noise(torch.zeros(1, 100, 64), 5.0, torch.Generator().manual_seed(0))
    bound = 5.0 / 6400**0.5
    assert noise.abs().max() <= bound
    assert noise.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_the_multimodal_wrapper_is_its_text_model(ministral: Path, tmp_path: Path, batch: PackedBatch) -> None:
    text = AutoModelForCausalLM.from_pretrained(ministral, dtype=torch.float32)
    vision = {"model_type": "pixtral", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    vision |= {"num_attention_heads": 2, "head_dim": 8, "image_size": 28, "patch_size": 14}
    wrapped = Mistral3ForConditionalGeneration(Mistral3Config(text_config=text.config, vision_config=vision))
    wrapped.model.language_model.load_state_dict(text.model.state_dict())
    wrapped.tie_weights()
    wrapped.save_pretrained(tmp_path / "wrapped")
    base = load_base(tmp_path / "wrapped", "float32", CPU)
    hypernet = tiny_run.hypernet()
    with torch.no_grad():
        losses = DistillationModel(hypernet, base, base, recompute=False)(batch)
        expected = _model(ministral, hypernet)(batch)
    torch.testing.assert_close(losses.distillation, expected.distillation)
    assert base.model.model.vision_tower is None


def test_bases_that_are_not_supported_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(TrainingError, match="a base of type gpt2 is not supported: use one of llama"):
        load_base(tmp_path, "float32", CPU)
    with pytest.raises(TrainingError, match="no base model in"):
        load_base(tmp_path / "nothing", "float32", CPU)


def test_four_bits_need_cuda(ministral: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is CUDA")
    with pytest.raises(TrainingError, match=r"base\.encoder_bits: 4 needs CUDA"):
        load_base(ministral, "float32", CPU, bits=4)


def test_many_short_samples_are_padded_rather_than_masked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, row = _loaded(folder), Ragged.of([5, 8, 7, 6, 8])
    start = torch.randn(row.total, base.config.hidden_size, generator=torch.Generator().manual_seed(0))

    def run(pads: bool) -> tuple[torch.Tensor, torch.Tensor]:
        monkeypatch.setattr(RowAttention, "pads", pads)
        x = first = start.clone().requires_grad_()
        layout = base.layout(x, row)
        for layer in base.layers:
            x = base.block(layer, x, layout)
        x.square().sum().backward()
        assert all((longest is not None) == pads for _, longest in layout.attend.masks)
        return x.detach(), first.grad

    assert RowAttention(row, False).pads
    assert not RowAttention(Ragged.of([9, 1, 1]), False).pads  # 3 * 9² products, and 11² with a mask
    for padded, masked in zip(run(True), run(False), strict=True):
        assert (padded - masked).norm() < 1e-4 * masked.norm()  # single elements are rounding


def test_masks_and_windows() -> None:
    row = Ragged.of([3, 2, 1])
    assert row.starts.tolist() == [0, 3, 5, 6]
    attend = RowAttention(row, False)
    assert attend._seen(None, None).int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
    assert attend._seen(2, None)[2].int().tolist() == [0, 1, 1, 0, 0, 0]
    assert attend._seen(2, 3).int().tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
