"""Draws docs/demo.svg: what `make demo` prints on a fresh machine, run for real.

python docs/picture.py
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
COMMANDS = (
    "cat examples/harbour.txt",
    'thoth ask --compare --doc examples/harbour.txt "Who is the mayor of Harpool?"',
    'thoth ask --doc examples/regatta.pdf "What does the winner of the Rosesta Regatta get?"',
)


def main() -> None:
    """Run the commands and write the picture."""
    console = Console(record=True, width=112, file=open(os.devnull, "w"))  # noqa: SIM115
    with tempfile.TemporaryDirectory() as home:
        for command in COMMANDS:
            console.print(Text(f"$ {command}", style="bold green"))
            words = shlex.split(command)
            if words[0] == "thoth":
                words = [sys.executable, "-m", *words]
            environment = {**os.environ, "THOTH_HOME": home}
            result = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
            if result.stderr:
                console.print(Text(result.stderr.rstrip(), style="dim"))
            console.print(Text(result.stdout.rstrip() + "\n"))
    console.save_svg(str(ROOT / "docs" / "demo.svg"), title="thoth")


if __name__ == "__main__":
    main()
