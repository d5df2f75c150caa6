"""The example of the welcome dialog: documents are absorbed, questions asked, and one answer compared three ways."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from thoth.tui import notices
from thoth.tui.messages import AbsorbDone, AbsorbFailed, AbsorbMessage, AnswerDone, AnswerFailed, AnswerMessage

if TYPE_CHECKING:
    from thoth.actions.tryout import Tour
    from thoth.tui.controllers.absorb import AbsorbController
    from thoth.tui.controllers.answer import AnswerController
    from thoth.tui.controllers.chat import ChatController


class TourController:
    """Leads through the example; whatever else the user asks or stops ends it.

    Args:
        absorbing: absorbs the documents.
        chat: asks the questions.
        answer: compares the last answer with two other ways to it.
        tell: called with a line about what to do next.
    """

    def __init__(
        self, absorbing: AbsorbController, chat: ChatController, answer: AnswerController, tell: notices.Tell
    ) -> None:
        self._absorbing, self._chat, self._answer = absorbing, chat, answer
        self._tell = tell
        self._tour: Tour | None = None
        self._documents: set[str] = set()  # that are not absorbed yet
        self._questions: deque[str] = deque()
        self._asked = ""

    def begin(self, pair: str) -> None:
        """Begin with the documents of a pair, by its name."""
        from thoth.actions import tryout

        tour = self._tour = tryout.tour(pair)
        first, *others = tour.questions
        self._questions = deque([first, tour.unknown, *others])  # the last one is compared, so it has an answer
        self._documents = {str(path) for path in tour.paths}
        self._absorbing.absorb(sorted(self._documents))

    def absorbed(self, message: AbsorbMessage) -> None:
        """Note what became of a document."""
        if self._tour is None or message.job.source not in self._documents:
            return
        if isinstance(message, AbsorbFailed):
            self._tour = None
        elif isinstance(message, AbsorbDone):
            self._documents.remove(message.job.source)
            if not self._documents:
                self._ask()

    def answered(self, message: AnswerMessage) -> None:
        """Note that an answer ended; ask the next question, or end with what to do now."""
        if self._tour is None or self._documents or not isinstance(message, AnswerDone | AnswerFailed):
            return
        last = self._chat.conversation.last
        if last is None or last.question != self._asked or last.state != "done":
            self._tour = None
        elif self._questions:
            self._ask()
        else:
            self._answer.compare()
            # A line of the chat: a notice would cover the prompt when the comparison is closed.
            self._tell(
                f"What next: ask “{self._tour.next}”, absorb a document with Ctrl+O, or choose a model that reads "
                "English with /models."
            )
            self._tour = None

    def _ask(self) -> None:
        self._asked = self._questions.popleft()
        self._chat.send(self._asked)
