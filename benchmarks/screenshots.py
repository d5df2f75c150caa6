"""Pictures of the terminal app for README and docs, from a real run with the built-in pair: docs/tui/*.svg and *.png.

python -m benchmarks.screenshots [--to docs/tui]

PNGs are made where `rsvg-convert` (librsvg) is installed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks import harness
from benchmarks.driving import DrivenApp, Driver
from thoth.tui.screens.answer_details import AnswerDetails
from thoth.tui.widgets.way_panel import WayPanel

ROOT = Path(__file__).parent.parent
EXAMPLES = ("harbour.txt", "workshop.md", "regatta.pdf")
QUESTION = "Who is the mayor of Harpool?"
SIZE, SMALL = (110, 30), (80, 24)
_PNG_WIDTH = 1400  # pixels
_WAYS = 3


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "tui")
    to = parser.parse_args().to
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["THOTH_HOME"] = home
        asyncio.run(_take(Path(home), to))


async def _take(home: Path, to: Path) -> None:
    app = DrivenApp(home)
    async with app.run_test(size=SIZE) as pilot:
        driver = Driver(pilot)
        await driver.ready()
        for name in EXAMPLES:
            await driver.drop(str(ROOT / "examples" / name))
        await driver.ask(QUESTION)
        await pilot.pause()
        _save(app, to / "chat.svg")
        driver.press("ctrl+g")
        await driver.until(lambda: isinstance(app.screen, AnswerDetails))
        await pilot.pause()
        _save(app, to / "details.svg")
        driver.press("escape")
        await driver.until(lambda: app.screen is app.main)
        await pilot.resize_terminal(*SMALL)
        await pilot.pause()
        _save(app, to / "small.svg")
        await pilot.resize_terminal(*SIZE)
        driver.press("ctrl+t")
        await driver.until(lambda: sum(panel.ended for panel in app.screen.query(WayPanel)) == _WAYS)
        await pilot.pause()
        _save(app, to / "compare.svg")
        driver.press("escape")
        await driver.until(lambda: app.screen is app.main)


def _save(app: DrivenApp, path: Path) -> None:
    # Without it librsvg drops the spaces at the ends of a piece of text.
    path.write_text(app.export_screenshot(title="thoth").replace("<text ", '<text xml:space="preserve" '))
    if shutil.which("rsvg-convert"):
        picture = path.with_suffix(".png")
        subprocess.run(["rsvg-convert", "-w", str(_PNG_WIDTH), path, "-o", picture], check=True)


if __name__ == "__main__":
    main()
