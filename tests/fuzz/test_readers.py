"""Every reader over damaged files: it reads them or refuses them, and neither hangs nor fails in another way.

Slow: `THOTH_FUZZ_SECONDS` (20 minutes) over seeds from `THOTH_FUZZ_SEED` (0). A failure names its seed and case.
"""

import os
import random
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.app.ingest import packages
from tests.fuzz.mutations import damaged, damaged_archive
from thoth.errors import ThothError
from thoth.ingest import formats

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
SECONDS = float(os.environ.get("THOTH_FUZZ_SECONDS", "1200"))
SEED = int(os.environ.get("THOTH_FUZZ_SEED", "0"))
MOST_CPU_SECONDS = 10


def corpus() -> list[tuple[str, bytes]]:
    """Every case that is a file: small, and rich in what its format has."""
    found: dict[str, bytes] = {}
    for table in sorted(CASES.glob("*.yaml")):
        for case in yaml.safe_load(table.read_text("utf-8")):
            data = packages.build(case)
            if data is None and (CASES / case["file"]).is_file():
                data = (CASES / case["file"]).read_bytes()
            if data:
                found[case["file"]] = data
    return list(found.items())


def expire(*_: Any) -> None:
    raise TimeoutError


@pytest.mark.slow
def test_damaged_files() -> None:
    files, seed, end = corpus(), SEED, time.monotonic() + SECONDS
    failures: list[str] = []
    signal.signal(signal.SIGVTALRM, expire)
    while time.monotonic() < end:
        seed += 1
        dice = random.Random(seed)
        name, data = dice.choice(files)
        data = damaged_archive(data, dice) if data.startswith(b"PK") else damaged(data, dice)
        signal.setitimer(signal.ITIMER_VIRTUAL, MOST_CPU_SECONDS)
        try:
            document = formats.read(data, name)
            document.text.encode()
            blocks = document.blocks
            assert all(0 <= block.start < block.end <= len(document.text) for block in blocks), "a block is outside"
            assert all(one.end <= other.start for one, other in pairwise(blocks)), "blocks overlap"
        except ThothError:
            pass
        except Exception as error:
            failures.append(f"seed {seed}, {name}: {type(error).__name__} {error}"[:200])
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    assert not failures, "\n".join(failures[:20])
