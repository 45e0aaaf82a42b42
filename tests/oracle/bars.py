"""Bars of one ticker as exact numbers, cut to what a session may see.

Rule: a price becomes a Decimal once, from the shortest text of its float, rounded half-even (4
decimals for stocks, 9 for crypto); from there on nothing is a float.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import pandas as pd

from tests.oracle import exchange

MINUTE = dt.timedelta(minutes=1)
TICKS_PER_DOLLAR = 10**9


@dataclass(frozen=True, slots=True)
class Series:
    """The bars of one ticker, oldest first: regular hours only for a stock.

    minutes: start of each bar, UTC. closes: dollars. ticks: the same closes in 1e-9 dollars.
    volumes: whole numbers in a unit that is the same along the series, so that comparisons are
    exact. first: index of the session's first bar, `len(minutes)` if the session has none.
    """

    symbol: str
    minutes: tuple[dt.datetime, ...]
    closes: tuple[Decimal, ...]
    ticks: tuple[int, ...]
    volumes: tuple[int, ...]
    first: int


def is_crypto(symbol: str) -> bool:
    """'BTC/USD' is crypto, 'SPY' is a stock."""
    return "/" in symbol


def exact_price(symbol: str, price: float) -> Decimal:
    """A recorded price in dollars, rounded half-even as CONTRACT section 2 says."""
    places = 9 if is_crypto(symbol) else 4
    return Decimal(repr(float(price))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)


def session_bounds(symbol: str, date: dt.date) -> tuple[dt.datetime, dt.datetime] | None:
    """First minute and end of `symbol`'s session on `date`: exchange hours, or the UTC day."""
    if not is_crypto(symbol):
        return exchange.session(date)
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
    return (midnight, midnight + dt.timedelta(days=1))


def series(frame: pd.DataFrame, symbol: str, date: dt.date) -> Series:
    """What `symbol` did up to the end of its session on `date`, in exact numbers.

    frame: columns of the recorded data, of one source per (symbol, date).
    Raises ValueError for a bar that is there twice: two sources were mixed.
    """
    rows = frame.loc[frame["symbol"] == symbol, ["timestamp", "close", "volume"]]
    rows = rows.sort_values("timestamp")
    if rows["timestamp"].duplicated().any():
        raise ValueError(f"{symbol}: a minute has two bars; filter the frame to one source")
    bounds = session_bounds(symbol, date)
    end = bounds[1] if bounds else dt.datetime.combine(date, dt.time(), dt.UTC)
    kept = [
        (moment.to_pydatetime(), float(close), float(volume))
        for moment, close, volume in rows.itertuples(index=False, name=None)
        if moment < end and (is_crypto(symbol) or exchange.is_regular(moment.to_pydatetime()))
    ]
    closes = [exact_price(symbol, close) for _, close, _ in kept]
    first = sum(1 for minute, _, _ in kept if bounds is None or minute < bounds[0])
    return Series(
        symbol=symbol,
        minutes=tuple(minute for minute, _, _ in kept),
        closes=tuple(closes),
        ticks=tuple(int(close * TICKS_PER_DOLLAR) for close in closes),
        volumes=whole_numbers(Decimal(repr(volume)) for _, _, volume in kept),
        first=first,
    )


def whole_numbers(values: Iterable[Decimal]) -> tuple[int, ...]:
    """The values times one common power of ten that makes all of them whole."""
    listed = tuple(values)
    exponents = [value.as_tuple().exponent for value in listed]
    places = max((-e for e in exponents if isinstance(e, int) and e < 0), default=0)
    return tuple(int(value.scaleb(places)) for value in listed)
