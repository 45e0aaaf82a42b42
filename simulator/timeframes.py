"""Longer timeframes: minute bars gathered into '5Min', '4Hour', '1Day', '1Week' or '3Month'.

Rule: pure. Minutes and hours are counted from 00:00 UTC; days, weeks (from Monday) and months begin
at midnight, in New York for stocks and by UTC for crypto.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import groupby
from typing import assert_never

from simulator.assets import is_crypto
from simulator.calendar import NEW_YORK
from simulator.money import CRYPTO_PRICE_STEP, ZERO, exact, half_even
from simulator.values import Bar

_FORM = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)")


class Unit(Enum):
    """What a timeframe counts."""

    MINUTE = "T"
    HOUR = "H"
    DAY = "D"
    WEEK = "W"
    MONTH = "M"


_SIZES = {
    Unit.MINUTE: range(1, 60),
    Unit.HOUR: range(1, 24),
    Unit.DAY: (1,),
    Unit.WEEK: (1,),
    Unit.MONTH: (1, 2, 3, 4, 6, 12),
}


@dataclass(frozen=True, slots=True)
class Timeframe:
    """So many units."""

    size: int
    unit: Unit

    @staticmethod
    def of(text: str) -> "Timeframe":
        """The timeframe that Alpaca knows by that name. Raises ValueError."""
        match = _FORM.fullmatch(text)
        if match is not None:
            letter = "T" if match[2] == "Min" else match[2][0]
            found = Timeframe(int(match[1]), Unit(letter))
            if found.size in _SIZES[found.unit]:
                return found
        raise ValueError(f"invalid timeframe: {text}")

    @property
    def longest(self) -> timedelta:
        """What no bar of this timeframe exceeds."""
        match self.unit:
            case Unit.MINUTE:
                return timedelta(minutes=self.size)
            case Unit.HOUR:
                return timedelta(hours=self.size)
            case Unit.DAY:
                return timedelta(hours=25)
            case Unit.WEEK:
                return timedelta(days=7, hours=1)
            case Unit.MONTH:
                return timedelta(days=31 * self.size, hours=1)
            case _:
                assert_never(self.unit)

    def start(self, bar: Bar) -> datetime:
        """When the bar of this timeframe begins to which a minute bar belongs."""
        zone = UTC if is_crypto(bar.symbol) else NEW_YORK
        day = bar.start.astimezone(zone).replace(hour=0, minute=0, second=0)
        match self.unit:
            case Unit.MINUTE | Unit.HOUR:
                seconds = int(self.longest.total_seconds())
                return datetime.fromtimestamp(int(bar.start.timestamp()) // seconds * seconds, UTC)
            case Unit.DAY:
                begun = day
            case Unit.WEEK:
                begun = day - timedelta(days=day.weekday())
            case Unit.MONTH:
                begun = day.replace(day=1, month=(day.month - 1) // self.size * self.size + 1)
            case _:
                assert_never(self.unit)
        return begun.astimezone(UTC)

    @exact
    def gather(self, bars: Iterable[Bar]) -> list[Bar]:
        """One symbol's minute bars, oldest first, as bars of this timeframe."""
        return [_joined(start, list(part)) for start, part in groupby(bars, key=self.start)]


MINUTELY = Timeframe(1, Unit.MINUTE)
DAILY = Timeframe(1, Unit.DAY)


def _joined(start: datetime, part: list[Bar]) -> Bar:
    counts = [bar.trade_count for bar in part if bar.trade_count is not None]
    valued = [(bar.volume, bar.vwap) for bar in part if bar.vwap is not None and bar.volume]
    weight = sum((volume for volume, _ in valued), ZERO)
    cost = sum((volume * price for volume, price in valued), ZERO)
    return replace(
        part[0],
        start=start,
        high=max(bar.high for bar in part),
        low=min(bar.low for bar in part),
        close=part[-1].close,
        volume=sum((bar.volume for bar in part), ZERO),
        trade_count=sum(counts) if counts else None,
        vwap=half_even(cost / weight, CRYPTO_PRICE_STEP) if weight else None,
    )
