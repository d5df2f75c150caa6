"""Check boxes and radio buttons that are readable without colour: Textual's always show their mark."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Checkbox, RadioButton


class CheckMark(Checkbox):
    """A check box: [x] or [ ]."""

    @property
    def _button(self) -> Content:
        return Content("[x]" if self.value else "[ ]")


class RadioMark(RadioButton):
    """A radio button: (x) or ( )."""

    @property
    def _button(self) -> Content:
        return Content("(x)" if self.value else "( )")
