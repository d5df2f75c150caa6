"""The permissions of tools that a person decided for good, each with a button that revokes it."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from thoth.agent.permissions import Grant, Grants, meaning
from thoth.errors import ThothError


class PermissionList(Vertical):
    """Lists what `permissions.json` keeps; revoking takes effect at once, whether the settings are saved or not.

    Args:
        path: the file; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._grants = Grants(path)

    def compose(self) -> ComposeResult:
        """Yield a line for each permission, or why there is none."""
        yield Static("Permissions of tools", classes="label")
        try:
            kept = self._grants.all()
        except ThothError as error:
            yield Static(str(error), classes="error", markup=False)
            return
        if not kept:
            yield Static("None is kept: tools ask each time.", classes="note")
        for grant in kept:
            yield _Line(grant)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Revoke the permission of the line."""
        event.stop()
        line = event.button.parent
        assert isinstance(line, _Line)
        try:
            self._grants.revoke(line.grant.need)
        except (ThothError, OSError) as error:
            self.app.notify(f"The permission is still kept: {error}", severity="error", markup=False)
            return
        self.app.notify(f"Revoked {line.grant.need}; tools ask again", markup=False)
        line.remove()


class _Line(Horizontal):
    """One permission."""

    def __init__(self, grant: Grant) -> None:
        super().__init__(classes="permission")
        self.grant = grant

    def compose(self) -> ComposeResult:
        grant = self.grant
        yield Static(f"{grant.decision} {meaning(grant.need)} (since {grant.since})", classes="decision", markup=False)
        yield Button("Revoke", compact=True)
