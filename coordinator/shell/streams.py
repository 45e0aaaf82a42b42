"""The broker's websockets: each is one connection whose state is watched and logged.

Handlers only pass messages on: an exception in one would cost the rest of the frame. The SDK
reports neither that it connected nor why it could not, so subclasses observe its steps. It retries
by itself; a stream task that ends without our stop is a fault.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from alpaca.data.live import CryptoDataStream, StockDataStream
from alpaca.trading.stream import TradingStream
from websockets.exceptions import WebSocketException

from coordinator.core.values import is_crypto
from coordinator.settings import LEAST_PAIRS, LIMITED_FEED, Settings
from coordinator.shell.fields import Raw
from coordinator.shell.frames import BarConsumer, Consumer, is_unread, read_json, read_msgpack
from coordinator.shell.garbage import shown
from coordinator.shell.plain import PlainBars
from coordinator.shell.sockets import socket_options
from coordinator.shell.stream_watch import (
    INTERNAL,
    LOGIN_LATE,
    NO_SUCH_KEYS,
    NOT_PAID_FOR,
    SLOT_TAKEN,
    SYMBOL_LIMIT,
    StreamState,
    StreamWatch,
)
from coordinator.shell.subscription import Subscription, handler

log = logging.getLogger("coordinator")
SDK_LOGGERS = ("alpaca.data.live.websocket", "alpaca.trading.stream", "urllib3")
MOST_WORDS = 200
"""A broker's error text of fewer characters is repeated whole."""
REFUSALS = {
    "connection limit": SLOT_TAKEN,
    "insufficient subscription": NOT_PAID_FOR,
    "auth timeout": LOGIN_LATE,
    "internal error": INTERNAL,
}
"""The code of a refused login by a part of its text, which is all that the SDK passes on."""
AGAIN_S = 1.0
"""Local seconds after which a stream whose task ended by itself is started again."""


class _Observed(Consumer):
    """Mixed into an SDK stream: reports what the SDK would only log."""

    watch: StreamWatch
    wanted: frozenset[str]

    def garbled(self, what: str) -> None:
        self.watch.garbled(what)

    async def _auth(self) -> None:
        try:
            await super()._auth()  # type: ignore[misc]
        except ValueError as error:
            if is_unread(error):
                self.garbled(f"the answer to the login: {shown(str(error))}")
                raise  # no refusal, only unreadable: the SDK tries again
            known = (code for text, code in REFUSALS.items() if text in str(error))
            self.watch.refused(next(known, NO_SUCH_KEYS), str(error))
            raise

    async def close(self) -> None:
        self.watch.lost()
        with suppress(WebSocketException):  # it broke off just now, and so it is closed
            await super().close()  # type: ignore[misc]

    async def _dispatch(self, message: dict[str, Any]) -> None:
        kind = message.get("T") or message.get("stream")
        if kind == "error":
            code, words = message.get("code"), message.get("msg")
            text = words if isinstance(words, str) and len(words) < MOST_WORDS else shown(words)
            self.watch.refused(code if isinstance(code, int) else 0, text)
        elif kind == "subscription":
            bars = message.get("bars")
            self.watch.granted = frozenset(map(str, bars if isinstance(bars, list) else ()))
            missing = self.wanted - self.watch.granted
            if missing:
                self.watch.refused(SYMBOL_LIMIT, f"not subscribed: {', '.join(sorted(missing))}")
            else:
                self.watch.live()
        elif kind == "listening":
            self.watch.live()
        await super()._dispatch(message)  # type: ignore[misc]


class _Bars(_Observed, BarConsumer):
    read = staticmethod(read_msgpack)

    def _take_bars(self, bars: list[dict[str, Any]] | PlainBars) -> None:
        silenced = self.watch.state in (StreamState.REFUSED, StreamState.WAITING_FOR_SLOT)
        if silenced and not self.watch.is_too_small:
            self.watch.live()  # no error since the subscription has ended it
        super()._take_bars(bars)


class _Stocks(_Bars, StockDataStream): ...


class _Crypto(_Bars, CryptoDataStream): ...


class _Orders(_Observed, TradingStream):
    read = staticmethod(read_json)


class Stream:
    """One supervised SDK stream. The handlers of its messages must not raise or block."""

    def __init__(
        self, sdk: Any, watch: StreamWatch, subscription: Subscription | None = None
    ) -> None:
        self._sdk = sdk
        self._subscription = subscription
        self.watch = watch
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._closing: asyncio.Future[None] | None = None
        self._again: asyncio.Future[None] | None = None

    def start(self, on_end: Callable[[str], None]) -> None:
        """Connect, and again whenever the SDK gives up without being stopped.

        `on_end` is called with the name if the account's plan does not include the stream.
        """
        self._task = asyncio.create_task(self._sdk._run_forever(), name=self.watch.name)

        def ended(task: asyncio.Task[None]) -> None:
            if self._stopping:
                return
            reason = None if task.cancelled() else task.exception()
            if self.watch.is_excluded:
                log.error("[%s] ended: the account's plan does not include it", self.watch.name)
                on_end(self.watch.name)
                return
            log.error("[%s] ended by itself (%s); connecting again", self.watch.name, reason)
            self.watch.lost()
            self._again = asyncio.ensure_future(self._start_again(on_end))

        self._task.add_done_callback(ended)

    async def _start_again(self, on_end: Callable[[str], None]) -> None:
        """Start anew, but close the socket first: the SDK leaves it open, and it keeps the slot."""
        await self._sdk.close()
        await asyncio.sleep(AGAIN_S)
        if not self._stopping:
            self.start(on_end)

    def restart(self) -> None:
        """Close the connection, so that the SDK makes a new one."""
        socket = self._sdk._ws
        if socket is not None:
            self._closing = asyncio.ensure_future(socket.close())

    async def subscribe(self, symbols: Sequence[str]) -> None:
        """Change to the bars of these symbols, and no others, over the same connection.

        Raises:
            BrokerError: the broker does not grant them; the subscription stays as it was.
        """
        assert self._subscription is not None, "the order stream has no symbols"
        await self._subscription.change(symbols, self.watch.expect)

    async def stop(self) -> None:
        """End the stream and free its connection slot."""
        self._stopping = True
        self.watch.state = StreamState.STOPPED
        if self._again is not None:
            self._again.cancel()
        if self._task is None:
            return
        await self._sdk.stop_ws()
        await self._sdk.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._sdk.close()


def market_stream(
    settings: Settings,
    feed: str,
    symbols: Sequence[str],
    on_bars: Callable[[Sequence[Raw] | PlainBars], None],
    watch: StreamWatch,
) -> Stream:
    """The bars of `symbols`, all stocks or all crypto, over one connection.

    `on_bars` gets the bars of a frame together, or its corrections (`BarConsumer`).
    """
    crypto = is_crypto(symbols[0])
    sdk_type: type[_Stocks] | type[_Crypto] = _Crypto if crypto else _Stocks
    sdk = sdk_type(
        settings.key_id,
        settings.secret,
        raw_data=True,
        url_override=settings.crypto_stream_url if crypto else settings.stock_stream_url(feed),
        websocket_params=socket_options(len(symbols)),
    )
    sdk.watch, sdk.wanted, sdk.on_bars = watch, frozenset(symbols), on_bars
    room = LEAST_PAIRS if feed == LIMITED_FEED and not crypto else None
    return Stream(sdk, watch, Subscription(sdk, handler(lambda raw: on_bars([raw])), symbols, room))


def order_stream(
    settings: Settings, on_update: Callable[[Raw], None], watch: StreamWatch
) -> Stream:
    """The account's `trade_updates`."""
    sdk = _Orders(
        settings.key_id,
        settings.secret,
        raw_data=True,
        url_override=settings.order_stream_url,
        websocket_params=socket_options(),
    )
    sdk.watch, sdk.wanted = watch, frozenset()
    sdk.subscribe_trade_updates(handler(on_update))
    return Stream(sdk, watch)


@contextmanager
def quiet_sdk() -> Iterator[None]:
    """Silence the log lines of the SDK and its HTTP: they print tracebacks of what we log once."""
    loggers = [logging.getLogger(name) for name in SDK_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
