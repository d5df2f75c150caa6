"""The model: loading one, choosing one, and what to do when it cannot be loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from textual.screen import Screen

from thoth import settings
from thoth.actions import introduction, readable
from thoth.errors import ThothError
from thoth.models import registry
from thoth.system import paths
from thoth.tui.messages import ModelFailed, ModelLoading, ModelMessage, ModelReady

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument
    from thoth.tui.downloads import Downloads
    from thoth.tui.engine_client import EngineClient

ModelState = Literal["loading", "ready", "failed"]


class ModelController:
    """Loads models and knows whether one is ready.

    Args:
        client: loads them.
        downloads: of models.
        screen: shows dialogs.
        show: called with the name of the model, empty for none, when the state changed.

    Attributes:
        state: whether questions are answered now.
    """

    def __init__(
        self, client: EngineClient, downloads: Downloads, screen: Screen[None], show: Callable[[str], None]
    ) -> None:
        self._client, self._downloads, self._screen, self._show = client, downloads, screen, show
        self._judged: set[str] = set()  # ids of documents
        self.state: ModelState = "loading"

    def load(self, name: str | None) -> None:
        """Load another model; questions wait for it from now on."""
        self.state = "loading"
        self._client.load(name)

    def take(self, message: ModelMessage) -> None:
        """Note what became of the model."""
        match message:
            case ModelLoading():
                self.state = "loading"
                self._show(message.name)
            case ModelReady():
                self.state = "ready"
                self._show(message.name)
            case ModelFailed():
                self.state = "failed"
                self._show("")
                self._screen.run_worker(self._explain(message), group="dialog")

    def judge(self, document: StoredDocument) -> str | None:
        """Return what to say of a document that is being absorbed: that the model cannot read it, once."""
        pair = self._client.pair
        if pair is None or document.id in self._judged:
            return None
        self._judged.add(document.id)
        return readable.warning(document, pair.name, "/models")

    def choose(self) -> None:
        """Let the user choose or download a model."""
        self._screen.run_worker(self._choose(), group="dialog")

    async def _choose(self) -> None:
        from thoth.tui.screens.models import ModelsScreen

        current = self._client.pair.name if self._client.pair else None
        if name := await self._screen.app.push_screen_wait(ModelsScreen(current, self._downloads)):
            self.load(name)

    async def _explain(self, failed: ModelFailed) -> None:
        from thoth.tui.screens.model_failed import ModelFailed as ModelFailedScreen

        choice = await self._screen.app.push_screen_wait(ModelFailedScreen(failed.name, failed.error))
        if choice == "retry":
            self.load(failed.name or None)
        elif choice == "models":
            await self._choose()

    def introduce(self, model: str | None, try_example: Callable[[str], None]) -> None:
        """Say once what nano is, if no better model is installed.

        Args:
            model: the one on the command line.
            try_example: called with the name of the pair if the user wants to see the example.
        """
        self._screen.run_worker(self._introduce(model, try_example), group="dialog")

    async def _introduce(self, model: str | None, try_example: Callable[[str], None]) -> None:
        if await asyncio.to_thread(_is_nano_new, model):
            from thoth.tui.screens.first_run import FirstRun

            match await self._screen.app.push_screen_wait(FirstRun()):
                case "try":
                    try_example(registry.NANO)
                case "models":
                    await self._choose()


def _is_nano_new(model: str | None) -> bool:
    try:
        return introduction.is_due(registry.choose(settings.load(paths.settings(), model=model).model).name)
    except ThothError:
        return False  # loading the model reports it
