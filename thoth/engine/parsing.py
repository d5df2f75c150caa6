"""Generated tokens -> text for people, and the calls after it, read by mlx-lm's parser for the base."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from thoth.engine.call_format import CallFormat
from thoth.events import Call


class CallReader:
    """Takes the tokens of one answer; from the one that begins a call on they are no text.

    Tokens count, not their spelling: a model that quotes a page about calls makes none.

    Args:
        tokenizer: mlx-lm's wrapper of the base's tokenizer.
        form: how the base writes calls.
        schemas: the tools, as chat templates take them.
    """

    def __init__(self, tokenizer: Any, form: CallFormat, schemas: Sequence[Mapping[str, Any]]) -> None:
        self._tokenizer, self._form, self._schemas = tokenizer, form, schemas
        self._last: list[int] = []
        self._ids: list[int] = []
        self.in_calls = False

    def take(self, token: int) -> bool:
        """Take the next token; returns whether it belongs to the calls."""
        if self.in_calls:
            self._ids.append(token)
            return True
        self._last = [*self._last, token][-len(self._form.begin) :]
        self.in_calls = tuple(self._last) == self._form.begin
        return self.in_calls

    def calls(self) -> tuple[tuple[Call, ...], str]:
        """Return the calls, and why one cannot be read; what follows that one is left out."""
        calls: list[Call] = []
        for ids in self._parts():
            text = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
            try:
                calls += self._read(text)
            except Exception as error:  # parsers of a dozen formats: each fails in its own way
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                return tuple(calls), f"a tool call cannot be read ({reason})"
        return tuple(calls), ""

    def _parts(self) -> Iterator[list[int]]:
        """The tokens of each call, without those that begin and end it."""
        begin, end = self._form.begin, self._form.end
        inside, part = True, list[int]()
        for token in self._ids:
            part.append(token)
            mark = begin if _ends_with(part, begin) else end if end and _ends_with(part, end) else ()
            if mark:
                if inside:
                    yield part[: -len(mark)]
                inside, part = mark == begin, []
        if inside:
            yield part

    def _read(self, text: str) -> list[Call]:
        parsed = self._form.parse(text.strip(), list(self._schemas))
        calls = [_call(one) for one in (parsed if isinstance(parsed, list) else [parsed])]
        return [trimmed(call) for call in calls] if self._form.copied else calls


def trimmed(call: Call) -> Call:
    """Return a call without the spaces around its arguments' texts."""
    given = {name: value.strip() if isinstance(value, str) else value for name, value in call.arguments.items()}
    return replace(call, arguments=given)


def _call(parsed: Mapping[str, Any]) -> Call:
    """Return a call as mlx-lm's parsers give it; some leave the arguments as JSON."""
    arguments = parsed["arguments"]
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    if not isinstance(parsed["name"], str) or not isinstance(arguments, dict):
        raise ValueError("no name or no arguments")
    return Call(parsed["name"], arguments)


def _ends_with(ids: Sequence[int], mark: Sequence[int]) -> bool:
    return tuple(ids[-len(mark) :]) == tuple(mark)
