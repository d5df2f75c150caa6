"""Which requests reach the routes: from this machine or with the key, for this host, of bearable size and pace."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thoth.serve.faults import Fault
from thoth.serve.service import Limits

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OPEN = ("/health",)
_UPLOADS = ("/v1/files",)
_MOST_HEADERS = 200


@dataclass(frozen=True)
class Rules:
    """Who may come.

    Attributes:
        hosts: names that a request may be addressed to. Others are refused: a page in a browser can let its own name
            mean this machine (DNS rebinding).
        origins: web pages that may call; none by default.
        key: that every request must bring, None where the server is for this machine alone.
    """

    hosts: Collection[str] = LOOPBACK
    origins: Collection[str] = ()
    key: str | None = None


class Guard:
    """Lets requests through, or answers them itself.

    Args:
        app: what they are let through to.
        rules: see `Rules`.
        limits: see `Limits`.
    """

    def __init__(self, app: ASGIApp, rules: Rules, limits: Limits) -> None:
        self._app, self._rules, self._limits = app, rules, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # websockets: nothing here speaks them
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        allowed = origin if origin in self._rules.origins else None
        if (refused := self._refuse(scope, headers)) is not None:
            await self._with_origin(refused.response(), allowed)(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and allowed is not None:
            response = self._with_origin(Response(status_code=204), allowed)
            # A browser sends what it asks for here: clients have headers of their own, as MCP's have.
            wanted = headers.get("access-control-request-headers") or "Authorization, Content-Type"
            response.headers["Access-Control-Allow-Headers"] = wanted
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PATCH, DELETE"
            await response(scope, receive, send)
            return
        body = _Body(receive, self._most(scope), self._limits.body_seconds)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if allowed is not None:
                    message["headers"] = [*message.get("headers", []), *_readable_by(allowed).raw]
            await send(message)

        try:
            await self._app(scope, body.receive, sending)
        except ClientDisconnect:
            pass  # there is nobody to answer
        except Fault as error:
            if started:
                raise
            await self._with_origin(error.response(), allowed)(scope, receive, send)

    def _refuse(self, scope: Scope, headers: Headers) -> Fault | None:
        rules = self._rules
        raw = scope["headers"]
        if len(raw) > _MOST_HEADERS or sum(len(key) + len(value) for key, value in raw) > self._limits.header_bytes:
            return Fault(431, "the headers are too long", headers={"Connection": "close"})
        if len(headers.getlist("host")) != 1 or _name(headers["host"]) not in rules.hosts:
            return Fault(421, "this host name is not served here; allow it with --allow-host", "wrong_host")
        origin = headers.get("origin")
        if origin is not None and origin not in rules.origins:
            return Fault(403, "web pages may not call this server; allow one with --allow-origin", "wrong_origin")
        if scope["method"] == "OPTIONS" and origin is not None:
            return None  # browsers ask without the key whether they may send it
        if rules.key is not None and scope["path"] not in _OPEN:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            # A header comes as latin-1, whatever its bytes are.
            same = hmac.compare_digest(given.strip().encode("latin-1"), rules.key.encode())
            if scheme.lower() != "bearer" or not same:
                message = "the API key is missing or wrong; send it as Authorization: Bearer KEY"
                return Fault(401, message, "invalid_api_key", {"WWW-Authenticate": "Bearer"})
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return Fault(400, "Content-Length is not a number")
        if int(length) > self._most(scope):
            return _too_long(self._most(scope))
        return None

    def _most(self, scope: Scope) -> int:
        return self._limits.upload_bytes if scope["path"] in _UPLOADS else self._limits.body_bytes

    def _with_origin(self, response: Response, origin: str | None) -> Response:
        if origin is not None:
            response.headers.update(_readable_by(origin))
        return response


class _Body:
    """Counts what a client sends, and how long it takes."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive, self._most = receive, most
        self._ends = asyncio.get_running_loop().time() + seconds
        self._length = 0
        self._whole = False

    async def receive(self) -> Message:
        """The next message.

        Raises:
            Fault: The body is too long, or takes too long.
        """
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError as error:
            raise Fault(408, "the request took too long to arrive", headers={"Connection": "close"}) from error
        self._length += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._length > self._most:
            raise _too_long(self._most)
        return message


def _readable_by(origin: str) -> Headers:
    """Headers that let a page read a response: also its headers, since an MCP client must know its session."""
    return Headers(
        {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "*", "Vary": "Origin"},
    )


def _too_long(most: int) -> Fault:
    return Fault(413, f"the request is longer than {most >> 20} MB", "too_large", {"Connection": "close"})


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
