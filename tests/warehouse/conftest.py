"""What the warehouse's tests share: a place for a warehouse and a day to put in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.builder import Day, d
from warehouse import LoadResult, Store, load_session
from warehouse.queries import ask
from warehouse.schemas import TABLES


@pytest.fixture
def location(tmp_path: Path) -> Path:
    """Where a warehouse may be made."""
    return tmp_path / "state" / "warehouse.duckdb"


def lively_day() -> Day:
    """A day of two strategies: stock and crypto, fees, a dividend, a bust, an open position."""
    day = Day()
    day.bar("SPY", "450.25")
    day.bar("SPY", "451.75", minute=2)
    day.buy("Alpha", "SPY", "10", "450.25", decision_price=d("450.20"))
    day.buy("Beta", "BTC/USD", "0.1", "80000.5", fee="20.000125")
    day.sell("Alpha", "SPY", "4", "451.75")
    day.bust(day.buy("Alpha", "SPY", "3", "452"))
    day.activity("Alpha", "dividend", "1.25", "SPY")
    day.activity("Alpha", "fee", "-0.03")
    day.sell("Beta", "BTC/USD", "0.05", "81000.123456789", fee="10.125015432098625")
    return day


@pytest.fixture
def day() -> Day:
    """The lively day."""
    return lively_day()


Load = Callable[..., LoadResult]
Rows = Callable[..., list[tuple[Any, ...]]]
DERIVED = ("round_trips", "open_lots", "equity_curve", "exposures", "slippages", "joined")
"""What the loader works out of a session's rows."""


@pytest.fixture(scope="session")
def memory() -> Iterator[Store]:
    """One warehouse in memory for all tests that need no file."""
    with Store.open(":memory:") as store:
        yield store


@pytest.fixture
def store(memory: Store) -> Store:
    """An empty warehouse in memory."""
    for name in [*TABLES, "quarantine", "loads", *DERIVED]:
        memory.connection.execute("DELETE FROM " + name)
    return memory


@pytest.fixture
def load(store: Store) -> Load:
    """Loads a source into the warehouse in memory."""
    return lambda source: load_session(store, source)


@pytest.fixture
def rows(store: Store) -> Rows:
    """Asks the warehouse in memory."""
    return lambda sql, *parameters: list(ask(store, sql, parameters).rows)
