"""The market of one seed: which tickers there are, when the exchange is open, every minute's bar.

Prices are whole cents, so that a float on the wire says exactly what is meant.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

EXCHANGE_ZONE = ZoneInfo("America/New_York")
ONE_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Listing:
    """A ticker: quantities step by 10^-`places` when ordered, never below `least`."""

    symbol: str
    places: int
    least: Decimal
    fractionable: bool
    around_cents: int

    @property
    def crypto(self) -> bool:
        """Whether it is a pair, traded day and night."""
        return "/" in self.symbol


STOCKS = (
    Listing("SPY", 4, Decimal("0.0001"), True, 51_000),
    Listing("F", 0, Decimal(1), False, 1_200),
    Listing("AAPL", 4, Decimal("0.0001"), True, 17_400),
)
PAIRS = (
    Listing("BTC/USD", 9, Decimal("0.000016"), True, 6_400_000),
    Listing("DOGE/USD", 9, Decimal("0.1"), True, 112),
)


@dataclass(frozen=True)
class OpenHours:
    """One session of the exchange, in UTC."""

    day: date
    opens: datetime
    closes: datetime

    def json(self) -> dict[str, Any]:
        """As the calendar says it, in New York's time."""
        opens, closes = (t.astimezone(EXCHANGE_ZONE) for t in (self.opens, self.closes))
        return {
            "date": self.day.isoformat(),
            "open": opens.strftime("%H:%M"),
            "close": closes.strftime("%H:%M"),
            "session_open": "0400",
            "session_close": "2000",
        }


@dataclass(frozen=True)
class TapeBar:
    """One minute of one ticker; prices in cents."""

    start: datetime
    prices: tuple[int, int, int, int]
    volume: int

    def json(self) -> dict[str, Any]:
        """As market data REST has it."""
        return {**self.numbers(), "t": self.start.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def numbers(self) -> dict[str, Any]:
        """All of it but the time."""
        prices = dict(zip("ohlc", (cents / 100 for cents in self.prices), strict=True))
        return {**prices, "v": self.volume, "n": 7, "vw": (prices["o"] + prices["c"]) / 2}


class Tape:
    """Every bar there will be, by ticker."""

    def __init__(self, rng: random.Random, spans: Mapping[Listing, Sequence[tuple[datetime, int]]]):
        self.bars: dict[str, list[TapeBar]] = {}
        self._starts: dict[str, list[datetime]] = {}
        for listing, parts in spans.items():
            quiet = rng.choice((0.0, 0.0, 0.1, 0.4))
            bars = list(_walk(rng, listing, parts, quiet))
            self.bars[listing.symbol] = bars
            self._starts[listing.symbol] = [bar.start for bar in bars]

    def at(self, symbol: str, start: datetime) -> TapeBar | None:
        """The bar of one minute, if anything happened in it."""
        index = bisect_left(self._starts[symbol], start)
        found = self._starts[symbol][index : index + 1] == [start]
        return self.bars[symbol][index] if found else None

    def between(self, symbol: str, start: datetime, last: datetime) -> list[TapeBar]:
        """Bars that start from `start` to `last`, both included."""
        starts = self._starts.get(symbol, [])
        return self.bars.get(symbol, [])[bisect_left(starts, start) : bisect_right(starts, last)]

    def price_cents(self, symbol: str, now: datetime) -> int:
        """The last close before `now`."""
        index = bisect_right(self._starts[symbol], now - ONE_MINUTE)
        return self.bars[symbol][max(index - 1, 0)].prices[3]


def _walk(
    rng: random.Random, listing: Listing, parts: Iterable[tuple[datetime, int]], quiet: float
) -> Iterable[TapeBar]:
    close = max(listing.around_cents + rng.randrange(-100, 100), 50)
    step = max(close // 150, 1)
    for first, minutes in parts:
        for minute in range(minutes):
            if rng.random() < quiet and (minute or close):
                continue
            before, close = close, max(close + rng.randint(-step, step), 20)
            low = max(min(before, close) - rng.randint(0, step), 1)
            high = max(before, close) + rng.randint(0, step)
            volume = rng.randrange(10_000)
            start = first + minute * ONE_MINUTE
            yield TapeBar(start.astimezone(UTC), (before, high, low, close), volume)
