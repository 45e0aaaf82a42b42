"""The passing of broker time, minute by minute.

Rule: the clock waits for its clients. At every minute's end it waits for quiet, fills resting
orders against the bar that is about to be known (and waits again if one filled), then sends the
bars in the same step in which it first says the new minute, and waits for the answer. So at any
speed, on any machine, a client sees the same state at each of its decisions.
"""

import asyncio
import logging
import time
from datetime import datetime, timedelta

from simulator.exchange import Exchange
from simulator.values import MINUTE

log = logging.getLogger("simulator")

_BEFORE = timedelta(milliseconds=1)  # how far short of a minute's end the clock waits
_LOOK_S = 0.05  # how often it is checked in a long minute that a client is still there


class Pacer:
    """Runs an exchange's clock, for ever."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._options = exchange.options
        self._seen_stirs = -1
        self._real_s = time.monotonic()  # when the broker's last minute began

    async def run(self) -> None:
        """One minute after another to the calendar's end; returns only when cancelled."""
        await self._await_client()
        while (boundary := _next_minute(self._exchange.now())) < self._exchange.calendar.end:
            if not self._exchange.has_clients():
                await self._await_client()
            await self._pace(boundary)
            self._exchange.clock.stand(boundary - _BEFORE)
            self._exchange.admit_late()
            if self._has_stirred():
                await self._settle()
            if self._exchange.match(boundary):
                await self._settle()
            self._real_s = time.monotonic()
            if self._exchange.turn(boundary):
                await self._settle()
        log.warning("the calendar ends after %s: the clock stands still", self._exchange.now())
        await asyncio.Event().wait()

    async def _await_client(self) -> None:
        """Stand until somebody wants bars, and give it time to bring up its other sockets."""
        exchange = self._exchange
        exchange.clock.stand(exchange.now())
        while not exchange.has_clients():
            await exchange.quiet.next_stir()
        if not self._options.free_running:
            first_s, least_s = self._options.first_settle_s, self._options.settle_s
            await exchange.quiet.settle(first_s, least_s=min(first_s, least_s))
        self._seen_stirs = exchange.quiet.stirs
        self._real_s = time.monotonic()

    async def _pace(self, boundary: datetime) -> None:
        """Let the clock run to just before `boundary`, at no more than its speed."""
        due_s = self._run_clock(boundary)
        await asyncio.sleep(0)
        while (left_s := due_s - time.monotonic()) > 0.0005:
            await asyncio.sleep(min(left_s, _LOOK_S))
            if not self._exchange.has_clients():
                await self._await_client()
                due_s = self._run_clock(boundary)

    def _run_clock(self, boundary: datetime) -> float:
        """Let the clock run; returns the real second at which it reaches `boundary`."""
        clock, left = self._exchange.clock, boundary - self._exchange.now()
        clock.run(self._real_s, boundary - _BEFORE)
        return self._real_s + left.total_seconds() / clock.speed

    def _has_stirred(self) -> bool:
        quiet = self._exchange.quiet
        return quiet.in_flight > 0 or quiet.stirs != self._seen_stirs

    async def _settle(self) -> None:
        if not self._options.free_running:
            await self._exchange.quiet.settle(self._options.settle_s)
        self._seen_stirs = self._exchange.quiet.stirs


def _next_minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0) + MINUTE
