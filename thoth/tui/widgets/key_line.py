"""The keys that work now, in one line at the bottom."""

from __future__ import annotations

from textual.binding import Binding
from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.style import Style

from thoth.tui.widgets.line import Line

_LAST = "main.help"  # it leads to all the others, so it is never left out
_GAP = "  "


class KeyLine(Line):
    """Keys and their labels, as many as fit: first those of the widget with the focus, last the one for help."""

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._update)

    def render(self) -> Content:
        """Return the keys that fit."""
        entries = self._entries()
        last = entries.pop(_LAST, Content())
        room = self.content_size.width - last.cell_length
        line = Content()
        for entry in entries.values():
            if line.cell_length + entry.cell_length + len(_GAP) > room:
                break
            line = line + entry + _GAP
        return line + last

    def on_click(self, event: Click) -> None:
        """Press the key that was clicked."""
        if key := event.style.meta.get("key"):
            event.stop()
            self.app.simulate_key(key)

    def _update(self, _: Screen[object]) -> None:
        self.refresh()

    def _entries(self) -> dict[str, Content]:
        """Return each key that works, by the id of its binding."""
        found: dict[str, Content] = {}
        screen = self.screen
        places = {binding.id: place for place, binding in enumerate(Binding.make_bindings(screen.BINDINGS))}
        # A key of the screen that takes the place of a widget's stands in that one's place: hence the order.
        ordered = sorted(
            screen.active_bindings.values(),
            key=lambda active: (
                active.node is screen,
                places.get(active.binding.id, 0) if active.node is screen else 0,
            ),
        )
        for active in ordered:
            binding = active.binding
            if binding.id and binding.show and binding.description and active.enabled and binding.id not in found:
                key = self.app.get_key_display(binding)
                text = Content.assemble((key, "bold $text"), f" {binding.description}")
                found[binding.id] = text.stylize(Style.from_meta({"key": binding.key}))
        return found
