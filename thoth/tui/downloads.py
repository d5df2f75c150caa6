"""The download of a model pair, which runs in the background: started, followed, stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from thoth.errors import Stopped, ThothError
from thoth.events import Progress
from thoth.system import crash_log

if TYPE_CHECKING:
    from thoth.models.plan import PullPlan
    from thoth.models.registry import Pair


@dataclass(frozen=True)
class Download:
    """The state of a download.

    Attributes:
        name: name of the pair.
        progress: how much is downloaded; None before it begins.
        pair: the pair, when it is installed.
        error: why the download failed; `Stopped` if the user stopped it.
    """

    name: str
    progress: Progress | None = None
    pair: Pair | None = None
    error: ThothError | None = None

    @property
    def running(self) -> bool:
        """Whether the download has not ended yet."""
        return self.pair is None and self.error is None


class Downloads:
    """The downloads of an app, one at a time; a download continues when its dialog is closed.

    Args:
        on_end: called on the download's thread with the final state.
    """

    def __init__(self, on_end: Callable[[Download], None] = lambda _: None) -> None:
        self._on_end = on_end
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.current: Download | None = None  # replaced whole, so that any thread may read it

    def start(self, plan: PullPlan) -> None:
        """Begin a download; does nothing while another one runs."""
        if self.current is not None and self.current.running:
            return
        self._stop.clear()
        self.current = Download(plan.name)
        self._thread = threading.Thread(target=self._pull, args=(plan,), name="download")
        self._thread.start()

    def stop(self) -> None:
        """Stop the download; the files so far are kept, and the next download resumes there."""
        self._stop.set()

    def close(self) -> None:
        """Stop the download and wait for it: its processes must not outlive the app."""
        self._on_end = lambda _: None
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _pull(self, plan: PullPlan) -> None:
        from thoth.models import pull

        begun = Download(plan.name)

        def report(progress: Progress) -> None:
            self.current = replace(begun, progress=progress)

        try:
            self.current = replace(begun, pair=pull.pull(plan, report, self._stop.is_set))
        except Stopped:
            self.current = replace(begun, error=Stopped("stopped; download again to resume"))
        except ThothError as error:
            self.current = replace(begun, error=error)
        # The edge of a thread: an error that escaped here would be lost.
        except Exception as error:
            self.current = replace(begun, error=ThothError(crash_log.keep(error)))
        self._on_end(self.current)
