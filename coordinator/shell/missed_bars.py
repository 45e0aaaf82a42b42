"""Fetches the bars that a stream missed from the broker's history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from coordinator.core import messages as m
from coordinator.core.records import Origin
from coordinator.core.values import Bar, of_market
from coordinator.errors import BrokerError
from coordinator.shell.broker import Broker
from coordinator.shell.clock import BrokerClock

log = logging.getLogger("coordinator")
GAP_TRIES = 5
"""Requests for missed bars, GAP_WAIT_S broker seconds apart, before they are given up."""
GAP_WAIT_S = 2.0


class MissedBars:
    """Fetches bars, with retries; blocking, for a worker's thread."""

    def __init__(self, broker: Broker, clock: BrokerClock, sleep: Callable[[float], None]) -> None:
        self._broker, self._clock, self._sleep = broker, clock, sleep
        self._stopped = False

    def stop(self) -> None:
        """Ask no more: nobody waits for the bars. May be called from any thread."""
        self._stopped = True

    def since(self, starts: Mapping[str, datetime]) -> m.BarsArrived:
        """The bars of each ticker that start at its time in `starts` or later, and have ended.

        Without bars if the broker does not answer, or nobody waits for them any more.
        """
        for attempt in range(GAP_TRIES):
            if attempt:
                self._sleep(self._clock.local_s(GAP_WAIT_S, least_s=0.1))
            if self._stopped:
                break
            try:
                return self._fetch(starts)
            except BrokerError as error:
                log.warning("missed bars could not be fetched: %s", error)
        return m.BarsArrived(self._clock.now(), (), Origin.BACKFILL)

    def _fetch(self, starts: Mapping[str, datetime]) -> m.BarsArrived:
        now = self._broker.clock()
        return m.BarsArrived(now, tuple(bars_since(self._broker, starts, now)), Origin.BACKFILL)


def bars_since(broker: Broker, starts: Mapping[str, datetime], now: datetime) -> list[Bar]:
    """Bars that have ended by `now`, of each ticker from its time in `starts` on, or earlier.

    One request for all stocks and one for all pairs, each from the earliest of their times.

    Raises:
        BrokerError: the broker did not answer.
    """
    found: list[Bar] = []
    for crypto in (False, True):
        if tickers := of_market(starts, crypto=crypto):
            first = min(starts[ticker] for ticker in tickers)
            page = broker.bars(tickers, first, now)
            found += [bar for bars in page.values() for bar in bars if bar.end <= now]
    return found
