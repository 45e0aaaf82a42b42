"""All that a session uses of the outside, as one value: time, threads, REST, streams, journal.

In production these are the real ones; a proof runs the same session on simulated ones.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from coordinator.settings import Settings
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.fields import Raw
from coordinator.shell.journal import Journal
from coordinator.shell.pace import Budgets, Turn, no_budget
from coordinator.shell.plain import PlainBars
from coordinator.shell.rest import Rest
from coordinator.shell.stream_watch import StreamWatch
from coordinator.shell.streams import market_stream, order_stream
from coordinator.shell.workers import Threads, Workers

OnMessage = Callable[[Raw], None]
"""Takes a raw message on the loop; must not raise or block."""
OnBars = Callable[[Sequence[Raw] | PlainBars], None]
"""The same for the bars of one frame: already parsed if all are plain, else raw."""


class Stream(Protocol):
    """One connection that brings the broker's messages, and reconnects by itself."""

    watch: StreamWatch

    def start(self, on_end: Callable[[str], None]) -> None:
        """Connect, and call `on_end` with the name if the stream ends without `stop`."""

    async def subscribe(self, symbols: Sequence[str]) -> None:
        """Change a market stream to the bars of these symbols, and no others.

        Raises:
            BrokerError: the broker does not grant them; the subscription stays as it was.
        """

    def restart(self) -> None:
        """Close the connection, so that a new one is made."""

    async def stop(self) -> None:
        """End the stream and free its connection slot."""


async def stop_all(streams: Sequence[Stream]) -> None:
    """Stop streams side by side, as each may wait for a broker that says nothing any more."""
    ended = await asyncio.gather(*(one.stop() for one in streams), return_exceptions=True)
    for error in ended:
        if isinstance(error, BaseException):
            raise error


_THROUGH_SLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Counts the time in which the machine sleeps; Linux's CLOCK_MONOTONIC does not, macOS's does."""


def monotonic() -> float:
    """Local seconds. After a sleep of the machine bars are known to be late, connections old."""
    return time.clock_gettime(_THROUGH_SLEEP)


@dataclass(frozen=True, slots=True)
class Ports:
    """`monotonic` is in seconds; `sleep` blocks, and is called by workers only.

    The loop checks its timers and the journal at least every `tick_s` local seconds.

    `rest` makes an HTTP session for one worker; `order_stream` and `market_stream` make streams
    that are not started yet; `open_journal` takes path, account and coordinator. `turn` is asked
    before each request.
    """

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    workers: Workers
    rest: Callable[[Settings], Rest]
    order_stream: Callable[[Settings, OnMessage, StreamWatch], Stream]
    market_stream: Callable[[Settings, str, Sequence[str], OnBars, StreamWatch], Stream]
    open_journal: Callable[[Path, str, str], Journal]
    tick_s: float = 0.5
    turn: Turn = no_budget

    @classmethod
    def real(cls, budgets: Budgets) -> Ports:
        """The real ones: local clock, threads, Alpaca through its SDK, files."""
        return cls(
            monotonic=monotonic,
            sleep=time.sleep,
            workers=Threads(),
            rest=partial(AlpacaRest, on_answer=budgets.on_answer, monotonic=monotonic),
            order_stream=order_stream,
            market_stream=market_stream,
            open_journal=Journal,
            turn=budgets.turn,
        )
