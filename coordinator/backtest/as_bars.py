"""Columns as the core's bars again, for rules that are stepped one bar at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np

from coordinator.core.values import Bar
from simulator.columns import Columns, whole_steps

_EPOCH, _MICRO = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_REMEMBERED = 1 << 16


def _later(name: str, make: Callable[[Columns, int], Any]) -> property:
    """A bar's field that is made when it is first looked at."""
    slot = getattr(Bar, name)

    def get(bar: _Seen) -> Any:
        try:
            return slot.__get__(bar)
        except AttributeError:
            value = make(bar._columns, bar._place)
            slot.__set__(bar, value)
            return value

    return property(get, slot.__set__)


def _price(name: str) -> Callable[[Columns, int], Decimal]:
    def price(columns: Columns, place: int) -> Decimal:
        return _price_of(columns.decimals)(int(getattr(columns, name)[place]))

    return price


def _volume(columns: Columns, place: int) -> Decimal:
    return Decimal(repr(float(columns.volume[place])))


def _trade_count(columns: Columns, place: int) -> int | None:
    count = columns.trade_count[place]
    return None if np.isnan(count) else int(count)


def _vwap(columns: Columns, place: int) -> Decimal | None:
    vwap = columns.vwap[place : place + 1]
    if np.isnan(vwap[0]):
        return None
    return _price_of(columns.decimals)(int(whole_steps(vwap, columns.decimals)[0]))


class _Seen(Bar):
    """A bar of columns. What most rules never look at is made when one does.

    A rule's step costs less than a bar's seven decimals.
    """

    __slots__ = ("_columns", "_place")
    _columns: Columns
    _place: int

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bar):
            return NotImplemented
        return _told(self) == _told(other)

    def __hash__(self) -> int:
        return hash(_told(self))

    def __reduce__(self) -> tuple[object, ...]:
        return Bar, _told(self)


_Seen.__qualname__ = "Bar"
for _name, _make in {
    "open": _price("open"),
    "high": _price("high"),
    "low": _price("low"),
    "volume": _volume,
    "trade_count": _trade_count,
    "vwap": _vwap,
}.items():
    setattr(_Seen, _name, _later(_name, _make))


def _told(bar: Bar) -> tuple[object, ...]:
    return tuple(getattr(bar, name) for name in Bar.__slots__)


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
    """Bars as objects, written slot by slot: what is frozen is slow to write one by one."""
    made: list[Bar] = list(map(object.__new__, repeat(_Seen, len(columns))))
    written: dict[str, Iterable[object]] = {
        "symbol": repeat(columns.symbol),
        "start": map(_TIMES.__getitem__, columns.starts.tolist()),
        "close": map(_price_of(columns.decimals), columns.close.tolist()),
        "_columns": repeat(columns),
        "_place": range(len(columns)),
    }
    for name, values in written.items():
        deque(map(getattr(_Seen, name).__set__, made, values), maxlen=0)
    return made


@cache
def _price_of(decimals: int) -> Callable[[int], Decimal]:
    return _Decimals(decimals).__getitem__


_TIMES = _Times()
