"""One step of distillation: nothing is lost on the way from the note to the hypernetwork's parameters."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer
from transformers import Ministral3ForCausalLM

from tests.training import tiny_run
from torch_train.model.encoder import layer_features
from torch_train.model.generation import top_log_probabilities
from torch_train.model.lora import Injected, compose
from torch_train.model.loss import distillation_loss
from torch_train.nano.base import hidden_states
from torch_train.nano.language import Language
from torch_train.nano.reading import corrected
from torch_train.nano.tree_rows import Item, closed_rows, document_rows, open_rows, tokenise


def _items(words: Tokenizer) -> list[Item]:
    language = Language(2, "train")
    return tokenise(words, [language.note(3, 1, 1) for _ in range(4)])


def test_features_are_the_inputs_of_the_blocks(words: Tokenizer, model: Ministral3ForCausalLM) -> None:
    ids, mask = document_rows(_items(words))
    features = layer_features(model, ids, mask)
    hidden = model(ids, attention_mask=mask.long(), output_hidden_states=True).hidden_states
    for layer in range(2):
        torch.testing.assert_close(features[:, layer][mask], hidden[layer][mask], atol=1e-5, rtol=0)
    normed = model.model.norm(hidden[2])  # transformers norms only its last one, the output of the last block
    torch.testing.assert_close(features[:, 2][mask], normed[mask], atol=1e-5, rtol=0)


def test_an_untrained_hypernetwork_changes_nothing_and_then_everything_learns(
    words: Tokenizer, model: Ministral3ForCausalLM
) -> None:
    items = _items(words)
    torch.manual_seed(1)
    hypernet = tiny_run.nano_hypernet(model)
    read, asked = open_rows(items, words.encode("\n").ids[0]), closed_rows(items)
    ids, log_probabilities = top_log_probabilities(
        model.lm_head(hidden_states(model, read).flatten(0, 1)[read.predicts])
    )
    document, mask = document_rows(items)
    features = layer_features(model, document, mask)
    contexts = torch.tensor([row for row, item in enumerate(items) for _ in item.turns])
    plain = hidden_states(model, asked)
    adapters = Injected(model.model.layers, ("down_proj",), hypernet.config.scale)
    optimizer = torch.optim.SGD(hypernet.parameters(), lr=0.1)
    losses = []
    for step in range(3):
        with adapters.adapted(compose(hypernet(features, mask), hypernet.bias())):
            hidden = hidden_states(model, asked)
        if step == 0:
            assert torch.equal(hidden, plain)
        student = model.lm_head(hidden.flatten(0, 1)[asked.predicts])
        loss = distillation_loss(student, ids, log_probabilities, read.answers, contexts)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        if step < 2:
            optimizer.step()
    dead = [name for name, p in hypernet.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not dead  # B starts at zero: what lies behind its scalers learns from the second step on
    assert losses[-1] < losses[0]


def test_where_the_teacher_misreads_the_note_its_own_answer_is_the_target() -> None:
    ids, log_probabilities = top_log_probabilities(torch.randn(3, 50, generator=torch.Generator().manual_seed(0)))
    targets = torch.tensor([7, 8, 9])
    right = torch.tensor([True, False, True])
    new_ids, new = corrected(ids, log_probabilities, right, targets)
    assert torch.equal(new_ids[right], ids[right])
    assert torch.equal(new[right], log_probabilities[right])
    student = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    loss = distillation_loss(student[1:2], new_ids[1:2], new[1:2], torch.tensor([0]), torch.tensor([0]))
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(student[1:2], targets[1:2]))
