"""Warm-up bars: each ticker's newest bars before the session, fetched once for all strategies.

They come from the warm-up flow's file as far as it reaches, and from the broker's REST where they
are missing or newer, or all of them if the file's last bar is not what REST has of it. For a stock,
only bars of the exchange's regular sessions count.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from coordinator.core.session import Hours
from coordinator.core.values import Bar, is_crypto
from coordinator.shell.broker import Broker
from coordinator.shell.folders import private_folder

log = logging.getLogger("coordinator")
FURTHEST = timedelta(days=120)
"""How far back bars of a thinly traded ticker are searched."""
_NUMBERS = ("open", "high", "low", "close", "volume", "vwap")


@dataclass(frozen=True, slots=True)
class Need:
    """A request for the newest `count` bars of a ticker that start before `before`."""

    symbol: str
    count: int
    before: datetime


class History:
    """Fetches warm-up bars; `sessions` are the exchange's, reaching back FURTHEST."""

    def __init__(self, broker: Broker, sessions: Sequence[Hours]) -> None:
        self._broker = broker
        self._hours = {hours.date: hours for hours in sessions}

    def counts(self, bar: Bar) -> bool:
        """Whether a bar counts: crypto always, a stock's in a regular session only."""
        if is_crypto(bar.symbol):
            return True
        return any(
            hours.covers(bar.start)
            for day in (bar.start.date(), bar.start.date() - timedelta(days=1))
            if (hours := self._hours.get(day)) is not None
        )

    def fetch(
        self, needs: Sequence[Need], stored: Mapping[str, Sequence[Bar]]
    ) -> dict[str, list[Bar]]:
        """Bars by ticker, oldest first; fewer than needed where there are no more."""
        return {need.symbol: self._one(need, stored.get(need.symbol, ())) for need in needs}

    def _one(self, need: Need, stored: Sequence[Bar]) -> list[Bar]:
        known = {bar.start: bar for bar in stored if bar.start < need.before and self.counts(bar)}
        if not need.count:
            return []
        found = self._from(known, need) if len(known) >= need.count else None
        if found is None:
            found = self._newest(need)
        return [found[start] for start in sorted(found)[-need.count :]]

    def _from(self, known: Mapping[datetime, Bar], need: Need) -> dict[datetime, Bar] | None:
        """The known bars and the newer ones; None if the broker lists the last known one otherwise.

        It was not over when it was stored, or prices have been adjusted to a split since.
        """
        last = max(known)
        listed = self._broker.bars([need.symbol], last, need.before)[need.symbol]
        newer = {bar.start: bar for bar in listed if self.counts(bar)}
        return {**known, **newer} if newer.get(last) == known[last] else None

    def _newest(self, need: Need) -> dict[datetime, Bar]:
        """Page back from `before` until enough bars that count are found."""
        found: dict[datetime, Bar] = {}
        end, oldest = need.before, need.before - FURTHEST
        ask = need.count
        while len(found) < need.count and end > oldest:
            page = self._broker.bars([need.symbol], oldest, end, latest=ask)[need.symbol]
            if not page:
                break
            found |= {bar.start: bar for bar in page if self.counts(bar)}
            if len(page) < ask:
                break
            end = page[0].start
            ask *= 2
        return found


def write_bars(path: Path, bars: Mapping[str, Sequence[Bar]]) -> None:
    """Write warm-up bars to a Parquet file atomically. Numbers are stored as exact text."""
    rows = [bar for symbol in sorted(bars) for bar in bars[symbol]]
    table = pa.table(
        {
            "symbol": pa.array([bar.symbol for bar in rows], pa.string()),
            "timestamp": pa.array([bar.start for bar in rows], pa.timestamp("s", tz="UTC")),
            "trade_count": pa.array([bar.trade_count for bar in rows], pa.int64()),
        }
        | {
            name: pa.array(
                [None if (n := getattr(bar, name)) is None else str(n) for bar in rows],
                pa.string(),
            )
            for name in _NUMBERS
        }
    )
    private_folder(path.parent)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    pq.write_table(table, unfinished)
    unfinished.chmod(0o600)
    unfinished.replace(path)


def read_bars(path: Path) -> dict[str, list[Bar]]:
    """The bars of a warm-up file by ticker, oldest first; {} if there is no usable file."""
    if not path.exists():
        return {}
    try:
        columns = pq.read_table(path).to_pydict()
        found: dict[str, list[Bar]] = {}
        for number, symbol in enumerate(columns["symbol"]):
            values = {name: columns[name][number] for name in _NUMBERS}
            prices = {name: Decimal(values[name]) for name in _NUMBERS[:-1]}
            start = columns["timestamp"][number].astimezone(UTC)
            vwap = None if values["vwap"] is None else Decimal(values["vwap"])
            count = columns["trade_count"][number]
            bar = Bar(symbol, start, **prices, trade_count=count, vwap=vwap)
            found.setdefault(symbol, []).append(bar)
    except (pa.ArrowException, KeyError, ValueError, ArithmeticError, OSError) as error:
        log.warning("warm-up file %s is not usable (%s); fetching its bars again", path, error)
        return {}
    return {symbol: sorted(bars, key=lambda bar: bar.start) for symbol, bars in found.items()}
