"""A venue on a bench: no sockets, no clock; a test says what time it is and what the bars are."""

import itertools
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from simulator.calendar import Calendar
from simulator.fills import fill_model
from simulator.market import Market
from simulator.rules import read_ticket
from simulator.values import MINUTE, Bar, Order, Update
from simulator.venue import Venue

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
CLOSE = datetime(2026, 3, 17, 20, 0, tzinfo=UTC)


@lru_cache(maxsize=1)
def calendar() -> Calendar:
    """March 2026 and a year on both sides."""
    return Calendar(date(2026, 3, 1), date(2026, 3, 31))


def bar(symbol: str, start: datetime, prices: str, volume: str = "1000") -> Bar:
    """prices: 'close' or 'open high low close'."""
    parts = [Decimal(word) for word in prices.split()]
    opened, high, low, close = parts if len(parts) == 4 else parts * 4
    return Bar(symbol, start, opened, high, low, close, Decimal(volume), 10, None)


class Bench:
    """One venue, its tape and its time."""

    def __init__(
        self,
        cash: str = "100000",
        model: str = "close",
        now: datetime = OPEN + timedelta(hours=1),
        fee_rate: str = "0.0025",
    ) -> None:
        numbers = itertools.count(1)
        self.venue = Venue(
            Decimal(cash),
            fill_model(model),
            lambda: f"id-{next(numbers)}",
            fee_rate=Decimal(fee_rate),
        )
        self.now = now
        self._tape: dict[str, list[Bar]] = {}

    def market(self) -> Market:
        """What the venue may know at this time."""
        return Market(self.now, calendar(), self._last)

    def _last(self, symbol: str) -> Bar | None:
        ended = [held for held in self._tape.get(symbol, []) if held.end <= self.now]
        return ended[-1] if ended else None

    def price(self, symbol: str, prices: str, volume: str = "1000") -> None:
        """A bar that has just ended; nothing rests against it."""
        self._tape.setdefault(symbol, []).append(bar(symbol, self.now - MINUTE, prices, volume))

    def minute(self, **bars: str) -> list[Update]:
        """One minute passes with these bars (BTC_USD for BTC/USD); resting orders meet them."""
        made = [bar(name.replace("_", "/"), self.now, prices) for name, prices in bars.items()]
        return self.minute_of(*made)

    def minute_of(self, *made: Bar) -> list[Update]:
        """One minute passes with exactly these bars."""
        self.venue.on_bars(made, self.market())
        for each in made:
            self._tape.setdefault(each.symbol, []).append(each)
        self.now += MINUTE
        return self.venue.take_updates()

    def order(self, **fields: object) -> Order:
        """POST an order (buy, market, day or gtc unless told) and let it be worked."""
        order = self.submit(**fields)
        self.venue.work(self.market())
        return self.venue.orders.find(order.id)

    def submit(self, **fields: object) -> Order:
        """POST an order and stop there."""
        symbol = str(fields.setdefault("symbol", "SPY"))
        body: Mapping[str, object] = {
            "side": "buy",
            "type": "market",
            "time_in_force": "gtc" if "/" in symbol else "day",
            **fields,
        }
        return self.venue.submit(read_ticket(body, f"auto-{len(self.venue.orders)}"), self.market())

    def events(self) -> list[str]:
        """Names of the updates since last asked."""
        return [update.event for update in self.venue.take_updates()]
