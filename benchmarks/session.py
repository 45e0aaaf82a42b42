"""A session for the benchmarks: strategies, random prices, and an open, warmed-up engine."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgpack

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.engine import Engine
from coordinator.core.lane import StrategySpec
from coordinator.core.lanes import WORTH_A_BANK
from coordinator.core.opening import SessionName, open_session, session_id
from coordinator.core.risk import Asset
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import MINUTE, Bar
from coordinator.strategies import registered_types

DAY = date(2026, 3, 17)
OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
PLAN = SessionPlan(DAY, Hours(DAY, OPEN, OPEN + timedelta(hours=72)), None, OPEN + timedelta(72))
HISTORY = 400
CASH = Decimal(10_000)
SEED = 7
BUILT_IN: Sequence[tuple[str, Callable[[int], dict[str, object]]]] = (
    ("momentum", lambda n: {"lookback_period": 10 + n, "momentum_threshold": 0.002}),
    ("adaptive", lambda n: {"short_window": 5 + n, "long_window": 30 + n}),
    ("rsi", lambda n: {"rsi_period": 7 + n}),
    ("mean_reversion", lambda n: {"lookback_period": 10 + n}),
)


@dataclass(frozen=True, slots=True)
class Minute:
    """The bars of one minute as the broker sends them."""

    records: Sequence[dict[str, Any]]

    def pieces(self, size: int) -> list[Minute]:
        """The same bars in frames of `size`."""
        rows = self.records
        return [Minute(rows[at : at + size]) for at in range(0, len(rows), size)]

    def packed(self) -> bytes:
        """The frame."""
        return bytes(msgpack.packb(self.records, datetime=True))

    def unpacked(self) -> list[dict[str, Any]]:
        """The frame as a stream's decoder returns it."""
        return list(msgpack.unpackb(self.packed()))


def _walks(tickers: Sequence[str], minutes: int, first: datetime) -> Iterator[Minute]:
    """Prices in whole cents that walk randomly by about 0.1 % a minute."""
    chance = random.Random(f"{SEED}{first}")  # noqa: S311
    cents = dict.fromkeys(tickers, 10_000)
    for number in range(minutes):
        rows = []
        for ticker in tickers:
            opened, moved = cents[ticker], round(chance.gauss(0, 10))
            closed = cents[ticker] = max(opened + moved, 100)
            row = {"T": "b", "S": ticker, "o": opened / 100, "h": (max(opened, closed) + 3) / 100}
            row |= {"l": (min(opened, closed) - 2) / 100, "c": closed / 100}
            row |= {"v": chance.randrange(100, 20_000), "t": first + number * MINUTE}
            row |= {"n": chance.randrange(5, 200), "vw": (opened + closed) / 200 + 0.0013}
            rows.append(row)
        yield Minute(rows)


def frames_of(tickers: Sequence[str], count: int) -> Iterator[Minute]:
    """The first `count` minutes of the session."""
    return _walks(tickers, count, OPEN)


def specs_of(strategies: int, tickers: Sequence[str]) -> list[StrategySpec]:
    """Built-in strategies of alternating types, no two on a ticker alike.

    Each has one ticker; if there are more tickers than strategies, all tickers are shared out.
    """
    specs, types = [], registered_types()
    for number in range(strategies):
        place, nth = number % len(tickers), number // len(tickers)
        kind, params = BUILT_IN[(place + nth) % len(BUILT_IN)]
        rule = types[kind](**params(nth))
        own = tuple(tickers[number::strategies]) or (tickers[place],)
        specs.append(StrategySpec(f"S{number}", kind, params(nth), rule, own, CASH, 0))
    return specs


def engine_of(strategies: int, count: int) -> tuple[Engine, list[r.Record], str]:
    """The engine of an open, warmed-up session, its opening records, and its id."""
    tickers = [f"B{number}" for number in range(count)]
    specs = specs_of(strategies, tickers)
    tickers = [ticker for ticker in tickers if any(ticker in spec.tickers for spec in specs)]
    books, begun = Books(), OPEN - 10 * MINUTE
    adopted = r.AccountAdopted(begun, "PA1", CASH * strategies * 2, ())
    books.apply_all([adopted])
    name = SessionName(session_id("bench", "PA1", PLAN), "bench", "PA1", "paper", "sip", "hash")
    records: list[r.Record] = [adopted, *open_session(books, specs, PLAN, name, begun)]
    assets = {ticker: Asset.stock(ticker, fractionable=True) for ticker in tickers}
    engine = Engine(books, specs, assets, PLAN, banked_from=WORTH_A_BANK)
    wide = max(spec.history_bars for spec in specs)
    length = min(HISTORY, wide) if count <= 100 else 40
    history: dict[str, list[Bar]] = {ticker: [] for ticker in tickers}
    for minute in _walks(tickers, length, OPEN - 1000 * MINUTE):
        for row in minute.records:
            history[row["S"]].append(bar_of(row))
    for ticker, bars in history.items():
        engine.lanes.warm(ticker, bars)
    return engine, records, name.session_id


def bar_of(row: dict[str, Any]) -> Bar:
    """A record as a Bar, made without our decoder."""
    opened, high, low, close, volume = (Decimal(str(row[key])) for key in "ohlcv")
    return Bar(row["S"], row["t"], opened, high, low, close, volume, row["n"])
