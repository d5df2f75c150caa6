"""How many bits are proposed for a machine's memory, and what is said to fit."""

import json
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from thoth.cli import app
from thoth.models import fitting, registry
from thoth.system import machine

Run = Callable[..., Result]
GB = 10**9
MINISTRAL = registry.KNOWN["ministral-3-3b"]


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> None:
    sysconfig.get_config_vars()  # read once, from a module that is named after the platform
    monkeypatch.setattr("sys.platform", "darwin")


@pytest.mark.usefixtures("mac")
@pytest.mark.parametrize(
    ("memory", "bits", "verdict"),
    [
        (64, None, "fits"),
        (19, None, "fits"),
        (17, 8, "fits"),
        (16, 8, "fits"),
        (12, 8, "fits"),
        (8, 4, "fits"),
        (6, 6, "tight"),
        (3, 4, "no"),
    ],
)
def test_what_is_proposed(memory: int, bits: int | None, verdict: str) -> None:
    choices = fitting.choices(MINISTRAL, memory * GB)
    assert [one.bits for one in choices] == [None, 8, 6, 4]
    assert [one.memory for one in choices] == sorted((one.memory for one in choices), reverse=True)
    chosen = fitting.proposed(choices)
    assert (chosen.bits, chosen.verdict) == (bits, verdict)


@pytest.mark.usefixtures("mac")
def test_the_numbers_of_a_pair() -> None:
    whole, *_, four = fitting.choices(MINISTRAL, 64 * GB)
    hypernet = 4 * MINISTRAL.hypernet_parameters
    assert whole.download == four.download == 2 * MINISTRAL.base_parameters + hypernet
    assert whole.memory == int(1.2 * whole.download)
    assert four.disk == four.download + hypernet + int(2 * MINISTRAL.base_parameters * 4.5 / 16)
    assert whole.minutes == pytest.approx(whole.download * 8 / 100e6 / 60)


def test_a_hypernetwork_that_nobody_counted_is_not_taken_for_nothing() -> None:
    known = registry.KNOWN["qwen3-4b"]
    assert known.hypernet_parameters is None
    assert fitting.fit(known, None, GB).download > 2 * known.base_parameters + GB


@pytest.mark.usefixtures("mac")
def test_the_table(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "total_memory", lambda: 8 * GB)
    result = CliRunner().invoke(app, ["models", "list", "--known"])
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines()[1:]}
    assert list(rows) == list(registry.KNOWN)
    assert rows["nano"][-2:] == ["fits", "yes"]
    assert rows["ministral-3-3b"][1] == "4"
    assert rows["ministral-3-3b"][-2:] == ["fits", "no"]
    assert rows["mistral-7b"][-2] == "tight"
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "this machine has 8.0 GB of memory" in result.stderr
    found: Any = json.loads(CliRunner().invoke(app, ["models", "list", "--json"]).stdout)["models"]
    fits = {one["name"]: one["fit"] for one in found}
    assert fits["ministral-3-3b"]["bits"] == 4
    assert fits["mistral-7b"]["verdict"] == "tight"


def test_a_check_measures_nano(home: Path) -> None:
    result = CliRunner().invoke(app, ["models", "check", "nano"])
    assert result.exit_code == 0
    conversion, *answers, summary = result.stdout.splitlines()
    assert conversion.startswith("conversion: within the tolerance of PyTorch's result, logits differ by ")
    assert answers == [
        "right: Who is the mayor of Harpool? Osra Kelland",
        "right: How many residents does Harpool have? 4310",
        "right: What should visitors to Harpool try? smoked trout",
    ]
    assert summary.startswith("nano answers 3 of 3 questions about harbour.txt from its weights; 56 tokens absorbed in")
    assert not (home / "library.db").exists()


@pytest.mark.usefixtures("mac")
def test_the_table_in_the_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory and verdicts of docs/mac.md; a Mac with 8 GB has 8 times 1024³ bytes."""
    page = (Path(__file__).parents[2] / "docs" / "mac.md").read_text("utf-8")
    lines = [line for line in page.splitlines() if " GB |" in line and line[2].isdigit()]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    columns = {gib: fitting.choices(MINISTRAL, gib << 30) for gib in (8, 16, 18)}
    proposed = {gib: fitting.proposed(found).bits for gib, found in columns.items()}
    for number, bits in enumerate((None, 8, 6, 4)):
        cells = rows[number]
        assert cells[:2] == [str(bits or 16), f"{columns[8][number].memory / 1e9:.1f} GB"]
        verdicts = [
            found[number].verdict + (", proposed" if proposed[gib] == bits else "") for gib, found in columns.items()
        ]
        assert cells[2:] == verdicts


def test_what_the_app_says_before_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    from thoth.models.hub import RemoteFile
    from thoth.models.plan import PairSource, PullPlan
    from thoth.tui.screens.models import takes

    weights = PairSource("a/b", "main", "", (RemoteFile("model.safetensors", 8 * GB, cached=False),))
    wanted = PullPlan("ministral-3-3b", weights, None, bits=None)
    monkeypatch.setattr(machine, "total_memory", lambda: 24 * GB)
    said = takes(wanted)
    assert said.startswith("ministral-3-3b: 8.0 GB to download, 0 B more on disk, ")
    assert said.endswith("This project has run it as a small replica only.")
    monkeypatch.setattr(machine, "total_memory", lambda: 4 * GB)
    assert "more than there is; choose fewer bits" in takes(wanted)


@pytest.mark.parametrize("name", [name for name, known in registry.KNOWN.items() if known.base])
def test_the_app_and_the_command_line_estimate_the_same_download(name: str) -> None:
    known = registry.KNOWN[name]
    assert {fitting.fit(known, bits, 16 * GB).download for bits in (None, 8, 4)} == {known.published_bytes}
    assert (known.published_bytes > 2 * known.base_parameters) is (known.hypernet is not None)
