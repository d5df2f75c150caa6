"""`thoth doctor`: what is in order, what is slow, what is wrong, and what `--repair` mends."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.app.test_ask import other_pair
from thoth import settings
from thoth.system import machine, paths

Run = Callable[..., Result]
Read = Callable[..., Any]


def verdicts(read: Read) -> dict[str, str]:
    """The worst verdict on each thing."""
    found: dict[str, str] = {}
    for finding in read("doctor")["findings"]:
        found[finding["about"]] = max(found.get(finding["about"], ""), finding["verdict"])
    return found


def test_all_is_well(thoth: Run, read: Read, note: Path) -> None:
    read("absorb", note)
    found = verdicts(read)
    assert set(found) >= {"thoth", "mlx", "memory", "disk", "settings", "model", "library", "torch"}
    assert {about: verdict for about, verdict in found.items() if verdict != "ok" and about != "matrix products"} == {}
    result = thoth("doctor")
    assert result.exit_code == 0
    assert "1 document, 1 active" in result.stdout


def test_nothing_is_made_by_looking(thoth: Run, home: Path) -> None:
    assert thoth("doctor").exit_code == 0
    assert not home.exists()


def test_a_cpu_without_openblas(thoth: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("mlx_hypernet.blas.preload_blas", lambda: None)
    result = thoth("doctor")
    assert result.exit_code == 0
    assert "slow   matrix products: OpenBLAS is missing" in result.stdout
    assert "apt-get install libopenblas0" in result.stdout


def test_what_is_wrong(
    thoth: Run, tiny_pair: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine", "damaged"):
        shutil.copytree(tiny_pair, home / "models" / name)
    (home / "models" / "damaged" / "hypernet" / "config.json").write_text("{}")
    (home / "models" / ".gemma-2-2b-0123").mkdir()
    monkeypatch.setattr(machine, "total_memory", lambda: 1000)
    monkeypatch.setattr(machine, "free_disk", lambda _: 1000)
    result = thoth("doctor")
    assert result.exit_code == 1
    wrong = [line for line in result.stdout.splitlines() if line.startswith("WRONG")]
    assert ["free some space" in line for line in wrong].count(True) == 1
    assert any("mine: " in line and "do not fit in memory" in line for line in wrong)
    assert any("damaged: " in line and "config.json is not usable" in line for line in wrong)
    assert any(".gemma-2-2b-0123 was left by an interrupted pull" in line for line in wrong)
    paths.settings().write_text("modell = 'x'")
    assert "unknown setting modell" in thoth("doctor").stdout


def test_documents_of_another_model(thoth: Run, read: Read, note: Path, tiny_pair: Path, tmp_path: Path) -> None:
    read("absorb", "--model", other_pair(tiny_pair, tmp_path), note)
    result = thoth("doctor")
    assert result.exit_code == 0
    assert "slow   library: 1 active document absorbed with another model; run `thoth docs update`" in result.stdout


def test_a_damaged_library(thoth: Run, read: Read, note: Path, home: Path) -> None:
    read("absorb", note)
    for file in home.glob("library.db*"):
        file.unlink()
    (home / "library.db").write_bytes(b"this is no database" * 1000)
    result = thoth("doctor")
    assert result.exit_code == 1
    assert "WRONG  library: " in result.stdout


def test_repair(thoth: Run, read: Read, note: Path, home: Path) -> None:
    assert "Nothing to repair" in thoth("doctor", "--repair").stdout
    read("absorb", note)
    orphan = home / "documents" / ("0" * 16)
    orphan.mkdir()
    (orphan / "chunk.safetensors").write_bytes(b"x")
    left = home / "models" / ".gemma-2-2b-0123"
    left.mkdir(parents=True)
    repaired = read("doctor", "--repair")["repaired"]
    assert any("0" * 16 in line for line in repaired)
    assert any(str(left) in line for line in repaired)
    assert not orphan.exists()
    assert not left.exists()
    assert read("doctor", "--repair")["repaired"] == []
    assert len(read("docs", "list")["documents"]) == 1
    settings.load(paths.settings())


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": flip,
    "missing": Path.unlink,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-7]),
}


def test_damaged_adapters_are_found_and_absorbed_again(thoth: Run, read: Read, note: Path, home: Path) -> None:
    (stored,) = read("absorb", note)["documents"]
    note.unlink()  # the library has the text
    chunk = home / "documents" / stored["id"] / "00000.safetensors"
    shared = next((home / "documents").glob("bias-*.safetensors"))
    whole = {path: path.read_bytes() for path in (chunk, shared)}
    for damage in DAMAGES.values():
        for path in (chunk, shared):
            damage(path)
            result = thoth("doctor")
            assert result.exit_code == 1
            said = f"WRONG  adapters: {path} is damaged or missing; run `thoth doctor --repair`"
            assert said in result.stdout.splitlines()
            done = thoth("doctor", "--repair").stdout.splitlines()
            assert done[0] == f"dropped {path}, which is damaged"
            assert "note.txt: 1 chunk was absorbed again from its stored text" in done
            assert "ok     adapters: each has the SHA-256 that it was written with" in done
            assert {path: path.read_bytes() for path in (chunk, shared)} == whole


def test_a_damaged_text_is_named_with_what_to_do(thoth: Run, read: Read, note: Path, home: Path) -> None:
    read("absorb", note)
    with sqlite3.connect(home / "library.db") as database:
        (id,) = database.execute("SELECT id FROM documents").fetchone()
        database.execute("UPDATE texts SET text = replace(text, 'Ana', 'Eva')")
    database.close()
    for chunk in (home / "documents" / id).iterdir():
        flip(chunk)
    for arguments in (["doctor"], ["doctor", "--repair"]):
        result = thoth(*arguments)
        assert result.exit_code == 1
        remedy = f"run `thoth docs remove {id}`, then absorb {note} again"
        assert f"WRONG  text: the stored text of note.txt is damaged or missing; {remedy}" in result.stdout
        assert "absorbed again" not in result.stdout
    with sqlite3.connect(home / "library.db") as database:
        database.execute("DELETE FROM texts")
    database.close()
    assert "the stored text of note.txt is damaged or missing" in thoth("doctor").stdout
    assert "is missing from the library: remove it" in thoth("docs", "show", "--text", "note.txt").stderr


def test_what_another_model_absorbed_is_left_to_update(
    thoth: Run, read: Read, note: Path, tiny_pair: Path, tmp_path: Path, home: Path
) -> None:
    read("absorb", "--model", other_pair(tiny_pair, tmp_path), note)
    (document,) = read("docs", "list")["documents"]
    flip(home / "documents" / document["id"] / "00000.safetensors")
    done = thoth("doctor", "--repair").stdout
    assert f"another model absorbed it, and 1 chunk was missing; `thoth docs update {document['id']}`" in done
    assert "absorbed again from" not in done


def test_theme_and_keys_are_checked(thoth: Run, home: Path) -> None:
    home.mkdir()
    paths.settings().write_text(
        'theme = "nrd"\n[keys]\n"main.new" = "f9,ctrl+k"\n"main.nwe" = "f8"\n"main.stop" = "ctlr+x"\n'
    )
    result = thoth("doctor")
    assert result.exit_code == 1
    wrong = [line for line in result.stdout.splitlines() if line.startswith("WRONG")]
    assert "keys: there is no action main.nwe in [keys]; use main.new or" in wrong[1]
    assert wrong == [
        "WRONG  theme: there is no theme nrd; use nord",
        wrong[1],
        """WRONG  keys: main.stop has the key 'ctlr+x', which is none; write it as "ctrl+n\"""",
    ]
