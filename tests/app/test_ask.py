"""`thoth ask` in this process: answers, JSON, reuse, and one line for everything that is wrong."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from typer.testing import Result

from thoth.actions.ask import UNSUPPORTED
from thoth.events import Passage

Run = Callable[..., Result]
MakeBase = Callable[..., None]

QUESTION = "Who is the founder of Velmar?"
STATS = {
    "document_tokens_in_context": int,
    "prompt_tokens": int,
    "generated_tokens": int,
    "absorb_seconds": float,
    "time_to_first_token_seconds": float,
    "tokens_per_second": float,
    "active_documents": int,
    "rank": int,
    "peak_memory_bytes": int,
    "attach_seconds": float,
    "cached_tokens": int,
    "chunks": list,
    "passages": int,
    "second_look": bool,
    "quoted": bool,
}


def test_answer_on_stdout_and_nothing_else(thoth: Run, note: Path) -> None:
    result = thoth("ask", "--doc", note, QUESTION)
    assert result.exit_code == 0
    assert result.stdout.endswith("\n")
    assert result.stderr.splitlines() == [UNSUPPORTED]  # a random model: what it says stands nowhere
    assert "\x1b" not in result.output


def test_what_the_answer_stands_on_is_said_unless_quiet(thoth: Run, note: Path) -> None:
    assert thoth("ask", "--quiet", "--doc", note, QUESTION).stderr == ""
    strict = thoth("ask", "--strict", "--doc", note, QUESTION)
    assert (strict.exit_code, strict.stderr.splitlines()) == (7, [UNSUPPORTED])
    assert strict.stdout.strip()
    as_json = thoth("ask", "--strict", "--json", "--doc", note, QUESTION)
    assert (as_json.exit_code, json.loads(as_json.stdout)["support"]) == (7, "unsupported")
    assert thoth("ask", "--no-doc", QUESTION).stderr == ""
    assert thoth("ask", "--strict", "--no-doc", QUESTION).exit_code == 2


def test_a_second_look_is_said(thoth: Run, note: Path) -> None:
    result = thoth("ask", "--fallback", "text", "--doc", note, QUESTION)
    assert re.fullmatch(rf"{UNSUPPORTED} Second look: 1 passage, \d+ tokens\.\n", result.stderr)
    stats = json.loads(thoth("ask", "--fallback", "text", "--json", "--doc", note, QUESTION).stdout)["stats"]
    assert (stats["second_look"], stats["passages"]) == (True, 1)
    assert thoth("ask", "--fallback", "none", "--doc", note, QUESTION).stderr.strip() == UNSUPPORTED
    assert thoth("ask", "--fallback", "some", "--doc", note, QUESTION).exit_code == 2


def test_json_schema(thoth: Run, note: Path, tiny_pair: Path) -> None:
    result = thoth("ask", "--doc", note, "--json", QUESTION)
    answer = json.loads(result.stdout)
    assert list(answer) == ["answer", "model", "documents", "support", "sources", "stats", "chat"]
    assert isinstance(answer["answer"], str)
    assert answer["model"] == str(tiny_pair)
    [document] = answer["documents"]
    assert list(document) == ["id", "name", "chunks"]
    assert (document["name"], document["chunks"]) == ("note.txt", 1)
    assert {name: type(value) for name, value in answer["stats"].items()} == STATS
    assert answer["stats"]["document_tokens_in_context"] == 0
    assert answer["stats"]["rank"] == 4  # r * (chunks + 1)
    [chunk] = answer["stats"]["chunks"]
    assert list(chunk) == [
        "document",
        "name",
        "number",
        "pages",
        "headings",
        "score",
        "answers",
        "related",
        "certainty",
    ]
    assert (chunk["document"], chunk["number"]) == (document["id"], 0)
    assert {chunk[name] for name in ("answers", "related", "certainty")} == {None}  # this pair has no matcher
    assert answer["stats"]["absorb_seconds"] > 0


def test_the_three_ways_differ_only_where_they_should(thoth: Run, note: Path) -> None:
    def ask(*options: str) -> Any:
        return json.loads(thoth("ask", "--doc", note, "--json", *options, QUESTION).stdout)

    weights, without, reading = ask(), ask("--no-doc"), ask("--in-context")
    assert weights["stats"]["prompt_tokens"] == without["stats"]["prompt_tokens"]
    assert weights["answer"] != without["answer"]
    assert without["documents"] == []
    assert without["stats"]["rank"] == reading["stats"]["rank"] == 0
    read = reading["stats"]["document_tokens_in_context"]
    assert read > 10
    assert reading["stats"]["prompt_tokens"] == without["stats"]["prompt_tokens"] + read
    assert reading["documents"] == [weights["documents"][0] | {"chunks": 0}]


def test_several_documents_share_the_bias(thoth: Run, note: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    other.write_text("The mayor of Tolquin is Berin Asto.")
    answer = json.loads(thoth("ask", "--doc", note, "--doc", other, "--route", "all", "--json", QUESTION).stdout)
    assert [document["name"] for document in answer["documents"]] == ["note.txt", "other.md"]
    assert answer["stats"]["rank"] == 2 * (1 + 1 + 1)


def test_the_same_text_twice_counts_once(thoth: Run, note: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.txt"
    shutil.copy(note, copy)
    twice = json.loads(thoth("ask", "--doc", note, "--doc", copy, "--json", QUESTION).stdout)
    assert len(twice["documents"]) == 1
    assert twice["stats"]["rank"] == 4


def test_a_long_document_is_chunked_not_cut(thoth: Run, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("Velmar makes lamps, and Ana Dor founded it. " * 10)
    whole = json.loads(thoth("ask", "--doc", path, "--route", "all", "--json", QUESTION).stdout)
    chunks = whole["documents"][0]["chunks"]
    assert chunks > 2
    assert whole["stats"]["rank"] == 2 * (chunks + 1)
    routed = json.loads(thoth("ask", "--doc", path, "--top-k", "1", "--json", QUESTION).stdout)
    assert routed["stats"]["rank"] == 2 * (1 + 1)
    assert len(routed["stats"]["chunks"]) == 1
    without = json.loads(thoth("ask", "--doc", path, "--route", "none", "--json", QUESTION).stdout)
    assert (without["stats"]["rank"], without["stats"]["chunks"]) == (0, [])


def test_passages_are_read_where_they_are_asked_for(thoth: Run, note: Path) -> None:
    plain = json.loads(thoth("ask", "--doc", note, "--json", QUESTION).stdout)["stats"]
    grounded = json.loads(thoth("ask", "--doc", note, "--with-text", "1", "--json", QUESTION).stdout)["stats"]
    assert plain["document_tokens_in_context"] == 0
    assert grounded["document_tokens_in_context"] > 10
    assert grounded["rank"] == plain["rank"]


def test_sources(thoth: Run, note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A random model says nothing that a document supports; what supports an answer is tested with its finder."""
    result = thoth("ask", "--doc", note, "--sources", QUESTION)
    answer, _, sources = result.stdout.partition("\n\n")
    assert answer + "\n" == thoth("ask", "--doc", note, QUESTION).stdout
    assert sources == "not found in the documents\n"
    passage = Passage("id", "note.txt", 0, 3, ("Lamps", "Makers"), "Velmar\nmakes lamps.", 0.9)
    monkeypatch.setattr("thoth.retrieval.provenance.support", lambda *_: (passage,))
    found = thoth("ask", "--doc", note, "--sources", QUESTION).stdout.partition("\n\n")[2]
    assert found == 'note.txt, page 3, Lamps > Makers: "Velmar makes lamps."\n'
    assert json.loads(thoth("ask", "--doc", note, "--json", QUESTION).stdout)["sources"][0]["page"] == 3


def test_the_active_documents_answer_where_none_is_named(thoth: Run, read: Any, note: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    other.write_text("The mayor of Tolquin is Berin Asto.")
    read("absorb", note, other)
    thoth("docs", "deactivate", "other.md")
    answer = read("ask", QUESTION)
    assert [document["name"] for document in answer["documents"]] == ["note.txt"]
    assert answer["answer"] == read("ask", "--doc", note, QUESTION)["answer"]
    assert read("ask", "--in-context", QUESTION)["stats"]["document_tokens_in_context"] > 10
    thoth("docs", "deactivate", "note.txt")
    result = thoth("ask", QUESTION)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no active document" in result.stderr


def test_a_document_that_is_asked_about_does_not_become_active(read: Any, note: Path) -> None:
    read("ask", "--doc", note, QUESTION)
    [document] = read("docs", "list")["documents"]
    assert (document["active"], document["source"]) == (False, str(note))
    read("absorb", note)
    assert read("docs", "list")["documents"][0]["active"]
    read("ask", "--doc", note, QUESTION)
    assert read("docs", "list")["documents"][0]["active"]


def test_active_documents_of_another_model_are_left_out(
    thoth: Run, read: Any, note: Path, tiny_pair: Path, tmp_path: Path
) -> None:
    read("absorb", note)
    pair = other_pair(tiny_pair, tmp_path)
    result = thoth("ask", "--model", pair, QUESTION)
    assert result.exit_code == 0
    assert "left out 1 active document that was absorbed with another model, or not completely" in result.stderr


def test_absorbing_twice_is_free(thoth: Run, note: Path, home: Path) -> None:
    first = json.loads(thoth("ask", "--doc", note, "--json", QUESTION).stdout)
    files = {path: path.stat().st_mtime_ns for path in (home / "documents").rglob("*")}
    copy = note.with_name("the same text under another name.txt")
    shutil.copy(note, copy)
    second = json.loads(thoth("ask", "--doc", copy, "--json", QUESTION).stdout)
    assert second["answer"] == first["answer"]
    assert second["stats"]["absorb_seconds"] == 0
    assert second["documents"][0]["id"] == first["documents"][0]["id"]
    assert {path: path.stat().st_mtime_ns for path in (home / "documents").rglob("*")} == files


def test_compare_prints_an_aligned_table(thoth: Run, note: Path) -> None:
    lines = thoth("ask", "--doc", note, "--compare", QUESTION).stdout.splitlines()
    assert [line[:22].strip() for line in lines] == [
        "",
        "from the weights",
        "without the document",
        "document in context",
    ]
    column = lines[0].index("answer")
    tokens = [int(line[22:column]) for line in lines[1:]]
    assert tokens[:2] == [0, 0]
    assert tokens[2] > 10


@pytest.mark.parametrize("argument", [["-"], []])
def test_question_from_a_pipe(thoth: Run, note: Path, argument: list[str]) -> None:
    piped = thoth("ask", "--doc", note, *argument, stdin=f"{QUESTION}\n")
    assert piped.stdout == thoth("ask", "--doc", note, QUESTION).stdout


def test_too_long_for_the_context(thoth: Run, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("Velmar makes lamps, and Ana Dor founded it. " * 60)
    result = thoth("ask", "--doc", path, "--in-context", QUESTION)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the model reads 512" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--doc", "{note}", ""], 2, "the question is empty"),
        (["--doc", "{note}", " \n"], 2, "the question is empty"),
        (["--doc", "{note}", "caf\udce9?"], 2, "the question is not text"),
        ([QUESTION], 2, "no active document"),
        (["--doc", "{note}", "--compare", "--sources", QUESTION], 2, "prints a table"),
        (["--no-doc", "--sources", QUESTION], 2, "use it without --no-doc"),
        (["--doc", "{note}", "--no-doc", "--in-context", QUESTION], 2, "use one"),
        (["--doc", "{note}", "--compare", "--json", QUESTION], 2, "prints a table"),
        (["--doc", "{folder}/nothing.txt", QUESTION], 3, "there is no file"),
        (["--doc", "{folder}", QUESTION], 3, "is a folder"),
        (["--doc", "{folder}/garbage.bin", QUESTION], 3, "neither text nor PDF"),
        (["--doc", "{note}", "--doc", "{folder}/empty.txt", QUESTION], 4, "no text"),
        (["--doc", "{note}", "--model", "minstral", QUESTION], 5, "there is no model"),
        (["--doc", "{note}", "--model", "qwen3-4b", QUESTION], 5, "not on this machine"),
    ],
)
def test_bad_requests(thoth: Run, note: Path, home: Path, arguments: list[str], code: int, says: str) -> None:
    (note.parent / "empty.txt").write_bytes(b"")
    (note.parent / "garbage.bin").write_bytes(bytes(range(256)))
    result = thoth("ask", *(part.format(note=note, folder=note.parent) for part in arguments))
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert result.stderr.startswith("thoth: ")
    assert result.stderr.count("\n") == 1
    assert not home.exists()


@pytest.mark.parametrize(
    ("file", "damage", "says"),
    [
        ("hypernet/model.safetensors", lambda data: data[: len(data) // 2], "damaged"),
        ("hypernet/model.safetensors", lambda data: data[:20], "damaged"),
        ("hypernet/config.json", lambda data: b"nonsense", "is not usable"),
        ("base/model.safetensors", lambda data: data[: len(data) // 2], "download or convert the base model again"),
        ("base/config.json", lambda data: b"{", "config.json is missing or no JSON"),
        ("base/tokenizer.json", lambda data: b"", "cannot be loaded"),
    ],
)
def test_damaged_pair(
    thoth: Run,
    note: Path,
    home: Path,
    tiny_pair: Path,
    tmp_path: Path,
    file: str,
    damage: Callable[[bytes], bytes],
    says: str,
) -> None:
    pair = tmp_path / "pair"
    shutil.copytree(tiny_pair, pair)
    (pair / file).write_bytes(damage((pair / file).read_bytes()))
    check_model_error(thoth("ask", "--model", pair, "--doc", note, QUESTION), says, home)


def test_bundle_of_another_base(
    thoth: Run, note: Path, home: Path, tiny_pair: Path, tmp_path: Path, make_base: MakeBase
) -> None:
    pair = tmp_path / "pair"
    make_base(pair / "base", seed=0, num_hidden_layers=4)
    shutil.copytree(tiny_pair / "hypernet", pair / "hypernet")
    result = thoth("ask", "--model", pair, "--doc", note, QUESTION)
    check_model_error(result, "3 layers", home)
    assert "4 layers" in result.stderr


def test_bundle_of_a_base_of_the_same_shape(
    thoth: Run, note: Path, home: Path, tiny_pair: Path, tmp_path: Path
) -> None:
    pair = tmp_path / "pair"
    shutil.copytree(tiny_pair, pair)
    weights = mx.load(str(pair / "base" / "model.safetensors"))
    weights["model.norm.weight"] = weights["model.norm.weight"] * 2
    mx.save_safetensors(str(pair / "base" / "model.safetensors"), weights)
    check_model_error(thoth("ask", "--model", pair, "--doc", note, QUESTION), "other weights", home)


def other_pair(pair: Path, folder: Path) -> Path:
    """A pair with the same base, whose bundle is another one."""
    copy = folder / "another"
    shutil.copytree(pair, copy)
    path = copy / "hypernet" / "model.safetensors"
    weights = mx.load(str(path))
    name = min(weights)
    mx.save_safetensors(str(path), weights | {name: weights[name] * 1.5}, {"format": "mlx"})
    return copy


def check_model_error(result: Result, says: str, home: Path) -> None:
    assert (result.exit_code, result.stdout) == (5, "")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (home / "documents").exists()


def test_an_unforeseen_error_is_one_line_and_keeps_its_traceback(
    thoth: Run, note: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr("thoth.engine.engine.load_pair", fail)
    result = thoth("ask", "--doc", note, QUESTION)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "KeyError: 'surprise'" in (home / "error.log").read_text()


def test_nano_introduces_itself_once(thoth: Run, note: Path, tiny_pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thoth.nano.folder", lambda: tiny_pair)
    first = thoth("ask", "--quiet", "--model", "nano", "--doc", note, QUESTION)
    second = thoth("ask", "--quiet", "--model", "nano", "--doc", note, QUESTION)
    assert first.stderr.startswith("thoth: nano, the built-in model, is a demonstration")
    assert first.stderr.count("\n") == 1
    assert second.stderr == ""
    assert second.stdout == first.stdout


def test_help_and_version(thoth: Run) -> None:
    assert "thoth try" in thoth().stdout
    assert "put --model after the command" in thoth("--model", "nano", "ask", "x").stderr
    assert "--in-context" in thoth("ask", "--help").stdout
    assert thoth("--version").stdout.startswith("thoth ")
    assert thoth("nonsense").exit_code == 2
