"""A session's rows: exact identities, and a warehouse that takes every one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import records as r
from coordinator.core.equity_curve import EquityCurve
from coordinator.core.orders import OrderStatus
from coordinator.core.records import Holding, Origin
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.statement import Rows, statement
from coordinator.core.values import MINUTE, UNASSIGNED, ZERO, Side
from tests.coordinator.bench import (
    CLOSE,
    DAY,
    MIDNIGHT,
    OPEN,
    Bench,
    D,
    bar,
    order_id,
    spec,
    stranger,
)
from tests.coordinator.stories import events, play, signals, started
from warehouse import LoadStatus, Store, load_session

DAYS = timedelta(days=1)
HOUR = timedelta(hours=1)
TOMORROW = SessionPlan(
    DAY + DAYS,
    Hours(DAY + DAYS, OPEN + DAYS, CLOSE + DAYS),
    OPEN.replace(hour=0, minute=0) + DAYS,
    MIDNIGHT + DAYS,
)
SAID = {
    ("SPY", 0): 1,
    ("SPY", 3): -1,
    ("BTC/USD", 1): 1,
    ("BTC/USD", 4): -1,
    ("QQQ", 2): 1,
    ("QQQ", 5): 1,
}


def ended(bench: Bench, status: r.SessionEnd = r.SessionEnd.COMPLETED) -> list[r.Record]:
    """The bench's records with the session's end."""
    bench.now += MINUTE
    ledger = bench.books.ledger
    end = r.SessionEnded(
        bench.now, bench.name.session_id, status, ledger.net_cash(), ledger.net_positions()
    )
    bench.books.apply_all([end])
    bench.records.append(end)
    return bench.records


def rich_day(**more: Any) -> Bench:
    """Stock and crypto, fees, a fill in parts, a denial, a refusal, a trade by hand."""
    bench = Bench(
        spec("A", SAID, max_position_size="0.3", max_daily_trades=2),
        spec("B", {("SPY", 1): 1}, max_position_size="0.25", cash="5000.55"),
        holdings=[Holding("SPY", D(10), D("901.23"))],
        **more,
    )
    bench.minute(0, {"SPY": "100.01", "BTC/USD": "80000.123456789"})
    bench.fill(bench.order("A"), "100.0233", "11.5")
    bench.fill(bench.order("A"), "100.0233", "7.25")
    bench.minute(1, {"SPY": "101", "BTC/USD": "80100"})
    bench.fill(bench.order("A"), "100.0233")
    bench.fill(bench.order("A", 2), "80108.01")
    bench.update(bench.order("B"), OrderStatus.CANCELED)
    bench.minute(2, {"QQQ": "400"})  # the third entry is denied
    bench.minute(3, {"SPY": "99.5", "BTC/USD": "79000"})
    bench.fill(bench.order("A", 4), "99.4901", "3")
    bench.handle(stranger("by-hand", "SPY", Side.SELL, "4", "99.5", bench.now))
    bench.handle(stranger("by-hand-2", "ETH/USD", Side.BUY, "0.5", "2000.1", bench.now, "h2"))
    bench.fill(bench.order("A", 4), "99.4901")
    bench.minute(4, {"BTC/USD": "78000.5"})
    bench.fill(bench.order("A", 5), "77992.69995", "0.03")
    return bench


def a_day() -> list[r.Record]:
    return ended(rich_day())


def a_day_that_is_still_running() -> list[r.Record]:
    return rich_day().records


def a_day_with_a_crash_between_a_fill_and_the_next_bar() -> list[r.Record]:
    bench = rich_day()
    bench.now += MINUTE / 2
    bench.fill(bench.order("A", 5), "77992.69995")
    return bench.records


def a_day_stopped_early_and_resumed() -> list[r.Record]:
    bench = rich_day()
    first = ended(bench, r.SessionEnd.STOPPED_EARLY)
    again = Bench(*bench.specs, books=bench.books)
    again.now = bench.now + MINUTE
    again.fill(bench.order("A", 5), "77992.69995")
    again.minute(7, {"SPY": "103", "BTC/USD": "81000"})
    return first + ended(again)


def a_day_that_another_strategy_joins() -> list[r.Record]:
    bench = rich_day()
    again = Bench(*bench.specs, spec("C", {("QQQ", 6): 1}), books=bench.books)
    again.minute(6, {"QQQ": "401"})
    again.fill(again.order("C"), "401.02")
    again.minute(7, {"QQQ": "402"})
    return bench.records + ended(again)


def a_day_that_starts_in_the_middle() -> list[r.Record]:
    bench = Bench(
        spec("A", {("SPY", 50): 1}), holdings=[Holding("SPY", D(10), D(900))], plan=PLAN_NOW
    )
    gap = [bar("SPY", minute, str(90 + minute)) for minute in range(40)]
    bench.now = OPEN + 40 * MINUTE
    bench.bars(*gap, origin=Origin.BACKFILL)
    bench.minute(50, {"SPY": "140"})
    bench.fill(bench.order("A"), "140.014")
    return ended(bench)


PLAN_NOW = SessionPlan(DAY, Hours(DAY, OPEN, CLOSE), None, CLOSE)


def the_next_day(*, configured: str = "10000") -> list[r.Record]:
    bench = rich_day()
    ended(bench)
    names = bench.specs[0], spec("B", {}, tickers=["SPY"], cash=configured)
    later = Bench(*names, plan=TOMORROW, books=bench.books)
    later.now = OPEN + DAYS
    later.fill(bench.order("A", 5), "77000", "0.001")  # what was left open yesterday
    later.minute(1441, {"SPY": "102", "BTC/USD": "76000"})
    later.update(bench.order("A", 5), OrderStatus.CANCELED, "0.031", price="77960")
    return ended(later)


def the_next_day_with_edited_capital() -> list[r.Record]:
    return the_next_day(configured="7000")


def the_next_day_without_the_strategy_that_holds() -> list[r.Record]:
    bench = rich_day()
    ended(bench)
    later = Bench(spec("B", {}, tickers=["SPY"]), plan=TOMORROW, books=bench.books)
    later.now = OPEN + DAYS
    later.fill(bench.order("A", 5), "77000")
    return ended(later)


def a_day_in_which_capital_left() -> list[r.Record]:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "120"})
    away = r.ActivityBooked(
        at=bench.now + MINUTE / 3,
        activity_id="import.1",
        strategy="A",
        kind=r.ActivityKind.TRANSFER,
        symbol="SPY",
        qty=D(-25),
        price=D(120),
        amount=D(-1000),
        allocated_by="imported by x",
        day=DAY,
    )
    both = [away, replace(away, strategy=UNASSIGNED, qty=D(25), amount=D(1000))]
    bench.books.apply_all(both)
    bench.records += both
    bench.minute(2, {"SPY": "117"})
    return ended(bench)


def a_day_of_a_coin_whose_price_is_a_float_of_many_places() -> list[r.Record]:
    said = {("SHIB/USD", 0): 1, ("SHIB/USD", 1): -1}
    bench = Bench(spec("A", said), spec("B", {("SHIB/USD", 1): 1}), crossing=True)
    bench.minute(0, {"SHIB/USD": "0.0000045124999999999995"})
    bench.fill(bench.order("A"), "0.000004513")
    bench.minute(1, {"SHIB/USD": "0.0000045134999999999997"})  # B buys what A sells, inside
    bench.minute(2, {"SHIB/USD": "0.0000095134999999999997"})  # a leap is a discrepancy
    rows = statement(ended(bench))
    assert (len(rows["fills"]), len(rows["discrepancies"])) == (3, 1)
    return bench.records


STORIES = [
    a_day_in_which_capital_left,
    a_day,
    a_day_that_is_still_running,
    a_day_with_a_crash_between_a_fill_and_the_next_bar,
    a_day_stopped_early_and_resumed,
    a_day_that_another_strategy_joins,
    a_day_that_starts_in_the_middle,
    a_day_of_a_coin_whose_price_is_a_float_of_many_places,
    the_next_day,
    the_next_day_with_edited_capital,
    the_next_day_without_the_strategy_that_holds,
]


def check_identities(rows: Rows) -> None:
    last: dict[object, Any] = {}
    first: dict[object, Any] = {}
    for row in rows["equity"]:
        assert row["equity"] == row["cash"] + row["market_value"]  # type: ignore[operator]
        before = last.get(row["strategy"])
        assert before is None or row["ts"] > before["ts"]
        first.setdefault(row["strategy"], row)
        last[row["strategy"]] = row
    assert {row["strategy"] for row in rows["pnl_daily"]} == set(last)
    for day in rows["pnl_daily"]:
        name = day["strategy"]
        change = day["end_equity"] - day["start_equity"]  # type: ignore[operator]
        assert day["net_pnl"] == change - day["transfers"]  # type: ignore[operator]
        won = day["realized_pnl"] + day["unrealized_change"]  # type: ignore[operator]
        assert day["net_pnl"] == won - day["fees"]  # type: ignore[operator]
        assert day["end_equity"] == last[name]["equity"]
        fees = [fill["fee"] for fill in rows["fills"] if fill["strategy"] == name]
        assert (day["fills"], day["fees"]) == (len(fees), sum(fees, Decimal(0)))
    for order in rows["orders"]:
        closed, decided = order["closed_at"], order["decided_at"]
        assert None in (closed, decided) or closed >= decided  # type: ignore[operator]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_every_dollar_of_a_session_is_accounted_for_exactly(story: Any) -> None:
    check_identities(statement(story()))


@settings(max_examples=80, deadline=None)
@given(signals, signals, events)
def test_whatever_happens_every_dollar_is_accounted_for(
    one: dict[tuple[str, int], int],
    two: dict[tuple[str, int], int],
    story: list[tuple[str, int, str, int]],
) -> None:
    bench = started([one, two])
    play(bench, story)
    rows = statement(ended(bench))
    check_identities(rows)
    ends = {day["strategy"]: day["end_equity"] for day in rows["pnl_daily"]}
    assert ends == {name: bench.books.ledger.equity(name) for name in ends}


@dataclass(frozen=True)
class Source:
    """A statement, as the warehouse asks for it."""

    session_id: str
    records: Sequence[r.Record]
    mark: str = "1"

    def rows(self) -> Rows:
        return statement(self.records)


@pytest.fixture
def store() -> Iterator[Store]:
    """Each story has one of its own: they are not days of one account that follow each other."""
    with Store.open(":memory:") as opened:
        yield opened


@pytest.mark.thorough
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_the_warehouse_takes_every_row(store: Store, story: Any) -> None:
    records = story()
    (opened, *_) = [x for x in records if isinstance(x, r.SessionOpened)]
    result = load_session(store, Source(opened.session_id, records, story.__name__))
    faults = store.connection.execute("SELECT table_name, reason FROM quarantine").fetchall()
    assert faults == []
    assert (result.status, result.quarantined) == (LoadStatus.LOADED, 0)
    assert result.rows["fills"] == len(statement(records)["fills"]) > 0


def test_an_orders_row_tells_its_whole_life() -> None:
    rows = {row["client_order_id"]: row for row in statement(a_day())["orders"]}
    buy = rows[order_id("A")]
    assert (buy["status"], buy["reason"], buy["side"]) == ("filled", "signal", "buy")
    assert buy["qty"] == buy["filled_qty"] == D("29.997")
    assert (buy["decision_price"], buy["filled_avg_price"]) == (D("100.01"), D("100.0233"))
    assert buy["decided_at"] <= buy["submitted_at"] <= buy["closed_at"]  # type: ignore[operator]
    denied = rows[order_id("A", 3)]
    assert (denied["status"], denied["reason"]) == ("denied", "max_daily_trades")
    assert (denied["submitted_at"], denied["broker_order_id"]) == (None, None)
    left = rows[order_id("A", 5)]
    assert (left["status"], left["closed_at"]) == ("partially_filled", None)
    assert left["filled_qty"] == D("0.03")


def test_an_order_that_nobody_answered_is_unknown() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    bench.minute(0, {"SPY": "100"})
    (row,) = statement(ended(bench))["orders"]
    assert (row["status"], row["filled_qty"]) == ("unknown", D(0))


def test_a_session_says_how_it_ended() -> None:
    words = {
        story: statement(story())["sessions"][0]["status"]
        for story in (a_day, a_day_that_is_still_running, a_day_stopped_early_and_resumed)
    }
    assert list(words.values()) == ["closed", "open", "closed"]
    (row,) = statement(ended(rich_day(), r.SessionEnd.STOPPED_EARLY))["sessions"]
    assert row["status"] == "stopped_early"
    assert row["closed_at"] > row["opened_at"]  # type: ignore[operator]


def test_the_first_equity_row_is_the_opening_though_older_bars_come_later() -> None:
    rows = statement(a_day_that_starts_in_the_middle())
    first = next(row for row in rows["equity"] if row["strategy"] == UNASSIGNED)
    assert (first["market_value"], first["ts"]) == (D(900), OPEN - 10 * MINUTE)


@pytest.mark.parametrize(("amount", "later"), [("-0.37", [UNASSIGNED]), ("0", [])])
def test_after_a_sessions_end_only_a_book_that_still_moves_has_an_equity_row(
    amount: str, later: list[str]
) -> None:
    day = a_day()
    end = day[-1].at
    next_morning = r.ActivityBooked(
        at=end + 14 * HOUR,
        activity_id="fee.1",
        strategy=UNASSIGNED,
        kind=r.ActivityKind.FEE,
        symbol="",
        qty=ZERO,
        price=ZERO,
        amount=D(amount),
        allocated_by="sales",
        day=DAY,
    )
    rows = statement([*day, next_morning])
    assert [row["strategy"] for row in rows["equity"] if row["ts"] > end] == later  # type: ignore[operator]
    at_the_end = [row for row in rows["equity"] if row["ts"] == end]
    assert at_the_end == [row for row in statement(day)["equity"] if row["ts"] == end]
    assert [row["strategy"] for row in at_the_end] == ["A", "B", UNASSIGNED]
    equity = {row["strategy"]: row["equity"] for row in rows["equity"]}
    assert equity == {row["strategy"]: row["end_equity"] for row in rows["pnl_daily"]}


def test_an_end_that_a_restart_took_back_leaves_no_equity_row() -> None:
    *day, first_end = ended(rich_day(), r.SessionEnd.STOPPED_EARLY)
    assert isinstance(first_end, r.SessionEnded)
    resumed = r.SessionResumed(first_end.at + MINUTE, first_end.session_id)
    last_end = replace(first_end, at=first_end.at + HOUR)

    def at_first_end(*more: r.Record) -> set[object]:
        equity = statement([*day, first_end, *more])["equity"]
        return {row["strategy"] for row in equity if row["ts"] == first_end.at}

    assert at_first_end() == {"A", "B", UNASSIGNED}
    assert at_first_end(resumed, last_end) == {"A"}  # its last fill came after the last bar


def test_what_moved_stands_under_the_date_of_the_session_that_counts_it() -> None:
    *day, end = a_day()
    after_midnight = r.ActivityBooked(
        at=end.at,
        activity_id="cash.1",
        strategy=UNASSIGNED,
        kind=r.ActivityKind.ROUNDING,
        symbol="",
        qty=ZERO,
        price=ZERO,
        amount=D("-0.004"),
        allocated_by="rounding",
        day=DAY + timedelta(days=1),
    )
    rows = statement([*day, after_midnight, end])
    assert [row["amount"] for row in rows["activities"]][-1] == D("-0.004")
    assert {row["session_date"] for row in rows["activities"]} == {DAY}
    assert [row["session_date"] for row in rows["sessions"]] == [DAY]
    split = {"kind": r.ActivityKind.SPLIT, "symbol": "SPY", "amount": ZERO, "qty": D(1)}
    for days, counts in [(-7, DAY), (1, DAY + timedelta(days=1))]:
        booked = replace(after_midnight, **split, day=DAY + timedelta(days=days))
        assert statement([*day, booked, end])["activities"][-1]["session_date"] == counts


def test_a_position_without_a_price_is_worth_what_it_cost_to_the_last_digit() -> None:
    bench = Bench(spec("A", {}), holdings=[Holding("QQQ", D(7), D("901.23"))])
    rows = statement(ended(bench))
    (position,) = rows["positions"]
    assert (position["market_value"], position["unrealized_pnl"]) == (D("901.23"), ZERO)
    assert position["mark_price"] == position["avg_price"] == D("128.747142857142857143")
    assert rows["equity"][-1]["market_value"] == position["market_value"]


def test_transfers_have_both_sides_and_a_funding_the_givers() -> None:
    rows = statement(the_next_day_with_edited_capital())["activities"]
    found = [(row["strategy"], row["amount"], row["allocated_by"]) for row in rows]
    assert found == [
        (UNASSIGNED, D("-1999.45"), "initial_cash"),
        ("B", D("1999.45"), "initial_cash"),
    ]
    rows = statement(a_day())["activities"]
    assert [(row["strategy"], row["amount"]) for row in rows] == [
        (UNASSIGNED, D(-10_000)),
        (UNASSIGNED, D("-5000.55")),
    ]
    assert len({row["activity_id"] for row in rows}) == 2


def test_the_drawdown_is_the_deepest_fall_from_a_peak() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_position_size="0.5"))
    for minute, close in enumerate(["100", "120", "90", "110", "96"]):
        bench.minute(minute, {"SPY": close})
        if not minute:
            bench.fill(bench.order("A"))
    (day, _) = statement(ended(bench))["pnl_daily"]
    assert day["max_drawdown"] == pytest.approx(1500 / 11000)  # 11,000 at 120, 9,500 at 90


def test_capital_that_leaves_within_a_session_is_no_fall() -> None:
    (day, _) = statement(a_day_in_which_capital_left())["pnl_daily"]
    assert day["transfers"] == -4000
    assert day["max_drawdown"] == pytest.approx(75 / 7000)  # 3 dollars of each of 25 shares


def test_records_that_open_no_session_have_no_statement() -> None:
    with pytest.raises(ValueError, match="open no session"):
        statement([r.AccountAdopted(OPEN, "PA1", D(1), ())])


@given(st.lists(st.decimals(-50, 1000, places=2), min_size=1, max_size=30))
def test_a_drawdown_is_the_deepest_fall_below_the_highest_equity_so_far(
    equities: list[Decimal],
) -> None:
    curve = EquityCurve()
    for minute, equity in enumerate(equities):
        curve.add(OPEN + minute * MINUTE, equity, ZERO)
    falls, peak = [0.0], ZERO
    for _, equity, _ in curve.points:
        peak = max(peak, equity)
        if peak > 0:
            falls.append(float((peak - equity) / peak))
    assert curve.max_drawdown() == max(falls)
