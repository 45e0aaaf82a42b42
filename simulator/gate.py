"""Middleware before every request: keys, rate limit, counts, faults, and stirring the quiet.

Rule: only `GET /v2/clock` does not stir the quiet, so that clients may poll it as they like.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator.errors import Rejection
from simulator.exchange import Exchange
from simulator.faults.wire import (
    DelayResponse,
    Http429,
    Http500AfterAccept,
    HttpError,
    LateAccept,
    LoseAnswer,
)
from simulator.protocols import KEY_HEADER, SECRET_HEADER
from simulator.rest_orders import read_order

_DEFAULT_LIMIT = 200
_VARIABLE = (
    ("/v2/orders/", "{id}"),
    ("/v2/positions/", "{symbol}"),
    ("/v2/assets/", "{symbol}"),
    ("/v2/account/activities/", "{type}"),
)
_NEW_ORDER = {"method": "POST", "path": "/v2/orders"}
_TOO_MANY = Rejection(429, 42910000, "too many requests.")
_CLOCK_PATH = "/v2/clock"
_DATA_PATHS = ("/v2/stocks", "/v1beta3/")


class RateLimit:
    """Requests in this minute of real time. limit None: none is refused, headers all the same."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._minute = 0
        self._count = 0

    def admit(self, epoch_s: float) -> tuple[bool, dict[str, str]]:
        """Whether one more request may pass, and the headers that say so."""
        minute = int(epoch_s // 60)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        limit = self._limit or _DEFAULT_LIMIT
        allowed = self._limit is None or self._count < limit
        self._count += allowed
        left = max(0, limit - self._count) if self._limit is not None else limit - 1
        return allowed, _rate_headers(limit, left, (minute + 1) * 60)


class Gate:
    """ASGI middleware around the REST routes; websockets pass through."""

    def __init__(self, app: ASGIApp, exchange: Exchange) -> None:
        self._app = app
        self._exchange = exchange
        limit = exchange.options.requests_per_minute
        self._trading, self._data = RateLimit(limit), RateLimit(limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        quiet = self._exchange.quiet
        counts = not (scope["method"] == "GET" and scope["path"] == _CLOCK_PATH)
        looks = scope["method"] == "GET"
        if counts:
            quiet.enter(looks=looks)
        else:
            quiet.times_asked += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            if counts:
                quiet.leave(looks=looks)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._data if scope["path"].startswith(_DATA_PATHS) else self._trading
        allowed, rate_headers = limit.admit(time.time())

        async def send_with_rate(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in rate_headers.items():
                    headers.setdefault(name, value)
            await send(message)

        self._exchange.requests[f"{scope['method']} {_route(scope['path'])}"] += 1
        headers = Headers(scope=scope)
        key, secret = headers.get(KEY_HEADER), headers.get(SECRET_HEADER)
        if not self._exchange.access.admits(key, secret):
            refusal = _refusal(Rejection(401, 40110000, "request is not authorized"))
            await refusal(scope, receive, send_with_rate)
        elif not allowed:
            await _refusal(_TOO_MANY)(scope, receive, send_with_rate)
        else:
            await self._disturbed(scope, receive, send_with_rate)

    async def _disturbed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request as the fault script lets it happen."""
        self._exchange.admit_late()
        strikes, now = self._exchange.mischief.script.strikes, self._exchange.now()
        where = {"method": scope["method"], "path": scope["path"]}
        if throttled := strikes(Http429, now, **where):
            await _throttled(throttled.retry_after_s)(scope, receive, send)
        elif refused := strikes(HttpError, now, **where):
            await _scripted(refused.status, "scripted fault")(scope, receive, send)
        elif where == _NEW_ORDER and (late := strikes(LateAccept, now, **where)):
            answer = await self._take_late(late, now, Request(scope, receive))
            await answer(scope, receive, send)
        elif where == _NEW_ORDER and (hidden := strikes(Http500AfterAccept, now, **where)):
            await self._app(scope, receive, _nowhere)
            await _scripted(hidden.status, "internal server error")(scope, receive, send)
        elif strikes(LoseAnswer, now, **where):
            await self._app(scope, receive, _nowhere)
            await self._hang_up(scope, receive)
        else:
            delayed = strikes(DelayResponse, now, **where)
            await self._app(scope, receive, _late(send, delayed.delay_s) if delayed else send)

    async def _take_late(self, late: LateAccept, now: datetime, request: Request) -> JSONResponse:
        """Answer an order with an error, and let it arrive afterwards."""
        try:
            ticket = read_order(await request.body())
        except Rejection as refusal:
            return _refusal(refusal)
        self._exchange.late.append((now + timedelta(seconds=late.delay_s), ticket))
        return _scripted(late.status, "gateway timed out")

    async def _hang_up(self, scope: Scope, receive: Receive) -> None:
        """End the connection of a request, and wait until it has ended."""
        wire = self._exchange.wires.of(scope)
        if wire is not None:
            wire.close()
            while (await receive())["type"] != "http.disconnect":
                continue


def _refusal(rejection: Rejection, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(rejection.body(), rejection.status, headers)


def _throttled(retry_after_s: int) -> JSONResponse:
    """A 429 that says when to try again, in real time."""
    reset_s = int(time.time()) + retry_after_s
    headers = {"Retry-After": str(retry_after_s), **_rate_headers(_DEFAULT_LIMIT, 0, reset_s)}
    return _refusal(_TOO_MANY, headers)


def _rate_headers(limit: int, remaining: int, reset_s: int) -> dict[str, str]:
    """reset_s: epoch seconds."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(reset_s),
    }


def _scripted(status: int, message: str) -> JSONResponse:
    return _refusal(Rejection(status, status * 100_000, message))


def _late(send: Send, delay_s: float) -> Send:
    async def send_late(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(delay_s)
        await send(message)

    return send_late


async def _nowhere(message: Message) -> None:
    """Drop an answer, which its client never gets."""


def _route(path: str) -> str:
    """The path with what varies replaced: '/v2/orders/{id}'."""
    for prefix, name in _VARIABLE:
        if path.startswith(prefix) and len(path) > len(prefix):
            return prefix + name
    return path
