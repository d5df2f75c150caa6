"""The one download of a model pair that goes on behind the screens: started, looked at, stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from thoth.errors import Stopped, ThothError
from thoth.events import Progress
from thoth.tui import crash

if TYPE_CHECKING:
    from thoth.models.plan import Plan
    from thoth.models.registry import Pair


@dataclass(frozen=True)
class Download:
    """How far a download is.

    Attributes:
        name: of the pair.
        progress: None until there is any.
        pair: set when it is in place.
        error: set when it failed; `Stopped` where the user stopped it.
    """

    name: str
    progress: Progress | None = None
    pair: Pair | None = None
    error: ThothError | None = None

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.pair is None and self.error is None


class Downloads:
    """One per app: a download outlives the dialog that began it, and two at once only take longer.

    Args:
        on_end: told, on the download's thread, how it ended.
    """

    def __init__(self, on_end: Callable[[Download], None] = lambda _: None) -> None:
        self._on_end = on_end
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.current: Download | None = None  # replaced whole, so that any thread may read it

    def start(self, plan: Plan) -> None:
        """Begin a download; does nothing while another one runs."""
        if self.current is not None and self.current.running:
            return
        self._stop.clear()
        self.current = Download(plan.name)
        self._thread = threading.Thread(target=self._pull, args=(plan,), name="download")
        self._thread.start()

    def stop(self) -> None:
        """End the download; what has arrived is kept, and the next one goes on there."""
        self._stop.set()

    def close(self) -> None:
        """End the download and wait for it: its processes must not outlive the app."""
        self._on_end = lambda _: None
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _pull(self, plan: Plan) -> None:
        from thoth.models import pull

        begun = Download(plan.name)

        def report(progress: Progress) -> None:
            self.current = replace(begun, progress=progress)

        try:
            self.current = replace(begun, pair=pull.pull(plan, report, self._stop.is_set))
        except Stopped:
            self.current = replace(begun, error=Stopped("stopped: what has arrived is kept, download again to go on"))
        except ThothError as error:
            self.current = replace(begun, error=error)
        # The edge of a thread: an error that leaves it here would be seen by nobody.
        except Exception as error:
            self.current = replace(begun, error=crash.explain(error))
        self._on_end(self.current)
