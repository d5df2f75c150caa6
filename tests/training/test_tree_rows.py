"""Rows: a question asked beside others gets the logits it gets when asked alone."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer
from transformers import Ministral3ForCausalLM

from torch_train.nano.base import exact, hidden_states
from torch_train.nano.language import Language
from torch_train.nano.tokenizer import EOS
from torch_train.nano.tree_rows import Item, TreeRows, closed_rows, open_rows, recall_rows, tokenise


def _logits(model: Ministral3ForCausalLM, rows: TreeRows) -> torch.Tensor:
    return model.lm_head(hidden_states(model, rows).flatten(0, 1)[rows.predicts])


def _items(words: Tokenizer) -> list[Item]:
    language = Language(1, "train")
    return tokenise(words, [language.note(facts, 1, 1) for facts in (1, 3, 6)])


def test_questions_do_not_see_each_other(words: Tokenizer, model: Ministral3ForCausalLM) -> None:
    line_break = words.encode("\n").ids[0]
    items = _items(words)
    for build in (lambda some: open_rows(some, line_break), closed_rows):
        together = _logits(model, build(items))
        alone = [_logits(model, build([Item(item.document, [turn])])) for item in items for turn in item.turns]
        torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=0)


def test_both_kinds_of_rows_predict_the_same_targets_in_the_same_order(words: Tokenizer) -> None:
    items = _items(words)
    read, asked = open_rows(items, words.encode("\n").ids[0]), closed_rows(items)
    for name in ("targets", "answers", "known"):
        assert torch.equal(getattr(read, name), getattr(asked, name))
    for rows in (read, asked):
        assert torch.equal(rows.ids.flatten()[rows.predicts + 1], rows.targets)
    assert read.targets.tolist() == [t for item in items for turn in item.turns for t in (*turn.answer, EOS)]


def test_exact_means_every_token(words: Tokenizer) -> None:
    rows = closed_rows(_items(words))
    predicted = rows.targets.clone()
    assert exact(predicted, rows).all()
    predicted[rows.answers == 2] = torch.where(
        rows.targets[rows.answers == 2] == EOS, 0, rows.targets[rows.answers == 2]
    )
    right = exact(predicted, rows)
    assert not right[2]
    assert right.sum() == len(right) - 1


def test_first_tokens_of_answers(words: Tokenizer) -> None:
    items = _items(words)
    rows = closed_rows(items)
    assert rows.targets[rows.first].tolist() == [turn.answer[0] for item in items for turn in item.turns]


def test_padding_changes_nothing(words: Tokenizer, model: Ministral3ForCausalLM) -> None:
    items = _items(words)
    padded, alone = _logits(model, closed_rows(items)), _logits(model, closed_rows(items[:1]))
    torch.testing.assert_close(padded[: len(alone)], alone, atol=1e-4, rtol=0)


def test_recall_targets_every_token_of_every_note(words: Tokenizer) -> None:
    items = _items(words)
    rows = recall_rows(items)
    assert torch.equal(rows.ids.flatten()[rows.predicts + 1], rows.targets)
    for row, item in enumerate(items):
        assert rows.targets[rows.answers == row].tolist() == item.document
