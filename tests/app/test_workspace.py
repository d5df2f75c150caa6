"""`thoth.open`: the public Python API, with a tiny pair and a library of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import thoth

ROOT = Path(__file__).parents[2]
QUESTION = "Who is the founder of Velmar?"


@pytest.fixture
def memory(tiny_pair: Path) -> Iterator[thoth.Workspace]:
    with thoth.open(str(tiny_pair)) as workspace:
        yield workspace


def test_the_import_alone_loads_nothing_heavy() -> None:
    code = "import sys, thoth; dir(thoth); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert not loaded & {"mlx", "mlx_hypernet", "mlx_lm", "numpy", "textual", "typer", "sqlite3", "transformers"}


@pytest.mark.parametrize("name", thoth.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(thoth, name) is not None


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = thoth.nothing


def test_types_are_published() -> None:
    assert (ROOT / "thoth" / "py.typed").exists()
    assert (ROOT / "mlx_hypernet" / "py.typed").exists()


def test_absorb_ask_and_remove(memory: thoth.Workspace, note: Path) -> None:
    progress: list[tuple[str, str]] = []
    [document] = memory.absorb(note, on_progress=lambda name, one: progress.append((name, one.stage)))
    assert (document.name, document.active, document.complete) == ("note.txt", True, True)
    assert ("note.txt", "absorb") in progress
    answer = memory.ask(QUESTION, max_tokens=4)
    assert answer.stats.document_tokens_in_context == 0
    assert [chunk.document for chunk in answer.stats.chunks] == [document.id]
    assert answer.stats.generated_tokens <= 4
    assert memory.documents() == memory.documents(active=True) == [document]
    memory.remove("note.txt")
    assert memory.documents() == []
    assert note.exists()


def test_the_three_ways(memory: thoth.Workspace, note: Path) -> None:
    memory.absorb(note)
    read = memory.ask(QUESTION, knowledge="context", max_tokens=2).stats
    assert (read.document_tokens_in_context > 0, read.rank) == (True, 0)
    without = memory.ask(QUESTION, knowledge="none", max_tokens=2).stats
    assert (without.document_tokens_in_context, without.rank) == (0, 0)
    everything = memory.ask(QUESTION, ["note.txt"], route="all", with_text=1, max_tokens=2).stats
    assert (everything.document_tokens_in_context > 0, everything.rank > 0) == (True, True)


def test_a_stream_is_the_answer_in_pieces(memory: thoth.Workspace, note: Path) -> None:
    memory.absorb(note)
    *tokens, answer = memory.stream(QUESTION, max_tokens=6)
    assert all(isinstance(token, thoth.Token) for token in tokens)
    assert isinstance(answer, thoth.Answer)
    assert "".join(token.text for token in tokens).strip() == answer.text


def test_to_leave_a_stream_stops_it(memory: thoth.Workspace, note: Path) -> None:
    memory.absorb(note)
    first = next(memory.stream(QUESTION, max_tokens=200))
    assert isinstance(first, thoth.Token)
    assert memory.ask(QUESTION, max_tokens=1).stats.generated_tokens <= 1  # the thread is free again


def test_a_conversation(memory: thoth.Workspace, note: Path) -> None:
    memory.absorb(note)
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "Ana Dor."}]
    alone, after = (
        memory.ask(messages, max_tokens=2).stats.prompt_tokens
        for messages in ("And what?", [*turns, {"role": "user", "content": "And what?"}])
    )
    assert after > alone


def test_documents_that_are_named(memory: thoth.Workspace, note: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("The mayor of Tolquin is Berin Asto.")
    first, second = memory.absorb(note, other)
    chunks = memory.ask("Who?", [second, second.id[:6]], route="all", max_tokens=1).stats.chunks
    assert {chunk.document for chunk in chunks} == {second.id}
    chunks = memory.ask("Who?", first.id, route="all", max_tokens=1).stats.chunks
    assert {chunk.document for chunk in chunks} == {first.id}


def test_export(memory: thoth.Workspace, note: Path, tmp_path: Path) -> None:
    memory.absorb(note)
    assert memory.export("note.txt", tmp_path / "adapter") > 0
    assert (tmp_path / "adapter" / "adapters.safetensors").exists()
    with pytest.raises(thoth.UsageError, match="already has an adapter"):
        memory.export("note.txt", tmp_path / "adapter")
    assert memory.ask(QUESTION, max_tokens=1).stats.rank > 0  # the model works on


def test_one_error_is_raised_as_it_is(memory: thoth.Workspace, note: Path, tmp_path: Path) -> None:
    with pytest.raises(thoth.DocumentError, match="there is no file"):
        memory.absorb(tmp_path / "gone.txt", note)
    assert [document.name for document in memory.documents()] == ["note.txt"]


def test_several_errors_are_one(memory: thoth.Workspace, note: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    names = [str(tmp_path / name) for name in ("gone.txt", "empty.txt")]
    with pytest.raises(thoth.AbsorbError, match="could not absorb 2 sources") as raised:
        memory.absorb(*names, note)
    assert {source: type(error) for source, error in raised.value.failed.items()} == {
        names[0]: thoth.DocumentError,
        names[1]: thoth.NoTextError,
    }
    assert [document.name for document in raised.value.documents] == ["note.txt"]


def test_mistakes(memory: thoth.Workspace, note: Path) -> None:
    with pytest.raises(thoth.UsageError, match="no document to answer from"):
        memory.ask(QUESTION)
    memory.absorb(note)
    for question in ("", " ", []):
        with pytest.raises(thoth.UsageError, match="the question is empty"):
            memory.stream(question)
    with pytest.raises(thoth.UsageError, match="top_k must be"):
        memory.ask(QUESTION, top_k=0)
    with pytest.raises(thoth.DocumentError):
        memory.remove("note.txt", "nothing")
    assert len(memory.documents()) == 1


def test_a_home_of_its_own(tiny_pair: Path, note: Path, tmp_path: Path, home: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "settings.toml").write_text("max_tokens = 3")
    with thoth.open(str(tiny_pair), home=other) as memory:
        memory.absorb(note)
        assert memory.ask(QUESTION).stats.generated_tokens <= 3
        memory.export("note.txt", tmp_path / "adapter")
    assert (other / "library.db").exists()
    assert not home.exists()
    with thoth.open(str(tiny_pair)) as memory:
        assert memory.documents() == []


def test_a_model_that_is_not_here(tmp_path: Path) -> None:
    with pytest.raises(thoth.ModelError):
        thoth.open(str(tmp_path / "gone"))


def test_a_damaged_model_leaves_no_thread(tiny_pair: Path, tmp_path: Path) -> None:
    import threading

    (tmp_path / "pair" / "base").mkdir(parents=True)
    os.symlink(tiny_pair / "hypernet", tmp_path / "pair" / "hypernet")
    before = {*threading.enumerate()}
    with pytest.raises(thoth.ModelError):
        thoth.open(str(tmp_path / "pair"))
    for thread in {*threading.enumerate()} - before:
        thread.join(60)  # the one that reads files is not waited for
        assert not thread.is_alive()
