"""What a strategy is shown, one after the other, and the same with other prices: for its tests.

A moment is a bar of one ticker, or the bars of a minute by ticker.
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
    """Each bar of one ticker, or each minute's bars by ticker.

    Raises:
        ValueError: bars are of another ticker than they should be, or not oldest first.
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
    """Of each ticker, the last so many bars from before a moment."""
    if isinstance(bars, Mapping):
        return {ticker: before(of_one, moment, count) for ticker, of_one in bars.items()}
    first = moment if isinstance(moment, Bar) else next(iter(moment.values()))
    return [bar for bar in bars if bar.start < first.start][-count:]


def of_others(bars: Any) -> Any:
    """The same minutes with other prices: of another ticker, or of another strategy's."""
    if isinstance(bars, Mapping):
        return {ticker: _turned(of_one, ticker) for ticker, of_one in bars.items()}
    return _turned(bars, other_ticker(bars)) if bars else []


def _turned(bars: Sequence[Bar], ticker: str) -> list[Bar]:
    turned = reversed([bar.close for bar in bars])
    return [
        Bar(ticker, bar.start, close, close, close, close, bar.volume)
        for bar, close in zip(bars, turned, strict=True)
    ]


def other_ticker(bars: Sequence[Bar]) -> str:
    """The name of another ticker of the same market."""
    return "ETH/USD" if bars and is_crypto(bars[0].symbol) else "QQQ"


def shown(moments: Sequence[Moment], at: int) -> str:
    """One of them in words, with its number, time and closes."""
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
