"""What is known of one of the broker's websockets: its state, its errors, what it grants."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import Enum

from coordinator.errors import BrokerRejected, BrokerUnavailable, SafetyRefusal

log = logging.getLogger("coordinator")
NO_SUCH_KEYS, SYMBOL_LIMIT, SLOT_TAKEN, NOT_PAID_FOR = 402, 405, 406, 409
LOGIN_LATE, INTERNAL = 404, 500
PASSING = {LOGIN_LATE, INTERNAL}
"""Errors of a login after which the SDK's next one may succeed."""
DECISIVE = {401, NO_SUCH_KEYS, SYMBOL_LIMIT, SLOT_TAKEN, NOT_PAID_FOR}
"""Errors that end a live stream's data; after any other, bars keep coming."""


class StreamState(Enum):
    """The state of a stream."""

    CONNECTING = "connecting"
    LIVE = "live"
    WAITING_FOR_SLOT = "waiting for the slot"
    REFUSED = "refused"
    MUTE = "connected but mute"
    STOPPED = "stopped"


class StreamWatch:
    """The state of one stream. `granted` are the symbols whose bars the broker will send.

    `on_reconnect` is called when it is back after a loss, `on_garbage` with a description of
    whatever was dropped before it could become a message.
    """

    def __init__(
        self,
        name: str,
        on_reconnect: Callable[[], None],
        on_garbage: Callable[[str], object] = lambda what: None,
    ) -> None:
        self.name = name
        self.granted: frozenset[str] = frozenset()
        self.state = StreamState.CONNECTING
        self.connections = 0
        self.error: Exception | None = None
        self._on_reconnect = on_reconnect
        self._on_garbage = on_garbage
        self._changed = asyncio.Event()
        self._asked: asyncio.Future[None] | None = None

    def expect(self) -> asyncio.Future[None]:
        """A future for the broker's next answer to a subscription: granted, or a BrokerRejected."""
        self._asked = asyncio.get_running_loop().create_future()
        return self._asked

    def live(self) -> None:
        """The broker confirmed the subscription."""
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(None)
        if self.state is StreamState.LIVE:
            return  # more symbols, or fewer, over the same connection
        self.state, self.error = StreamState.LIVE, None
        self.connections += 1
        self._changed.set()
        if self.connections > 1:
            log.info("[%s] connected again", self.name)
            self._on_reconnect()

    def garbled(self, what: str) -> None:
        """A record could not be read, and was dropped."""
        self._on_garbage(f"[{self.name}] {what}")

    def refused(self, code: int, message: str) -> None:
        """The broker answered with an error."""
        if self._asked is not None and not self._asked.done() and code == SYMBOL_LIMIT:
            self._asked.set_exception(BrokerRejected(code, code, message))
            return
        error = BrokerRejected(code, code, f"{self.name} stream: {message}")
        if self.state is StreamState.LIVE and code not in DECISIVE:
            self.garbled(f"error {code}: {message}{error.advice}")
            return
        if code in PASSING:
            log.warning("[%s] not connected: %s (%s)%s", self.name, message, code, error.advice)
            return
        if code == SLOT_TAKEN or "connection limit" in message:
            if self.state is not StreamState.WAITING_FOR_SLOT:
                text = "[%s] another connection holds the slot; waiting for it%s"
                log.warning(text, self.name, error.advice)
            self.state = StreamState.WAITING_FOR_SLOT
            return
        if self.state is not StreamState.REFUSED:
            text = "[%s] the broker refused: %s (%s)%s"
            log.error(text, self.name, message, code, error.advice)
        self.error = error
        self.state = StreamState.REFUSED
        self._changed.set()

    def lost(self) -> None:
        """The connection is gone; the SDK makes a new one."""
        if self.state in (StreamState.LIVE, StreamState.MUTE):
            log.warning("[%s] connection lost; connecting again", self.name)
            self.state = StreamState.CONNECTING

    def muted(self) -> None:
        """It is connected, but brings none of the bars that there are."""
        log.warning("[%s] connected but mute; connecting again", self.name)
        self.state = StreamState.MUTE

    @property
    def is_too_small(self) -> bool:
        """Whether the broker said that it grants fewer symbols than were asked for."""
        return isinstance(self.error, BrokerRejected) and self.error.status == SYMBOL_LIMIT

    @property
    def is_excluded(self) -> bool:
        """Whether the broker said that this feed is not in the account's plan."""
        return isinstance(self.error, BrokerRejected) and self.error.status == NOT_PAID_FOR

    async def until_live(self, deadline_s: float) -> None:
        """Wait for the stream's first confirmation.

        Raises:
            BrokerRejected: the broker refused the keys, the symbols or the subscription.
            SafetyRefusal: somebody else kept the connection slot until the deadline.
            BrokerUnavailable: nothing was heard until the deadline.
        """
        try:
            await asyncio.wait_for(self._changed.wait(), deadline_s)
        except TimeoutError:
            if self.state is StreamState.WAITING_FOR_SLOT:
                raise SafetyRefusal(
                    f"the one {self.name} connection that the broker allows is in use elsewhere;"
                    " stop the other program and start again"
                ) from None
            raise BrokerUnavailable(
                f"the {self.name} stream did not come up within {deadline_s:.0f} s: look at the"
                " network and at Alpaca's status page, and start again"
            ) from None
        if self.error is not None:
            raise self.error
