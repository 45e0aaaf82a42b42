"""A kill ends every buy, sells what every strategy holds while it trades, and lets nothing in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.engine import Engine
from coordinator.core.flat import sellable
from coordinator.core.orders import OrderStatus
from coordinator.core.reconcile import LOOKS
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import MINUTE, UNASSIGNED, Side
from tests.coordinator.bench import (
    CLOSE,
    DAY,
    MIDNIGHT,
    OPEN,
    PLAN,
    STOCKS,
    Bench,
    D,
    StrategySpec,
    asset,
    order_id,
    report,
    spec,
)
from tests.coordinator.test_adoption import carry_out, plan, shares
from tests.coordinator.test_reload import reload

BUY, SELL = Side.BUY, Side.SELL
HALF = {"max_position_size": "0.5"}
CRYPTO = SessionPlan(DAY, None, OPEN.replace(hour=0, minute=0), MIDNIGHT)
BOTH = {"SPY": asset("SPY"), "BTC/USD": asset("BTC/USD")}


def kill(bench: Bench, later_s: float = 1) -> m.Outcome:
    """Another process writes a kill, and the session hears of it."""
    bench.now += timedelta(seconds=later_s)
    bench.books.apply_foreign(r.Killed(bench.now, "an operator"))
    return clock(bench, 0)


def clock(bench: Bench, later_s: float = 15) -> m.Outcome:
    """The clock is read again, as it is every 15 seconds."""
    bench.now += timedelta(seconds=later_s)
    return bench.handle(m.ClockRead(bench.now))


def holding(*names: str, ticker: str = "SPY") -> Bench:
    """Strategies that bought 50 each at 100 in the first minute; the human has 7 of his own."""
    bench = Bench(
        *(spec(name, {(ticker, 0): 1, (ticker, 3): 1, (ticker, 9): -1}, **HALF) for name in names),
        holdings=[r.Holding(ticker, D(7), D(700))],
    )
    bench.minute(0, {ticker: "100"})
    for name in names:
        bench.fill(bench.order(name), "100")
    return bench


def again(bench: Bench, *specs: StrategySpec, plan: SessionPlan = PLAN) -> Bench:
    """The same account in a new process, with these strategies."""
    fresh = Bench(*specs, books=bench.books, plan=plan, assets=BOTH)
    fresh.now = max(bench.now, fresh.now)
    return fresh


# --- what is held


def test_what_every_strategy_holds_is_sold_and_what_no_strategy_owns_is_left_alone() -> None:
    bench = holding("A", "B")
    kill(bench)
    assert bench.sent()[2:] == [("A", "SPY", SELL, D(50)), ("B", "SPY", SELL, D(50))]
    for name in "AB":
        bench.fill(bench.order(name, 2), "99")
        assert bench.position(name, "SPY") == 0
    assert bench.position(UNASSIGNED, "SPY") == 7


def with_imported_shares() -> Bench:
    """Alpha, on SPY, is given 10 QQQ of which its session does not know the order rules."""
    bench = Bench(spec("Alpha", {("SPY", 9): 1}), holdings=[r.Holding("QQQ", D(10), D(900))])
    carry_out(bench, plan(shares("Alpha", "QQQ", "10")))
    return bench


def with_a_strategy_that_moved_here() -> Bench:
    """Alpha, on SPY by now, comes by a reload with 10 QQQ of when another coordinator ran it."""
    theirs = Bench(
        spec("Alpha", {("QQQ", 0): 1}, cash="1000", max_position_size="1"),
        holdings=[r.Holding("SPY", D(7), D(700))],
    )
    theirs.minute(0, {"QQQ": "99"})
    theirs.fill(theirs.order("Alpha"), "99")
    own = spec("Beta", {("SPY", 9): 1})
    bench = Bench(own)
    for record in theirs.records:
        bench.books.apply_foreign(record)
    assert reload(bench, own, spec("Alpha", {("SPY", 9): 1}, cash="1000")).done
    return bench


@pytest.mark.parametrize("came", [with_imported_shares, with_a_strategy_that_moved_here])
@pytest.mark.parametrize("known_before", [True, False])
def test_what_came_on_a_ticker_the_session_did_not_know_is_sold_once_its_order_rules_are_read(
    came: Callable[[], Bench], *, known_before: bool
) -> None:
    bench = came()
    bench.minute(1, {"SPY": "100"})
    held = bench.position("Alpha", "QQQ")
    assert held > 9
    assert bench.engine.without_rules() == ["QQQ"]
    if not known_before:
        kill(bench)
        assert bench.sent() == [], "in what steps it can be sold is not known yet"
    bench.handle(m.AssetRead(bench.now, asset("QQQ")))
    if known_before:
        assert bench.sent() == [], "nobody wants out"
        kill(bench)
    assert bench.engine.without_rules() == []
    assert bench.sent() == [("Alpha", "QQQ", SELL, held)]


def test_nothing_is_sold_twice_however_often_the_clock_is_read_or_the_kill_repeated() -> None:
    bench = holding("A")
    kill(bench)
    clock(bench)
    kill(bench)
    clock(bench)
    assert [s for s in bench.sent() if s[2] is SELL] == [("A", "SPY", SELL, D(50))]


def test_nothing_is_bought_until_the_revival_and_then_it_is_again() -> None:
    bench = holding("A")
    kill(bench)
    bench.fill(bench.order("A", 2), "100")
    bench.minute(3, {"SPY": "100"})
    assert bench.denials() == [("A", "killed")]
    bench.books.apply_foreign(r.Revived(bench.now, "an operator"))
    bench.handle(m.ClockRead(bench.now))
    fresh = again(bench, spec("A", {("SPY", 5): 1}))
    fresh.minute(5, {"SPY": "100"})
    assert [s[:3] for s in fresh.sent()] == [("A", "SPY", BUY)]


def test_a_strategy_that_is_selling_already_does_not_sell_again() -> None:
    bench = holding("A")
    bench.minute(9, {"SPY": "100"})
    assert len(bench.sent()) == 2
    kill(bench)
    clock(bench)
    assert len(bench.sent()) == 2


def test_what_the_broker_refuses_to_sell_is_tried_again_a_minute_later() -> None:
    bench = holding("A")
    kill(bench)
    bench.handle(m.SubmitRefused(order_id("A", 2), bench.now, "halted"))
    for _ in range(3):
        clock(bench)
    assert len(bench.sent()) == 2
    clock(bench, 20)
    assert bench.sent()[2] == ("A", "SPY", SELL, D(50))


def test_no_more_is_sold_than_the_account_holds() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, **HALF))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    by_hand = m.Execution("h1", D(20), D(100), D(20), bench.now)
    bench.handle(
        m.OrderUpdate("by-hand", "b9", "SPY", SELL, OrderStatus.FILLED, D(20), D(20), D(100),
                      bench.now, execution=by_hand)
    )  # fmt: skip
    kill(bench)
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(30))]


@pytest.mark.parametrize(
    ("missing", "sold"),
    [
        (0, ["50", "50"]),
        (20, ["50", "30"]),
        (50, ["50"]),
        (80, ["20"]),
        (120, []),
        (-9, ["50", "50"]),
    ],
)
def test_what_is_missing_from_the_account_is_not_sold(missing: int, sold: list[str]) -> None:
    bench = Bench(*(spec(name, {("SPY", 0): 1}, **HALF) for name in "AB"))
    bench.minute(0, {"SPY": "100"})
    for name in "AB":
        bench.fill(bench.order(name), "100")
    for _ in range(LOOKS):
        bench.look(None, {"SPY": str(100 - missing)})
    kill(bench)
    for command in [c for c in bench.commands if isinstance(c, m.SubmitOrder)][2:]:
        bench.fill(bench.books.order(command.client_order_id), "100")
    clock(bench)
    assert [s[3] for s in bench.sent()[2:]] == [D(qty) for qty in sold]
    assert sellable(bench.books, BOTH) == [], "it is flat: of what is left nothing can be sold"
    assert sellable(bench.books, {}) == [], "nor could it, whatever the smallest quantity were"


def test_dust_that_cannot_be_ordered_stays() -> None:
    bench = holding("A", ticker="BTC/USD")
    bench.fill(bench.order("A"), "100", "1")  # nothing is left of it to fill: a duplicate
    kill(bench)
    bench.fill(bench.order("A", 2), "100")
    left = bench.position("A", "BTC/USD")
    clock(bench)
    assert left < D("0.0001")
    assert len(bench.sent()) == 2


# --- orders that are open


def test_what_is_delisted_keeps_no_account_killed() -> None:
    bench = holding("A")
    traded = {"SPY": asset("SPY")}
    assert [h.symbol for h in sellable(bench.books, traded)] == ["SPY"]
    assert sellable(bench.books, {"SPY": replace(traded["SPY"], tradable=False)}) == []


def test_an_open_buy_is_cancelled_and_what_it_filled_is_sold_at_its_end() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, **HALF))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100", "20")
    outcome = kill(bench)
    assert [type(c) for c in outcome.commands] == [m.CancelOrder]
    bench.update(bench.order("A"), OrderStatus.CANCELED, "20")
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(20))]


def test_a_fill_that_comes_after_the_cancel_and_after_the_sale_is_sold_too() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, **HALF))
    bench.minute(0, {"SPY": "100"})
    kill(bench)
    bench.update(bench.order("A"), OrderStatus.CANCELED)
    assert len(bench.sent()) == 1, "nothing had filled"
    bench.fill(bench.order("A"), "100", "5")
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(5))]
    bench.fill(bench.order("A", 2), "100")
    assert bench.position("A", "SPY") == 0
    late = m.Execution("late", D(3), D(100), D(8), bench.now)
    bench.update(bench.order("A"), OrderStatus.CANCELED, "8", execution=late)
    assert bench.sent()[2:] == [("A", "SPY", SELL, D(3))]


def test_a_buy_of_unknown_fate_is_cancelled_by_its_own_id_and_sold_once_it_shows() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, **HALF))
    bench.minute(0, {"SPY": "100"})
    bench.handle(m.SubmitUnclear(order_id("A"), bench.now, "time-out"))
    outcome = kill(bench)
    assert outcome.commands == [m.CancelOrder(order_id("A"), "")]
    bench.fill(bench.order("A"), "100")
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(50))]


def test_a_sale_of_unknown_fate_is_not_repeated_until_it_is_known() -> None:
    bench = holding("A")
    kill(bench)
    bench.handle(m.SubmitUnclear(order_id("A", 2), bench.now, "time-out"))
    clock(bench)
    assert len(bench.sent()) == 2
    bench.handle(m.OrderAbsent(order_id("A", 2), bench.now))
    clock(bench)
    assert bench.sent()[2] == ("A", "SPY", SELL, D(50))


def test_a_sale_that_waits_for_an_opposite_buy_goes_out_when_the_kill_has_ended_that_buy() -> None:
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, **HALF), spec("B", {("SPY", 0): 1}, **HALF)
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    bench.minute(1, {"SPY": "100"})
    assert bench.order("A", 2).status is OrderStatus.WAITING, "B's buy stands at the broker"
    kill(bench)
    bench.update(bench.order("B"), OrderStatus.CANCELED)
    assert bench.sent()[2:] == [("A", "SPY", SELL, D(50))]


def test_a_buy_that_waits_for_its_turn_never_goes_out() -> None:
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, **HALF), spec("B", {("SPY", 1): 1}, **HALF)
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    bench.minute(1, {"SPY": "100"})
    assert bench.order("B").status is OrderStatus.WAITING
    bench.books.apply_foreign(r.Killed(bench.now, "an operator"))
    bench.fill(bench.order("A", 2), "100")  # its turn comes before the clock is read
    assert bench.order("B").status is OrderStatus.DENIED
    assert [s for s in bench.sent() if s[2] is BUY] == [("A", "SPY", BUY, D(50))]


# --- markets that are closed


@pytest.mark.parametrize("at", [CLOSE, CLOSE + timedelta(hours=2)], ids=["at", "after"])
def test_after_the_close_coins_are_sold_and_stocks_are_kept_for_the_open(at: datetime) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("BTC/USD", 0): 1}, max_position_size="0.3"))
    bench.minute(0, {"SPY": "100", "BTC/USD": "100"})
    for number in (1, 2):
        bench.fill(bench.order("A", number), "100")
    bench.now = at
    kill(bench, 0)
    assert [s[:3] for s in bench.sent()[2:]] == [("A", "BTC/USD", SELL)]
    assert bench.books.halts.killed


def test_the_next_session_sells_at_the_open_what_a_kill_after_the_close_could_not() -> None:
    bench = holding("A")
    bench.now = CLOSE + MINUTE
    kill(bench)
    tomorrow = Hours(DAY + timedelta(1), OPEN + timedelta(1), CLOSE + timedelta(1))
    plan = SessionPlan(tomorrow.date, tomorrow, None, tomorrow.close)
    fresh = again(bench, spec("A", {("SPY", 0): 1}, **HALF), plan=plan)
    clock(fresh)
    assert fresh.sent() == [], "it is not open yet"
    fresh.now = tomorrow.open
    clock(fresh, 0)
    assert fresh.sent() == [("A", "SPY", SELL, D(50))]


# --- strategies that are not run any more


def test_what_a_strategy_left_behind_is_sold_by_the_session_that_keeps_its_book() -> None:
    bench = holding("A", "B")
    fresh = again(bench, spec("B", {("SPY", 20): 1}, **HALF))
    kill(fresh)
    assert fresh.sent() == [("A", "SPY", SELL, D(50)), ("B", "SPY", SELL, D(50))]


@pytest.mark.parametrize(
    ("left", "runs", "plan", "at", "sold"),
    [
        ("BTC/USD", "SPY", STOCKS, OPEN, True),
        ("BTC/USD", "SPY", STOCKS, CLOSE, True),  # coins always trade
        ("SPY", "BTC/USD", CRYPTO, OPEN, True),
        ("SPY", "BTC/USD", CRYPTO, OPEN - MINUTE, False),  # the exchange does not
        ("SPY", "BTC/USD", CRYPTO, CLOSE, False),
        ("SPY", "BTC/USD", CRYPTO, OPEN + timedelta(1), True),
    ],
)
def test_it_is_sold_while_its_market_is_open_whatever_the_session_trades(
    left: str, runs: str, plan: SessionPlan, at: datetime, sold: bool
) -> None:
    fresh = again(holding("A", ticker=left), spec("B", {(runs, 20): 1}), plan=plan)
    days = [timedelta(0), timedelta(1)]
    hours = [Hours((OPEN + day).date(), OPEN + day, CLOSE + day) for day in days]
    fresh.engine = Engine(fresh.books, fresh.specs, BOTH, plan, hours=hours)
    fresh.now = at
    kill(fresh, 0)
    assert bool(fresh.sent()) is sold


def test_without_any_strategy_everything_is_sold_all_the_same() -> None:
    fresh = again(holding("A", "B"))
    kill(fresh)
    assert [s[0] for s in fresh.sent()] == ["A", "B"]


def test_another_coordinators_strategies_are_its_own_to_sell() -> None:
    bench = holding("A", "B")
    moved = [x for x in bench.records if isinstance(x, r.SessionOpened)][-1]
    fresh = again(bench, spec("C", {("SPY", 20): 1}))
    opened = r.SessionOpened(
        fresh.now, "elsewhere", "other", "PA1", "paper", "iex", DAY, "h",
        tuple(o for o in moved.openings if o.strategy == "B"), {}, (),
    )  # fmt: skip
    fresh.books.apply_foreign(opened)
    kill(fresh)
    assert [s[0] for s in fresh.sent()] == ["A"]


def test_a_ticker_that_the_broker_does_not_know_any_more_holds_nothing_else_up() -> None:
    bench = Bench(spec("A", {("GONE", 0): 1, ("SPY", 0): 1}, max_position_size="0.3"))
    bench.minute(0, {"GONE": "100", "SPY": "100"})
    bench.fill(bench.order("A", 1), "100", "5")
    bench.fill(bench.order("A", 2), "100")
    fresh = again(bench)
    kill(fresh)
    fresh.update(fresh.order("A", 1), OrderStatus.CANCELED, "5")
    clock(fresh)
    assert [s[:3] for s in fresh.sent()] == [("A", "SPY", SELL)]


# --- a restart in the middle


def test_a_restart_while_killed_sends_no_buy_that_had_not_left() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, **HALF))
    bench.minute(0, {"SPY": "100"})
    bench.books.apply_foreign(r.Killed(bench.now, "an operator"))
    outcome = bench.engine.resume([order_id("A")], bench.now)
    assert not any(isinstance(c, m.SubmitOrder) for c in outcome.commands)
    bench.fill(bench.order("A"), "100")  # it stood at the broker after all
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(50))]


def test_a_restart_while_killed_sends_again_the_sale_that_had_not_left() -> None:
    bench = holding("A")
    kill(bench)
    outcome = bench.engine.resume([order_id("A", 2)], bench.now)
    assert [c for c in outcome.commands if isinstance(c, m.SubmitOrder)] == [
        m.SubmitOrder(order_id("A", 2), "SPY", SELL, D(50), "day")
    ]


def test_after_a_restart_the_sale_that_is_under_way_is_not_made_again() -> None:
    bench = holding("A")
    kill(bench)
    bench.handle(report(bench.order("A", 2), OrderStatus.NEW, "0", bench.now))
    fresh = again(bench, spec("A", {("SPY", 20): 1}, **HALF))
    clock(fresh)
    assert fresh.sent() == []
