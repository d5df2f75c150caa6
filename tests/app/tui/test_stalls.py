"""The stall meter that `benchmarks/tui.py` measures the app with."""

from __future__ import annotations

import asyncio
import time

from benchmarks.stalls import StallMeter


def block() -> None:
    time.sleep(0.3)


async def test_the_meter_sees_a_blocked_loop_and_names_who_blocked_it() -> None:
    async with asyncio.timeout(60), StallMeter() as meter:
        await asyncio.sleep(0)
        block()
        while not meter.gaps:
            await asyncio.sleep(0)
    longest = max(meter.gaps, key=lambda gap: gap.wall)
    assert longest.wall > 0.29
    assert longest.wall >= longest.process >= longest.loop
    assert longest.process < 0.29  # it slept, and that is no computing
    assert "block (test_stalls.py" in next(iter(meter.culprits))
