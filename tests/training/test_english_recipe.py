"""Smol's recipe: what its lessons ask, and the whole of it at toy size."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training import tiny_run
from torch_train.english import lesson_data, recipe
from torch_train.english.lessons import LESSONS, RECITE, Lesson, Material, draw
from torch_train.english.passages import Passage
from torch_train.english.question import Question
from torch_train.training import checkpoint
from torch_train.training.journal import read_log

SMALL = [
    "base.dtype=float32",
    "run.device=cpu",
    "run.measure_every=2",
    "run.measure_batches=1",
    "hypernet.layers=[1, 3]",
    "hypernet.rank=3",
    "hypernet.latent_size=16",
    "hypernet.num_latents=4",
    "hypernet.num_heads=4",
    "hypernet.num_kv_heads=2",
    "hypernet.head_dim=8",
    "packing.context_tokens=1024",
    "packing.input_tokens=1024",
]
pytestmark = pytest.mark.usefixtures("no_curves")
TOY = (
    Lesson("one", 8, (1, 1), 1, 1.0, 0.0, 0, 2, (1e-3, 1e-3)),
    Lesson("few", 8, (1, 2), 2, 0.5, 0.5, 1, 2, (1e-3, 0.0), passages=0.5, nothing=0.5, compose=0.3),
)


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.name for lesson in LESSONS])
def test_contexts_follow_the_lesson(lesson: Lesson) -> None:
    contexts = draw(lesson, "train", Material(), 3, 150)
    assert contexts == draw(lesson, "train", Material(), 3, 150)
    assert contexts != draw(lesson, "train", Material(), 4, 150)
    recited = sum(any(question in RECITE for question, _, _ in asked.questions) for asked in contexts)
    assert recited / 150 == pytest.approx(lesson.recite, abs=0.13)
    for asked in contexts:
        known = [(question, answer) for question, answer, known in asked.questions if known]
        assert 1 <= len(known) <= lesson.asked + 1
        assert all(answer in asked.text for _, answer in known)
    unknown = sum(any(not known for _, _, known in asked.questions) for asked in contexts)
    assert unknown / 150 == pytest.approx(lesson.unknown, abs=0.13)


def test_passages_and_prompts_about_nothing_take_their_shares() -> None:
    passage = Passage(
        "The bridge is 80 m long.", (Question("How long is it?", "80 m", True, "", "x"),), "x", "train", ""
    )
    material = Material([passage], [("Hello!", "Hi.")])
    contexts = draw(LESSONS[-1], "train", material, 0, 300)
    passages = [asked for asked in contexts if asked.text == passage.text]
    assert len(passages) / 300 == pytest.approx(LESSONS[-1].passages, abs=0.1)
    assert passages[0].questions[0] == ("How long is it?", "80 m", True)
    greeted = [asked for asked in contexts if ("Hello!", "Hi.", False) in asked.questions]
    assert len(greeted) / 300 == pytest.approx(LESSONS[-1].nothing, abs=0.06)


def test_the_recipe_runs_and_resumes(
    tmp_path: Path, words_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tiny_run.save_base(tmp_path / "base", words_folder, "llama")
    monkeypatch.setattr(recipe, "LESSONS", TOY)
    monkeypatch.setattr(lesson_data, "DEV_CONTEXTS", 4)
    monkeypatch.setattr(lesson_data, "prompts_of", lambda split: ("Hello!", "Who are you?"))
    assert recipe.run(tmp_path / "run", base, overrides=SMALL)
    for lesson in TOY:
        folder = tmp_path / "run" / lesson.name / "run"
        assert [path.name for path in checkpoint.checkpoints(folder)] == ["step-00000002"]
        measured = [entry for entry in read_log(folder) if "dev loss" in entry]
        assert measured[-1].keys() >= {"dev loss", "dev loss, another's adapter"}
    hypernet = checkpoint.load_hypernet(checkpoint.checkpoints(tmp_path / "run" / "few" / "run")[-1])
    assert hypernet.feature_deviation.std() > 0  # measured in the first lesson, carried through the second
    capsys.readouterr()
    assert recipe.run(tmp_path / "run", base, overrides=SMALL)  # nothing is left to do
    assert "step 1 " not in capsys.readouterr().out
