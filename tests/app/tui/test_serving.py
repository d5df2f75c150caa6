"""`/serve`: other programs ask the model that the app has in memory."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest

from thoth.engine.engine import Engine
from thoth.tui.app import ThothApp
from thoth.tui.widgets.prompt import Prompt
from thoth.tui.widgets.status import StatusLine

CHAT = {"model": "thoth/none", "messages": [{"role": "user", "content": "Who is the mayor?"}], "max_tokens": 4}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine alone."""
    look_up = socket.getaddrinfo

    def local(host: object, *arguments: Any, **options: Any) -> Any:
        assert host in ("127.0.0.1", b"127.0.0.1")
        return look_up(host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", local)


async def test_the_app_serves_and_stops(home: Path, tiny_pair: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "nano-introduced").touch()
    app = ThothApp(home, str(tiny_pair), Engine)
    async with app.run_test(size=(120, 36)) as pilot:

        async def until(check: Any) -> None:
            for _ in range(1200):
                await pilot.pause(0.05)
                if check():
                    return
            raise AssertionError(app.screen.query_one(StatusLine).served)

        async def send(text: str) -> None:
            app.screen.query_one(Prompt).replace_text(text)
            await pilot.press("enter")

        status = app.screen.query_one(StatusLine)
        await send("/serve 0")  # the model is not there yet
        await until(lambda: app.client.pair is not None)
        await send("/serve 0")
        await until(lambda: status.served)
        address = status.served.split()[1].rstrip(",")
        async with httpx2.AsyncClient(timeout=60) as client:
            answer = await client.post(f"http://{address}/v1/chat/completions", json=CHAT)
            assert answer.json()["usage"]["completion_tokens"] == 4
        assert "serves" in str(status.render())
        serving = app.screen.desk.serving  # type: ignore[attr-defined]
        serving._service.reads_system = True  # of the pair before
        serving.model_ready()
        await until(lambda: not serving._service.reads_system)
        await send("/serve")
        await until(lambda: not status.served)
        with pytest.raises(OSError, match="refused"):
            await asyncio.to_thread(socket.create_connection, ("127.0.0.1", int(address.split(":")[1])))
