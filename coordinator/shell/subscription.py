"""The symbols of a market stream, which can change while it stays connected.

The SDK's own calls for this work from another thread only, so its handlers are set and its messages
sent here. Each step waits for the broker's answer, so that a refusal is known to be for that step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from websockets.exceptions import WebSocketException

from coordinator.errors import BrokerUnavailable
from coordinator.shell.fields import Raw

BARS, CORRECTIONS = "bars", "updatedBars"
"""The SDK's channels."""
ANSWER_S = 30.0
"""Local seconds in which the broker confirms a change; a new connection subscribes to all anew."""
Handler = Callable[[Any], Awaitable[None]]
Expect = Callable[[], "asyncio.Future[None]"]


class Subscription:
    """The symbols of one market stream of the SDK.

    `room` is how many pairs of channel and symbol the broker grants at least, None for any number:
    late corrections are subscribed to only while they fit beside the bars.
    """

    def __init__(
        self, sdk: Any, handler: Handler, symbols: Sequence[str], room: int | None
    ) -> None:
        self._sdk, self._handler, self._room = sdk, handler, room
        self._set_handlers(self._channels(symbols), symbols)

    async def change(self, symbols: Sequence[str], expect: Expect) -> None:
        """Change to these symbols and no others; `expect` returns the broker's next answer.

        Raises:
            BrokerRejected: the broker does not grant them; the subscription stays as it was.
            BrokerUnavailable: it did not answer; the same.
        """
        before, wanted = list(self._handlers(BARS)), frozenset(symbols)
        fresh = [symbol for symbol in symbols if symbol not in self._handlers(BARS)]
        if CORRECTIONS not in self._channels(symbols):
            await self._unsubscribe(CORRECTIONS, list(self._handlers(CORRECTIONS)), expect)
        if fresh:
            await self._subscribe(fresh, before, expect)
        gone = [symbol for symbol in before if symbol not in wanted]
        self._sdk.wanted = wanted
        for channel in (BARS, CORRECTIONS):
            await self._unsubscribe(channel, gone, expect)

    async def _subscribe(self, fresh: Sequence[str], before: Sequence[str], expect: Expect) -> None:
        corrected = self._handlers(CORRECTIONS) or not before
        self._set_handlers([BARS, CORRECTIONS] if corrected else [BARS], fresh)
        self._sdk.wanted = frozenset((*before, *fresh))
        answer = expect()
        try:
            await self._send(self._sdk._send_subscribe_msg)
            await asyncio.wait_for(answer, ANSWER_S)
        except BaseException as error:
            self._sdk.wanted = frozenset(before)
            for channel in (BARS, CORRECTIONS):
                await self._unsubscribe(channel, fresh, expect)
            if isinstance(error, TimeoutError):
                raise BrokerUnavailable(
                    f"the broker did not confirm {', '.join(fresh)} within {ANSWER_S:.0f} s;"
                    " ask again"
                ) from None
            raise

    async def _unsubscribe(self, channel: str, symbols: Iterable[str], expect: Expect) -> None:
        """Unsubscribe from these; if that is not confirmed, bars may come that nobody wants."""
        gone = [symbol for symbol in symbols if self._handlers(channel).pop(symbol, None)]
        if not gone or not self._connected:
            return
        answer = expect()
        await self._send(lambda: self._sdk._send_unsubscribe_msg(channel, gone))
        with suppress(TimeoutError):
            await asyncio.wait_for(answer, ANSWER_S)

    async def _send(self, message: Callable[[], Awaitable[None]]) -> None:
        with suppress(WebSocketException):  # the next connection subscribes to all anew
            if self._connected:
                await message()

    @property
    def _connected(self) -> bool:
        return self._sdk._ws is not None and bool(self._sdk._running)

    def _channels(self, symbols: Sequence[str]) -> list[str]:
        fit = self._room is None or 2 * len(symbols) <= self._room
        return [BARS, CORRECTIONS] if fit else [BARS]

    def _set_handlers(self, channels: Iterable[str], symbols: Sequence[str]) -> None:
        for channel in channels:
            self._handlers(channel).update(dict.fromkeys(symbols, self._handler))

    def _handlers(self, channel: str) -> dict[str, Any]:
        handlers: dict[str, Any] = self._sdk._handlers[channel]
        return handlers


def handler(hand_on: Callable[[Raw], None]) -> Handler:
    """An SDK handler that only passes the raw message on."""

    async def handle(message: Any) -> None:
        hand_on(message)

    return handle
