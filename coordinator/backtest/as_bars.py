"""Columns as the core's bars again, for rules that are stepped one bar at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache

import numpy as np

from coordinator.backtest.reels import EPOCH, MICRO
from coordinator.core.values import Bar
from simulator.columns import Columns, whole_steps

_REMEMBERED = 1 << 16
"""So many prices: most are those of a minute before."""


def in_order(tickers: Sequence[Columns]) -> Iterator[Bar]:
    """The bars of all, minute by minute, each minute's in the order of the sequence."""
    if not tickers:
        return
    bars = [iter(_bars(columns)) for columns in tickers]
    starts = np.concatenate([columns.starts for columns in tickers])
    owner = np.repeat(np.arange(len(tickers)), [len(columns) for columns in tickers])
    for one in owner[np.argsort(starts, kind="stable")].tolist():
        yield next(bars[one])


def _bars(columns: Columns) -> Iterator[Bar]:
    price, symbol = _price_of(columns.decimals), columns.symbol
    known = ~np.isnan(columns.vwap)
    averages = whole_steps(np.where(known, columns.vwap, 0.0), columns.decimals)
    rows = zip(
        columns.starts.tolist(),
        columns.open.tolist(),
        columns.high.tolist(),
        columns.low.tolist(),
        columns.close.tolist(),
        columns.volume.tolist(),
        columns.trade_count.tolist(),
        known.tolist(),
        averages.tolist(),
        strict=True,
    )
    for start, opened, high, low, close, volume, count, has_average, average in rows:
        yield Bar(
            symbol,
            EPOCH + start * MICRO,
            price(opened),
            price(high),
            price(low),
            price(close),
            Decimal(repr(volume)),
            int(count) if count == count else None,
            price(average) if has_average else None,
        )


@lru_cache(maxsize=4)
def _price_of(decimals: int) -> Callable[[int], Decimal]:
    @lru_cache(maxsize=_REMEMBERED)
    def price(steps: int) -> Decimal:
        return Decimal(steps).scaleb(-decimals)

    return price
