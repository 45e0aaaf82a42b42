"""The recorded bars of ../shared/data, one source at a time; absent, the tests skip aloud.

Rule: read only, filtered by source, one bar per (symbol, minute), times aware UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

DATA = Path(__file__).parents[2] / "../shared/data"
FILES = {False: DATA / "stocks_1min.parquet", True: DATA / "crypto_1min.parquet"}
COLUMNS = ["symbol", "timestamp", "open", "high", "low", "close", "volume", "source"]


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded data; skips the test where it is absent."""
    return require_recorded_data()


def require_recorded_data() -> Path:
    """The folder of recorded data. Skips the running test, with the reason, if it is absent."""
    if not all(path.exists() for path in FILES.values()):
        pytest.skip("recorded bars are absent: ../shared/data is not beside this checkout")
    return DATA.resolve()


def bars_path(source: str) -> Path:
    """The bars file that holds `source`, for programs that take a file and a source."""
    return FILES["crypto" in source or "btc" in source or "binance" in source]


def recorded_bars(
    *sources: str,
    first: dt.date | None = None,
    last: dt.date | None = None,
    symbols: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Bars of the named sources between two UTC dates (both included), by symbol and time.

    Skips the running test if the data is absent; raises LookupError for an unknown source and
    ValueError where two sources both have a bar of one (symbol, date).
    """
    require_recorded_data()
    frame = pd.concat([_source(source) for source in sources], ignore_index=True)
    dates = frame["timestamp"].dt.date
    keep = frame["symbol"].isin(symbols) if symbols is not None else frame["symbol"].notna()
    if first is not None:
        keep &= dates >= first
    if last is not None:
        keep &= dates <= last
    frame = frame[keep].drop_duplicates(["symbol", "timestamp", "source"], keep="last")
    return one_source_a_day(frame).sort_values(["symbol", "timestamp"], ignore_index=True)


def one_source_a_day(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame itself; raises ValueError where two sources have bars of one (symbol, date)."""
    owners = frame.groupby(["symbol", frame["timestamp"].dt.date])["source"].nunique()
    if (owners > 1).any():
        raise ValueError(f"two sources have bars of {list(owners[owners > 1].index[:3])}")
    return frame


def _source(source: str) -> pd.DataFrame:
    everything = _file(bars_path(source))
    found = everything[everything["source"] == source]
    if found.empty:
        raise LookupError(f"no source {source}; there are {sorted(everything['source'].unique())}")
    return found


@cache
def _file(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path, columns=COLUMNS)
    assert frame["timestamp"].dt.tz is not None
    frame["timestamp"] = frame["timestamp"].dt.tz_convert("UTC")
    return frame
