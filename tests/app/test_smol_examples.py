"""What smol, as it comes with Thoth, answers about the English examples: it must not fall below a floor."""

from pathlib import Path

import pytest

from benchmarks import english
from benchmarks.knowledge import Bench
from thoth.actions import tryout
from thoth.errors import ThothError
from thoth.models import registry

# Right of 30, as shares; measured: see docs/smol.md.
FLOORS = {english.ROUTED: 0.55, english.TWICE: 0.6}


@pytest.mark.slow
def test_smol_answers_questions_about_the_examples(home: Path) -> None:
    try:
        tryout.complete_smol(lambda _: None)
    except ThothError as error:
        pytest.skip(f"smol's base cannot be pulled: {error}")
    rows = english.rows(home / "no data sets")
    with Bench(registry.resolve(registry.SMOL), home) as bench:
        for way, floor in FLOORS.items():
            name = f"examples, {way.name}"
            found = english.measure(bench, name, rows[name], 30)
            assert found["asked"] == 30
            assert found["right"] >= floor, name
