"""How keys are written for people: "Ctrl+L", "PageUp"."""

from __future__ import annotations

_NAMES = {"escape": "Esc", "slash": "/", "pageup": "PageUp", "pagedown": "PageDown"}


def written(key: str) -> str:
    """Return the name of a key as on a keyboard; a single letter is not changed."""
    words = [_NAMES.get(word, word) for word in key.split("+")]
    if len(words) == 1 and len(words[0]) == 1:
        return words[0]
    return "+".join(word[0].upper() + word[1:] for word in words)
