"""`python -m torch_train.nano.tools PAIR FOLDER`: nano learns to call tools, and forgets nothing.

In: a pair, `base/` and `hypernet/`. Out: a wider pair that knows the agent's tools. Without a list of tools in its
prompt it computes what the pair before did (`graft.py`), so no old lesson is repeated here. Arguments are copied by a
circuit that is there from the first step (`copying.py`). A third of the rows have a note in their weights: questions
about it are answered from there, also after a page has become a receipt; calls are begun there, and written without it.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import Ministral3ForCausalLM

from torch_train.errors import TrainingError
from torch_train.model.encoder import layer_features
from torch_train.model.hypernet import HyperNetwork
from torch_train.model.lora import Adapters, Injected, compose
from torch_train.nano import base as base_stage
from torch_train.nano import copying, graft, joint, pool, tokenizer
from torch_train.nano.base import answer_logits, answer_loss, exact
from torch_train.nano.copying import Copying
from torch_train.nano.curriculum import Curriculum
from torch_train.nano.dialogues import TOOLS, Dialogues, Turn
from torch_train.nano.language import Note, Split
from torch_train.nano.pool import POOL
from torch_train.nano.run import LoopSettings, Run, optimizer, schedule
from torch_train.nano.tool_rows import Conversation, begun, parts, tool_rows, trunk
from torch_train.nano.tree_rows import document_rows, tokenise
from torch_train.training import checkpoint

# About 25,000 dialogues, an hour and a quarter of one CPU core (docs/LOG.md).
SETTINGS = LoopSettings(steps=1_600, batch=4, learning_rate=4e-3, decay=0.7)
ROW = 260  # tokens that a row's conversations fill: no more of them begin after
WHOLE = 0.2  # weight of the cross-entropy of a whole call or answer
HISTORY, HISTORY_ABSORBED = 0.5, 0.7  # probability that a whole turn with a tool comes before
KINDS = {"request": 0.47, "answered": 0.35, "plain": 0.09, "chat": 0.08, "pasted": 0.01}

Row = tuple[Sequence[str], list[Conversation]]


@dataclass(frozen=True)
class Drawn:
    """A row, the note that is in the model's weights meanwhile, if any, and the row's length in tokens."""

    row: Row
    note: Note | None
    tokens: int


class Lesson:
    """Draws rows; one instance is one reproducible stream.

    Args:
        words: Nano's tokenizer, with the tokens of tools.
        seed: Seed of the stream.
        split: Which names and wordings to draw from.
    """

    def __init__(self, words: Tokenizer, seed: int | str, split: Split) -> None:
        self._words, self._random = words, random.Random(f"lesson-{seed}")
        self.dialogues = Dialogues(seed, split)

    def row(self, absorbed: bool) -> Drawn:
        """Conversations of a model that has a note in its weights, or has none."""
        note, tools = self._note(), self.dialogues.tools()
        conversations, tokens = [], 0
        while tokens < ROW:
            conversations.append(self._conversation(note, tools, absorbed))
            tokens += sum(len(ids) for ids, _ in parts(self._words, conversations[-1]))
        return Drawn((tools, conversations), note if absorbed else None, tokens)

    def _conversation(self, note: Note, tools: Sequence[str], absorbed: bool) -> Conversation:
        draw, dialogues = self._random, self.dialogues

        def found() -> Note:
            return note if absorbed and draw.random() < 0.6 else self._note()

        before = []
        if draw.random() < (HISTORY_ABSORBED if absorbed else HISTORY):
            read = found()
            before = [dialogues.answered(tools, read, absorbed=read is note)]
        match draw.choices(list(KINDS), list(KINDS.values()))[0]:
            case "request":
                question = draw.choice(note.questions).text if draw.random() < 0.5 else None
                turn = dialogues.request(tools, question=question)
            case "answered":
                read = found()
                turn = dialogues.answered(tools, read, absorbed=read is note)
            case "plain":
                turn = dialogues.plain(draw.choice(note.questions), silent=not absorbed)
            case "chat":
                turn = dialogues.chat()
            case _:
                pasted = self._note()
                asked = dialogues.plain(draw.choice(pasted.questions))
                turn = Turn(f"{pasted.text}\n\n{asked.text}", asked.answer, known=asked.known)
        return [*before, turn]

    def _note(self) -> Note:
        draw = self._random
        told = draw.choice((1, 1, 2, 2, 3, 4))
        while True:
            note = self.dialogues.language.note(told, draw.choice((0, 0, 1, 2)), unanswerable=max(1, told // 2))
            if len(tokenise(self._words, [note])[0].document) <= pool.MAX_DOCUMENT:
                return note


def _lesson(words: Tokenizer, seed: int, number: str) -> Lesson:
    return Lesson(words, f"{seed}-{number}", "train")


def adapters_of(
    base: Ministral3ForCausalLM, hypernet: HyperNetwork, words: Tokenizer, notes: Sequence[Note], rows: int
) -> Adapters:
    """The adapters of the first rows, one note each; the rows after them have none."""
    if not notes:
        return {}
    with torch.no_grad():
        document, mask = (tensor.to(base.device) for tensor in document_rows(tokenise(words, notes)))
        generated = compose(hypernet(layer_features(base, document, mask), mask), hypernet.bias())

    def filled(part: Tensor) -> Tensor:
        return torch.cat([part, part.new_zeros(rows - len(part), *part.shape[1:])])

    return {name: (filled(a), filled(b)) for name, (a, b) in generated.items()}


def train(folder: Path, base: Path, hypernet: Path, settings: LoopSettings) -> None:
    """Widen a pair, teach its base to call tools, and save both; resumes where a killed run stopped.

    Args:
        folder: Of this stage: its state and log, and the finished pair, `base/` and `hypernet/`.
        base: Folder of the base as it is.
        hypernet: Checkpoint or bundle of its hypernetwork.
        settings: Steps, rows a step, learning rate, seed, device.

    Raises:
        TrainingError: The base knows tools already, or the hypernetwork cannot be read.
    """
    torch.manual_seed(settings.seed)
    device = torch.device(settings.device)
    old = base_stage.load(base)
    if old.config.vocab_size != tokenizer.VOCAB_SIZE:
        raise TrainingError(
            f"{base} has {old.config.vocab_size} tokens, not {tokenizer.VOCAB_SIZE}: it knows tools already"
        )
    tokenizer.add_tools(base, folder / "base", TOOLS)
    words = tokenizer.load(folder / "base")
    model = graft.widen_base(old, len(tokenizer.TOOL_TOKENS))
    config, weights = graft.widen_hypernet(*checkpoint.load_weights(hypernet), model)
    network = HyperNetwork(config)
    network.load_state_dict(weights)
    network.to(device).requires_grad_(False)
    lesson = partial(_lesson, words, settings.seed)
    if not (folder / "state.pt").exists():
        measured = lesson("measured")
        rows = [tool_rows(words, [measured.row(absorbed=False).row for _ in range(4)]) for _ in range(3)]
        Copying(model, graft.Sizes.of(old), [*rows, copying.every_token(trunk(words, TOOLS))]).write()
    graft.grow(model, graft.Sizes.of(old), copying.written(model, graft.Sizes.of(old)))
    model.to(device)
    adapters = Injected(model.model.layers, ("down_proj",), config.scale)  # before the state is read: it names weights
    run = Run(folder, model, optimizer(_Learnt(model), base_stage.is_matrix), Curriculum(1, 1, 1.0, 0))
    for step in run.steps(settings.steps):
        schedule(run.optimizer, settings, step)
        drawn = _drawn(lesson, step // POOL, settings.batch)[step % POOL]
        loss, right, calls, tokens = _answers(model, network, adapters, words, drawn)
        run.descend(loss)
        run.record(
            step,
            progress=right.mean().item(),
            loss=loss.item(),
            token=tokens.item(),
            call=right[calls].mean().item(),
            answer=right[~calls].mean().item(),
        )
    adapters.remove()
    graft.finish(model)
    model.save_pretrained(folder / "base")
    joint.save(folder / "hypernet", network, model, settings.steps)


@lru_cache(maxsize=1)
def _drawn(lesson: Callable[[str], Lesson], number: int, batch: int) -> list[list[Drawn]]:
    """Batches of rows of like lengths, so that they are padded little; in each, those with a note come first."""
    source = lesson(str(number))
    rows = [source.row(absorbed=index % 3 == 0) for index in range(POOL * batch)]
    rows.sort(key=lambda row: row.tokens)
    batches = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    random.Random(number).shuffle(batches)
    return [sorted(batch, key=lambda row: row.note is None) for batch in batches]


def _answers(
    model: Ministral3ForCausalLM, hypernet: HyperNetwork, adapters: Injected, words: Tokenizer, drawn: Sequence[Drawn]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Loss of a batch, which calls and answers are right in every token, which are calls, and calls' right tokens."""
    notes = [row.note for row in drawn if row.note is not None]
    rows = begun(tool_rows(words, [row.row for row in drawn]), len(notes)).to(model.device)
    with adapters.adapted(adapters_of(model, hypernet, words, notes, len(drawn))):
        logits = answer_logits(model, rows)
    chosen = (rows.targets.roll(1) == tokenizer.CALLS) & ~rows.first  # the token after it decides which tool
    choice = F.cross_entropy(logits[chosen], rows.targets[chosen]) if chosen.any() else 0.0
    said = logits.argmax(-1)
    tokens = (said == rows.targets)[rows.known[rows.answers]].float().mean()
    whole = F.cross_entropy(logits, rows.targets, reduction="sum") / len(rows.known)  # right if every token is
    return answer_loss(logits, rows) + choice + WHOLE * whole, exact(said, rows).float(), rows.known, tokens


class _Learnt(nn.Module):
    """The parameters that are trained, under their names."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._named = {name: p for name, p in model.named_parameters() if p.requires_grad}

    def named_parameters(self, *_: object, **__: object):  # type: ignore[no-untyped-def]
        return iter(self._named.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.nano.tools", description=__doc__)
    parser.add_argument("pair", type=Path, help="folder with base/ and hypernet/")
    parser.add_argument("folder", type=Path, help="folder of the run and its results; an interrupted one resumes")
    parser.add_argument("--steps", type=int, default=SETTINGS.steps, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    settings = replace(SETTINGS, steps=options.steps, seed=options.seed, device=options.device)
    try:
        train(options.folder, options.pair / "base", options.pair / "hypernet", settings)
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
