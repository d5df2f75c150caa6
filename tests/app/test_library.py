"""The library on disk: whole entries only, in a form that mlx-lm loads."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from thoth import models
from thoth.engine import Engine
from thoth.errors import ResourceError, ThothError
from thoth.events import Absorbed, Failed
from thoth.ingest import Document
from thoth.library import Library, StoredDocument

NOTE = Document("note.pdf", "The founder of Velmar is Ana Dor.", pages=1)


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home / "documents")


@pytest.fixture
def engine(library: Library, tiny_pair: Path) -> Iterator[Engine]:
    with Engine(library) as engine:
        list(engine.load(models.resolve(str(tiny_pair))))
        yield engine


def absorb(engine: Engine) -> StoredDocument:
    *_, absorbed = engine.absorb(NOTE)
    assert isinstance(absorbed, Absorbed)
    return absorbed.document


def test_an_entry_is_an_mlx_lm_adapter(engine: Engine, tiny_pair: Path) -> None:
    import mlx.core as mx
    from mlx_lm import load

    stored = absorb(engine)
    config = json.loads((stored.folder / "adapter_config.json").read_text())
    facts = config["thoth"]
    assert facts["document_sha256"] == NOTE.sha256
    assert (facts["name"], facts["chunks"], facts["pages"]) == ("note.pdf", 1, 1)
    assert facts["tokens"] == stored.tokens > 5
    plain, _ = load(str(tiny_pair / "base"))
    adapted, _ = load(str(tiny_pair / "base"), adapter_path=str(stored.folder))
    ids = mx.array([[1, 3, 20, 21, 4]])
    assert not mx.allclose(plain(ids), adapted(ids))


@pytest.mark.parametrize("file", ["adapters.safetensors", "adapter_config.json", "chunks.safetensors"])
def test_a_missing_file_is_damage(
    engine: Engine, library: Library, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    stored = absorb(engine)
    (stored.folder / file).unlink()
    assert absorb(engine) == stored
    assert caplog.messages
    assert (stored.folder / file).exists()
    assert os.listdir(library.folder) == [stored.id]


def test_leftovers_of_a_killed_process_are_removed(engine: Engine, library: Library) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    (library.folder / f".partial-{dead.pid}-0123").mkdir(parents=True)
    living = library.folder / f".partial-{os.getppid()}-0123"
    living.mkdir()
    stored = absorb(engine)
    assert sorted(os.listdir(library.folder)) == sorted([living.name, stored.id])


def test_a_full_disk_is_noticed_before_writing(
    engine: Engine, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    *_, failed = engine.absorb(NOTE)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ResourceError)
    assert os.listdir(library.folder) == []


def test_a_library_that_cannot_be_written(engine: Engine, home: Path) -> None:
    home.write_text("a file where the home should be")
    *_, failed = engine.absorb(NOTE)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ThothError)
    assert "THOTH_HOME" in str(failed.error)
