"""Builds the documentation: `python -m docs.site [--no-build]` writes build/docs, and the site to build/site.

Every warning is an error: a link to a page or a heading that is not there, for example.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from docs.site.pages import ROOT, assemble

PAGES = ROOT / "build" / "docs"


def main() -> int:
    """Write the pages and build the site; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description=__doc__)
    parser.add_argument("--no-build", action="store_true", help="write the pages alone")
    arguments = parser.parse_args()
    assemble(PAGES)
    if arguments.no_build:
        return 0
    program = Path(sys.executable).with_name("zensical")
    return subprocess.run([program, "build", "--strict", "--clean"], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
