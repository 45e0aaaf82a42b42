"""The days of a strategy whose book an import has begun before any session has the strategy."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from coordinator.commands.accounts import Account
from coordinator.core.adoption import Move, Recipient, adoption, refusals
from coordinator.core.values import UNASSIGNED
from coordinator.readers import session_sources
from coordinator.shell.journal import Journal
from coordinator.shell.startup import replay
from coordinator.status import read_status
from tests.coordinator.bench import Bench, D, spec
from tests.coordinator.test_adoption import (
    MARKET,
    RECIPIENTS,
    SYMBOLS,
    TEN_SPY,
    carry_out,
    dollars,
    plan,
    shares,
)
from tests.coordinator.test_readers import keep
from tests.coordinator.test_reload import reload
from tests.coordinator.test_restatement import House, days_later
from tests.coordinator.test_statement import check_identities, ended
from warehouse import Store, load_session

ALPHA = spec("Alpha", {}, tickers=["QQQ"])
BETA = spec("Beta", {}, tickers=SYMBOLS, cash="5000")
SPY, CASH = shares("Beta", "SPY", "10"), dollars("Beta", "12.34")
"""Of UNASSIGNED, at the price of MARKET: 1,012.34 dollars."""
TRADING, NIGHT = False, True
DAYS = 3
Imports = Mapping[tuple[int, bool], tuple[Move, ...]]


def played(imports: Imports, begins: int, *, by_reload: bool) -> House:
    """Days of Alpha, on one of which Beta begins; SPY is at 120 from then on."""
    house = House(Bench(ALPHA, holdings=TEN_SPY), [])
    for day in range(DAYS):
        bench = house.bench
        if moves := imports.get((day, TRADING)):
            carry_out(bench, plan(*moves, name=f"trading-{day}"))
        bench.minute(1440 * day, {"QQQ": f"{400 + day}"})
        if by_reload and day == begins:
            assert reload(bench, ALPHA, BETA).done
        bench.minute(1440 * day + 1, {"QQQ": "403", **({"SPY": "120"} if day >= begins else {})})
        if day == DAYS - 1:
            break
        if day + 1 == begins and not by_reload:
            bench.specs = ALPHA, BETA
        at_night = plan(*imports.get((day, NIGHT), ()), name=f"night-{day}")
        assert refusals(bench.books, at_night, RECIPIENTS, MARKET) == []
        records = adoption(bench.books, at_night, RECIPIENTS, MARKET, bench.now, "me")
        house.next_day(days_later(day + 1), *records)
        if day >= begins:
            house.bench.specs = ALPHA, BETA
    return house


@pytest.mark.parametrize(
    ("imports", "begins", "by_reload"),
    [
        ({(0, NIGHT): (SPY, CASH)}, 1, False),
        ({(0, NIGHT): (SPY,), (1, NIGHT): (CASH,)}, 2, False),
        ({(0, TRADING): (SPY,), (1, NIGHT): (CASH,)}, 2, False),
        ({(0, TRADING): (SPY, CASH)}, 0, True),
        ({(0, TRADING): (CASH,), (0, NIGHT): (SPY,)}, 1, True),
        ({(0, TRADING): (CASH,), (1, TRADING): (SPY,)}, 1, True),
    ],
)
def test_what_a_book_was_given_before_its_strategy_began_is_what_it_began_with(
    imports: Imports, begins: int, *, by_reload: bool, tmp_path: Path
) -> None:
    house = played(imports, begins, by_reload=by_reload)
    tables = house.keep(tmp_path)
    books = house.bench.books
    days = [day for rows in tables for day in rows["pnl_daily"] if day["strategy"] == "Beta"]
    assert [day["transfers"] for day in days] == [D(0)] * (DAYS - begins)
    assert days[0]["start_equity"] == D("6012.34")
    assert sum(day["net_pnl"] for day in days) == books.ledger.pnl("Beta") == 200
    given = [row for rows in tables for row in rows["activities"] if row["kind"] == "transfer"]
    assert {row["strategy"] for row in given} == {UNASSIGNED}, "as of what begins a book"
    assert sum(row["amount"] for row in given) == -D("6012.34") - ALPHA.initial_cash
    for rows in tables:
        check_identities(rows)
    (view,) = read_status(tmp_path)
    assert {one.name: one.equity for one in view.strategies}["Beta"] == D("6212.34")
    with Store.open(":memory:") as store:
        results = [load_session(store, source) for source in session_sources(tmp_path)]
        assert [one.message for one in results if one.status != "loaded"] == []


def test_what_a_strategy_left_behind_days_ago_passes_on_at_the_price_of_now_in_every_days_row(
    tmp_path: Path,
) -> None:
    """Nobody has followed SPY since the first day, when it was at 50; it is at 100 by now."""
    old, other = spec("Old", {}, tickers=["SPY"]), spec("Other", {}, tickers=["QQQ"])
    new = spec("New", {}, tickers=["SPY"], cash="5000")
    path = tmp_path / "PA1" / "journal.db"
    bench = Bench(old, holdings=TEN_SPY)
    bench.minute(0, {"SPY": "50"})
    known = {one.name: Recipient(one.name, one.tickers, one.initial_cash) for one in (old, new)}
    given = adoption(bench.books, plan(shares("Old", "SPY", "10")), known, MARKET, bench.now, "me")
    bench.books.apply_all(given)
    bench.records += given
    keep(tmp_path, ended(bench))
    for day, specs in ((1, (other,)), (2, (other, new))):
        with closing(Journal(path, "PA1", "bench")) as journal:
            books, _ = replay(journal, "bench")
        bench = Bench(*specs, books=books, plan=days_later(day))
        bench.minute(1440 * day, {"QQQ": "400", **({"SPY": "100"} if new in specs else {})})
        keep(tmp_path, ended(bench))
        if day == 1:
            moves = plan(shares("Old", "SPY", "-10"), shares("New", "SPY", "10"), name="p2")
            with Account.open(path, seen_by="bench") as account:
                moved = adoption(account.books, moves, known, MARKET, bench.now, "me")
                account.decide("", moved.copy)
    sources = session_sources(tmp_path)
    won = [{day["strategy"]: day["net_pnl"] for day in one.rows()["pnl_daily"]} for one in sources]
    assert [day.get("Old") for day in won] == [0, 500, None]
    assert [day.get("New") for day in won] == [None, None, 0]
    with Store.open(":memory:") as store:
        results = [load_session(store, source) for source in sources]
        assert [one.message for one in results if one.status != "loaded"] == []
