"""Whole sessions in memory with one strategy that goes wrong: the others' books do not notice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from coordinator.core import records as r
from coordinator.core.codec import encode
from coordinator.core.lane import Rule, StrategySpec
from coordinator.core.values import MINUTE, Bar, Reason, Side
from coordinator.shell.cell import Budget
from coordinator.strategies.registry import BUILT_IN
from simulator.server import SimulatorOptions
from tests.coordinator.bench import Bench, spec
from tests.coordinator.isolating import MIB, WAYS, Does, isolated, on_a_loop
from tests.in_memory import InMemorySession

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
UNTIL = OPEN + timedelta(minutes=60)
BREAKS_AT = OPEN + timedelta(minutes=20)
OPTIONS = SimulatorOptions(date=date(2026, 3, 17), cash=Decimal(200_000))
OFTEN = {"lookback_period": 3, "momentum_threshold": 0.0005}
CONFIG = {
    "strategies": [
        {"name": "Bad", "strategy_type": "rsi", "tickers": ["SPY", "AAPL"], "min_warmup_bars": 0},
        {"name": "Ours", "strategy_type": "momentum", "strategy_params": OFTEN,
         "tickers": ["SPY", "QQQ"], "min_warmup_bars": 0},
        {"name": "Own", "strategy_type": "rsi", "tickers": ["SPY", "MSFT"], "min_warmup_bars": 0},
    ]
}  # fmt: skip


@dataclass(frozen=True)
class Patient:
    """Long from the first bar on, until it goes wrong in one of the WAYS; or at the last, flat."""

    way: str = ""
    longest_window: int = 1

    def start(self) -> Callable[[Bar], Any]:
        def step(bar: Bar) -> Any:
            return WAYS[self.way]() if self.way and bar.start >= BREAKS_AT else 1

        return step


@dataclass(frozen=True)
class Flips:
    """Another opinion at each bar, or none at all."""

    loud: bool
    longest_window: int = 1

    def start(self) -> Callable[[Bar], int]:
        return lambda bar: (bar.start.minute % 2 * 2 - 1) if self.loud else 0


@dataclass(frozen=True)
class Rises:
    """Long after a rise, flat after a fall; a user's own, and a good one."""

    longest_window: int = 2

    def start(self) -> Callable[[Bar], int]:
        closes: list[Decimal] = []

        def step(bar: Bar) -> int:
            closes.append(bar.close)
            return (closes[-1] > closes[-2]) - (closes[-1] < closes[-2]) if closes[1:] else 0

        return step


def play(
    bad: Rule, *, walled: bool = True, tickers: tuple[str, ...] = ("SPY", "AAPL")
) -> InMemorySession:
    """The session's first hour, with these rules in place of the configured ones."""
    with ExitStack() as processes:

        def prepare(specs: list[StrategySpec]) -> list[StrategySpec]:
            first, ours, own = specs
            given = [replace(first, rule=bad, tickers=tickers), ours, replace(own, rule=Rises())]
            if not walled:
                return given
            budget = Budget(growth_bytes=64 * MIB)
            return processes.enter_context(isolated(given, BUILT_IN, budget=budget))

        session = InMemorySession(CONFIG, OPTIONS, prepare)
        on_a_loop(lambda: session.run(UNTIL))
    return session


def without(strategy: str, records: Iterable[r.Record]) -> list[tuple[str, str]]:
    """The encoded records, as the journal has them, that are not this strategy's."""
    kept = []
    for record in records:
        if isinstance(record, r.SessionOpened):
            others = tuple(o for o in record.openings if o.strategy != strategy)
            kept.append(replace(record, openings=others))
        elif owner_of(record) != strategy:
            kept.append(record)
    return [encode(record) for record in kept]


def owner_of(record: r.Record) -> str:
    known = {field.name: getattr(record, field.name) for field in fields(record)}
    return known.get("strategy") or known.get("client_order_id", "").partition(".")[0]


def decided(strategy: str, session: InMemorySession) -> list[tuple[str, str]]:
    """A strategy's encoded records but for the numbers that the venue counts across strategies."""
    kept = []
    for record in session.records:
        if owner_of(record) == strategy:
            for name in ("broker_order_id", "execution_id"):
                if hasattr(record, name):
                    record = replace(record, **{name: "any"})
            kept.append(encode(record))
    return kept


@pytest.fixture(scope="module")
def healthy() -> InMemorySession:
    """Everybody behaves."""
    return play(Patient())


@pytest.mark.thorough
@pytest.mark.parametrize(
    "way",
    ["raises", "raises what no journal can hold", "loops", "sleeps", "exits", "grows", "says buy"],
)
def test_the_others_journal_is_the_same_to_the_byte_whatever_one_does(
    way: str, healthy: InMemorySession
) -> None:
    session = play(Patient(way))
    assert without("Bad", session.records) == without("Bad", healthy.records)
    assert len(fills(session, "Own")) > 20
    assert len(fills(session, "Ours")) > 5

    (stopped,) = [x for x in session.records if isinstance(x, r.EntriesStopped)]
    assert (stopped.at, stopped.strategy) == (BREAKS_AT + MINUTE, "Bad")
    assert stopped.reason.startswith("fault: Strategy")
    assert " 2026-03-17 13:50:00+00:00: " in stopped.reason


def test_one_that_changes_its_mind_at_every_bar_changes_nothing_that_the_others_decide() -> None:
    quiet = play(Flips(loud=False), tickers=("AAPL", "AMZN"))
    loud = play(Flips(loud=True), tickers=("AAPL", "AMZN"))
    for name in ("Ours", "Own"):
        assert decided(name, loud) == decided(name, quiet)
    assert len(fills(loud, "Bad")) > 20 > len(fills(quiet, "Bad"))


def test_a_session_is_the_same_to_the_byte_with_and_without_processes(
    healthy: InMemorySession,
) -> None:
    in_process = play(Patient(), walled=False)
    assert [encode(x) for x in in_process.records] == [encode(x) for x in healthy.records]


def fills(session: InMemorySession, strategy: str) -> list[r.FillBooked]:
    booked = [record for record in session.records if isinstance(record, r.FillBooked)]
    return [fill for fill in booked if fill.strategy == strategy]


def test_stop_and_target_protect_what_it_holds_when_its_process_ends_and_it_enters_no_more() -> (
    None
):
    def buy_and_die(bar: Bar) -> int:
        if bar.start >= OPEN + 2 * MINUTE:
            os._exit(1)
        return 1

    limits = {"stop_loss_pct": "0.05", "take_profit_pct": "0.1", "max_position_size": "0.3"}
    bad = spec("Bad", {}, tickers=("SPY", "QQQ", "IWM"), **limits)
    with isolated([replace(bad, rule=Does(buy_and_die))], BUILT_IN) as specs:
        bench = Bench(*specs)
        bench.minute(0, {"SPY": "100", "QQQ": "100"})
        for order in bench.books.orders.open():
            bench.fill(order)
        bench.minute(2, {"SPY": "100", "QQQ": "100", "IWM": "100"})
        bench.minute(3, {"SPY": "94", "QQQ": "111", "IWM": "100"})
        sold = [(o.symbol, o.side, o.reason) for o in bench.books.orders.open()]
    assert sold == [("SPY", Side.SELL, Reason.STOP), ("QQQ", Side.SELL, Reason.TARGET)]
    assert "StrategyDied" in bench.books.days["Bad"].stopped
