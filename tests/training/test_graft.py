"""A widened pair: whatever its new weights learn, a prompt without a tool token is answered as before."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import Ministral3Config, Ministral3ForCausalLM

from tests.training import tiny_run
from torch_train.errors import TrainingError
from torch_train.model.encoder import layer_features
from torch_train.model.hypernet import HyperNetwork
from torch_train.model.lora import Injected, compose
from torch_train.nano import copying, graft, joint, tokenizer, tools
from torch_train.nano.language import Language
from torch_train.nano.run import LoopSettings
from torch_train.nano.tool_rows import tool_rows
from torch_train.nano.tree_rows import document_rows, tokenise

TOKENS = len(tokenizer.TOOL_TOKENS)


@pytest.fixture
def base(model: Ministral3ForCausalLM) -> Ministral3ForCausalLM:
    """A random base of nano's four layers, with hidden states about as large as nano's."""
    torch.manual_seed(0)
    deep = Ministral3ForCausalLM(replaced(model.config, num_hidden_layers=4, pad_token_id=tokenizer.PAD))
    with torch.no_grad():
        deep.model.embed_tokens.weight.mul_(10)
    return deep.eval().requires_grad_(False)


def replaced(config: Ministral3Config, **changes: object) -> Ministral3Config:
    return Ministral3Config.from_dict(config.to_dict() | changes)


def grown(base: Ministral3ForCausalLM) -> Ministral3ForCausalLM:
    wide = graft.widen_base(base, TOKENS)
    graft.grow(wide, graft.Sizes.of(base), copying.written(wide, graft.Sizes.of(base)))
    return wide


def learnt(base: Ministral3ForCausalLM) -> Ministral3ForCausalLM:
    """A widened copy whose new weights are anything, and where each token whispers."""
    wide = grown(base)
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in wide.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn_like(parameter))
        embedding = wide.model.embed_tokens.parametrizations.weight.original
        embedding[:, -graft.CODES :].normal_(std=graft.WHISPER)
    return wide


def prompts(seed: int) -> Tensor:
    return torch.randint(6, tokenizer.VOCAB_SIZE, (4, 50), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_prompts_without_tools_are_answered_as_before(base: Ministral3ForCausalLM) -> None:
    ids = prompts(0)
    before, after = base(ids).logits, learnt(base)(ids).logits
    torch.testing.assert_close(after[..., : tokenizer.VOCAB_SIZE], before, atol=1e-4, rtol=0)
    torch.testing.assert_close(after[..., tokenizer.VOCAB_SIZE :], torch.zeros(4, 50, TOKENS), atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_tool_token_changes_what_comes_after_it(base: Ministral3ForCausalLM) -> None:
    ids = prompts(0)
    ids[:, 20] = tokenizer.AVAILABLE
    wide = learnt(base)
    changed = (wide(ids).logits - wide(prompts(0)).logits).abs().amax((0, 2))
    assert changed[:20].max() < 1e-4
    assert changed[20:].min() > 0.1


@torch.no_grad()
def test_the_hypernetwork_writes_the_same_adapters(base: Ministral3ForCausalLM, words: Tokenizer) -> None:
    wide, narrow = learnt(base), tiny_run.nano_hypernet(base)
    for scaler in narrow.scaler_B.values():  # B starts at zero
        scaler.fill_(0.5)
    config, weights = graft.widen_hypernet(narrow.config, narrow.state_dict(), wide)
    wider = HyperNetwork(config)
    wider.load_state_dict(weights)
    note = Language(1, "train").note(3)
    ids, mask = document_rows(tokenise(words, [note]))
    outputs = []
    for model, hypernet in ((base, narrow), (wide, wider)):
        pairs = hypernet(layer_features(model, ids, mask), mask)
        sites = Injected(model.model.layers, ("down_proj",), narrow.config.scale)
        with sites.adapted(compose(pairs, hypernet.bias())):
            outputs.append(model(prompts(1)[:1]).logits[..., : tokenizer.VOCAB_SIZE])
        sites.remove()
    torch.testing.assert_close(*outputs, atol=1e-4, rtol=0)
    assert (outputs[0] - base(prompts(1)[:1]).logits).abs().max() > 0.1


def test_only_new_weights_learn(
    base: Ministral3ForCausalLM, words_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying.Copying, "write", lambda _: None)  # slow, and tested by itself
    base.save_pretrained(tmp_path / "pair" / "base")
    tokenizer.copy(words_folder, tmp_path / "pair" / "base")
    (tmp_path / "pair" / "hypernet").mkdir()
    joint.save(tmp_path / "pair" / "hypernet", tiny_run.nano_hypernet(base), base, 0)
    settings = LoopSettings(steps=1, batch=2, learning_rate=1e-2, decay=0.1)
    for steps in (1, 2):  # the second run resumes the first
        longer = replace(settings, steps=steps)
        tools.train(tmp_path / "run", tmp_path / "pair" / "base", tmp_path / "pair" / "hypernet", longer)
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == 2
    after = Ministral3ForCausalLM.from_pretrained(tmp_path / "run" / "base")
    ids = prompts(3)
    with torch.no_grad():
        torch.testing.assert_close(after(ids).logits[..., : tokenizer.VOCAB_SIZE], base(ids).logits, atol=1e-4, rtol=0)
    sizes, moved = graft.Sizes.of(base), 0
    torch.manual_seed(settings.seed)
    started = graft.widen_base(base, TOKENS)
    for (name, now), before in zip(after.named_parameters(), started.parameters(), strict=True):
        frozen = copy.deepcopy(now.data)
        for block in sizes.learnt(name.removesuffix(".weight")):
            moved += not torch.equal(frozen[block], before[block])
            frozen[block] = before[block]
        assert torch.equal(frozen, before), name
    assert moved == sum(len(sizes.learnt(name)) for name, _ in after.named_modules())
    assert json.loads((tmp_path / "run" / "hypernet" / "config.json").read_text())["base"]["hidden_size"] == 160


def test_a_loss_falls_on_one_batch(base: Ministral3ForCausalLM, words_folder: Path, tmp_path: Path) -> None:
    tokenizer.add_tools(words_folder, tmp_path, tools.TOOLS)
    words = tokenizer.load(tmp_path)
    wide = grown(base)
    rows = tool_rows(words, [tools.Lesson(words, 0, "train").row(absorbed=False).row for _ in range(2)])
    optimizer = torch.optim.AdamW([p for p in wide.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(15):
        loss = tools.answer_loss(tools.answer_logits(wide, rows), rows)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.slow
def test_codes_are_far_from_each_other() -> None:
    """The whole ones, which the head reads, and the shorter ones of the trails, which are looked for."""
    codes, mix = copying._codes(torch.Generator().manual_seed(0))
    for each in (codes, codes @ mix.T):
        near = torch.nn.functional.normalize(each, dim=1) @ torch.nn.functional.normalize(each, dim=1).T
        assert near.fill_diagonal_(-1).max() < 0.5


def test_a_head_looks_back_by_one_distance_alone() -> None:
    angles = 10_000 ** -(torch.arange(32) / 32)
    shares, lower = copying._at_once(angles)
    scores = (angles * torch.arange(600)[:, None]).cos() @ shares
    assert scores[0] == pytest.approx(1.0, abs=1e-5)
    assert scores[1:].max() == pytest.approx(1 - lower, abs=1e-5)
    assert lower > 0.25


def test_a_hypernetwork_of_other_modules_is_refused(base: Ministral3ForCausalLM) -> None:
    narrow = tiny_run.nano_hypernet(base)
    object.__setattr__(narrow.config, "feature_norm", True)
    with pytest.raises(TrainingError, match="only a hypernetwork of down_proj"):
        graft.widen_hypernet(narrow.config, narrow.state_dict(), graft.widen_base(base, TOKENS))
