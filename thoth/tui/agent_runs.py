"""Agents on threads of their own, which look to the app like requests to the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from thoth.agent.permissions import Decision, Wish
from thoth.errors import InternalError, ThothError
from thoth.events import Answer, Failed

if TYPE_CHECKING:
    from thoth.agent.bench import Stopper
    from thoth.agent.loop import Agent
    from thoth.tui.engine_request import Listener


class AgentRun:
    """An agent that works until its last event, an `Answer` or a `Failed`.

    Args:
        agent: reports to the listener too.
        work: what it does.
        listener: gets the last event.
    """

    def __init__(self, agent: Agent, work: Callable[[Agent], Answer], listener: Listener) -> None:
        self._agent, self._work, self._listener = agent, work, listener
        threading.Thread(target=self._run, name="agent", daemon=True).start()

    def close(self) -> None:
        """Stop it, from any thread."""
        self._agent.bench.stopper.stop()

    def _run(self) -> None:
        try:
            self._listener(self._work(self._agent))
        except ThothError as error:
            self._listener(Failed(error))
        # The edge of a thread: an error that escaped here would be lost.
        except Exception as error:
            bug = InternalError(f"unexpected error: {error!r}")
            bug.__cause__ = error
            self._listener(Failed(bug))


class Question:
    """A wish that waits for a person.

    Attributes:
        wish: what a call wants.
    """

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self._decided: Future[Decision] = Future()

    def decide(self, decision: Decision) -> None:
        """Answer it; what comes after the first answer is ignored."""
        if not self._decided.done():
            self._decided.set_result(decision)

    def close(self) -> None:
        """Permit nothing: the call that asked is over."""
        self.decide("no")

    @property
    def decided(self) -> bool:
        """Whether it was answered."""
        return self._decided.done()

    def wait(self, stopper: Stopper) -> Decision:
        """Wait for the answer."""
        with stopper.holding(self):
            return self._decided.result()
