"""`thoth chat`, `ask -c`, `chats` and `templates` in this process: what is stored, continued, shown and deleted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from thoth.chats.sessions import Sessions
from thoth.cli.chat import _Loop
from thoth.library.library import Library

Run = Callable[..., Result]
Read = Callable[..., Any]

FACTS = ["The founder of Velmar is Ana Dor.", "The mayor of Tolquin is Berin Asto.", "Velmar makes lamps."]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOTH_MAX_TOKENS", "4")


def test_each_line_of_a_pipe_is_a_question_of_one_chat(thoth: Run, home: Path, read: Read) -> None:
    result = thoth("chat", stdin="\n".join([*FACTS, "", "Who founded Velmar?"]))
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) >= 4
    [chat] = read("chats", "list")["chats"]
    assert (chat["title"], chat["turns"]) == (FACTS[0], 4)
    turns = Sessions(home).turns(chat["id"])
    assert [turn.question for turn in turns] == [*FACTS, "Who founded Velmar?"]
    assert {turn.state for turn in turns} == {"done"}
    assert turns[-1].stats is not None
    assert turns[0].stats is not None
    assert turns[-1].stats.prompt_tokens > turns[0].stats.prompt_tokens * 2  # the whole chat was asked


def test_json_of_a_chat_is_an_object_on_each_line(thoth: Run) -> None:
    lines = thoth("chat", "--json", stdin="\n".join(FACTS)).stdout.splitlines()
    objects = [json.loads(line) for line in lines]
    assert [one["question"] for one in objects] == FACTS
    assert len({one["chat"] for one in objects}) == 1
    assert list(objects[0]) == [
        "question",
        "answer",
        "model",
        "support",
        "sources",
        "stats",
        "chat",
        "absorbed_turns",
    ]


def test_the_last_chat_is_continued(thoth: Run, read: Read, home: Path, note: Path) -> None:
    read("absorb", note)
    first = read("ask", "Who is the founder of Velmar?")
    second = read("ask", "-c", "And what does it make?")
    assert second["chat"] == first["chat"]
    assert second["stats"]["prompt_tokens"] > first["stats"]["prompt_tokens"]
    assert read("ask", "Who is it?")["chat"] != first["chat"]
    assert read("ask", "--chat", first["chat"][:6], "Who is it?")["chat"] == first["chat"]
    thoth("chat", "-c", stdin="And now?\n")
    assert [turn.question for turn in Sessions(home).turns(first["chat"])][-2:] == ["Who is it?", "And now?"]
    unsaved = read("ask", "--no-save", "Nobody keeps this?")
    assert unsaved["chat"] is None
    assert "Nobody keeps this?" not in str(read("chats", "search", "Nobody"))
    again = read("ask", "-c", "--no-save", "And what of it?")  # asked with the chat, which stays as it was
    assert again["chat"] is None
    assert again["stats"]["prompt_tokens"] > unsaved["stats"]["prompt_tokens"]
    assert Sessions(home).turns(first["chat"])[-1].question == "And now?"


def test_what_was_named_in_a_chat_stays_its_document(read: Read, note: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    other.write_text("The mayor of Tolquin is Berin Asto.")
    read("absorb", other)
    named = read("ask", "--doc", note, "Who is the founder of Velmar?")
    again = read("ask", "-c", "Who is the founder of Velmar?")
    assert again["documents"] == named["documents"]
    assert read("ask", "Who is the mayor of Tolquin?")["documents"][0]["name"] == "other.md"


def test_nothing_to_continue(thoth: Run) -> None:
    for command in (["ask", "-c", "Q?"], ["chat", "-c"]):
        result = thoth(*command, stdin="")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "no earlier chat" in result.stderr
    assert thoth("ask", "--chat", "ffff", "Q?").exit_code == 3


def test_a_pipe_beside_a_question_is_a_document(thoth: Run, read: Read, note: Path) -> None:
    piped = thoth("ask", "--json", "Who is the founder of Velmar?", stdin=note.read_bytes())
    answer = json.loads(piped.stdout)
    assert [document["name"] for document in answer["documents"]] == ["standard input"]
    assert answer["answer"] == read("ask", "--doc", note, "Who is the founder of Velmar?")["answer"]
    assert not read("docs", "list")["documents"][0]["active"]
    asked = thoth("ask", "--no-doc", "--json", stdin="Who is it?")  # without one, it is the question
    assert asked.exit_code == 0


def test_lists_shows_and_searches(thoth: Run, read: Read, note: Path) -> None:
    assert thoth("chats", "list").stderr.startswith("thoth: no chats yet")
    asked = read("ask", "--doc", note, "Who is the founder of Velmar?")
    lines = thoth("chats", "list").stdout.splitlines()
    assert lines[0].split() == ["id", "name", "turns", "model", "updated"]
    assert lines[1].startswith(asked["chat"][:8])
    assert [chat["id"] for chat in read("chats", "search", "VELMAR", "founder")["chats"]] == [asked["chat"]]
    assert thoth("chats", "search", "Tolquin").stderr == "thoth: no chat has these words: Tolquin\n"
    [turn] = read("chats", "show", asked["chat"][:8])["turns"]
    assert (turn["answer"], turn["model"]) == (asked["answer"], asked["model"])


def test_an_export_has_sources_model_and_date(
    thoth: Run, read: Read, note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thoth.events import Passage

    passage = Passage("id", "note.txt", 0, 3, ("Lamps",), "Velmar makes lamps.", 0.9)
    monkeypatch.setattr("thoth.retrieval.provenance.support", lambda *_: (passage,))
    asked = read("ask", "--doc", note, "-s", "Be brief.", "Who is the founder of Velmar?")
    target = tmp_path / "chat.md"
    assert thoth("chats", "export", asked["chat"], target).exit_code == 0
    text = target.read_text()
    assert text == thoth("chats", "export", asked["chat"]).stdout
    [turn] = read("chats", "show", asked["chat"])["turns"]
    year = turn["asked"][:4]
    assert f"*{year}-" in text
    for part in ("System prompt: Be brief.", asked["model"], "> Velmar makes lamps.", "> note.txt, page 3, Lamps"):
        assert part in text
    assert read("chats", "export", asked["chat"], tmp_path / "chat.json")["file"].endswith("chat.json")
    assert thoth("chats", "export", asked["chat"], target).exit_code == 2  # it is there


def test_delete_asks_and_takes_what_the_chat_remembers(
    thoth: Run, read: Read, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOTH_AGENT_WINDOW", "1")
    last = json.loads(thoth("chat", "--json", stdin="\n".join(FACTS)).stdout.splitlines()[-1])
    sessions, library = Sessions(home), Library(home)
    remembered = library.known(sessions.documents(last["chat"]))
    assert len(remembered) == 2  # all turns but the last
    assert read("docs", "list")["documents"] == []
    refused = thoth("chats", "delete", last["chat"])
    assert (refused.exit_code, "pass --yes" in refused.stderr) == (2, True)
    assert read("chats", "delete", "--yes", last["chat"])["deleted"][0]["id"] == last["chat"]
    assert library.known([one.id for one in remembered]) == []
    assert sessions.find() == []
    assert not [path for path in (home / "documents").glob("*/*.safetensors") if path.parent.name != "documents"]


def test_a_template_has_a_place_for_the_question(thoth: Run, read: Read, home: Path, note: Path) -> None:
    folder = home / "templates"
    folder.mkdir(parents=True)
    (folder / "brief.toml").write_text('question = "In one word: $input"\nsystem = "Be brief."\nmax_tokens = 2\n')
    (folder / "summary.toml").write_text('question = "Summarise the document."\n')
    assert [one["name"] for one in read("templates", "list")["templates"]] == ["brief", "summary"]
    assert read("templates", "show", "brief")["max_tokens"] == 2
    asked = json.loads(thoth("ask", "-t", "brief", "--doc", note, "--json", "Who costs $5?").stdout)
    [turn] = read("chats", "show", asked["chat"])["turns"]
    assert turn["question"] == "In one word: Who costs $5?"
    assert read("chats", "show", asked["chat"])["system"] == "Be brief."
    summed = json.loads(thoth("ask", "-t", "summary", "--json", stdin=b"Berin Asto rules Tolquin.").stdout)
    assert [document["name"] for document in summed["documents"]] == ["standard input"]
    [turn] = read("chats", "show", summed["chat"])["turns"]
    assert turn["question"] == "Summarise the document."


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("question = 3", "question must be a text"),
        ("questin = 'x'", "unknown key questin"),
        ("temp = -1", "temp must be a number, 0 or more"),
        ("question", "is not valid TOML"),
    ],
)
def test_mistakes_in_a_template(thoth: Run, home: Path, text: str, says: str) -> None:
    (home / "templates").mkdir(parents=True)
    (home / "templates" / "x.toml").write_text(text)
    result = thoth("ask", "-t", "x", "Q?")
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr
    for name in ("nothing", "../settings"):
        assert thoth("ask", "-t", name, "Q?").exit_code == 2


def test_sampling_is_drawn_from_a_seed_and_greedy_without(read: Read, note: Path) -> None:
    def ask(*options: str) -> str:
        return str(read("ask", "--doc", note, *options, "Who is the founder of Velmar?")["answer"])

    greedy = ask()
    assert ask("--temp", "0") == greedy
    drawn = [ask("--temp", "5", "--seed", seed) for seed in ("1", "1", "2")]
    assert drawn[0] == drawn[1] != drawn[2]
    assert ask("--temp", "5", "--top-p", "0.01", "--seed", "1") == greedy  # only the likeliest is left


@pytest.mark.parametrize("option", [["--temp", "-1"], ["--temp", "nan"], ["--top-p", "2"], ["--seed", "x"]])
def test_sampling_out_of_range(thoth: Run, note: Path, option: list[str]) -> None:
    result = thoth("ask", "--doc", note, *option, "Q?")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"thoth: {option[0]} must be a")


def test_a_file_with_answers_has_no_prompts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`thoth chat > answers.txt`: `input` would write its prompt there."""
    prompts: list[str] = []
    monkeypatch.setattr("builtins.input", lambda prompt="": prompts.append(prompt) or " Who? ")
    loop = object.__new__(_Loop)
    loop._is_terminal = True
    assert loop._read() == "Who?"
    assert prompts == [""]
    assert capsys.readouterr() == ("", "> ")


def test_a_chat_that_cannot_be_stored_goes_on(thoth: Run, note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from thoth.errors import ResourceError

    def full(*_: object) -> None:
        raise ResourceError("the disk is full")

    monkeypatch.setattr(Sessions, "put", full)
    result = thoth("chat", "--quiet", stdin="\n".join(FACTS))
    assert result.exit_code == 0
    assert result.stderr == "thoth: this chat is not saved: the disk is full\n"
    assert thoth("ask", "--quiet", "--doc", note, "Q?").exit_code == 0


def test_ctrl_c_stops_an_answer_and_a_second_one_leaves(
    thoth: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted = iter([True, False, True, True])

    def listener(_: bool) -> Callable[[object], None]:
        pressed = next(interrupted, False)

        def listen(_: object) -> None:
            if pressed:
                raise KeyboardInterrupt  # as Python raises it where the command waits for the next piece

        return listen

    monkeypatch.setattr("thoth.cli.answers.listener", listener)
    result = thoth("chat", "--quiet", stdin="\n".join([*FACTS, "Who?", "Never asked?"]))
    assert result.exit_code == 130
    assert result.stderr.splitlines()[:2] == ["thoth: stopped; press Ctrl-C again to leave"] * 2
    turns = Sessions(home).turns(Sessions(home).find()[0].id)
    assert [turn.state for turn in turns] == ["stopped", "done", "stopped", "stopped"]
    assert thoth("chat", "-c", stdin="And now?").exit_code == 0  # nothing is broken
