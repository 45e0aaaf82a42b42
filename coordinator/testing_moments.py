"""The moments that `coordinator.testing` feeds to a strategy.

A moment is one bar of one ticker, or the bars of one minute by ticker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from coordinator.core.values import Bar, is_crypto

BarsByTicker = Mapping[str, Sequence[Bar]]
Moment = Bar | Mapping[str, Bar]


def moments_of(bars: Sequence[Bar] | BarsByTicker) -> list[Any]:
    """The moments of one ticker's bars, or of bars by ticker.

    Raises:
        ValueError: bars are of the wrong ticker, or not oldest first.
    """
    if not isinstance(bars, Mapping):
        _check(bars)
        return list(bars)
    minutes: dict[datetime, dict[str, Bar]] = {}
    for ticker, of_one in bars.items():
        _check(of_one)
        for bar in of_one:
            if bar.symbol != ticker:
                raise ValueError(f"the bars of {ticker} are those of {bar.symbol}")
            minutes.setdefault(bar.start, {})[ticker] = bar
    return [minutes[start] for start in sorted(minutes)]


def before(bars: Any, moment: Moment, count: int) -> Any:
    """The last `count` bars of each ticker before a moment."""
    if isinstance(bars, Mapping):
        return {ticker: before(of_one, moment, count) for ticker, of_one in bars.items()}
    first = moment if isinstance(moment, Bar) else next(iter(moment.values()))
    return [bar for bar in bars if bar.start < first.start][-count:]


def of_others(bars: Any) -> Any:
    """Bars of the same minutes with other prices, of another ticker or for another strategy."""
    if isinstance(bars, Mapping):
        return {ticker: _reversed(of_one, ticker) for ticker, of_one in bars.items()}
    return _reversed(bars, other_ticker(bars)) if bars else []


def _reversed(bars: Sequence[Bar], ticker: str) -> list[Bar]:
    """Bars of the same minutes with the closes in reverse order."""
    closes = reversed([bar.close for bar in bars])
    return [
        Bar(ticker, bar.start, close, close, close, close, bar.volume)
        for bar, close in zip(bars, closes, strict=True)
    ]


def other_ticker(bars: Sequence[Bar]) -> str:
    """Another ticker of the same market."""
    return "ETH/USD" if bars and is_crypto(bars[0].symbol) else "QQQ"


def shown(moments: Sequence[Moment], at: int) -> str:
    """A moment in words, with its index, time and closes."""
    moment = moments[at]
    if isinstance(moment, Bar):
        return f"bar {at} ({moment.symbol} {moment.start:%Y-%m-%d %H:%M}, close {moment.close})"
    closes = ", ".join(f"{bar.symbol} {bar.close}" for bar in moment.values())
    start = next(iter(moment.values())).start
    return f"minute {at} ({start:%Y-%m-%d %H:%M}, closes {closes})"


def _check(bars: Sequence[Bar]) -> None:
    for older, newer in pairwise(bars):
        if newer.symbol != older.symbol:
            raise ValueError(f"bars of one ticker are needed, got {older.symbol}, {newer.symbol}")
        if newer.start <= older.start:
            raise ValueError(f"bars must stand oldest first, got {newer.start} after them")
