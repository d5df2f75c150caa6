"""The documents that are being absorbed, that wait, and that failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from thoth.system.terminal import shown
from thoth.tui import figures
from thoth.tui.desk_message import DeskMessage

if TYPE_CHECKING:
    from thoth.errors import ThothError
    from thoth.events import Progress
    from thoth.tui.messages import AbsorbJob

_WAITING_SHOWN = 3
_BAR = 12  # cells
_NAME = 24


@dataclass(frozen=True)
class JobState:
    """The state of a job.

    Attributes:
        job: the job.
        progress: the last progress; None while the job waits.
        error: why the job failed; it stays in the queue until it is dismissed.
    """

    job: AbsorbJob
    progress: Progress | None = None
    error: ThothError | None = None


class AbsorbQueue(OptionList):
    """One line per job: running jobs, failed jobs, the next jobs, and the number of the others.

    Attributes:
        jobs: states by job id, in the order of the requests. Without jobs, the queue takes no space.
    """

    DEFAULT_CSS = """
    AbsorbQueue {
        display: none;
        height: auto;
        max-height: 6;
        border: none;
        padding: 0 1;
        background: $panel;
        &:focus { border: none; }
        &.-busy { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x,delete", "drop", "Cancel", id="absorb.cancel", tooltip="Cancel this document or dismiss its error"),
        Binding(
            "X", "drop_all", "Cancel all", id="absorb.cancel_all", tooltip="Cancel all documents and dismiss all errors"
        ),
    ]

    jobs: reactive[dict[int, JobState]] = reactive[dict[int, JobState]]({}, init=False)

    @dataclass
    class Cancel(DeskMessage):
        """Stop a job; its finished chunks are kept."""

        job: AbsorbJob

    @dataclass
    class Dismiss(DeskMessage):
        """Forget the error of a job."""

        job: AbsorbJob

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False, compact=True)

    def watch_jobs(self) -> None:
        """Show the new states; the cursor stays on its job."""
        lines = self._visible_lines()
        if [option.id for option in self.options] == [*lines]:
            for key, line in lines.items():
                if self.get_option(key).prompt != line:
                    self.replace_option_prompt(key, line)
        else:
            here = self.highlighted_option.id if self.highlighted_option else None
            self.set_options(Option(line, id=key, disabled=not key) for key, line in lines.items())
            self.highlighted = [*lines].index(here) if here in lines else 0
        self.set_class(bool(lines), "-busy")

    def action_select(self) -> None:
        """Do nothing: Enter has no meaning here."""

    def action_drop(self) -> None:
        """Cancel the job under the cursor or dismiss its error."""
        if self.highlighted_option is not None and (key := self.highlighted_option.id):
            self._drop(self.jobs[int(key)])

    def action_drop_all(self) -> None:
        """Cancel waiting jobs before the running one, so that none of them starts."""
        for state in reversed([*self.jobs.values()]):
            self._drop(state)

    def _drop(self, state: JobState) -> None:
        self.post_message(self.Dismiss(state.job) if state.error else self.Cancel(state.job))

    def _visible_lines(self) -> dict[str, Content]:
        """Return the lines by job id; the line with the number of other jobs has no id."""
        going = [state for state in self.jobs.values() if state.progress and not state.error]
        failed = [state for state in self.jobs.values() if state.error]
        waiting = [state for state in self.jobs.values() if not state.progress and not state.error]
        lines = {str(state.job.id): line(state) for state in [*going, *failed, *waiting[:_WAITING_SHOWN]]}
        if (more := len(waiting) - _WAITING_SHOWN) > 0:
            lines[""] = Content(f"and {more:,} more")
        return lines


def line(state: JobState) -> Content:
    """Return the line of a job: name, stage, bar, speed and time left, or the error."""
    name = Content(shown(state.job.name)).truncate(_NAME, ellipsis=True).stylize("bold")
    if state.error is not None:
        reason = Content.assemble((f"{state.error}  ", "$text-error"), ("x dismisses", "dim"))
        says_which = shown(state.job.name) in str(state.error)
        return reason if says_which else Content.assemble(name, "  ", reason)
    if state.progress is None:
        return Content.assemble(name, ("  waiting", "dim"))
    progress = state.progress
    if progress.stage != "absorb":
        return Content.assemble(name, f"  {_STAGES.get(progress.stage, progress.stage)}")
    parts = [f"{progress.done}/{figures.count(progress.total, 'chunk')}"]
    if progress.tokens_per_second:
        parts.append(f"{progress.tokens_per_second:,.0f} tok/s")
    if progress.seconds_left is not None:
        parts.append(f"{figures.time_left(progress.seconds_left)} left")
    filled = round(_BAR * progress.done / max(progress.total, 1))
    return Content.assemble(
        name,
        "  ",
        ("\u2501" * filled, "$primary"),
        ("\u2500" * (_BAR - filled), "dim"),
        f"  {'  '.join(parts)}",
    )


_STAGES = {"read": "reading", "load": "waiting for the model"}
