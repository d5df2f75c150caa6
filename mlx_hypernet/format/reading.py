"""How a base is asked about a text in its context: one message of both."""

from __future__ import annotations

import re

# The text, then the question, as people write it. Small bases need to be told what to do with the two.
READING_PROMPT = "{text}\n\n{question}"
_PLACES = re.compile(r"\{text\}|\{question\}")


def is_reading_prompt(prompt: object) -> bool:
    """Tell whether something is a text with `{text}` and `{question}` in it, each once."""
    return isinstance(prompt, str) and sorted(_PLACES.findall(prompt)) == ["{question}", "{text}"]


def with_text(question: str, text: str, prompt: str = READING_PROMPT) -> str:
    """Return a question about a text as one message; braces in either stay what they are."""
    return _PLACES.sub(lambda place: text if place[0] == "{text}" else question, prompt)
