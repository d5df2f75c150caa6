"""Scores with known values, what a report makes of answers, and the whole command at toy size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mlx_hypernet.format.template import document_ids
from tests.training import tiny_run
from torch_train.data.row import ContextRow, write_rows
from torch_train.evaluate import main
from torch_train.evaluation.absorbed import AbsorbingModel
from torch_train.evaluation.evaluate import Answered, evaluate
from torch_train.evaluation.metrics import SCORES, exact_match, is_refusal, normalised, rouge_l, scores, token_f1
from torch_train.evaluation.report import markdown, summarise
from torch_train.model.encoder import layer_features
from torch_train.training import checkpoint
from torch_train.training.checkpoint import BaseRecord, TrainerState

FOX = "The quick brown fox jumps over the lazy dog"


def test_scores_with_known_values() -> None:
    assert normalised("  The U.S. -- a  Nation! ") == "us nation"
    assert exact_match("the Eiffel Tower.", "Eiffel tower") == 1.0
    assert exact_match("Eiffel", "Eiffel tower") == 0.0
    assert token_f1("the cat sat on the mat", "a cat on a mat") == pytest.approx(2 * 3 / (4 + 3))
    assert token_f1("dog dog", "dog") == pytest.approx(2 / 3)  # a word counts as often as both have it
    assert token_f1("the", "a") == 1.0  # nothing but articles on both sides
    assert token_f1("", "cat") == 0.0
    assert rouge_l("The quick brown dog jumps on the log.", FOX) == pytest.approx(0.588235, abs=1e-6)  # rouge-score's
    assert rouge_l(FOX, FOX) == 1.0
    assert rouge_l("dog lazy", FOX) == pytest.approx(2 * 1 / (2 + 9))  # in the wrong order
    assert rouge_l("", FOX) == 0.0
    assert scores("Paris", ["London", "paris"]) == dict.fromkeys(SCORES, 1.0)


@pytest.mark.parametrize(
    "text",
    ["I don't know.", "I don\N{RIGHT SINGLE QUOTATION MARK}t know.", "The author is not mentioned in the text.",
     "The document does not say.", "It cannot be determined.", "There is no information about that."],
)  # fmt: skip
def test_refusals(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", ["Paris", "No", "He did not know her.", "They could not agree."])
def test_answers_are_no_refusals(text: str) -> None:
    assert not is_refusal(text)


def _answered(answers: tuple[str, str | None, str], **values: object) -> Answered:
    fixed = {"id": "x", "source": "squad", "tokens": 100, "question": "?", "references": ("red",), "relevant": True}
    nothing, context, adapter = answers
    return Answered(**{**fixed, **values}, answers={"nothing": nothing, "context": context, "adapter": adapter})


def test_shares_of_the_upper_bound() -> None:
    answered = [
        _answered(("blue", "red", "red")),
        _answered(("red", "red", "blue")),
        _answered(("blue", "blue", "red"), tokens=300),
        _answered(("blue", None, "red"), tokens=9000),  # too long for the base: there is no upper bound
    ]
    groups = summarise(answered)["groups"]
    assert list(groups) == ["all", "1 to 128 tokens", "257 to 512 tokens", "more than 8192 tokens"]
    everything = groups["all"]
    assert (everything["questions"], everything["fit the context"]) == (4, 3)
    assert everything["scores"]["adapter"]["exact"] == 3 / 4
    assert everything["scores"]["context"]["exact"] == 2 / 3
    assert everything["share of upper bound"]["adapter"]["exact"] == 1.0  # 2 of 3 where the bound has 2 of 3
    assert everything["share of upper bound"]["nothing"]["exact"] == 0.5
    agreement = everything["f1 with in context"]  # blue is right where the base in context says so
    assert agreement == {"nothing": 2 / 3, "context": 1.0, "adapter": 1 / 3}
    assert groups["more than 8192 tokens"]["share of upper bound"]["adapter"]["exact"] is None


def test_needles_by_length_and_depth() -> None:
    answered = [
        _answered(("", "It is 1234.", text), source=f"niah/{tokens}/{depth:.2f}", references=("1234",))
        for tokens, depth, text in ((64, 0, "1234"), (64, 0, "123"), (64, 1, "The number is 1234"), (128, 0, "12345 6"))
    ]
    summary = summarise(answered)
    assert summary["groups"] == {}
    cells = {(one["tokens"], one["depth"]): one["adapter"] for one in summary["needles"]["cells"]}
    assert cells == {(64, 0.0): 0.5, (64, 1.0): 1.0, (128, 0.0): 0.0}  # 12345 is another number
    assert "| 128 | 0.000 |  |" in markdown(summary, {})


def test_unrelated_questions() -> None:
    answered = [
        _answered(("Red!", "It is not mentioned.", "red"), relevant=False),
        _answered(("red", "It is not mentioned.", "I don't know"), relevant=False),
    ]
    values = summarise(answered)["unrelated"]
    assert values["refused"] == {"nothing": 0.0, "context": 1.0, "adapter": 0.5}
    assert values["unchanged"] == {"context": 0.0, "adapter": 0.5}
    assert values["scores"]["adapter"]["exact"] == 0.5


@pytest.fixture(scope="module")
def step(words_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a random hypernetwork, and its base."""
    folder = tmp_path_factory.mktemp("evaluate")
    base = tiny_run.save_base(folder / "base", words_folder)
    network = tiny_run.hypernet()
    record = BaseRecord(str(base), None, "ministral3", 32, 3, 2048, 40, (1, 3), (4,))
    state = TrainerState(1, {}, {}, {})
    return checkpoint.save(folder, network.config, network.state_dict(), record, state, keep=1)


@pytest.fixture(scope="module")
def model(step: Path) -> AbsorbingModel:
    return AbsorbingModel(step, None, torch.device("cpu"), "float32", batch_size=4)


ROWS = [
    ContextRow("Vorin is red. " * 30, ("What is Vorin?", "Who?"), (("red",), ()), "squad"),
    ContextRow("Melka is blue.", ("What is Melka?",), (("blue",),), "drop"),
]


def test_absorbing_is_what_the_hypernetwork_does_chunk_by_chunk(model: AbsorbingModel) -> None:
    ids = document_ids(model.tokenizer, ROWS[1].context)
    tensor = torch.tensor([ids])
    features = layer_features(model._base.model, tensor, torch.ones_like(tensor, dtype=torch.bool))
    expected, bias = model.hypernet(features), model.hypernet.bias()
    a, b = model.absorb(ROWS[1].context)["down_proj"]
    assert a.shape == (1, 3, 6, 48)
    torch.testing.assert_close(a[:, :, :3], expected["down_proj"][0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(b[0, :, 3:], bias["down_proj"][1])
    chunks = -(-len(document_ids(model.tokenizer, ROWS[0].context)) // 40)
    assert chunks > 2
    assert model.absorb(ROWS[0].context)["down_proj"][0].shape[2] == 3 * (chunks + 1)


def test_adapters_come_and_go(model: AbsorbingModel) -> None:
    prompt = document_ids(model.tokenizer, "What is Vorin?")
    before = model.answer([prompt], 12)
    adapted = model.answer([prompt], 12, model.absorb(ROWS[0].context))
    assert adapted != before
    assert model.answer([prompt], 12) == before


def test_questions_without_a_reference_are_left_out(model: AbsorbingModel) -> None:
    answered = list(evaluate(model, ROWS, max_answer_tokens=4, unrelated=1))
    assert [(one.question, one.relevant) for one in answered] == [
        ("What is Vorin?", True),
        ("What is Melka?", False),
        ("What is Melka?", True),
        ("What is Vorin?", False),
    ]


def test_documents_that_do_not_fit_have_no_upper_bound(model: AbsorbingModel) -> None:
    row = ContextRow("Vorin is red. " * 200, ("What is Vorin?",), (("red",),), "squad")
    (one,) = evaluate(model, [row], max_answer_tokens=4, unrelated=0)
    assert one.answers["context"] is None
    assert one.answers["adapter"] is not None


def test_the_command_writes_a_report(step: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path / "dev.parquet", ROWS)
    options = ["--needles", "2,40", "--depths", "2", "--per-cell", "1", "--max-answer-tokens", "4", "--device", "cpu"]
    assert main([str(step), str(tmp_path / "dev.parquet"), str(tmp_path / "out"), *options]) == 0
    told = capsys.readouterr()
    assert "no needle in 2 tokens" in told.err
    for heading in ("| all | 2 | exact |", "| drop | 1 | f1 |", "Questions of other documents", "| 40 |"):
        assert heading in told.out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["unrelated"]["questions"] == 2  # none about needles
    for picture in ("scores.png", "needles.png"):
        assert (tmp_path / "out" / picture).read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "out" / "answers.jsonl").read_text().splitlines()) == 6


def test_what_cannot_be_evaluated(step: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path / "bare.parquet", [ContextRow("text", ("?",), ((),), "own")])
    assert main([str(step), str(tmp_path / "bare.parquet"), str(tmp_path / "out"), "--device", "cpu"]) == 1
    assert "no question with a reference answer" in capsys.readouterr().err
    assert main([str(tmp_path), str(tmp_path / "bare.parquet"), str(tmp_path / "out")]) == 1
    assert "config.json cannot be read" in capsys.readouterr().err


def test_another_base_is_refused(
    step: Path, model: AbsorbingModel, words_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tiny_run.save_base(tmp_path / "other", words_folder)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"num_hidden_layers": config["num_hidden_layers"] - 1}))
    write_rows(tmp_path / "dev.parquet", ROWS)
    command = [str(step), str(tmp_path / "dev.parquet"), str(tmp_path / "out"), "--device", "cpu"]
    assert main([*command, "--base", str(other)]) == 1
    layers = config["num_hidden_layers"]
    assert f"for another base than {other}: num_layers {layers} (here {layers - 1})" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--limit", "-1"), "'-1' is not a whole number of at least 1"),
        (("--unrelated", "-1"), "'-1' is not a whole number of at least 0"),
        (("--needles", "a,b"), "'a' is not a whole number of at least 1"),
        (("--device", "abacus"), "'abacus' is not available on this machine: use cpu"),
    ],
)
def test_what_cannot_be_meant(option: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["step", "rows", "out", *option])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
