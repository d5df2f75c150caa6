"""Headers of mail and of web servers, where a damaged parameter is a missing one: Python's own class fails on some."""

from __future__ import annotations

from email.message import Message
from typing import Any


class Headers(Message):
    """A message, or the headers of an answer.

    `filename*=x; filename*0=y` fails with a TypeError in `email.utils.decode_params` of Python 3.11, an encoding
    with a zero byte in its name with a ValueError.
    """

    def get_param(self, *arguments: Any, **named: Any) -> Any:
        """Return a parameter of a header; as `Message.get_param`."""
        try:
            return super().get_param(*arguments, **named)
        except (TypeError, ValueError):
            return named["failobj"] if "failobj" in named else (*arguments[1:2], None)[0]

    def get_content_charset(self, failobj: Any = None) -> Any:
        """Return the encoding that the content type names; as `Message.get_content_charset`."""
        try:
            return super().get_content_charset(failobj)
        except ValueError:
            return failobj

    def get_filename(self, failobj: Any = None) -> Any:
        """Return the file's name; as `Message.get_filename`."""
        try:
            return super().get_filename(failobj)
        except ValueError:
            return failobj
