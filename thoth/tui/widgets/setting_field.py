"""One setting of the form: its name, a control, its description, and its error."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.widgets import Input, Select, Static

from thoth.errors import UsageError
from thoth.settings import Option, Value


class SettingField(Vertical):
    """A form field for one key of the settings; an empty one means the default.

    Args:
        option: the key.
        value: value in the settings file, None if it has none.
        choices: all values there are; empty where any will do.
        overruled: whether an environment variable overrides the file.
    """

    error: reactive[str] = reactive("")

    def __init__(self, option: Option, value: Value | None, choices: Sequence[str], overruled: bool) -> None:
        super().__init__(id=f"setting-{option.name}")
        self.option = option
        self._value = value
        self._choices = choices
        self._overruled = overruled

    def compose(self) -> ComposeResult:
        """Yield label and control in one line, the description below."""
        default = "not set" if self.option.default is None else f"{self.option.default} (default)"
        with Horizontal(classes="line"):
            yield Static(self.option.name, classes="label", markup=False)
            if self._choices:
                known = [(choice, choice) for choice in self._choices]
                chosen = next((choice for choice in self._choices if choice == self._value), Select.NULL)
                yield Select[str](known, prompt=default, value=chosen, compact=True)
            else:
                text = "" if self._value is None else str(self._value)
                yield Input(text, placeholder=default, compact=True)
        beaten = f" {self.option.variable} overrides this setting." if self._overruled else ""
        yield Static(self.option.help + beaten, classes="note", markup=False)
        yield Static("", classes="error", markup=False)

    def read(self) -> Value | None:
        """Return the value in the field; None means the default.

        Raises:
            UsageError: The value is not allowed.
        """
        if self._choices:
            chosen = self.query_one(Select).value
            return None if chosen is Select.NULL else str(chosen)
        text = self.query_one(Input).value.strip()
        return self.option.parse(text) if text else None

    def validate_now(self) -> bool:
        """Show the error, if there is one; returns whether the value is valid."""
        try:
            self.read()
        except UsageError as error:
            self.error = str(error)
        else:
            self.error = ""
        return not self.error

    def watch_error(self, error: str) -> None:
        """Show the error only while there is one."""
        self.set_class(bool(error), "-wrong")
        self.query_one(".error", Static).update(error)

    def on_input_changed(self) -> None:
        """Update the error while the user types."""
        self.validate_now()
