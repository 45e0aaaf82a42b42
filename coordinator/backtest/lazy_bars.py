"""Columns as the core's bars, for rules that are stepped one bar at a time.

Most rules read one or two of a bar's fields, and making all seven decimals costs more than a rule's
step. So a field is made when it is first read, for all bars of a batch at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import repeat
from typing import Any

import numpy as np

from coordinator.core.values import Bar, Floats
from simulator.columns import Columns, Whole, price_of, whole_steps

_EPOCH, _MICRO = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_REMEMBERED = 1 << 16
_EXACT_FLOATS = 1 << 53
"""Integers below this are exact as floats, so a price in steps is one division away."""


class _Batch:
    """Bars that share their columns, until `release`."""

    __slots__ = ("bars", "columns")

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.bars: list[_LazyBar] = list(map(object.__new__, repeat(_LazyBar, len(columns))))
        self.fill("_batch", repeat(self))
        self.fill("_place", range(len(columns)))

    def fill(self, name: str, values: Iterable[object]) -> None:
        """Write a slot of every bar at once: setting fields of frozen values one by one is slow."""
        deque(map(_SLOTS[name].__set__, self.bars, values), maxlen=0)

    def release(self) -> None:
        """Forget the bars; those that are still in use make their fields alone."""
        self.bars = []


class _LazyBar(Bar):
    """A bar of a batch, whose fields are made when they are first read."""

    __slots__ = ("_batch", "_place", "floats")
    _batch: _Batch
    _place: int
    floats: Floats

    def __new__(cls, *values: Any, **named: Any) -> Any:
        """Construction from values, as by `replace`, returns a plain Bar."""
        return Bar(*values, **named)

    def __getattr__(self, name: str) -> Any:
        """Make a field that is not in its slot yet."""
        make = _MAKERS.get(name)
        if make is None:
            raise AttributeError(f"'Bar' object has no attribute {name!r}", name=name, obj=self)
        batch, place = self._batch, self._place
        if batch.bars:
            batch.fill(name, make(batch.columns))
        else:
            alone = batch.columns.take(slice(place, place + 1))
            _SLOTS[name].__set__(self, next(iter(make(alone))))
        return _SLOTS[name].__get__(self)

    def __reduce__(self) -> tuple[object, ...]:
        return Bar, _values_of(self)


_LazyBar.__qualname__ = "Bar"
_SLOTS: dict[str, Any] = {
    name: vars(kind)[name] for kind in (Bar, _LazyBar) for name in kind.__slots__
}


def _values_of(bar: Bar) -> tuple[object, ...]:
    return tuple(getattr(bar, name) for name in Bar.__slots__)


class _Times(dict[int, datetime]):
    """Microseconds since 1970 UTC as times, cached: tickers share their minutes."""

    def __missing__(self, micros: int) -> datetime:
        if len(self) > _REMEMBERED:
            self.clear()
        self[micros] = value = _EPOCH + micros * _MICRO
        return value


_TIMES = _Times()


def _prices(name: str) -> Callable[[Columns], Iterable[Decimal]]:
    def prices(columns: Columns) -> Iterable[Decimal]:
        return map(price_of(columns.decimals), getattr(columns, name).tolist())

    return prices


def _trade_counts(columns: Columns) -> Iterable[int | None]:
    return [None if count != count else int(count) for count in columns.trade_count.tolist()]


def _vwaps(columns: Columns) -> Iterable[Decimal | None]:
    known = ~np.isnan(columns.vwap)
    steps = iter(whole_steps(columns.vwap[known], columns.decimals).tolist())
    price = price_of(columns.decimals)
    return [price(next(steps)) if is_known else None for is_known in known.tolist()]


def _floats(columns: Columns) -> Iterable[Floats]:
    prices = (columns.open, columns.high, columns.low, columns.close)
    numbers = [_near(steps, columns.decimals) for steps in prices]
    return map(tuple.__new__, repeat(Floats), zip(*numbers, columns.volume.tolist(), strict=True))


def _near(steps: Whole, decimals: int) -> list[float]:
    """The floats nearest to prices in steps; a single division rounds once."""
    if np.all(np.abs(steps) < _EXACT_FLOATS):
        near: list[float] = (steps / 10.0**decimals).tolist()
        return near
    return list(map(float, map(price_of(decimals), steps.tolist())))


_MAKERS: dict[str, Callable[[Columns], Iterable[object]]] = {
    "symbol": lambda columns: repeat(columns.symbol),
    "start": lambda columns: map(_TIMES.__getitem__, columns.starts.tolist()),
    **{name: _prices(name) for name in ("open", "high", "low", "close")},
    "volume": lambda columns: map(Decimal, map(repr, columns.volume.tolist())),
    "trade_count": _trade_counts,
    "vwap": _vwaps,
    "floats": _floats,
}


class BarObjects:
    """A ticker's bars as objects, made once for consecutive sessions."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._low = 0
        self._made: list[Bar] = []
        self._batches: deque[tuple[int, _Batch]] = deque()
        """Each batch with the index behind its last bar."""

    def bars(self, low: int, high: int) -> list[Bar]:
        """The bars from `low` up to `high`; earlier ones are released."""
        if not self._low <= low <= self._low + len(self._made):
            self._forget(self._low + len(self._made))
            self._low, self._made = low, []
        self._forget(low)
        del self._made[: low - self._low]
        self._low = low
        known = low + len(self._made)
        if known < high:
            batch = _Batch(self._columns.take(slice(known, high)))
            self._batches.append((high, batch))
            self._made += batch.bars
        return self._made[: high - low]

    def _forget(self, low: int) -> None:
        while self._batches and self._batches[0][0] <= low:
            self._batches.popleft()[1].release()
