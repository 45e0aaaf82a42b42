"""Columns as the core's bars again, for rules that are stepped one bar at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np

from coordinator.core.values import Bar
from simulator.columns import Columns, Floats, whole_steps

_EPOCH, _MICRO = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_REMEMBERED = 1 << 16
_SURE = 1e15
"""Below it a whole float is written with all its digits."""
_TENTH = Decimal("0.1")


class _Unfrozen:
    """A bar while it is made: a frozen one's own constructor takes three times as long."""

    __slots__ = Bar.__slots__

    def __init__(
        self,
        symbol: str,
        start: datetime,
        opened: Decimal,
        high: Decimal,
        low: Decimal,
        close: Decimal,
        volume: Decimal,
        trade_count: int | None,
        vwap: Decimal | None,
    ) -> None:
        self.symbol, self.start = symbol, start
        self.open, self.high, self.low, self.close = opened, high, low, close
        self.volume, self.trade_count, self.vwap = volume, trade_count, vwap


class Beads:
    """A ticker's bars as objects on a string, made once for sessions that follow each other."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._low = 0
        self._made: list[Bar] = []

    def bars(self, low: int, high: int) -> list[Bar]:
        """The bars from `low` up to `high`; those before are forgotten."""
        if not self._low <= low <= self._low + len(self._made):
            self._low, self._made = low, []
        del self._made[: low - self._low]
        self._low = low
        known = low + len(self._made)
        if known < high:
            self._made += _bars(self._columns.take(slice(known, high)))
        return self._made[: high - low]


def in_order(tickers: Sequence[Columns]) -> list[int]:
    """Whose turn it is: bars minute by minute, each minute's in the order of the sequence."""
    if not tickers:
        return []
    starts = np.concatenate([columns.starts for columns in tickers])
    owner = np.repeat(np.arange(len(tickers)), [len(columns) for columns in tickers])
    turns: list[int] = owner[np.argsort(starts, kind="stable")].tolist()
    return turns


class _Decimals(dict[int, Decimal]):
    """So many steps of a `unit` as decimals, remembered: most are those of a minute before."""

    def __init__(self, decimals: int) -> None:
        self._unit = Decimal(1).scaleb(-decimals)

    def __missing__(self, steps: int) -> Decimal:
        if len(self) > _REMEMBERED:
            self.clear()
        self[steps] = value = Decimal(steps) * self._unit
        return value


class _Times(dict[int, datetime]):
    """Microseconds since 1970 UTC as times, remembered: tickers share their minutes."""

    def __missing__(self, micros: int) -> datetime:
        if len(self) > _REMEMBERED:
            self.clear()
        self[micros] = value = _EPOCH + micros * _MICRO
        return value


def _bars(columns: Columns) -> list[Bar]:
    price, known = _price_of(columns.decimals), ~np.isnan(columns.vwap)
    averages = whole_steps(np.where(known, columns.vwap, 0.0), columns.decimals).tolist()
    told = zip(averages, known.tolist(), strict=True)
    made: list[Any] = list(
        map(
            _Unfrozen,
            repeat(columns.symbol),
            map(_TIMES.__getitem__, columns.starts.tolist()),
            map(price, columns.open.tolist()),
            map(price, columns.high.tolist()),
            map(price, columns.low.tolist()),
            map(price, columns.close.tolist()),
            _volumes(columns.volume),
            [int(count) if count == count else None for count in columns.trade_count.tolist()],
            [price(average) if is_known else None for average, is_known in told],
        )
    )
    for bar in made:
        bar.__class__ = Bar
    return made


def _volumes(volumes: Floats) -> Iterator[Decimal]:
    """Volumes as their floats are written, of which a whole one has one decimal, a zero."""
    if np.all((volumes == np.rint(volumes)) & (volumes < _SURE)):
        return (Decimal(tenths) * _TENTH for tenths in (volumes * 10).astype(np.int64).tolist())
    return (Decimal(repr(volume)) for volume in volumes.tolist())


@cache
def _price_of(decimals: int) -> Callable[[int], Decimal]:
    return _Decimals(decimals).__getitem__


_TIMES = _Times()
