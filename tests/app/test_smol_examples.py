"""What smol, as it comes with Thoth, answers about the English examples: it must not fall below a floor."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import english
from benchmarks.knowledge import Bench
from thoth.models import registry

# Right of 30, as shares; measured: see docs/smol.md.
FLOORS = {english.ROUTED: 0.55, english.TWICE: 0.6}


@pytest.mark.slow
def test_smol_answers_questions_about_the_examples(home: Path) -> None:
    pull = [sys.executable, "-m", "thoth", "models", "pull", "smol", "--yes", "--no-check"]
    pulled = subprocess.run(pull, capture_output=True, text=True, timeout=600, check=False)
    if pulled.returncode:
        pytest.skip(f"smol's base cannot be pulled: {pulled.stderr.strip()}")
    rows = english.rows(home / "no data sets")
    with Bench(registry.resolve(registry.SMOL), home) as bench:
        for way, floor in FLOORS.items():
            name = f"examples, {way.name}"
            found = english.measure(bench, name, rows[name], 30)
            assert found["asked"] == 30
            assert found["right"] >= floor, name
