"""`/serve`: the model in memory and the library, for other programs on this machine, as long as the app runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from thoth.errors import ThothError
from thoth.tui import figures, notices

if TYPE_CHECKING:
    from textual.timer import Timer

    from thoth.engine.engine import Engine
    from thoth.serve.server import Server
    from thoth.serve.service import Service
    from thoth.settings import Settings
    from thoth.tui.engine_client import EngineClient

_REFRESH_SECONDS = 0.5


class ServeController:
    """Starts and stops the server.

    Args:
        client: has the engine and the library.
        screen: shows notices.
        settings: returns the settings in force.
        show: called with what the status line says, empty when nothing is served.
    """

    def __init__(
        self,
        client: EngineClient,
        screen: Screen[None],
        settings: Callable[[], Settings],
        show: Callable[[str], None],
    ) -> None:
        self._client, self._screen, self._settings, self._show = client, screen, settings, show
        self._say = notices.on(screen)
        self._server: Server | None = None
        self._service: Service | None = None
        self._timer: Timer | None = None

    def toggle(self, argument: str) -> None:
        """Start to serve, on a port if one is given, or stop."""
        if self._server is not None:
            self._screen.run_worker(self._stop, thread=True, group="serve")
        elif self._client.pair is None:
            self._say("no model is loaded yet; /serve needs one", "warning")
        elif argument and not (argument.isdecimal() and int(argument) < 65536):
            self._say("/serve needs a port, a number up to 65535, or nothing", "warning")
        else:
            self._screen.run_worker(lambda: self._start(argument), thread=True, group="serve", exclusive=True)

    def model_ready(self) -> None:
        """Another pair may have been loaded."""
        if self._service is not None:
            self._screen.run_worker(self._follow, thread=True, group="serve")

    def close(self) -> None:
        """Stop serving, when the app ends."""
        if self._server is not None:
            self._server.stop()

    # On a thread: uvicorn takes its time to be imported, and answers are waited for at the end.

    def _start(self, argument: str) -> None:
        from thoth.serve.app import application
        from thoth.serve.server import PORT, Address, Server, rules
        from thoth.serve.service import Service

        address = Address(port=int(argument) if argument else PORT)
        try:
            engine, pair = cast("Engine", self._client.current_engine()), self._client.pair
            assert pair is not None
            service = Service(engine, self._client.library, pair.name, self._settings())
            service.reads_system = engine.reads_system()
            server = Server(application(service, rules(address, None)), service.limits, address)
            server.start()
        except ThothError as error:
            self._screen.app.call_from_thread(self._say, str(error), "error")
            return
        self._service, self._server = service, server
        self._screen.app.call_from_thread(self._started)

    def _follow(self) -> None:
        """Tell the server of the pair that is loaded; whether its base reads system prompts is asked of the engine."""
        service, pair = self._service, self._client.pair
        if service is None or pair is None:
            return
        service.pair = pair.name
        with suppress(ThothError):  # another one is being loaded, and is told of then
            service.reads_system = service.engine.reads_system()

    def _stop(self) -> None:
        server, self._server, self._service = self._server, None, None
        if server is not None:
            server.stop()
        self._screen.app.call_from_thread(self._stopped)

    # On the app's thread

    def _started(self) -> None:
        assert self._server is not None
        self._say(f"Serving at {self._server.address.url}/v1 for programs on this machine; /serve stops it")
        self._timer = self._screen.set_interval(_REFRESH_SECONDS, self._refresh)
        self._refresh()

    def _stopped(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._show("")
        self._say("Stopped serving")

    def _refresh(self) -> None:
        if self._server is not None and self._service is not None:
            address = self._server.address
            asked = figures.count(self._service.in_flight, "request")
            self._show(f"serves {address.host}:{address.port}, {asked}")
