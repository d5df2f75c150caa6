"""Dialogues with tools to tensors: one row holds a list of tools once and several conversations side by side.

A row is a tree as in `tree_rows.py`; its trunk is the list of tools, as `tokenizer.TOOL_TEMPLATE` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from tokenizers import Tokenizer

from torch_train.nano.dialogues import Turn
from torch_train.nano.tokenizer import (
    ARGS,
    AVAILABLE,
    BOS,
    CALLS,
    END_AVAILABLE,
    END_INST,
    END_RESULTS,
    EOS,
    INST,
    PAD,
    RESULTS,
)
from torch_train.nano.tree_rows import TreeRows

Conversation = Sequence[Turn]
Part = tuple[list[int], bool]  # tokens, and whether the model says them


def trunk(words: Tokenizer, tools: Sequence[str]) -> list[int]:
    """The list of tools: `<s>[AVAILABLE_TOOLS] NAME NAME[/AVAILABLE_TOOLS]`."""
    names = words.encode("".join(f" {name}" for name in tools)).ids
    return [BOS, AVAILABLE, *names, END_AVAILABLE]


def parts(words: Tokenizer, conversation: Conversation) -> list[Part]:
    """A conversation in Mistral's format, as `tokenizer.TOOL_TEMPLATE` writes it."""

    def ids(text: str) -> list[int]:
        return list(words.encode(text).ids)

    found: list[Part] = []
    for turn in conversation:
        asked = [INST, *ids(turn.text), END_INST]
        found.append((asked, False))
        if turn.call is not None:
            found.append(([CALLS, *ids(turn.call.tool), ARGS, *ids(turn.call.json()), EOS], True))
        if turn.result is not None:
            result = turn.result.replace("<data>\n", "<data>\n ")
            found.append(([RESULTS, *ids(result), END_RESULTS, *asked], False))
        if turn.answer is not None:
            found.append(([*ids(" " + turn.answer), EOS], True))
    return found


def tool_rows(words: Tokenizer, rows: Sequence[tuple[Sequence[str], Sequence[Conversation]]]) -> TreeRows:
    """Rows from the tools and the conversations of each. Every call and every answer counts as an answer."""
    sequences: list[tuple[list[int], list[int], list[int]]] = []
    predicts: list[tuple[int, int]] = []
    targets: list[int] = []
    answers: list[int] = []
    known: list[bool] = []
    for row, (tools, conversations) in enumerate(rows):
        ids = trunk(words, tools)
        shared = len(ids)
        positions, branches = list(range(shared)), [0] * shared
        for branch, conversation in enumerate(conversations, 1):
            start = len(ids)
            for tokens, said in parts(words, conversation):
                if said:
                    predicts += [(row, len(ids) - 1 + step) for step in range(len(tokens))]
                    targets += tokens
                    answers += [len(known)] * len(tokens)
                    known.append(tokens[0] == CALLS)
                ids += tokens
            positions += range(shared, shared + len(ids) - start)
            branches += [branch] * (len(ids) - start)
        sequences.append((ids, positions, branches))
    length = max(len(ids) for ids, _, _ in sequences)
    ids_, positions_, branches_ = (
        torch.tensor([sequence[part] + [fill] * (length - len(sequence[part])) for sequence in sequences])
        for part, fill in enumerate((PAD, 0, -1))
    )
    flat = torch.tensor([row * length + position for row, position in predicts])
    return TreeRows(
        ids_, positions_, branches_, flat, torch.tensor(targets), torch.tensor(answers), torch.tensor(known)
    )


def begun(rows: TreeRows, absorbed: int) -> TreeRows:
    """The rows of `tool_rows`, but in the first `absorbed` of them only the first token of a call is asked for.

    These have a note in the weights: the engine begins a call with it, and writes the rest without.
    """
    asked = rows.first | ~rows.known[rows.answers] | (rows.predicts >= absorbed * rows.ids.shape[1])
    return replace(rows, predicts=rows.predicts[asked], targets=rows.targets[asked], answers=rows.answers[asked])
