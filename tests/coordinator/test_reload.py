"""An edited configuration is taken up while a session trades; who is not meant does not notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.codec import decode, encode
from coordinator.core.controls import Controls
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.lane import StrategySpec
from coordinator.core.live_view import live_view
from coordinator.core.mending import mended
from coordinator.core.opening import SessionName, open_session
from coordinator.core.orders import OrderStatus
from coordinator.core.reload import Reload, Removal, refusals, sentences
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.setup import Setup
from coordinator.core.statement import statement
from coordinator.core.values import UNASSIGNED, Bar, Denial, Reason, Side
from coordinator.shell.agreement import settle_orders
from tests.coordinator.bench import (
    CLOSE,
    DAY,
    OPEN,
    STOCKS,
    Bench,
    D,
    asset,
    bar,
    order_id,
    report,
    spec,
)

BUY, SELL = Side.BUY, Side.SELL
HALF = {"max_position_size": "0.5"}
A = spec("A", {("SPY", 0): 1, ("SPY", 3): 1, ("SPY", 9): -1}, **HALF)
B = spec("B", {("SPY", 1): 1, ("SPY", 5): 1, ("SPY", 7): -1}, **HALF)
C = spec("C", {("QQQ", 5): 1, ("QQQ", 8): -1}, **HALF)
KEEP, SELL_IT = Removal.DORMANT, Removal.FLATTEN


def setup(*specs: StrategySpec, **changes: object) -> Setup:
    whole = Setup("bench", "paper", "iex", "hash", tuple(specs), Controls(), False, CRYPTO_FEE_RATE)
    return replace(whole, **changes)  # type: ignore[arg-type]


def reload(
    bench: Bench,
    *specs: StrategySpec,
    removal: Removal = KEEP,
    history: Sequence[Bar] = (),
    so_far: Sequence[Bar] = (),
    **changes: object,
) -> m.Answer:
    """The session goes on with these strategies."""
    tickers = {t for one in specs for t in one.tickers}
    asked = Reload(
        bench.now,
        "daniel",
        setup(*specs, config_hash="newer", **changes),
        removal,
        {ticker: asset(ticker) for ticker in tickers},
        {t: tuple(b for b in history if b.symbol == t) for t in tickers},
        {t: tuple(b for b in so_far if b.symbol == t) for t in tickers},
    )
    answer = bench.handle(asked).answer
    assert answer is not None, "whoever asks is answered"
    return answer


def again(records: Sequence[r.Record]) -> Books:
    """The books that the journal gives, through its text."""
    books = Books()
    books.apply_all([decode(*encode(record)) for record in records])
    return books


def figures(books: Books) -> tuple[object, ...]:
    """What books are, to be compared."""
    ledger = {name: repr(account) for name, account in books.ledger.accounts.items()}
    orders = [repr(order) for order in books.orders]
    return ledger, orders, books.days, books.sequences, books.given_up, books.session


def holding() -> Bench:
    """A has bought 50 SPY at 100."""
    bench = Bench(A)
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    return bench


def test_a_strategy_that_is_added_has_its_cash_and_trades_from_the_next_bar() -> None:
    bench = holding()
    assert reload(bench, A, B).done
    assert bench.books.ledger["B"].cash == D(10000)
    bench.minute(1, {"SPY": "100"})
    assert [s[:3] for s in bench.sent()] == [("A", "SPY", BUY), ("B", "SPY", BUY)]
    assert figures(again(bench.records)) == figures(bench.books)
    assert {s["strategy"] for s in statement(bench.records)["strategies"]} >= {"A", "B"}
    assert statement(bench.records)["sessions"][0]["config_hash"] == "newer"


def test_who_is_not_meant_does_the_same_to_the_last_byte_as_without_the_reload() -> None:
    def play(*, reloads: bool) -> list[r.Record]:
        bench = Bench(A, B)
        for minute in range(12):
            bench.minute(minute, {"SPY": "100", "QQQ": "50"})
            for order in list(bench.books.orders.open()):
                bench.fill(order, "100")
            if reloads and minute == 2:
                assert reload(bench, A, B, C).done
            if reloads and minute == 6:
                assert reload(bench, A, B).done
        return [x for x in bench.records if getattr(x, "strategy", "") in ("A", "B")]

    assert play(reloads=True) == play(reloads=False)


def test_a_wish_that_was_denied_once_is_not_denied_anew_after_a_reload() -> None:
    bench = Bench(spec("A", {("SPY", n): 1 for n in range(4)}, max_daily_trades=0))
    for minute in range(4):
        bench.minute(minute, {"SPY": "100"})
        if minute == 1:
            reload(bench, *bench.specs, B)
    assert [d for d in bench.denials() if d[0] == "A"] == [("A", "max_daily_trades")]


def test_new_limits_hold_from_the_next_bar_on_and_nothing_else_changes() -> None:
    bench = holding()
    tighter = replace(A, limits=replace(A.limits, stop_loss_pct=D("0.02")))
    lane = bench.engine.lanes.lane(A, "SPY")
    assert reload(bench, tighter).done
    assert bench.engine.lanes.lane(tighter, "SPY") is lane
    bench.minute(1, {"SPY": "97"})
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(50))]
    assert [type(x) for x in bench.records if x.at > OPEN].count(r.SessionOpened) == 0


def test_an_edited_initial_cash_is_a_transfer_and_no_profit() -> None:
    bench = holding()
    assert reload(bench, replace(A, initial_cash=D(12000))).done
    assert bench.books.ledger["A"].cash == D(7000)
    assert bench.books.day_pnl("A") == 0
    assert bench.gains()["A"] == 0


def test_of_a_lowered_initial_cash_only_what_is_free_moves_and_the_rest_once_it_is_sold() -> None:
    says = {("SPY", 0): 1, ("SPY", 3): -1}
    rich, poor = spec("A", says, **HALF), spec("A", says, cash="4000", **HALF)
    bench = Bench(rich, cash="10000")
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    told = reload(bench, poor)
    assert told.done
    assert "$1,000.00 of cash cannot move from A yet (initial_cash 4000)" in told.said
    assert cash_of(bench) == {"A": 0, UNASSIGNED: 5000}
    refused = reload(bench, poor, replace(B, initial_cash=D(6000)))
    assert "capital does not fit: the strategies need $6,000.00 (B $6,000.00;" in refused.said
    assert "$1,000.00 of cash cannot move from A yet" in refused.said
    assert reload(bench, poor, replace(B, initial_cash=D(5000))).done
    bench.minute(3, {"SPY": "100"})
    bench.fill(bench.order("A", 2), "100")
    assert "cannot move" not in reload(bench, poor).said
    assert cash_of(bench) == {"A": 4000, "B": 5000, UNASSIGNED: 1000}
    assert figures(again(bench.records)) == figures(bench.books)


def cash_of(bench: Bench) -> dict[str, Decimal]:
    return {name: account.cash for name, account in bench.books.ledger.accounts.items()}


def test_what_an_open_order_may_cost_is_not_free_to_move() -> None:
    bench = Bench(A)
    bench.minute(0, {"SPY": "100"})
    assert reload(bench, replace(A, initial_cash=D(100))).done
    bench.fill(bench.order("A"), "101")
    assert cash_of(bench)["A"] == 0


def test_cash_that_a_reload_takes_is_not_spent_in_the_rest_of_its_minute() -> None:
    both = spec("A", {("SPY", 1): 1}, tickers=("QQQ", "SPY"))
    bench = Bench(both)
    bench.minute(1, {"QQQ": "50"})
    assert reload(bench, replace(both, initial_cash=D(4000))).done
    bench.minute(1, {"SPY": "100"})
    assert bench.sent() == [("A", "SPY", BUY, D("39.6039"))]


@pytest.mark.parametrize("cash", [12000, 9000])
def test_a_transfer_within_a_minute_is_neither_a_loss_of_the_day_nor_hides_one(cash: int) -> None:
    both = spec("A", {("QQQ", 0): 1}, tickers=("QQQ", "SPY"), max_daily_loss=500)
    for close, stops in (("96", False), ("94", True)):
        bench = Bench(both)
        bench.minute(0, {"QQQ": "50", "SPY": "100"})
        bench.fill(bench.order("A"), "50")
        bench.minute(1, {"SPY": "100"})
        assert reload(bench, replace(both, initial_cash=D(cash))).done
        bench.minute(1, {"QQQ": f"{D(close) / 2}"})
        assert bool(bench.of(r.EntriesStopped)) is stops


def test_a_strategy_that_moves_here_today_begins_at_the_last_price_seen_and_its_day_goes_on() -> (
    None
):
    theirs, bench = Bench(A), Bench(C)
    theirs.minute(0, {"SPY": "100"})
    theirs.fill(theirs.order("A"))
    theirs.minute(1, {"SPY": "90"})
    for record in theirs.records:
        bench.books.apply_foreign(record)
    assert reload(bench, A, C).done
    assert bench.books.day_pnl("A") == theirs.books.day_pnl("A") == -500
    days = {day["strategy"]: day for day in statement(bench.records)["pnl_daily"]}
    assert days["A"]["start_equity"] == days["A"]["end_equity"] == 9500


def test_more_capital_than_nobody_owns_is_refused_and_nothing_has_changed() -> None:
    bench = holding()
    before, count = figures(bench.books), len(bench.records)
    answer = reload(bench, A, replace(B, initial_cash=D(95000)))
    assert not answer.done
    assert "capital does not fit" in answer.said
    assert figures(bench.books) == before
    assert len(bench.records) == count
    bench.minute(1, {"SPY": "100"})
    assert len(bench.sent()) == 1


def bars_of(ticker: str, minutes: range) -> list[Bar]:
    return [bar(ticker, minute, "50") for minute in minutes]


def test_a_new_ticker_begins_with_its_history_and_the_session_so_far_and_they_are_kept() -> None:
    bench = holding()
    bench.minute(4, {"SPY": "100"})
    history, so_far = bars_of("QQQ", range(-20, 0)), bars_of("QQQ", range(4))
    assert reload(bench, A, replace(C, min_warmup_bars=24), history=history, so_far=so_far).done
    assert bench.engine.lanes.bars_seen("QQQ") == 24
    seen = [x for x in bench.records if isinstance(x, r.HistorySeen)]
    assert [len(x.bars) for x in seen] == [24]
    bench.minute(5, {"SPY": "100", "QQQ": "50"})
    assert bench.sent()[-1][:3] == ("C", "QQQ", BUY)
    assert figures(again(bench.records)) == figures(bench.books)


@pytest.mark.parametrize("removal", list(Removal))
def test_a_strategy_that_is_removed_trades_no_more_and_holds_or_sells_what_it_has(
    removal: Removal,
) -> None:
    bench = holding()
    reload(bench, A, B)
    reload(bench, B, removal=removal)
    bench.minute(3, {"SPY": "100"})
    bench.minute(9, {"SPY": "100"})
    sold = [s for s in bench.sent() if s[0] == "A" and s[2] is SELL]
    assert sold == ([("A", "SPY", SELL, D(50))] if removal is SELL_IT else [])
    assert figures(again(bench.records)) == figures(bench.books)
    assert "A" in {row["strategy"] for row in statement(bench.records)["pnl_daily"]}


def test_a_strategy_that_is_removed_is_shown_as_dormant_for_as_long_as_it_is() -> None:
    bench = holding()
    reload(bench, A, B)
    shown = []
    for specs in ((A, B), (B,), (A, B)):
        reload(bench, *specs)
        live = live_view(bench.books, bench.engine.specs, bench.plan, bench.now, {}, frozenset())
        shown.append({one.name: one.halted for one in live.strategies})
    assert shown == [{"A": "", "B": ""}, {"A": "dormant", "B": ""}, {"A": "", "B": ""}]


@pytest.mark.parametrize("removal", list(Removal))
def test_what_a_removed_strategys_cancelled_order_has_filled_is_kept_or_sold_as_chosen(
    removal: Removal,
) -> None:
    bench = Bench(A)
    bench.minute(0, {"SPY": "100"})
    order = bench.order("A")
    bench.update(order, OrderStatus.NEW)
    bench.fill(order, "100", "20")
    reload(bench, B, removal=removal)
    asked = [c for c in bench.commands if isinstance(c, m.CancelOrder)]
    assert [c.client_order_id for c in asked] == [order.client_order_id]
    bench.handle(m.ClockRead(bench.now))
    again_asked = [c for c in bench.commands if isinstance(c, m.CancelOrder)]
    assert len(again_asked) > len(asked), "a request for an end can be lost"
    bench.update(order, OrderStatus.CANCELED, "20")
    bench.handle(m.ClockRead(bench.now + timedelta(seconds=15)))
    sold = [s for s in bench.sent() if s[2] is SELL]
    assert sold == ([("A", "SPY", SELL, D(20))] if removal is SELL_IT else [])


@pytest.mark.parametrize("removal", list(Removal))
def test_a_removed_strategys_open_sale_goes_on_only_if_all_it_holds_is_to_be_sold(
    removal: Removal,
) -> None:
    bench = holding()
    bench.minute(9, {"SPY": "100"})
    sale = bench.order("A", 2)
    assert sale.side is SELL
    bench.update(sale, OrderStatus.NEW)
    reload(bench, B, removal=removal)
    asked = [c.client_order_id for c in bench.commands if isinstance(c, m.CancelOrder)]
    assert asked == ([] if removal is SELL_IT else [sale.client_order_id])


def test_what_waits_of_a_removed_strategy_is_never_sent() -> None:
    bench = holding()
    reload(bench, A, spec("D", {("SPY", 9): 1}, **HALF))
    bench.minute(9, {"SPY": "100"})
    assert bench.order("D").status is OrderStatus.WAITING, "for A's sale to end"
    reload(bench, A)
    bench.fill(bench.order("A", 2), "100")
    moves = [x for x in bench.records if isinstance(x, r.OrderMoved) and x.reason]
    assert [(x.client_order_id, x.status, x.reason) for x in moves] == [
        (bench.order("D").client_order_id, OrderStatus.DENIED, Denial.WITHDRAWN)
    ]
    assert [s for s in bench.sent() if s[0] == "D"] == []


def test_a_strategy_that_comes_back_trades_and_is_not_sold_any_more() -> None:
    bench = holding()
    reload(bench, B, removal=SELL_IT)
    bench.fill(bench.order("A", 2), "100")
    reload(bench, A, B)
    assert bench.books.given_up == {}
    bench.minute(3, {"SPY": "100"})
    assert bench.sent()[-1][:3] == ("A", "SPY", BUY)
    bench.fill(bench.order("A", 3), "100")
    bench.handle(m.ClockRead(bench.now))
    assert bench.position("A", "SPY") == D(50)


@pytest.mark.parametrize("removal", list(Removal))
def test_a_strategy_with_other_tickers_keeps_its_book_and_gives_up_the_rest(
    removal: Removal,
) -> None:
    bench = holding()
    other = spec("A", {("QQQ", 5): 1}, **HALF)
    assert reload(bench, other, removal=removal).done
    bench.minute(5, {"SPY": "100", "QQQ": "50"})
    sold = [s[:3] for s in bench.sent()[1:] if s[2] is SELL]
    assert sold == ([("A", "SPY", SELL)] if removal is SELL_IT else [])
    assert bench.sent()[-1][:3] == ("A", "QQQ", BUY)
    [row] = [x for x in statement(bench.records)["strategies"] if x["strategy"] == "A"]
    assert row["tickers"] == ["QQQ"]


def test_a_restart_with_the_old_file_or_the_new_one_finds_the_same_books() -> None:
    bench = holding()
    reload(bench, A, B)
    for specs, config_hash in (((A,), "hash"), ((A, B), "newer")):
        books = again(bench.records)
        restarted = Bench(*specs, books=books, config_hash=config_hash)
        changes = [] if config_hash == "newer" else [r.Reconfigured]
        assert [type(x) for x in restarted.records] == [r.SessionResumed, *changes]
        assert figures(books)[:2] == figures(bench.books)[:2]


def failed_at_minute_one(**limits: str | int) -> Bench:
    """A strategy whose first code raises at the second bar."""
    said = {("SPY", 0): 1, ("SPY", 2): 1, ("SPY", 3): 1}
    broken = spec("A", said, raises_at=1, max_position_size="0.5", **limits)
    bench = Bench(replace(broken, code="first"))
    for minute in range(3):
        bench.minute(minute, {"SPY": "100"})
    return bench


def stop_of(books: Books) -> str:
    return books.days["A"].stopped.partition(":")[0]


REPAIRED = replace(spec("A", {("SPY", 3): 1}, **HALF), code="second")
OTHERWISE = replace(REPAIRED, code="first", params={"n": 2})
LIMITED = replace(failed_at_minute_one().specs[0], limits=replace(A.limits, max_daily_trades=9))
MENDED = [(REPAIRED, True), (OTHERWISE, True), (LIMITED, False)]


@pytest.mark.parametrize(
    ("edited", "trades"), MENDED, ids=["other code", "other parameters", "other limits"]
)
def test_a_strategy_that_failed_trades_again_once_its_code_or_its_rule_is_another(
    edited: StrategySpec, trades: bool
) -> None:
    bench = failed_at_minute_one()
    assert stop_of(bench.books) == "fault"
    bench.update(bench.order("A"), OrderStatus.CANCELED)
    assert mended(bench.books, [edited]) == (["A"] if trades else [])
    assert reload(bench, edited).done
    assert stop_of(bench.books) == ("" if trades else "fault")
    bench.minute(3, {"SPY": "100"})
    assert len(bench.sent()) == (2 if trades else 1)
    assert figures(again(bench.records)) == figures(bench.books)
    [fault] = statement(bench.records)["faults"]
    assert fault["reason"].startswith("RuntimeError at bar SPY"), "that it failed stays true"


def test_one_that_failed_and_was_taken_out_trades_again_as_something_else_only() -> None:
    for comes_back, stop in ((failed_at_minute_one().specs[0], "fault"), (REPAIRED, "")):
        bench = failed_at_minute_one()
        reload(bench, B)
        reload(bench, B, comes_back)
        assert stop_of(bench.books) == stop


def test_parameters_that_a_journal_gives_back_are_those_that_were_configured() -> None:
    exact = replace(failed_at_minute_one().specs[0], params={"share": D("0.50"), "of": (1, 2)})
    bench = Bench(exact)
    bench.minute(1, {"SPY": "100"})
    assert stop_of(bench.books) == "fault"
    assert mended(again(bench.records), [exact]) == []


def test_a_repaired_strategy_that_fails_again_is_stopped_again() -> None:
    bench = failed_at_minute_one()
    reload(bench, replace(spec("A", {}, tickers=("SPY",), raises_at=3), code="second"))
    bench.minute(3, {"SPY": "100"})
    assert stop_of(bench.books) == "fault"


@pytest.mark.parametrize("stop", ["max_daily_loss", "max_orders_per_minute"])
def test_no_other_stop_is_lifted_by_new_code(stop: str) -> None:
    bench = Bench(replace(A, code="first"))
    bench.books.apply(r.EntriesStopped(bench.now, "A", stop))
    assert reload(bench, replace(A, code="second")).done
    assert stop_of(bench.books) == stop


def test_a_repaired_strategy_keeps_to_its_daily_loss() -> None:
    bench = failed_at_minute_one(max_daily_loss=100)
    bench.fill(bench.order("A"), "100")
    reload(bench, replace(REPAIRED, limits=bench.specs[0].limits))
    bench.minute(3, {"SPY": "97"})
    assert stop_of(bench.books) == "max_daily_loss"


@pytest.mark.parametrize(
    ("edited", "trades"), MENDED, ids=["other code", "other parameters", "other limits"]
)
def test_a_strategy_that_failed_trades_again_after_a_restart_as_after_a_reload(
    edited: StrategySpec, trades: bool
) -> None:
    bench = failed_at_minute_one()
    restarted = Bench(edited, books=again(bench.records), config_hash="newer")
    restarted.update(restarted.order("A"), OrderStatus.CANCELED)
    restarted.minute(3, {"SPY": "100"})
    assert stop_of(restarted.books) == ("" if trades else "fault")
    assert len(restarted.sent()) == trades
    assert figures(again([*bench.records, *restarted.records])) == figures(restarted.books)


def test_a_restart_with_what_failed_still_opens_nothing() -> None:
    bench = failed_at_minute_one()
    restarted = Bench(*bench.specs, books=again(bench.records))
    assert [type(x) for x in restarted.records] == [r.SessionResumed]
    assert stop_of(restarted.books) == "fault"


def test_what_is_still_to_be_sold_is_sold_after_a_restart() -> None:
    bench = holding()
    bench.now = bench.now.replace(hour=3)  # the market is closed by then
    reload(bench, B, removal=SELL_IT)
    assert [s for s in bench.sent() if s[2] is SELL] == []
    restarted = Bench(B, books=again(bench.records), assets={"SPY": asset("SPY")})
    restarted.now = OPEN + timedelta(minutes=3)
    restarted.handle(m.ClockRead(restarted.now))
    assert restarted.sent() == [("A", "SPY", SELL, D(50))]


def test_what_a_strategy_that_came_back_on_another_day_holds_is_not_sold_when_it_leaves_again() -> (
    None
):
    a_day = timedelta(days=1)
    bench = holding()
    reload(bench, B, removal=SELL_IT)
    bench.fill(bench.order("A", 2), "100")
    back = Bench(A, B, books=again(bench.records), plan=days_later(1))
    back.handle(m.ClockRead(OPEN + a_day))
    bought = r.OrderIntended(
        OPEN + a_day, "A.back.1", "A", "SPY", BUY, D(10), D(100), Reason.SIGNAL, True
    )
    back.books.apply_all([bought])
    back.records.append(bought)
    back.fill(back.books.order("A.back.1"), "100")
    records = [*bench.records, *back.records]
    gone = Bench(B, books=again(records), plan=days_later(2), assets={"SPY": asset("SPY")})
    outcome = gone.handle(m.ClockRead(OPEN + 2 * a_day))
    assert (outcome.commands, gone.position("A", "SPY")) == ([], D(10))


def days_later(days: int) -> SessionPlan:
    day, later = DAY + timedelta(days), timedelta(days)
    return SessionPlan(day, Hours(day, OPEN + later, CLOSE + later), None, CLOSE + later)


@pytest.mark.parametrize("is_known", [True, False], ids=["at the broker", "never sent"])
def test_an_order_of_a_removed_strategy_is_still_to_be_cancelled_after_a_restart(
    is_known: bool,
) -> None:
    bench = Bench(A)
    bench.minute(0, {"SPY": "100"})
    reload(bench, B)
    books = again(bench.records)
    stands = report(bench.order("A"), OrderStatus.NEW, "0", bench.now)
    known = {stands.client_order_id: [stands]} if is_known else {}
    _, unsent = settle_orders(books, {"SPY": asset("SPY")}, known, bench.now)
    restarted = Bench(B, books=books, config_hash="newer")
    outcome = restarted.engine.resume(unsent, restarted.now)
    broker_id = stands.broker_order_id if is_known else ""
    assert outcome.commands == [m.CancelOrder(order_id("A"), broker_id)]


@pytest.mark.parametrize("days", [0, 1], ids=["the same day", "the next day"])
@pytest.mark.parametrize(
    ("edited", "cancelled"),
    [((B,), True), ((spec("A", {("QQQ", 5): 1}, **HALF),), True), ((A, B), False), ((), False)],
    ids=["removed", "other tickers", "still traded", "a session that only sells"],
)
def test_a_start_cancels_the_orders_of_what_was_taken_out_of_the_file_while_nobody_ran(
    edited: tuple[StrategySpec, ...], cancelled: bool, days: int
) -> None:
    bench = Bench(A)
    bench.minute(0, {"SPY": "100"})
    bench.update(bench.order("A"), OrderStatus.NEW)
    books, plan = again(bench.records), days_later(days)
    started = Bench(
        *edited, books=books, plan=plan, config_hash="newer", assets={"SPY": asset("SPY")}
    )
    outcome = started.engine.resume([], started.now)
    broker_id = bench.order("A").broker_order_id
    assert outcome.commands == [m.CancelOrder(order_id("A"), broker_id)] * cancelled


def test_a_start_leaves_the_orders_of_who_runs_elsewhere_by_now_to_them() -> None:
    bench = Bench(A)
    bench.minute(0, {"SPY": "100"})
    bench.update(bench.order("A"), OrderStatus.NEW)
    books, other = again(bench.records), again(bench.records)
    name = SessionName("other's", "other", "PA1", "simulated", "iex", "hash")
    for record in open_session(other, [A], STOCKS, name, bench.now):
        books.apply_foreign(record)
    started = Bench(B, books=books, config_hash="newer", assets={"SPY": asset("SPY")})
    assert started.engine.resume([], started.now).commands == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"coordinator": "other"}, "its name is other, and the session runs with bench"),
        ({"mode": "live"}, "its mode is live"),
        ({"feed": "sip"}, "its feed is sip"),
        ({"crypto_fee_rate": D("0.01")}, "its crypto_fee_rate is 0.01"),
        ({"specs": ()}, "no strategy that is enabled"),
        ({"specs": (spec("K", {("BTC/USD", 1): 1}),)}, "it trades crypto, and the session stocks"),
    ],
)
def test_what_a_session_is_known_by_cannot_be_changed(
    changes: dict[str, object], said: str
) -> None:
    [refusal] = refusals(setup(A), replace(setup(A), **changes))  # type: ignore[arg-type]
    assert said in refusal


def test_the_difference_is_told_a_line_for_each_thing() -> None:
    tighter = replace(A, limits=replace(A.limits, max_daily_trades=3), initial_cash=D(9000))
    assert sentences(
        setup(A, B), setup(tighter, C, controls=Controls(max_order_qty=D(5))), KEEP
    ) == [
        "+ C: says on QQQ, begins with $10,000.00, unless it has a book already",
        "- B: runs no more; its open orders are cancelled, and it keeps what it holds",
        "~ A: $1,000.00 of cash moves from it, as far as it is free (initial_cash 9000);"
        " max_daily_trades none -> 3",
        "~ controls: max_order_qty none -> 5",
        "+ bars of QQQ",
    ]
    assert sentences(setup(A), setup(A), KEEP) == []
