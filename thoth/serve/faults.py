"""Errors as clients of OpenAI's API expect them: a status, and an object with one line that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.responses import JSONResponse

from thoth.errors import (
    DocumentError,
    InternalError,
    ModelError,
    NoTextError,
    ResourceError,
    Stopped,
    ThothError,
    UsageError,
)

_STATUS: tuple[tuple[type[ThothError], int], ...] = (
    (UsageError, 400),
    (DocumentError, 404),
    (NoTextError, 422),
    (ModelError, 503),
    (ResourceError, 507),
    (Stopped, 503),
    (InternalError, 500),
)


class Fault(Exception):
    """A request that is refused or failed.

    Args:
        status: HTTP status.
        message: one line.
        code: OpenAI's word for the error, None where it has none.
        headers: of the response.
    """

    def __init__(
        self, status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers

    def body(self) -> dict[str, Any]:
        """The object that clients read."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": self.message, "type": kind, "param": None, "code": self.code}}

    def response(self) -> JSONResponse:
        """The whole response."""
        return JSONResponse(self.body(), self.status, headers=self.headers)


def fault(error: Exception) -> Fault:
    """Return the fault for an error of Thoth or of a request's shape."""
    match error:
        case Fault():
            return error
        case ValidationError():
            return Fault(400, _shape(error), "invalid_value")
        case ThothError():
            status = next((status for kind, status in _STATUS if isinstance(error, kind)), 400)
            return Fault(status, str(error))
    return Fault(500, f"unexpected error: {error!r}; see the server's log")


def _shape(error: ValidationError) -> str:
    """Say where a request has another shape than expected; pydantic's own sentences are for programmers."""
    first = error.errors()[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    place = place.lstrip(".") or "the body"
    context = first.get("ctx", {})
    match first["type"]:
        case "missing":
            return f"{place} is missing"
        case "json_invalid":
            return "the body is not JSON"
        case "greater_than_equal":
            return f"{place} must be {context['ge']:g} or more"
        case "less_than_equal":
            return f"{place} must be {context['le']:g} or less"
        case "too_long":
            return f"{place} has more than {context['max_length']} parts"
        case "literal_error":
            return f"{place} must be one of {context['expected']}".replace("'", "")
        case "value_error":
            return f"{place}: {context['error']}"
        case kind:
            return f"{place} must be {_KINDS.get(kind, 'of another kind')}"


_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "finite_number": "a finite number",
}
