"""Whether a pair can read a document is measured when it is absorbed, and said at once."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from thoth import examples
from thoth.actions import readable
from thoth.cli import app
from thoth.engine.absorbing import Absorber, Prepared, loss_on
from thoth.engine.loading import LoadedPair, load_pair
from thoth.ingest import pdf
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.models import registry

FIXTURES = Path(__file__).parents[1] / "fixtures"
Loss = Callable[[str], float]


@pytest.fixture(scope="module")
def nano() -> LoadedPair:
    return load_pair(registry.resolve(registry.NANO))


@pytest.fixture
def loss(nano: LoadedPair) -> Loss:
    config = nano.bundle.config

    def of(text: str) -> float:
        ids = nano.tokenizer.encode(text, add_special_tokens=False)[: config.max_chunk_tokens]
        return loss_on(nano, [[*config.prefix_ids, *ids, *config.suffix_ids]])

    return of


def texts() -> dict[str, str]:
    found = {}
    for path in examples.folder().iterdir():
        if path.suffix == ".pdf":
            found[path.name] = pdf.read(path.read_bytes(), path.name).text
        elif path.suffix in (".md", ".txt"):
            found[path.name] = path.read_text("utf-8")
    return found


def test_nano_reads_its_own_examples_and_no_english(loss: Loss, nano: LoadedPair) -> None:
    limit = nano.readable_loss
    assert limit == 7.0
    readable = {name: loss(text) <= limit for name, text in texts().items()}
    own = {"harbour.txt", "workshop.md", "regatta.pdf"}
    assert readable == {name: name in own for name in (*own, "lease.pdf", "manual.txt", "meeting.md")}


def test_nano_reads_no_other_language(loss: Loss, nano: LoadedPair) -> None:
    written = (FIXTURES / "questions" / "mixed.txt").read_text("utf-8")
    documents = re.split(r"^=== .*\n", written, flags=re.MULTILINE)[1:]
    assert len(documents) > 10
    assert min(loss(text[:400]) for text in documents) > nano.readable_loss + 2


def test_what_is_said(home: Path, tmp_path: Path) -> None:
    """On stderr and in JSON: when it is absorbed, known again, or named for a question; not of what nano reads."""
    english = tmp_path / "rent.txt"
    english.write_text("The monthly rent is $1,340 and is due on the third day of each month.")

    def thoth(*arguments: object) -> Any:
        return CliRunner().invoke(app, [*map(str, arguments), "--model", "nano"])

    first = thoth("absorb", "--json", english, examples.folder() / "harbour.txt")
    rent, harbour = json.loads(first.stdout)["documents"]
    assert (rent["readable"], harbour["readable"]) == (False, True)
    assert rent["loss"] > 9 > 4 > harbour["loss"]
    warning = (
        f"thoth: nano cannot read rent.txt (a loss of {rent['loss']:.1f} nats a token): answers about it will be wrong"
    )
    assert first.stderr.count("cannot read") == 1
    for result in (first, thoth("absorb", english), thoth("ask", "--doc", english, "What is the monthly rent?")):
        assert warning in result.stderr
    assert json.loads(CliRunner().invoke(app, ["docs", "show", "--json", "rent.txt"]).stdout)["readable"] is False


def test_nothing_is_said_where_nothing_was_measured(tiny_pair: Path, home: Path, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("Ana Dor founded Velmar.")
    result = CliRunner().invoke(app, ["absorb", "--json", "--model", str(tiny_pair), str(note)])
    (document,) = json.loads(result.stdout)["documents"]
    assert (document["loss"], document["readable"]) == (None, None)
    assert "cannot read" not in result.stderr


def test_any_bundle_can_say_what_its_base_reads(tiny_pair: Path, tmp_path: Path, home: Path) -> None:
    """The number in `config.json` changes nothing but this: documents absorbed before it was there stay ready."""
    import shutil

    pair = tmp_path / "pair"
    shutil.copytree(tiny_pair, pair)
    before = registry.bundle_id(registry.resolve(str(pair)))
    config = json.loads((pair / "hypernet" / "config.json").read_text())
    (pair / "hypernet" / "config.json").write_text(json.dumps(config | {"readable_loss": 0.5}))
    assert registry.bundle_id(registry.resolve(str(pair))) == before
    note = tmp_path / "note.txt"
    note.write_text("Ana Dor founded Velmar.")
    result = CliRunner().invoke(app, ["absorb", "--model", str(pair), str(note)])
    assert "cannot read note.txt (a loss of" in result.stderr
    assert Library(home).get("note.txt").readable is False


def test_the_warning() -> None:
    document = StoredDocument("0" * 16, "a.txt", None, "b", "meaning", True, True, None, 1, 1, 9, 9, datetime.now(UTC))
    assert readable.warning(document, "nano") is None


def test_a_bundle_without_a_template_is_not_measured(home: Path) -> None:
    """The first token of a text is predicted from the template's ids before it."""
    config: Any = SimpleNamespace(prefix_ids=())
    pair: Any = SimpleNamespace(readable_loss=7.0, bundle=SimpleNamespace(config=config))
    stored: Any = SimpleNamespace(loss=None, of_chat=False)
    assert Absorber(Library(home))._measure(stored, Prepared(stored, [[5, 6]]), pair) is None
