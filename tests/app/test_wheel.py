"""The wheel in an empty environment: nano comes along, and nothing needs torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_installed_wheel_answers_without_torch(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "empty"], check=True)
    binaries = tmp_path / "empty" / "bin"
    subprocess.run([binaries / "pip", "install", "--quiet", wheel], check=True)
    assert subprocess.run([binaries / "python", "-c", "import torch"], capture_output=True).returncode == 1
    note = ROOT / "examples" / "harbour.txt"
    result = subprocess.run(
        [binaries / "thoth", "ask", "--json", "--doc", note, "Who is the mayor of Harpool?"],
        cwd=tmp_path,
        env={**os.environ, "THOTH_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(result.stdout)
    assert answer["answer"] == "Osra Kelland"
    assert answer["stats"]["document_tokens_in_context"] == 0
