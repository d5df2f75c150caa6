"""`thoth` as a process: streams, signals, exit codes, and how soon it answers."""

import gc
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from thoth.__main__ import main
from thoth.errors import ResourceError
from thoth.library.library import Library

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., Result]
Read = Callable[..., Any]
QUESTION = "Who is the founder of Velmar?"


def test_on_a_terminal_the_answer_stays(note: Path, tiny_pair: Path) -> None:
    screen, terminal = pty.openpty()
    command = ["ask", "--model", str(tiny_pair), "--doc", str(note), "--max-tokens", "5", QUESTION]
    process = subprocess.Popen([sys.executable, "-m", "thoth", *command], stdout=terminal, stderr=terminal)
    assert process.wait() == 0
    shown = os.read(screen, 10_000).decode()
    os.close(terminal)
    os.close(screen)
    assert "absorbing note.txt" in shown
    left = shown.rpartition("\x1b[K")[2]  # what was written after the last erased line
    assert left.endswith("\r\n")
    assert left.strip()


def test_bad_input_and_exit(start: Start, note: Path, tmp_path: Path) -> None:
    process = start("ask", "--doc", tmp_path / "nothing.pdf", QUESTION)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (3, "")
    assert stderr.startswith("thoth: there is no file")


def test_empty_question_on_a_pipe(start: Start, note: Path) -> None:
    process = start("ask", "--doc", note)
    _, stderr = process.communicate("")
    assert process.returncode == 2
    assert stderr == "thoth: the question is empty; give it as an argument or on standard input\n"


def test_ctrl_c(start: Start, tmp_path: Path) -> None:
    huge = tmp_path / "huge.txt"
    os.mkfifo(huge)
    process = start("ask", "--doc", huge, QUESTION)
    # A pipe: this returns when the command has read it all and goes on to load and absorb for minutes.
    huge.write_text("The founder of Velmar is Ana Dor. " * 60_000)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr) == (130, "", "")


def test_reader_that_goes_away(start: Start, note: Path) -> None:
    process = start("ask", "--quiet", "--doc", note, "--max-tokens", "5", QUESTION)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 1
    process.stderr.close()


def test_kill_while_absorbing_keeps_what_is_finished(
    start: Start, thoth: Run, read: Read, tmp_path: Path, home: Path
) -> None:
    long = tmp_path / "long.txt"
    long.write_text("The founder of Velmar is Ana Dor. " * 300)
    process = start("absorb", long)
    # At the first chunks that are reported, of hundreds.
    library = Library(home)
    while not any(document.absorbed for document in library.documents()) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    [begun] = read("docs", "list")["documents"]
    assert (begun["name"], begun["state"]) == ("long.txt", "absorbing")
    assert begun["absorbed"]
    repair = thoth("doctor", "--repair")
    assert (repair.exit_code, repair.stderr) == (0, "")
    [kept] = read("docs", "list")["documents"]
    assert kept["absorbed"] == kept["chunks"]  # from the stored text
    second = thoth("ask", "--quiet", QUESTION)
    assert (second.exit_code, second.stderr) == (0, "")  # what is absorbed answers


def test_two_processes_absorb_and_answer_at_once(start: Start, read: Read, note: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("The mayor of Tolquin is Berin Asto.")
    short = ("--quiet", "--max-tokens", "5", QUESTION)
    both = [start("ask", "--doc", one, "--doc", two, *short) for one, two in ((note, other), (other, note))]
    said = [process.communicate() for process in both]
    assert [(process.returncode, errors) for process, (_, errors) in zip(both, said, strict=True)] == [(0, "")] * 2
    assert all(answer.strip() and answer.endswith("\n") for answer, _ in said)
    documents = read("docs", "list")["documents"]
    assert sorted(document["name"] for document in documents) == ["note.txt", "other.txt"]
    assert {document["state"] for document in documents} == {"ready"}


def test_help_imports_nothing_heavy(home: Path) -> None:
    command = "import sys; sys.argv = ['thoth', '--help']\nfrom thoth.__main__ import main\n"
    command += "try:\n main()\nfinally:\n print(*sys.modules, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in result.stderr.split()}
    heavy = {"mlx", "mlx_lm", "transformers", "numpy", "pypdf", "rich"}  # what mlx_hypernet is made of is among them
    assert not loaded & (heavy | {"sqlite3", "textual", "huggingface_hub", "tomlkit", "ssl", "asyncio"})
    assert not home.exists()


@pytest.mark.parametrize(("error", "code"), [(ResourceError("the disk is full"), 6), (ValueError("odd"), 1)])
def test_the_terminal_app_ends_in_one_line_as_well(
    error: Exception, code: int, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        raise error

    monkeypatch.setattr("thoth.tui.app.run", run)
    monkeypatch.setitem(sys.modules, "torch", None)  # as `main` does it, but for this test alone
    monkeypatch.setattr(sys, "argv", ["thoth"])
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    (line,) = capsys.readouterr().err.splitlines()
    assert ("the disk is full" if code == 6 else str(home)) in line


def test_ctrl_c_while_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["thoth", "docs", "list"])
    monkeypatch.setattr("thoth.cli.main", interrupt)
    monkeypatch.setattr(gc, "set_threshold", lambda _: None)  # it would hold for the tests to come
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
