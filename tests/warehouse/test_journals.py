"""Whatever befalls a coordinator, its journal loads, and the warehouse says what the books say.

The journals are those of the proof's simulation: faults, kills, late fills, busts, trades by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, localcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from coordinator.core.books import Books
from coordinator.core.values import EXACT, UNASSIGNED
from coordinator.readers import session_sources
from tests.proof.process import replayed
from tests.proof.simulate import fresh_home
from tests.proof.world import World
from warehouse import LoadStatus, Store, load_session
from warehouse.queries import ask

Days = list[dict[str, Any]]


@contextmanager
def journals(seed: int) -> Iterator[tuple[Path, World]]:
    """The state folder that one seed of the simulation leaves."""
    with fresh_home() as (home, loop):
        world = World(seed, home, loop)
        loop.run_until_complete(world.run())
        yield home, world


def loaded_days(store: Store, home: Path) -> Days:
    """Loads every session twice, and answers the days in the order of the sessions."""
    for source in session_sources(home):
        result = load_session(store, source)
        assert result.status is LoadStatus.LOADED, result.message
    again = [load_session(store, source).status for source in session_sources(home)]
    assert set(again) <= {LoadStatus.UNCHANGED}
    answer = ask(
        store,
        "SELECT p.*, s.coordinator, s.opened_at FROM pnl_daily AS p JOIN sessions AS s USING "
        "(session_id) ORDER BY s.opened_at, s.session_id",
    )
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def check_days(days: Days, books: Books, coordinator: str) -> None:
    """Each strategy's days follow from each other, and end in its book."""
    for name, account in books.ledger.accounts.items():
        mine = [day for day in days if (day["strategy"], day["coordinator"]) == (name, coordinator)]
        if name == UNASSIGNED or not mine:
            continue
        for day, after in pairwise(mine):
            assert after["start_equity"] == day["end_equity"], (name, day["session_id"])
        for day in mine:
            won = day["realized_pnl"] + day["unrealized_change"] - day["fees"]
            moved = day["end_equity"] - day["start_equity"] - day["transfers"]
            assert day["net_pnl"] == won == moved, (name, day["session_id"])
        assert mine[-1]["end_equity"] == books.ledger.equity(name)
        assert sum((day["net_pnl"] for day in mine), Decimal(0)) == books.ledger.pnl(name)
        assert mine[0]["start_equity"] == account.initial_cash


def check_seed(seed: int, store: Store) -> None:
    """One seed's journals, loaded, against the books that they replay to."""
    with journals(seed) as (home, world):
        days = loaded_days(store, home)
        path = world.journal_path
        if path is None:
            return
        for trader in world.traders:
            books = replayed(path, trader.config.name)
            check_days(days, books, trader.config.name)


SAMPLE = (3, 16, 31, 103, 256)
"""A late fill, two reports that were lost, a quiet day, a split whose holders had just sold."""


@pytest.mark.thorough
@pytest.mark.parametrize("seed", SAMPLE)
def test_any_journal_loads_and_its_profit_is_the_books_to_the_last_digit(
    seed: int, store: Store
) -> None:
    with localcontext(EXACT):
        check_seed(seed, store)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("block", range(10))
def test_five_hundred_journals_load_and_their_profit_is_the_books(block: int) -> None:
    for seed in range(1 + 50 * block, 51 + 50 * block):
        with localcontext(EXACT), Store.open(":memory:") as store:
            check_seed(seed, store)
