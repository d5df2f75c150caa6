"""Smol's training by the clock: how lessons share the time, second tries, and scores without generating."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from mlx_hypernet.format.template import document_ids
from tests.training import tiny_run
from torch_train.english import attempts, forced
from torch_train.english.attempts import TRIES, train_stage
from torch_train.english.forced import Set
from torch_train.english.lesson_data import lesson_of
from torch_train.english.lessons import LESSONS, Material, draw
from torch_train.english.stages import PACES, contexts_for, seconds_of, stages
from torch_train.english.teacher import rows
from torch_train.errors import BrokenLossError, TrainingError
from torch_train.evaluation.absorbed import AbsorbingModel
from torch_train.model.base import load_base
from torch_train.model.prompt import Prompts, question_ids
from torch_train.model.tokenizer import load_tokenizer
from torch_train.training import checkpoint
from torch_train.training.distillation import DistillationModel
from torch_train.training.packing import Packer
from torch_train.training.settings import PackingSettings, TrainingSettings
from torch_train.training.train import make_chunking


def test_stages_share_the_time() -> None:
    planned = stages()
    assert [stage.lesson.name for stage in planned] == [lesson.name for lesson in LESSONS]
    assert sum(stage.share for stage in planned) == pytest.approx(1)
    assert seconds_of(planned, [0, 0, 0, 0, 0], 100) == pytest.approx([12, 12, 24, 26, 26])
    # One done, one halfway: what is left goes to the others by their shares.
    assert seconds_of(planned, [1, 0.5, 0, 0, 0], 82) == pytest.approx([0, 6, 24, 26, 26])
    assert seconds_of(planned, [1, 1, 1, 1, 1], 82) == [0, 0, 0, 0, 0]
    further = stages(2)
    assert [stage.lesson.name for stage in further[5:]] == ["more-1", "more-2"]
    assert further[5].lesson.rates[1] == 0


def test_rates_go_on_from_lesson_to_lesson_and_end_at_zero() -> None:
    rates = [stage.lesson.rates for stage in stages()]
    assert all(first[1] == second[0] for first, second in pairwise(rates))
    assert rates[-1][1] == 0


def test_contexts_are_as_many_as_the_time_needs() -> None:
    stage = stages()[0]
    assert contexts_for(stage, 1, PACES["cuda"]) == 1536
    assert contexts_for(stage, 1e6, PACES["cuda"]) == stage.lesson.contexts
    assert contexts_for(stage, 1, PACES["cpu"]) == 256


def test_lessons_survive_json() -> None:
    for stage in stages(1):
        assert lesson_of(json.loads(json.dumps(asdict(stage.lesson)))) == stage.lesson


def test_prompts_are_what_the_template_says(words_folder: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_run.save_base(tmp_path / "base", words_folder, "llama"))
    drawn = draw(LESSONS[1], "train", Material(), 0, 6)
    texts = [text for asked in drawn for text in (asked.text, *(question for question, _, _ in asked.questions))]
    texts += ["  spaces around \n", "the end: </s> and [/INST] in a text", "", "1\n\n2"]
    assert Prompts(tokenizer).ids(texts) == [document_ids(tokenizer, text) for text in texts]


def test_a_template_that_changes_its_message_is_rendered_each_time(words_folder: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_run.save_base(tmp_path / "base", words_folder, "llama"))
    tokenizer.chat_template = "<s>[INST]{{ messages[-1]['content'] | upper }}[/INST]"
    prompts = Prompts(tokenizer)
    assert prompts.ids(["the boat"]) == [question_ids(tokenizer, "the boat")]


def test_forced_scores_are_those_of_generated_answers(whole: Path, pair: tuple[Path, Path]) -> None:
    last, base, device = checkpoint.checkpoints(whole)[-1], pair[0], torch.device("cpu")
    model = AbsorbingModel(last, str(base), device, "float32", 4)
    taught = []
    for number, row in enumerate(rows(model.tokenizer, forced.notes(Set("1 fact", 1), 6))):
        adapters = model.absorb(model.tokenizer.decode(row.context_ids[2:-1]))
        with model._injected.adapted(adapters):
            ids = model._engine.generate([row.questions[0].tolist()], 5)[0].ids.copy()
        if number % 2:  # half of the answers are what the model says itself, the others differ in one token
            ids[number % len(ids)] = (ids[number % len(ids)] + 1) % 90
        top = np.zeros((len(ids), 16))
        taught.append(
            replace(row, questions=row.questions[:1], answers=(ids,), relevant=row.relevant[:1],
                    top_ids=top.astype(np.int32), top_log_probabilities=top.astype(np.float16))
        )  # fmt: skip
    frozen = load_base(base, "float32", device)
    student = DistillationModel(checkpoint.load_hypernet(last), frozen, frozen, recompute=False)
    chunking = make_chunking(PackingSettings(max_chunk_tokens=128), model.tokenizer)
    scores = forced.score(student, list(Packer(taught, 512, 512, chunking, 0).batches(0)), device)
    assert (scores["questions"], scores["exact"]) == (6, 0.5)
    assert 0.5 <= scores["first token"] <= 1


class _Trainer:
    """Stands for the trainer: fails as told, then trains."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes, self.settings = list(outcomes), list[TrainingSettings]()

    def __call__(self, settings: TrainingSettings) -> bool:
        self.settings.append(settings)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return bool(outcome)


def _out_of_memory() -> TrainingError:
    error = TrainingError("out of memory: lower packing.context_tokens")
    error.__cause__ = torch.OutOfMemoryError()
    return error


def _tried(monkeypatch: pytest.MonkeyPatch, place: Path, *outcomes: object) -> tuple[bool, list[TrainingSettings]]:
    trainer = _Trainer(*outcomes)
    monkeypatch.setattr(attempts, "train", trainer)
    return train_stage(place, place / "base", stages()[0], 1.0, place / "start", []), trainer.settings


def test_out_of_memory_halves_the_batch_and_a_broken_loss_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done, tried = _tried(monkeypatch, tmp_path, _out_of_memory(), BrokenLossError("step 3 is not a number"), True)
    assert done
    assert [one.packing.input_tokens for one in tried] == [16_384, 8192, 8192]
    assert [one.optimizer.learning_rate for one in tried] == pytest.approx([2e-3, 2e-3, 1e-3])
    assert [Path(one.run.folder).name for one in tried] == ["run-1", "run-2", "run-3"]
    assert "try 2: batches of 8,192 tokens" in capsys.readouterr().out
    # A second call resumes the third try.
    _, again = _tried(monkeypatch, tmp_path, False)
    assert (again[0].run.folder, again[0].packing.input_tokens) == (tried[-1].run.folder, 8192)


def test_other_failures_and_too_many_end_the_lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match="leak"):
        _tried(monkeypatch, tmp_path / "a", TrainingError("contexts leak"))
    with pytest.raises(TrainingError, match="out of memory"):
        _tried(monkeypatch, tmp_path / "b", *[_out_of_memory() for _ in range(TRIES)])
