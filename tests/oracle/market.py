"""Small hand-written markets for the oracle's tests: a list of closes becomes a frame of bars.

Rule: on 2026-03-17 the exchange is open 13:30-20:00 UTC; the day before, 13:30-20:00 as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tests.oracle.bars import MINUTE, is_crypto

DAY = dt.date(2026, 3, 17)
OPEN = dt.datetime(2026, 3, 17, 13, 30, tzinfo=dt.UTC)
MIDNIGHT = dt.datetime(2026, 3, 17, tzinfo=dt.UTC)
YESTERDAYS_CLOSE = dt.datetime(2026, 3, 16, 20, 0, tzinfo=dt.UTC)

# Buys after every rise, sells after every fall: the closes of a test are its script.
FOLLOW = {"lookback_period": 1, "momentum_threshold": 0}


def bars(
    symbol: str,
    today: Sequence[float | None],
    history: Sequence[float] = (),
    begin: dt.datetime | None = None,
) -> pd.DataFrame:
    """One bar a minute from the session's first (or `begin`), None for a missing minute.

    history: closes of the last minutes before the session, one each, oldest first.
    """
    crypto = is_crypto(symbol)
    before_end = MIDNIGHT if crypto else YESTERDAYS_CLOSE
    first = begin or (MIDNIGHT if crypto else OPEN)
    rows = [(before_end - (len(history) - i) * MINUTE, c) for i, c in enumerate(history)]
    rows += [(first + i * MINUTE, c) for i, c in enumerate(today) if c is not None]
    return pd.DataFrame(
        {
            "symbol": symbol,
            "timestamp": pd.to_datetime([moment for moment, _ in rows], utc=True),
            "close": [float(close) for _, close in rows],
            "volume": 100.0,
        }
    )


def market(*frames: pd.DataFrame) -> pd.DataFrame:
    """Several tickers' bars as one frame."""
    return pd.concat(frames, ignore_index=True)


def follower(
    *tickers: str, name: str = "Follow", cash: float = 10000.0, **risk: float
) -> dict[str, Any]:
    """A strategy block that buys after a rise and sells after a fall; keywords are its risks."""
    return {
        "name": name,
        "strategy_type": "momentum",
        "strategy_params": dict(FOLLOW),
        "tickers": list(tickers),
        "initial_cash": cash,
        "min_warmup_bars": 0,
        "risk_config": dict(risk),
    }


def config(*blocks: dict[str, Any]) -> dict[str, Any]:
    """A configuration of these strategies."""
    return {"strategies": list(blocks)}
