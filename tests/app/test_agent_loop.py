"""The loop: calls run in order, results come back, limits and stops hold."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.app import made_up
from tests.app.agents import results, script, stage
from thoth.agent.tool import Result, Tool, parameters
from thoth.errors import Stopped, ThothError
from thoth.events import Call, Step

LONG = made_up.document([f"Harpool has {number} bridges over the river." for number in range(90)], "bridges.html")


def echo(name: str = "echo", run: object = None) -> Tool:
    return Tool(
        name, "Say it again.", parameters(text={"type": "string"}), run or (lambda _, given: Result(given["text"]))
    )


def test_calls_run_in_order_and_their_results_come_back(tmp_path: Path) -> None:
    calls = [Call("echo", {"text": "one"}), Call("echo", {"text": "two"})]
    setting = stage(tmp_path, script(calls, "done"), tools=[echo()])
    assert setting.ask("go").text == "done"
    said = setting.engine.asked[1]
    assert [message["role"] for message in said] == ["system", "user", "assistant", "tool", "tool"]
    assert [call["function"]["arguments"]["text"] for call in said[2]["tool_calls"]] == ["one", "two"]
    assert [call["id"] for call in said[2]["tool_calls"]] == [message["tool_call_id"] for message in said[3:]]
    assert [message["content"] for message in said[3:]] == ["<data>\none\n</data>", "<data>\ntwo\n</data>"]
    assert [(step.number, step.state, step.round) for step in setting.steps] == [(0, "done", 0), (1, "done", 0)]


def test_what_results_hold_counts_as_document_tokens(tmp_path: Path) -> None:
    setting = stage(tmp_path, script(Call("echo", {"text": "three short words"}), "done"), tools=[echo()])
    answer = setting.ask("go")
    assert answer.stats.document_tokens_in_context == 3
    assert answer.stats.generated_tokens == 10  # of both rounds


def test_a_long_result_is_absorbed_for_the_chat_and_only_its_receipt_is_read(tmp_path: Path) -> None:
    fetch = echo(run=lambda *_: Result(LONG.text, LONG, "https://example.org/bridges"))
    setting = stage(tmp_path, script(Call("echo", {"text": ""}), "done"), tools=[fetch])
    answer = setting.ask("go")
    (step,) = setting.steps
    (stored,) = setting.agent.bench.documents()
    assert stored.of_chat
    assert step.documents == (stored.id,)
    assert stored.source == "https://example.org/bridges"
    assert not setting.library.documents()
    assert answer.stats.document_tokens_in_context == 0
    assert step.result.startswith("Absorbed 90 pages, 90 chunks. Answer from memory.\n<data>\nTitle: bridges.html\n")
    assert "Harpool has 0 bridges over the river." in step.result
    assert "40 bridges" not in step.result


def test_a_result_belongs_to_the_chat_before_it_is_absorbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped half-way, it is removed with a chat that is not stored; and no question is answered from it."""
    fetch = echo(run=lambda *_: Result(LONG.text, LONG, "https://example.org/bridges"))
    setting = stage(tmp_path, script(Call("echo", {"text": ""})), tools=[fetch])
    bench = setting.agent.bench

    def stopped(*_: object) -> None:
        raise Stopped("stopped")

    monkeypatch.setattr(bench, "absorbed", stopped)
    monkeypatch.setattr(setting.library, "missing", lambda _: [])
    with pytest.raises(Stopped):
        setting.ask("go")
    assert [stored.absorbed for stored in setting.library.known(bench.own)] == [0]
    assert not bench.documents()


def test_a_text_of_spaces_is_cut_to_nothing(tmp_path: Path) -> None:
    setting = stage(tmp_path, script("done"))
    setting.engine.count_tokens = len  # type: ignore[method-assign]
    assert setting.agent.bench.cut(" " * 500 + "word", 50) == ""
    assert setting.agent.bench.cut("some words " * 50, 50).split() == ["some", "words"] * 3 + ["some"]


def test_wrong_calls_are_told_to_the_model(tmp_path: Path) -> None:
    wrong = [Call("other", {}), Call("echo", {"text": 7}), Call("echo", {})]
    setting = stage(tmp_path, script(wrong, "done"), tools=[echo()])
    setting.ask("go")
    assert [step.state for step in setting.steps] == ["failed"] * 3
    told = results(setting.engine.asked[1])
    assert "there is no tool other" in told
    assert "7 is not of type 'string'" in told
    assert "'text' is a required property" in told


def test_a_tool_that_fails_costs_a_line(tmp_path: Path) -> None:
    def fail(*_: object) -> Result:
        raise ThothError("the page is gone: look elsewhere")

    def crash(*_: object) -> Result:
        raise ZeroDivisionError

    calls = [Call("fail", {"text": ""}), Call("crash", {"text": ""})]
    setting = stage(tmp_path, script(calls, "done"), tools=[echo("fail", fail), echo("crash", crash)])
    assert setting.ask("go").text == "done"
    assert setting.steps[0].result == "<data>\nError: the page is gone: look elsewhere\n</data>"
    assert setting.steps[1].state == "failed"


def test_steps_are_bounded(tmp_path: Path) -> None:
    """A model that calls for ever is asked for an answer without calls at the end."""
    setting = stage(tmp_path, lambda _: [Call("echo", {"text": "again"})] * 2, tools=[echo()], agent_steps=5)
    assert setting.ask("go").text == "no calls left"
    assert len(setting.steps) == 5
    assert setting.engine.choices == ["auto"] * 3 + ["none"]


def test_tokens_are_bounded(tmp_path: Path) -> None:
    setting = stage(tmp_path, lambda _: [Call("echo", {"text": "again"})], tools=[echo()], agent_tokens=12)
    setting.ask("go")
    assert setting.engine.choices == ["auto"] * 3 + ["none"]  # 5 tokens each


def stop_soon(setting: object, ready: threading.Event) -> None:
    def stop() -> None:
        ready.wait(30)
        setting.agent.bench.stopper.stop()  # type: ignore[attr-defined]

    threading.Thread(target=stop).start()


def test_stop_while_a_tool_runs_keeps_what_was_done(tmp_path: Path) -> None:
    running, never = threading.Event(), threading.Event()

    def wait(*_: object) -> Result:
        running.set()
        never.wait(60)
        return Result("too late")

    rounds = script([Call("echo", {"text": "first"}), Call("wait", {"text": ""})], "never said")
    setting = stage(tmp_path, rounds, tools=[echo(), echo("wait", wait)])
    stop_soon(setting, running)
    with pytest.raises(Stopped):
        setting.ask("go")
    never.set()
    assert [step.state for step in setting.steps] == ["done", "stopped"]
    assert setting.steps[0].result == "<data>\nfirst\n</data>"


def test_stop_while_the_model_writes(tmp_path: Path) -> None:
    setting = stage(tmp_path, script(), tools=[echo()])
    setting.engine.hold = True
    started = threading.Event()
    started.set()
    stop_soon(setting, started)
    with pytest.raises(Stopped):
        setting.ask("go")


def test_remembering_reads_files_only(tmp_path: Path) -> None:
    """A pipe without a writer would be waited for, and the terminal has what a person types."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null"):
        call = Call("remember", {"kind": "file", "content": str(path)})
        setting = stage(tmp_path / "home", script(call, "done"), allowed=("files", "write"))
        setting.ask("Read it.")
        assert (setting.steps[-1].state, "is a pipe or a device" in setting.steps[-1].result) == ("failed", True)


def test_no_tool_begins_after_the_stop(tmp_path: Path) -> None:
    ran: list[object] = []

    def run(*given: object) -> Result:
        ran.append(given)
        return Result("done")

    setting = stage(tmp_path, script("never"), tools=[echo("echo", run)])
    setting.agent.bench.stopper.stop()
    with pytest.raises(Stopped):
        setting.agent.do(Call("echo", {"text": "a"}))
    assert (ran, setting.steps[-1].state) == ([], "stopped")


def test_stop_while_a_person_is_asked(tmp_path: Path) -> None:
    def ask(_: object) -> str:
        setting.agent.bench.stopper.stop()
        return "once"

    setting = stage(tmp_path, script(Call("forget", {"document": "x"})), ask=ask)  # type: ignore[arg-type]
    with pytest.raises(Stopped):
        setting.ask("go")
    assert [step.state for step in setting.steps] == ["stopped"]


def test_each_change_of_a_step_is_reported(tmp_path: Path) -> None:
    setting = stage(tmp_path, script(Call("forget", {"document": "x"}), "done"), ask=lambda _: "once")
    setting.ask("go")
    states = [event.state for event in setting.events if isinstance(event, Step)]
    assert states == ["asking", "running", "failed"]


# The tools


def test_remembered_texts_are_documents_of_the_library(tmp_path: Path) -> None:
    call = Call("remember", {"kind": "text", "content": "The mayor of Harpool is Osra Kelland."})
    setting = stage(tmp_path, script(call, "done"), allowed=["write"])
    setting.ask("go")
    (stored,) = setting.library.documents(active=True)
    assert setting.steps[0].documents == (stored.id,)
    assert setting.steps[0].result.startswith("Absorbed 1 chunk. Answer from memory.")


def test_memory_is_listed_searched_read_and_forgotten(tmp_path: Path) -> None:
    setting = stage(
        tmp_path,
        script(
            [
                Call("list_documents", {}),
                Call("search_memory", {"query": "bridges 41"}),
                Call("read_pages", {"document": "bridges.html", "first": 3, "last": 4}),
                Call("read_pages", {"document": "bridges.html", "first": 300, "last": 301}),
                Call("forget", {"document": "bridges.html"}),
                Call("list_documents", {}),
            ],
            "done",
        ),
        allowed=["forget"],
    )
    setting.agent.bench.given = [made_up.absorb(setting.library, LONG)]
    setting.ask("go")
    listed, found, read, beyond, forgotten, after = [step.result for step in setting.steps]
    assert "bridges.html (90 pages)" in listed
    assert "[bridges.html, page 42, Notes > Page 42] Harpool has 41 bridges over the river." in found
    assert "Harpool has 2 bridges over the river.\nHarpool has 3 bridges over the river." in read
    assert "the document has 90" in beyond
    assert "Removed bridges.html" in forgotten
    assert after == "There are no documents."
