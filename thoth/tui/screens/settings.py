"""F2: the settings file as a form, built from the schema in `thoth.settings`, and the permissions that are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Static

from thoth import settings
from thoth.errors import ThothError
from thoth.settings import Option, Settings, Value
from thoth.tui.screens.dialog import Dialog
from thoth.tui.widgets.permission_list import PermissionList
from thoth.tui.widgets.setting_field import SettingField


class SettingsScreen(Dialog[Settings | None]):
    """Edits the settings file; closes with the new settings, or with None if nothing was saved.

    Args:
        path: the settings file; it may not exist yet.
    """

    CSS_PATH: ClassVar = ["dialog.tcss", "settings.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="settings.save", tooltip="Check and save the settings"),
    ]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._saved: dict[str, Value] = {}

    def compose(self) -> ComposeResult:
        """Yield a field for each key, or the error in the file."""
        with Vertical(classes="dialog") as box:
            box.border_title = "Settings"
            box.border_subtitle = "Ctrl+S saves, Esc closes"
            try:
                self._saved = settings.read(self._path)
            except ThothError as error:
                yield Static(str(error), classes="error", markup=False)
                return
            with VerticalScroll(classes="fields", can_focus=False):
                for option in settings.options():
                    if option.kind != "table":
                        yield self._field(option)
                yield PermissionList(self._path.with_name("permissions.json"))
            yield Static(f"Key bindings: section [keys] of {self._path.name}.", classes="note", markup=False)
            yield Static("", classes="error", id="failure", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Save", id="save", variant="primary")
                yield Button("Cancel", id="cancel")

    def _field(self, option: Option) -> SettingField:
        choices = tuple(self.app.available_themes) if option.name == "theme" else option.choices
        overruled = bool(option.variable and os.environ.get(option.variable, "").strip())
        return SettingField(option, self._saved.get(option.name), choices, overruled)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Save or cancel."""
        if event.button.id == "save":
            self.action_save()
        else:
            self.dismiss(None)

    def action_save(self) -> None:
        """Save the changes if all fields are valid; else go to the first invalid field."""
        fields = list(self.query(SettingField))
        wrong = [field for field in fields if not field.validate_now()]
        if wrong:
            wrong[0].query("Input").first().focus()
        elif fields:
            given = {field.option.name: field.read() for field in fields}
            self._save({name: value for name, value in given.items() if value != self._saved.get(name)})

    @work(thread=True, exclusive=True)
    def _save(self, changes: dict[str, Value | None]) -> None:
        try:
            settings.save(self._path, **changes)
            now = settings.load(self._path)
        except ThothError as error:
            self.app.call_from_thread(self.query_one("#failure", Static).update, str(error))
        else:
            self.app.call_from_thread(self.dismiss, now)
