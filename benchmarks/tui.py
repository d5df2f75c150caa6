"""The terminal app's times: first paint, event-loop stalls, first token while absorbing, memory over many rounds.

python -m benchmarks.tui [--only paint loading absorbing history memory] [--rounds 50]

A stall is a wait of the event loop, during which no key appears on the screen; the limit is 100 ms. On a machine that
has other things to do, waits are longer: "process" is the part of a wait in which any thread of the app computed,
"loop" the part in which the event loop itself did. On an idle machine it would be between the two.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.widgets import OptionList

from benchmarks import harness, paint
from benchmarks.driving import DrivenApp, Driver
from benchmarks.stalls import LIMIT_SECONDS, StallMeter
from thoth.chats.sessions import Sessions, Turn
from thoth.tui.messages import (
    AbsorbDone,
    AbsorbFailed,
    AbsorbProgress,
    AnswerDone,
    AnswerFailed,
    AnswerToken,
    LibraryChanged,
)
from torch_train.nano.language import Language

Flow = Callable[[Driver, argparse.Namespace], Awaitable[str]]

_FACTS = 12  # about a chunk of nano's
_CHUNKS = 60
_QUESTIONS = 5
_SECTION = "## Section {0}\n\nA **bold** word and `code {0}`:\n\n- one\n- two\n\n```python\nprint({0})\n```\n\n"
_KEY_SECONDS = 0.02  # between two keys: faster than anybody types, as fast as a key that is held down
_SECTION_TOKENS = 40  # about


def main() -> None:
    flows: dict[str, Flow] = {"loading": loading, "absorbing": absorbing, "history": history, "memory": memory}
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=["paint", *flows], default=["paint", *flows])
    parser.add_argument("--rounds", type=int, default=50, help="of absorbing, asking and removing")
    parser.add_argument("--messages", type=int, default=200, help="in the conversation that is scrolled")
    parser.add_argument("--tokens", type=int, default=5000, help="of each answer in it, about")
    arguments = parser.parse_args()
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]  # the command line does the same
    if "paint" in arguments.only:
        paint.show(repeats=5)
        print()
    table = harness.Table("flow", "longest wait, ms", "process, ms", "loop, ms", "said")
    for name in flows:
        if name in arguments.only:
            asyncio.run(_measure(name, flows[name], arguments, table))


async def loading(driver: Driver, _: argparse.Namespace) -> str:
    """Type while the model loads."""
    started = time.perf_counter()
    typing = asyncio.create_task(_type(driver))
    await driver.ready()
    typing.cancel()
    return f"{time.perf_counter() - started:.1f} s to load"


async def absorbing(driver: Driver, _: argparse.Namespace) -> str:
    """Ask and type while a long document is absorbed."""
    language = Language(1, "test")
    document = driver.app.home / "long.txt"
    document.write_text(" ".join(language.note(_FACTS, _FACTS).text for _ in range(_CHUNKS)))
    driver.paste(str(document))
    await driver.until(lambda: any(told.progress.stage == "absorb" for told in driver.app.all_told(AbsorbProgress)))
    waits = []
    while not driver.app.all_told(AbsorbDone) and len(waits) < _QUESTIONS:
        asked = time.perf_counter()
        since = driver.send(language.note(1, 0).questions[0].text)
        typing = asyncio.create_task(_type(driver))
        await driver.next(AnswerToken, AnswerFailed, since)
        waits.append(time.perf_counter() - asked)
        await driver.next(AnswerDone, AnswerFailed, since)
        typing.cancel()
        driver.clear()
    await driver.next(AbsorbDone, AbsorbFailed, 0)
    return f"first token after {statistics.median(waits):.2f} s, at most {max(waits):.2f} s ({len(waits)} questions)"


async def history(driver: Driver, arguments: argparse.Namespace) -> str:
    """Open a long conversation, scroll through it and type."""
    driver.press("ctrl+s")
    await driver.until(lambda: any(chats.option_count for chats in driver.app.screen.query(OptionList)))
    driver.press("enter")
    await driver.until(lambda: driver.transcript.turns)
    driver.transcript.focus()
    for key in [*["pageup"] * 100, "home", "end", *["up"] * 100]:
        driver.press(key)
        await asyncio.sleep(_KEY_SECONDS)
    driver.prompt.focus()
    for key in "hello" * 50:
        driver.press(key)
        await asyncio.sleep(_KEY_SECONDS)
    return f"{arguments.messages} messages, answers of {arguments.tokens} tokens"


async def memory(driver: Driver, arguments: argparse.Namespace) -> str:
    """Absorb, ask about and remove one note after the other."""
    language, sizes = Language(2, "test"), []
    for number in range(arguments.rounds):
        note = language.note(4)
        path = driver.app.home / f"note {number}.txt"
        path.write_text(note.text)
        document = await driver.drop(str(path))
        await driver.ask(note.questions[0].text)
        driver.press("ctrl+n")
        await asyncio.to_thread(driver.app.library.remove, document.id)
        driver.app.screen.post_message(LibraryChanged())
        sizes.append(_resident())
    shown = sorted({0, min(9, len(sizes) - 1), len(sizes) // 2, len(sizes) - 1})
    return "MB after round " + ", ".join(f"{at + 1}: {sizes[at] / 1e6:.0f}" for at in shown)


async def _measure(name: str, flow: Flow, arguments: argparse.Namespace, table: harness.Table) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["THOTH_HOME"] = folder
        if name == "memory":
            os.environ["THOTH_KV_CACHE_MB"] = "8"  # full after a few rounds: what grows then grows for ever
        if name == "history":
            _talk(Path(folder), arguments.messages, arguments.tokens)
        app = DrivenApp(Path(folder))
        async with app.run_test(size=(paint.COLUMNS, paint.LINES)) as pilot:
            driver = Driver(pilot)
            if name != "loading":
                await driver.ready()
            async with StallMeter() as meter:
                said = await flow(driver, arguments)
    parts = ([gap.wall for gap in meter.gaps], [gap.process for gap in meter.gaps], [gap.loop for gap in meter.gaps])
    columns = [
        f"{max(seconds) * 1000:.0f} ({sum(gap > LIMIT_SECONDS for gap in seconds)} over 100)" for seconds in parts
    ]
    table.row(name, *columns, said)
    for place, times in meter.culprits.most_common(5):
        print(f"    {times} times in {place}", file=sys.stderr)


async def _type(driver: Driver) -> None:
    """Type into the prompt until cancelled."""
    driver.prompt.focus()
    while True:
        driver.press("a")
        await asyncio.sleep(_KEY_SECONDS)


def _talk(home: Path, messages: int, tokens: int) -> None:
    """Store one long conversation."""
    sessions = Sessions(home)
    session = sessions.create("A long conversation")
    length = max(1, tokens // _SECTION_TOKENS)
    for number in range(messages // 2):
        # No two sections are equal: what has been rendered once must not do for all.
        answer = "".join(_SECTION.format(number * length + section) for section in range(length))
        sessions.put(session, Turn(number, f"Question {number}?", answer, "done"))
    sessions.close()


def _resident() -> int:
    """Return the bytes of memory this process has now."""
    asked = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return int(asked.stdout) * 1024


if __name__ == "__main__":
    main()
