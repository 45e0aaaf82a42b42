"""A strategy's day: how often it may enter, how much it may lose, and when it starts anew."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.orders import OrderStatus
from coordinator.core.session import SessionPlan
from coordinator.core.values import MINUTE, Bar, Side
from tests.coordinator.bench import (
    DAY,
    MIDNIGHT,
    OPEN,
    PLAN,
    Bench,
    D,
    bar,
    order_id,
    spec,
)

ALWAYS = {("SPY", minute): 1 for minute in range(20)}


def test_entries_beyond_the_days_number_are_denied_once_in_words() -> None:
    said = {("SPY", 0): 1, ("QQQ", 1): 1, ("TLT", 2): 1, ("TLT", 3): 1}
    bench = Bench(spec("A", said, max_daily_trades=2, max_position_size="0.1"))
    for minute, ticker in enumerate(["SPY", "QQQ", "TLT", "TLT"]):
        bench.minute(minute, {ticker: "100"})
    assert [s[1] for s in bench.sent()] == ["SPY", "QQQ"]
    assert bench.denials() == [("A", "max_daily_trades")]
    assert bench.of(r.EntryDenied)[0].client_order_id == order_id("A", 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("end", "entries"),
    [("filled", 1), ("canceled", 0), ("canceled in part", 1), ("refused", 0), ("never there", 0)],
)
def test_an_entry_that_never_filled_is_given_back(end: str, entries: int) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_daily_trades=1))
    bench.minute(0, {"SPY": "100"})
    buy = bench.order("A")
    assert bench.books.days["A"].entries == 1
    match end:
        case "filled":
            bench.fill(buy)
        case "canceled":
            bench.update(buy, OrderStatus.CANCELED)
        case "canceled in part":
            bench.fill(buy, "100", "1")
            bench.update(buy, OrderStatus.CANCELED, "1")
        case "refused":
            bench.handle(m.SubmitRefused(order_id("A"), bench.now, "halted"))
        case "never there":
            bench.handle(m.SubmitUnclear(order_id("A"), bench.now, "time-out"))
            bench.handle(m.OrderAbsent(order_id("A"), bench.now))
    assert bench.books.days["A"].entries == entries


def test_a_late_fill_takes_the_entry_that_was_given_back() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_daily_trades=1))
    bench.minute(0, {"SPY": "100"})
    buy = bench.order("A")
    bench.update(buy, OrderStatus.CANCELED)
    bench.fill(buy, "100", "2")
    assert bench.books.days["A"].entries == 1


def test_exits_are_no_entries_and_are_never_blocked() -> None:
    said = {("SPY", 0): 1, ("SPY", 1): -1, ("SPY", 2): 1}
    bench = Bench(spec("A", said, max_daily_trades=1))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    bench.fill(bench.order("A", 2))
    bench.minute(2, {"SPY": "100"})
    assert [s[2] for s in bench.sent()] == [Side.BUY, Side.SELL]
    assert bench.denials() == [("A", "max_daily_trades")]


def test_no_entry_at_all_is_a_limit_too() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_daily_trades=0))
    bench.minute(0, {"SPY": "100"})
    assert (bench.sent(), bench.denials()) == ([], [("A", "max_daily_trades")])


def losing(limit: str, **more: str) -> Bench:
    """50 SPY bought at 100, and a wish for QQQ in every later minute."""
    said = {("SPY", 0): 1, ("SPY", 5): -1} | {("QQQ", minute): 1 for minute in range(1, 10)}
    bench = Bench(spec("A", said, max_position_size="0.5", max_daily_loss=limit, **more))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    return bench


@pytest.mark.parametrize(("close", "stopped"), [("98.02", False), ("98", True), ("90", True)])
def test_a_days_loss_that_reaches_the_limit_stops_entries(close: str, stopped: bool) -> None:
    bench = losing("100")  # 50 shares, so two dollars a share
    bench.minute(1, {"SPY": close, "QQQ": "10"})
    assert bool(bench.of(r.EntriesStopped)) is stopped
    assert (len(bench.sent()) == 1) is stopped
    assert bench.denials() == ([("A", "max_daily_loss")] if stopped else [])


def test_the_stop_holds_for_the_day_though_the_loss_is_won_back_and_exits_go_on() -> None:
    bench = losing("100")
    bench.minute(1, {"SPY": "90", "QQQ": "10"})
    bench.minute(2, {"SPY": "150", "QQQ": "10"})
    bench.minute(5, {"SPY": "150"})
    assert [s[1:3] for s in bench.sent()] == [("SPY", Side.BUY), ("SPY", Side.SELL)]
    assert len(bench.of(r.EntriesStopped)) == len(bench.denials()) == 1


def test_a_stop_loss_still_sells_after_the_days_loss_was_reached() -> None:
    bench = losing("100", stop_loss_pct="0.1")
    bench.minute(1, {"SPY": "95"})
    bench.minute(2, {"SPY": "90"})
    assert bench.order("A", 2).reason.value == "stop"


def test_a_transfer_is_neither_a_loss_nor_a_gain() -> None:
    bench = losing("100")
    bench.books.apply_all([r.Transferred(bench.now, "A", "UNASSIGNED", D(2000), "initial_cash")])
    bench.minute(1, {"SPY": "99", "QQQ": "10"})
    assert bench.of(r.EntriesStopped) == []


def test_the_loss_counts_from_the_days_baseline_overnight_moves_included() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_position_size="0.5", max_daily_loss="100"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    tomorrow = next_day(bench)
    assert bench.books.days["A"].start_equity == D(10_000)
    later = Bench(
        spec("A", {("SPY", 1440): 1}, max_position_size="0.5", max_daily_loss="100"),
        plan=tomorrow,
        books=bench.books,
    )
    later.minute(1440, {"SPY": "98"})
    assert [x.reason for x in later.of(r.EntriesStopped)] == ["max_daily_loss"]  # type: ignore[union-attr]


def next_day(bench: Bench) -> SessionPlan:
    """The plan of the day after the bench's."""
    day = timedelta(days=1)
    assert bench.plan.stock is not None
    stock = type(bench.plan.stock)(DAY + day, OPEN + day, bench.plan.stock.close + day)
    crypto = bench.plan.crypto_day
    return SessionPlan(DAY + day, stock, crypto + day if crypto else None, MIDNIGHT + day)


# which tickers, bars in minutes after the open -> the days rolled, each at which minute
@pytest.mark.parametrize(
    ("tickers", "minutes", "rolled"),
    [
        (["SPY"], [0, 1, 2], [0]),
        (["SPY"], [3], [3]),
        (["BTC/USD"], [-810, -809, 0], [-810]),  # 00:00 UTC
        (["SPY", "BTC/USD"], [-810, -1, 0, 1], [0]),  # a stock among them: the exchange's open
    ],
)
def test_a_day_rolls_once_at_the_open_or_at_midnight(
    tickers: list[str], minutes: list[int], rolled: list[int]
) -> None:
    bench = Bench(spec("A", {}, tickers=tickers))
    for minute in minutes:
        ticker = tickers[0] if minute >= 0 else tickers[-1]
        bench.bars(bar(ticker, minute, "100"))
    found = [(x.day, x.at) for x in bench.records if isinstance(x, r.DayRolled)]
    assert found == [(DAY, OPEN + minute * MINUTE) for minute in rolled]


def test_what_a_mixed_strategy_used_up_yesterday_counts_until_the_open() -> None:
    said = {("BTC/USD", 0): 1, ("ETH/USD", 1000): 1, ("ETH/USD", 1440): 1}
    one = spec("A", said, tickers=["SPY", "BTC/USD", "ETH/USD"], max_daily_trades=1)
    bench = Bench(one)
    bench.minute(0, {"BTC/USD": "50000"})
    bench.fill(bench.order("A"), "50000", "0.01")
    bench.update(bench.order("A"), OrderStatus.CANCELED, "0.01", price="50000")
    later = Bench(one, plan=next_day(bench), books=bench.books)
    later.minute(1000, {"ETH/USD": "2000"})  # 06:10 UTC of the next day
    assert (later.sent(), later.denials()) == ([], [("A", "max_daily_trades")])
    later.minute(1440, {"ETH/USD": "2000"})  # the open
    assert [s[1] for s in later.sent()] == ["ETH/USD"]


def test_the_clock_alone_rolls_a_day_on_which_no_bar_comes() -> None:
    bench = Bench(spec("A", ALWAYS))
    assert bench.handle(m.ClockRead(OPEN - MINUTE)).records == []
    rolled = bench.handle(m.ClockRead(OPEN)).records
    assert rolled == [r.DayRolled(OPEN, "A", DAY)]
    assert bench.handle(m.ClockRead(OPEN + MINUTE)).records == []


def test_yesterdays_order_that_ends_today_gives_back_nothing_of_today() -> None:
    one = spec("A", {("BTC/USD", 0): 1, ("ETH/USD", 1440): 1}, max_daily_trades=1)
    bench = Bench(one)
    bench.handle(m.ClockRead(OPEN))
    bench.minute(0, {"BTC/USD": "50000"})
    later = Bench(one, plan=next_day(bench), books=bench.books)
    later.minute(1440, {"ETH/USD": "2000"})
    later.update(bench.order("A"), OrderStatus.CANCELED)
    assert later.books.days["A"].date == date(2026, 3, 18)
    assert [s[1] for s in later.sent()] == ["ETH/USD"]
    assert later.books.days["A"].entries == 1


def test_a_bar_before_the_plans_day_counts_for_nothing() -> None:
    bench = Bench(spec("A", {("SPY", -1): 1}), plan=PLAN)
    early = Bar("SPY", OPEN - MINUTE, D(1), D(1), D(1), D(1), D(1))
    assert bench.bars(early).records == []
