"""`benchmarks.hostile` sees what it counts: a benchmark that cannot find a fault proves nothing."""

from pathlib import Path

import pytest

from benchmarks import hostile_documents, hostile_models, hostile_runs

PROGRAMS = {
    "import sys; print('thoth: no such model', file=sys.stderr); sys.exit(5)": [],
    "print('Osra Kelland')": [],
    "import sys; print('thoth: one\\nthoth: two', file=sys.stderr); sys.exit(5)": ["not one line"],
    "raise SystemExit(5)": ["not one line"],
    "1 / 0": ["internal error"],
    "import os; os.abort()": ["crash"],
    "import os, signal; os.kill(os.getpid(), signal.SIGXCPU)": ["hang"],
    f"open({hostile_runs.CANARY!r}, 'w')": ["code executed"],
    "input()": [],  # there is a "y" to read
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_fault_is_seen(program: str, tmp_path: Path) -> None:
    hostile_runs.prepare(tmp_path)
    ended = hostile_runs.start(tmp_path, ["-c", program], tmp_path)
    assert ended.faults() == PROGRAMS[program]
    assert ended.cpu_seconds > 0
    assert ended.peak_bytes > 1 << 20
    assert not (tmp_path / hostile_runs.CANARY).exists()


def test_code_of_a_foreign_case_is_seen_wherever_it_runs(tmp_path: Path) -> None:
    (tmp_path / "make_code.py").write_text(
        "import pathlib\n"
        f"MARK = {hostile_runs.CANARY!r}\n"
        "pair = pathlib.Path('work/pairs/shadow')\n"
        "pair.mkdir(parents=True)\n"
        "(pair / 'evil.py').write_text(f'open({MARK!r}, \"a\")')\n"
    )
    hostile_runs.prepare(tmp_path)
    (case,) = hostile_models.foreign(tmp_path, tmp_path, ["code"])
    assert hostile_runs.start(tmp_path, ["evil.py"], case.path).faults() == ["code executed"]


def test_every_case_is_made_and_differs_from_nano(tmp_path: Path) -> None:
    cases = list(hostile_models.ours(tmp_path, ["template", "gguf", "pickle"]))
    assert len(cases) > 100
    assert len({case.path for case in cases}) == len(cases)
    assert {case.kind for case in cases} == {"template", "pickle", "gguf"}
    nano = {path.relative_to(hostile_models.NANO) for path in hostile_models.NANO.rglob("*.*")}
    for case in cases:
        if case.path.is_dir():
            links = {path.relative_to(case.path) for path in case.path.rglob("*") if path.is_symlink()}
            touched = nano - {link for link in links if (case.path / link).readlink() == hostile_models.NANO / link}
            assert touched, case.name


@pytest.mark.parametrize(
    ("output", "faults"),
    [
        ('{"documents": [{"name": "good.txt"}], "failed": [{"error": "bad.pdf is damaged"}]}', []),
        ('{"documents": [], "failed": [{"error": "bad.pdf is damaged"}]}', ["the next file was not absorbed"]),
        ('{"documents": [{"name": "good.txt"}], "failed": []}', ["not one line"]),
        ('{"documents": [{"name": "good.txt"}], "failed": [{"error": "damaged"}]}', ["not named"]),
        ("", ["no report"]),
    ],
)
def test_what_a_refusal_must_say(output: str, faults: list[str]) -> None:
    ended = hostile_runs.Ended(3, False, output, "", 1.0, 1, False)
    assert hostile_documents._faults(ended, "bad.pdf is damaged", "bad.pdf") == faults


@pytest.mark.slow
def test_documents_are_made(tmp_path: Path) -> None:
    made = [path.name for path in hostile_documents._ours(tmp_path)]
    assert len(made) > 35
    assert len({Path(name).suffix for name in made}) > 12
