"""The last answer of the chat: its details, its steps, two other ways to it, a copy of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.screen import Screen

from thoth.tui import clipboard, figures, markdown, notices
from thoth.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from thoth.tui.controllers.chat import ChatController
    from thoth.tui.engine_client import EngineClient


class AnswerController:
    """Does what is done with an answer that is there.

    Args:
        client: answers a question in other ways.
        chat: has the conversation.
        screen: shows dialogs and notices.
    """

    def __init__(self, client: EngineClient, chat: ChatController, screen: Screen[None]) -> None:
        self._client, self._chat, self._screen = client, chat, screen
        self._say = notices.on(screen)

    def toggle_steps(self) -> None:
        """Show or hide arguments and results of the last tools."""
        self._screen.query_one(Transcript).toggle_steps()

    def compare(self) -> None:
        """Answer the last question three ways."""
        from thoth.tui.screens.compare import CompareScreen

        if self._chat.last_question() is None:
            return
        messages, documents, chosen = self._chat.replayed(), self._chat.asked_documents, self._chat.settings
        routing = replace(chosen.routing(), fallback="none")  # from the weights alone, to compare with the others
        self._screen.app.push_screen(CompareScreen(self._client, messages, documents, routing, chosen.max_tokens))

    def details(self) -> None:
        """Show the sources of the last answer, and what it cost."""
        from thoth.tui.screens.answer_details import AnswerDetails

        for turn in reversed(self._chat.conversation.turns):
            if turn.stats is not None:
                self._screen.app.push_screen(AnswerDetails(turn.question, turn.stats, turn.sources))
                return
        self._say("No answer yet", "warning")

    def copy_answer(self, argument: str) -> None:
        """Copy the last answer or one of its code blocks.

        Args:
            argument: empty for the answer; "code" or "code N" for its first or Nth code block.
        """
        match [turn.answer for turn in self._chat.conversation.turns if turn.answer.strip()], argument.split():
            case [], _:
                self._say("No answer yet", "warning")
            case [*_, answer], []:
                self.copy(answer)
            case [*_, answer], ["code"]:
                self._copy_block(answer, 1)
            case [*_, answer], ["code", number] if number.isdecimal():
                self._copy_block(answer, int(number))
            case _:
                self._say("Use /copy for the answer, /copy code 2 for its second code block", "warning")

    def _copy_block(self, answer: str, number: int) -> None:
        blocks = markdown.code_blocks(answer)
        if 1 <= number <= len(blocks):
            self.copy(blocks[number - 1])
        else:
            self._say(f"The last answer has {figures.count(len(blocks), 'code block')}", "warning")

    def copy(self, text: str) -> None:
        """Copy a text to the clipboard and report it."""
        self._screen.run_worker(self._copy(text), group="copy")

    async def _copy(self, text: str) -> None:
        if await asyncio.to_thread(clipboard.by_program, text):
            self._say(f"Copied {figures.count(len(text), 'character')}")
        else:
            self._say(clipboard.by_terminal(self._screen.app, text))
