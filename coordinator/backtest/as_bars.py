"""Columns as the core's bars again, for rules that are stepped one bar at a time.

Of a bar's fields most rules look at one or two. What one bar of a stretch is asked for first, all
of the stretch are given at once: a rule's step costs less than a bar's seven decimals one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np

from coordinator.core.values import EXACT, Bar, Floats
from simulator.columns import Columns, Whole, whole_steps

_EPOCH, _MICRO = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_REMEMBERED = 1 << 16
_EXACT_FLOATS = 1 << 53
"""Whole numbers below this are floats, so that such a number of steps is one division away."""


class _Stretch:
    """Bars made together, of these columns, until they are `forgotten`."""

    __slots__ = ("columns", "made")

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.made: list[_Seen] = list(map(object.__new__, repeat(_Seen, len(columns))))
        self.give("_stretch", repeat(self))
        self.give("_place", range(len(columns)))

    def give(self, name: str, values: Iterable[object]) -> None:
        """Write a slot of every bar: what is frozen is slow to write one by one."""
        deque(map(_SLOTS[name].__set__, self.made, values), maxlen=0)

    def forgotten(self) -> None:
        """From now on each bar that somebody has kept is on its own."""
        self.made = []


class _Seen(Bar):
    """A bar of columns. What it lacks is made when somebody looks at it."""

    __slots__ = ("_place", "_stretch", "floats")
    _stretch: _Stretch
    _place: int
    floats: Floats

    def __new__(cls, *values: Any, **named: Any) -> Any:
        """Whoever makes one of values, as `replace` does, is given a bar like any other."""
        return Bar(*values, **named)

    def __getattr__(self, name: str) -> Any:
        """Called for what is not in its slot yet."""
        make = _MAKERS.get(name)
        if make is None:
            raise AttributeError(f"'Bar' object has no attribute {name!r}", name=name, obj=self)
        stretch, place = self._stretch, self._place
        if stretch.made:
            stretch.give(name, make(stretch.columns))
        else:
            alone = stretch.columns.take(slice(place, place + 1))
            _SLOTS[name].__set__(self, next(iter(make(alone))))
        return _SLOTS[name].__get__(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bar):
            return NotImplemented
        return _told(self) == _told(other)

    def __hash__(self) -> int:
        return hash(_told(self))

    def __reduce__(self) -> tuple[object, ...]:
        return Bar, _told(self)


_Seen.__qualname__ = "Bar"
_SLOTS: dict[str, Any] = {
    name: vars(kind)[name] for kind in (Bar, _Seen) for name in kind.__slots__
}


def _told(bar: Bar) -> tuple[object, ...]:
    return tuple(getattr(bar, name) for name in Bar.__slots__)


class _Decimals(dict[int, Decimal]):
    """So many steps of a `unit` as decimals, remembered: most are those of a minute before."""

    def __init__(self, decimals: int) -> None:
        self._unit = Decimal(1).scaleb(-decimals)

    def __missing__(self, steps: int) -> Decimal:
        if len(self) > _REMEMBERED:
            self.clear()
        self[steps] = value = EXACT.multiply(steps, self._unit)
        return value


class _Times(dict[int, datetime]):
    """Microseconds since 1970 UTC as times, remembered: tickers share their minutes."""

    def __missing__(self, micros: int) -> datetime:
        if len(self) > _REMEMBERED:
            self.clear()
        self[micros] = value = _EPOCH + micros * _MICRO
        return value


@cache
def _price_of(decimals: int) -> Callable[[int], Decimal]:
    return _Decimals(decimals).__getitem__


_TIMES = _Times()


def _prices(name: str) -> Callable[[Columns], Iterable[Decimal]]:
    def prices(columns: Columns) -> Iterable[Decimal]:
        return map(_price_of(columns.decimals), getattr(columns, name).tolist())

    return prices


def _trade_counts(columns: Columns) -> Iterable[int | None]:
    return [None if count != count else int(count) for count in columns.trade_count.tolist()]


def _vwaps(columns: Columns) -> Iterable[Decimal | None]:
    known = ~np.isnan(columns.vwap)
    steps = iter(whole_steps(columns.vwap[known], columns.decimals).tolist())
    price = _price_of(columns.decimals)
    return [price(next(steps)) if is_known else None for is_known in known.tolist()]


def _floats(columns: Columns) -> Iterable[Floats]:
    prices = (columns.open, columns.high, columns.low, columns.close)
    numbers = [_near(steps, columns.decimals) for steps in prices]
    return map(tuple.__new__, repeat(Floats), zip(*numbers, columns.volume.tolist(), strict=True))


def _near(steps: Whole, decimals: int) -> list[float]:
    """The floats nearest to so many steps; one division of floats rounds once."""
    if np.all(np.abs(steps) < _EXACT_FLOATS):
        near: list[float] = (steps / 10.0**decimals).tolist()
        return near
    return list(map(float, map(_price_of(decimals), steps.tolist())))


_MAKERS: dict[str, Callable[[Columns], Iterable[object]]] = {
    "symbol": lambda columns: repeat(columns.symbol),
    "start": lambda columns: map(_TIMES.__getitem__, columns.starts.tolist()),
    **{name: _prices(name) for name in ("open", "high", "low", "close")},
    "volume": lambda columns: map(Decimal, map(repr, columns.volume.tolist())),
    "trade_count": _trade_counts,
    "vwap": _vwaps,
    "floats": _floats,
}


class Beads:
    """A ticker's bars as objects on a string, made once for sessions that follow each other."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._low = 0
        self._made: list[Bar] = []
        self._stretches: deque[tuple[int, _Stretch]] = deque()
        """Each with the place behind its last bar."""

    def bars(self, low: int, high: int) -> list[Bar]:
        """The bars from `low` up to `high`; those before are forgotten."""
        if not self._low <= low <= self._low + len(self._made):
            self._forget(self._low + len(self._made))
            self._low, self._made = low, []
        self._forget(low)
        del self._made[: low - self._low]
        self._low = low
        known = low + len(self._made)
        if known < high:
            stretch = _Stretch(self._columns.take(slice(known, high)))
            self._stretches.append((high, stretch))
            self._made += stretch.made
        return self._made[: high - low]

    def _forget(self, low: int) -> None:
        while self._stretches and self._stretches[0][0] <= low:
            self._stretches.popleft()[1].forgotten()


def in_order(tickers: Sequence[Columns]) -> Whole:
    """All bars minute by minute, each minute's in the order of the sequence.

    They are told by their places, where the tickers' bars stand one after the other.
    """
    starts = np.concatenate([columns.starts for columns in tickers])
    return np.argsort(starts, kind="stable")
