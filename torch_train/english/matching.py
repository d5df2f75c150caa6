"""`python -m torch_train.english.matching OUT`: train the matcher, which tells whether a chunk answers a question.

It learns from what the base's first blocks make of both, so it is trained beside the hypernetwork and not through it:
within an hour on one core. OUT gets `matcher.safetensors` and `matcher.json`, for `convert-weights --matcher OUT`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from mlx_hypernet.format.atomic import write_json
from mlx_hypernet.format.config import MatcherConfig
from torch_train.english.leaks import check
from torch_train.english.matcher import Matcher, Texts, words_of
from torch_train.english.matching_data import ANSWERS, NO_ANSWER, Chunked, Material, material, pairs
from torch_train.english.passages import Passage, read_written
from torch_train.english.split import Split
from torch_train.errors import TrainingError
from torch_train.model.tokenizer import load_tokenizer

WEIGHTS, CONFIG = "matcher.safetensors", "matcher.json"
_QUESTIONS = 32  # of a step, each beside up to four chunks
_RATE, _NORM_RATE, _DECAY, _WARM = 2e-3, 1e-3, 0.05, 100
_TOLD = 100  # steps between two lines
_SAMPLED = 3_000  # texts whose features give mean and deviation


def train(data: Material, config: MatcherConfig, words: Tensor, steps: int, drop: float = 0.0) -> Matcher:
    """Train a matcher; prints its loss every hundred steps.

    Args:
        data: of the training split.
        config: its shape.
        words: a number for each id of the vocabulary.
        steps: updates of its weights, each by 32 questions.
        drop: share of each question's tokens that are left out, so that it is not known by a few of them alone.
    """
    draw = random.Random("matcher")
    torch.manual_seed(1)
    sample = torch.cat(
        [data.features[i].float() for i in draw.sample(range(len(data.features)), min(_SAMPLED, len(data.features)))]
    )
    matcher = Matcher(config, words, sample.mean(0), sample.std(0) + 1e-3)
    linear = [module for module in matcher.modules() if isinstance(module, torch.nn.Linear)]
    matrices = [module.weight for module in linear if module is not matcher.verdict]
    inside = set(map(id, matrices))
    rest = [parameter for parameter in matcher.parameters() if id(parameter) not in inside]
    optimizers = [
        torch.optim.Muon(matrices, lr=_RATE, weight_decay=_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=_NORM_RATE, weight_decay=0.0),
    ]
    rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    losses: list[float] = []
    for step in range(1, steps + 1):
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * min(1, step / _WARM) * (1 - (step - 1) / steps)
            optimizer.zero_grad()
        questions, chunks, labels = zip(*pairs(data, draw, _QUESTIONS), strict=True)
        loss = _loss(_logits(matcher, data, questions, chunks, drop), torch.tensor(labels))
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())
        if step % _TOLD == 0:
            print(f"step {step}: loss {sum(losses[-_TOLD:]) / _TOLD:.4f}", flush=True)
    return matcher.eval()


def measure(matcher: Matcher, data: Material) -> dict[str, dict[str, float]]:
    """How well a matcher tells chunks apart, by kind of document.

    Returns:
        For each kind `first`, the share of questions whose best chunk has the answer, and `refused`: of those that the
        document does not answer, or of which the answer was taken away, the share with a best chunk below nine in ten
        of the others. For "nothing" `unrelated`: the share of prompts for which no chunk is related.
    """
    found: dict[str, dict[str, float]] = {}
    for kind in sorted({document.kind for document in data.documents}):
        first, known, silent = [], [], []
        for document in [one for one in data.documents if one.kind == kind]:
            for asked in document.asked:
                odds = _answers(matcher, data, asked.text, document)
                if asked.known:
                    first.append(int(odds.argmax()) in asked.answers)
                    known.append(odds.max())
                    left = [odds[i] for i in range(len(odds)) if i not in asked.answers]
                    silent += [torch.stack(left).max()] if left and kind != "note" else []
                else:
                    silent.append(odds.max())
        least = torch.stack(known).quantile(0.1)
        refused = (torch.stack(silent) < least).float().mean().item() if silent else 0.0
        found[kind] = {"questions": len(first), "first": sum(first) / len(first), "refused": refused}
    draw, unrelated = random.Random("nothing"), []
    for prompt in data.nothing:
        document = draw.choice(data.documents)
        logits = _all(matcher, data, prompt, document)
        unrelated.append(bool((logits[:, 0] > logits[:, 1:].logsumexp(-1)).all()))
    found["nothing"] = {"questions": len(unrelated), "unrelated": sum(unrelated) / len(unrelated)}
    return found


def save(matcher: Matcher, config: MatcherConfig, folder: Path, notes: dict[str, object]) -> None:
    """Write the weights in 16 bits, and what belongs to them."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: _stored(value) for name, value in matcher.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    write_json(folder / CONFIG, {"matcher": asdict(config)} | notes)


def _stored(value: Tensor) -> Tensor:
    return value.half().contiguous() if value.is_floating_point() else value


def _logits(
    matcher: Matcher, data: Material, questions: Sequence[int], chunks: Sequence[int], drop: float = 0.0
) -> Tensor:
    sides = [
        Texts([data.features[i] for i in some], [data.ids[i] for i in some], matcher.words)
        for some in (questions, chunks)
    ]
    if drop:
        sides[0].own &= torch.rand(sides[0].own.shape) >= drop
    with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()):
        return matcher(*sides).float()


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy; for `NO_ANSWER`, unrelated and silent are equally right."""
    likely = logits.log_softmax(-1)
    likely = torch.cat([likely, likely[:, :ANSWERS].logsumexp(-1, keepdim=True)], 1)
    assert likely.shape[1] == NO_ANSWER + 1
    return F.nll_loss(likely, labels)


@torch.no_grad()
def _all(matcher: Matcher, data: Material, text: int, document: Chunked) -> Tensor:
    return _logits(matcher, data, [text] * len(document.chunks), document.chunks)


def _answers(matcher: Matcher, data: Material, text: int, document: Chunked) -> Tensor:
    """Log-odds of each chunk of a document that it answers a question."""
    logits = _all(matcher, data, text, document)
    return logits[:, ANSWERS] - logits[:, :ANSWERS].logsumexp(-1)


def _read(split: Split, notes: int, real: int, rows: Sequence[Passage], base: Path, layer: int) -> Material:
    """Notes and real passages of a split, read by the base."""
    own = [row for row in rows if row.split == split and row.source != "ropes" and any(q.known for q in row.questions)]
    own = random.Random("matcher").sample(own, min(real, len(own)))
    return material(split, notes, own, base, layer)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.english.matching", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--base", type=Path, required=True, help="folder of the base")
    parser.add_argument("--passages", type=Path, help="JSONL of `python -m torch_train.english passages --longest 256`")
    parser.add_argument("--notes", type=int, default=4_000, help="notes to learn from (%(default)s)")
    parser.add_argument("--real", type=int, default=3_000, help="real passages to learn from (%(default)s)")
    parser.add_argument("--steps", type=int, default=5_000, help="updates (%(default)s)")
    parser.add_argument("--drop", type=float, default=0.0, help="share of a question's tokens left out (%(default)s)")
    parser.add_argument("--layer", type=int, default=16, help="block of the base whose input is read (%(default)s)")
    parser.add_argument("--width", type=int, default=128, help="of a token (%(default)s)")
    parser.add_argument("--blocks", type=int, default=2, help="of attention (%(default)s)")
    parser.add_argument("--heads", type=int, default=4, help="of the attention (%(default)s)")
    options = parser.parse_args(arguments)
    config = MatcherConfig(options.layer, options.width, options.blocks, options.heads, "")
    try:
        rows = [] if options.passages is None else read_written(options.passages)
        check(rows)
        tokenizer = load_tokenizer(options.base)
        size = json.loads((options.base / "config.json").read_text("utf-8"))["vocab_size"]
        dev = _read("dev", options.notes // 16, options.real // 16, rows, options.base, options.layer)
        data = _read("train", options.notes, options.real, rows, options.base, options.layer)
        print(f"read {len(data.ids):,} texts of {len(data.documents):,} documents", flush=True)
        matcher = train(data, config, words_of(tokenizer, size), options.steps, options.drop)
        measured = measure(matcher, dev)
        print(json.dumps(measured, indent=1))
        drawn = {"notes": options.notes, "passages": options.real, "steps": options.steps, "drop": options.drop}
        save(matcher, config, options.out, {"dev": measured} | drawn)
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
