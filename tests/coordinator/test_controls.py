"""Pre-trade controls of the whole account: both sides of each boundary, and no exit held back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.codec import encode
from coordinator.core.controls import Controls
from coordinator.core.discrepancies import DiscrepancyKind, finding
from coordinator.core.lane import StrategySpec
from coordinator.core.orders import OrderStatus
from coordinator.core.values import MINUTE, UNASSIGNED, Denial, Reason, Side
from tests.coordinator.bench import (
    CLOSE,
    DAY,
    OPEN,
    STOCKS,
    Bench,
    D,
    bar,
    order_id,
    report,
    spec,
    stranger,
)

LAST = (CLOSE - OPEN) // MINUTE - 2
"""The last minute on whose bar anything is decided."""


def shares(qty: str) -> str:
    """The fraction of 10,000 dollars that so many shares at 100 dollars are."""
    return str(D(qty) / 100)


def wants(qty: str, *, name: str = "B", at: int = 1, ticker: str = "SPY") -> StrategySpec:
    """A strategy that wants so many shares at 100 dollars in one minute."""
    return spec(name, {(ticker, at): 1}, max_position_size=shares(qty))


def denied(bench: Bench, strategy: str = "B") -> list[str]:
    """Why a strategy's wishes were refused; each of them is recorded with its size."""
    for record in bench.of(r.EntryDenied):
        assert isinstance(record, r.EntryDenied)
        assert record.qty > 0
    return [reason for name, reason in bench.denials() if name == strategy]


@dataclass(frozen=True)
class Edge:
    """B's wish on this side of a boundary, and why it is refused; empty where it goes out."""

    qty: str
    reason: str


# each limit, and how many shares at 100 dollars B may and may not want
LIMITS: list[tuple[Controls, Edge]] = [
    (Controls(max_order_qty=D(50)), Edge("50", "")),
    (Controls(max_order_qty=D(50)), Edge("50.0001", "max_order_qty")),
    (Controls(max_order_notional=D(5000)), Edge("50", "")),
    (Controls(max_order_notional=D(5000)), Edge("50.0001", "max_order_notional")),
    (Controls(max_symbol_notional=D(5000)), Edge("50", "")),
    (Controls(max_symbol_notional=D(5000)), Edge("50.0001", "max_symbol_notional")),
    (Controls(), Edge("99", "")),
]


@pytest.mark.parametrize(("controls", "edge"), LIMITS)
def test_an_entry_above_a_limit_is_refused_by_name_and_one_at_it_goes_out(
    controls: Controls, edge: Edge
) -> None:
    bench = Bench(wants(edge.qty), controls=controls)
    bench.minute(1, {"SPY": "100"})
    assert denied(bench) == ([edge.reason] if edge.reason else [])
    assert [s[3] for s in bench.sent()] == ([] if edge.reason else [D(edge.qty)])


# what others hold or have ordered of the ticker already, out of 5,000 dollars' worth
@pytest.mark.parametrize("open_qty", ["0", "30"], ids=["filled", "still open"])
@pytest.mark.parametrize(("qty", "reason"), [("20", ""), ("20.0001", "max_symbol_notional")])
def test_a_tickers_limit_counts_what_all_hold_and_have_ordered(
    open_qty: str, qty: str, reason: str
) -> None:
    bench = Bench(
        wants("30", name="A", at=0), wants(qty), controls=Controls(max_symbol_notional=D(5000))
    )
    bench.minute(0, {"SPY": "100"})
    if not D(open_qty):
        bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    assert denied(bench) == ([reason] if reason else [])


@pytest.mark.parametrize("crossing", [False, True], ids=["ordered at once", "netted first"])
@pytest.mark.parametrize(("qty", "reason"), [("20", ""), ("20.0001", "max_symbol_notional")])
def test_a_tickers_limit_counts_what_others_want_to_buy_in_the_same_minute(
    crossing: bool, qty: str, reason: str
) -> None:
    limit = Controls(max_symbol_notional=D(5000))
    bench = Bench(wants("30", name="A", at=1), wants(qty), controls=limit, crossing=crossing)
    bench.minute(1, {"SPY": "100"})
    assert denied(bench) == ([reason] if reason else [])


def test_what_nobody_owns_counts_towards_a_tickers_limit() -> None:
    held = [r.Holding("SPY", D(40), D(4000))]
    for qty, reasons in (("10", []), ("10.0001", ["max_symbol_notional"])):
        limit = Controls(max_symbol_notional=D(5000))
        bench = Bench(wants(qty), holdings=held, controls=limit)
        bench.minute(1, {"SPY": "100"})
        assert denied(bench) == reasons


# the close after 100, the collar -> whether B may buy
COLLARS: list[tuple[str, str | None, bool]] = [
    ("150", "0.5", True),
    ("150.01", "0.5", False),
    ("50", "0.5", True),
    ("49.99", "0.5", False),
    ("105", "0.05", True),
    ("105.01", "0.05", False),
    ("94.99", "0.05", False),
    ("1000", None, True),
]


@pytest.mark.parametrize(("close", "collar", "may"), COLLARS)
def test_a_close_that_leaps_beyond_the_collar_freezes_the_ticker(
    close: str, collar: str | None, may: bool
) -> None:
    limit = Controls(price_collar=D(collar) if collar else None)
    bench = Bench(spec("B", {("SPY", 1): 1}), controls=limit)
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"SPY": close})
    assert denied(bench) == ([] if may else ["frozen"])
    found = [x for x in bench.records if isinstance(x, r.DiscrepancyFound)]
    assert [(f.discrepancy_id, f.ours, f.brokers) for f in found] == (
        [] if may else [("price.SPY", D(100), D(close))]
    )


def test_the_collar_is_around_the_close_before_however_old_and_around_no_other_ticker() -> None:
    bench = Bench(spec("B", {("SPY", 1): 1, ("QQQ", 2): 1}, max_position_size="0.4"))
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"SPY": "100", "QQQ": "400"})
    bench.minute(2, {"SPY": "151", "QQQ": "400"})
    assert [s[1] for s in bench.sent()] == ["SPY", "QQQ"]
    assert set(bench.books.frozen) == {"price.SPY"}


@pytest.mark.parametrize(("days", "freezes"), [(7, True), (8, False)])
def test_a_price_that_moved_by_half_over_a_gap_of_more_than_a_week_has_not_leapt(
    days: int, freezes: bool
) -> None:
    bench = Bench(spec("B", {("SPY", 1): 1}))
    before = replace(bar("SPY", 0, "100"), start=OPEN - timedelta(days=days))
    bench.books.apply(r.HistorySeen(bench.now, (before,)))
    bench.minute(0, {"SPY": "201"})
    assert bool(bench.books.frozen) is freezes
    bench.minute(1, {"SPY": "90"})
    assert bool(bench.books.frozen), "the leap behind it is one"


def split(bench: Bench, day: date) -> None:
    """The broker tells of a split, four for one, of what A holds."""
    held = bench.position("A", "SPY")
    told = m.Activity("s1", "SPLIT", day, "SPY", 3 * held, None, D(0), "4:1")
    bench.look(positions={"SPY": str(4 * held)}, activities=(told,))
    assert bench.position("A", "SPY") == 4 * held


def test_a_split_that_the_broker_tells_of_ends_the_freeze_of_a_leap() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}), wants("50", at=3))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "25"})
    assert set(bench.books.frozen) == {"price.SPY"}
    split(bench, DAY)
    assert bench.books.frozen == {}
    assert bench.books.ledger.marks["SPY"] == D(25), "the mark was the split's already"
    bench.minute(3, {"SPY": "25.10"})
    assert denied(bench) == []


def test_only_a_split_explains_a_leap() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}), wants("50", at=3))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "400"})
    dividend = m.Activity("d1", "DIV", DAY, "SPY", D(0), None, D(10), "")
    bench.look(bench.books.ledger.net_cash() + 10, activities=(dividend,))
    assert len(bench.of(r.ActivityBooked)) == 1
    assert set(bench.books.frozen) == {"price.SPY"}


def test_a_split_where_no_price_has_leapt_resolves_nothing() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}), wants("50", at=3))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    split(bench, DAY)
    assert bench.of(r.DiscrepancyResolved) == []


@pytest.mark.parametrize(
    ("day", "mark"), [(DAY, "100"), (DAY + timedelta(days=1), "25")], ids=["today", "tomorrow"]
)
@pytest.mark.parametrize("close", ["25", "100"])
def test_a_split_that_was_known_before_its_first_bar_freezes_nothing(
    day: date, mark: str, close: str
) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}), wants("50", at=3))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    split(bench, day)
    assert bench.books.ledger.marks["SPY"] == D(mark)
    bench.minute(3, {"SPY": close})
    assert bench.of(r.DiscrepancyFound) == []
    assert denied(bench) == []
    bench.minute(4, {"SPY": str(D(close) * 4)})
    assert set(bench.books.frozen) == {"price.SPY"}, "the next leap is none of that split"


# orders that may go out in a minute, seconds between the last of them and the next -> stopped
@pytest.mark.parametrize(("later_s", "stopped"), [(0, True), (59.999, True), (60, False)])
def test_orders_beyond_a_minutes_number_stop_their_strategy_for_the_day(
    later_s: float, stopped: bool
) -> None:
    said = {("SPY", 0): 1, ("QQQ", 0): 1, ("TLT", 1): 1, ("IWM", 5): 1}
    bench = Bench(
        spec("B", said, max_position_size="0.1"), controls=Controls(max_orders_per_minute=2)
    )
    bench.bars(bar("SPY", 0, "100"), bar("QQQ", 0, "100"), late_s=60)
    bench.bars(bar("TLT", 1, "100"), late_s=later_s)
    assert denied(bench) == (["max_orders_per_minute"] if stopped else [])
    bench.minute(5, {"IWM": "100"})
    assert [s[1] for s in bench.sent()] == (
        ["SPY", "QQQ"] if stopped else ["SPY", "QQQ", "TLT", "IWM"]
    )
    stops = [x.reason for x in bench.of(r.EntriesStopped)]  # type: ignore[union-attr]
    assert stops == (["max_orders_per_minute"] if stopped else [])


def test_the_rate_is_each_strategys_own() -> None:
    said = {("SPY", 0): 1, ("QQQ", 0): 1}
    bench = Bench(
        *(spec(name, said, max_position_size="0.1") for name in "AB"),
        controls=Controls(max_orders_per_minute=2),
    )
    bench.minute(0, {"SPY": "100", "QQQ": "100"})
    assert len(bench.sent()) == 4


@pytest.mark.parametrize(("tickers", "rate"), [(1, 60), (30, 60), (31, 62), (200, 400)])
def test_unless_told_otherwise_a_strategy_may_trade_each_ticker_twice_a_minute(
    tickers: int, rate: int
) -> None:
    assert Controls().rate(tickers) == rate
    assert Controls(max_orders_per_minute=7).rate(tickers) == 7


@pytest.mark.parametrize("shows", [False, True])
def test_beside_an_order_that_shows_up_after_all_no_second_one_is_sent(shows: bool) -> None:
    said = {("QQQ", 0): 1, ("QQQ", 1): 1}
    bench = Bench(spec("B", said, tickers=["SPY", "QQQ"], max_position_size="0.1"))
    bench.minute(0, {"QQQ": "100"})
    bench.handle(m.SubmitUnclear(order_id("B"), bench.now, "time-out"))
    bench.handle(m.OrderAbsent(order_id("B"), bench.now))
    bench.bars(bar("SPY", 1, "100"))  # as B sees the minute, nothing is open
    if shows:
        bench.update(bench.order("B"), OrderStatus.NEW)
    bench.bars(bar("QQQ", 1, "100"))
    assert denied(bench) == []
    assert len(bench.sent()) == (1 if shows else 2)


def test_a_second_open_buy_of_a_strategy_on_a_ticker_is_refused_whatever_it_has_seen() -> None:
    bench = Bench(wants("10", at=0), wants("10", name="C"))
    bench.minute(0, {"SPY": "100"})
    refused = [
        bench.engine._gate.refuses(name, D(1), D(100), bar(ticker, 1, "100"), bench.now)
        for name, ticker in (("B", "SPY"), ("B", "QQQ"), ("C", "SPY"))
    ]
    assert refused == [Denial.DUPLICATE, None, None]


@pytest.mark.parametrize(("late_s", "reasons"), [(90, []), (90.001, ["stale"])])
def test_a_bar_later_than_ninety_seconds_opens_nothing(late_s: float, reasons: list[str]) -> None:
    bench = Bench(wants("50"))
    bench.bars(bar("SPY", 1, "100"), late_s=late_s)
    assert denied(bench) == reasons


@pytest.mark.parametrize(("late_s", "reasons"), [(59.999, []), (60, ["session"])])
def test_nothing_is_bought_once_the_session_has_ended(late_s: float, reasons: list[str]) -> None:
    bench = Bench(wants("50", at=LAST), plan=STOCKS)
    bench.bars(bar("SPY", LAST, "100"), late_s=late_s)
    assert denied(bench) == reasons


# the account has 5,000 dollars, because a human has spent the rest
@pytest.mark.parametrize("crossing", [False, True])
@pytest.mark.parametrize(
    ("a", "b", "reasons"),
    [
        ("0", "50", []),
        ("0", "50.0001", ["buying_power"]),
        ("30", "20", []),
        ("30", "20.0001", ["buying_power"]),
    ],
)
def test_no_more_is_bought_than_the_account_has_free_of_open_orders(
    a: str, b: str, reasons: list[str], crossing: bool
) -> None:
    for minutes in (1, 0):  # in one minute, and in the next one
        specs = [wants(b)] if a == "0" else [wants(a, name="A", at=minutes), wants(b)]
        bench = Bench(*specs, cash="20000", crossing=crossing)
        bench.handle(stranger("by-hand", "TLT", Side.BUY, "150", "100", bench.now))
        assert bench.books.ledger.net_cash() == D(5000)
        if not minutes:
            bench.minute(0, {"SPY": "100"})
        bench.minute(1, {"SPY": "100"})
        assert denied(bench) == reasons


def test_what_another_coordinators_orders_hold_is_not_free() -> None:
    bench = Bench(spec("B", {("SPY", 1): 1}), cash="20000")
    bench.handle(stranger("by-hand", "TLT", Side.BUY, "100", "100", bench.now))
    others = r.OrderIntended(
        bench.now, "N.2026-03-17.1", "N", "QQQ", Side.BUY, D(99), D(100), Reason.SIGNAL, True
    )
    for record in (r.Transferred(bench.now, UNASSIGNED, "N", D(10_000), "funding"), others):
        bench.books.apply_foreign(record)
    bench.minute(1, {"SPY": "100"})
    assert denied(bench) == ["buying_power"]


def test_what_an_order_gives_free_within_a_minute_is_free_to_a_strategy_that_begins_it_later() -> (
    None
):
    first, second = spec("A", {("SPY", 0): 1, ("QQQ", 1): 1}), spec("B", {("TLT", 1): 1})
    bench = Bench(replace(first, tickers=("SPY", "QQQ")), second, cash="20000")
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"TLT": "100"})
    bench.update(bench.order("A"), OrderStatus.CANCELED)
    bench.minute(1, {"QQQ": "100"})
    assert denied(bench) == []
    assert [name for name, *_ in bench.sent()] == ["A", "B", "A"]


def test_what_a_human_spends_within_a_minute_is_not_spent_again_later_in_it() -> None:
    first, second = (spec(name, {(on, 1): 1}) for name, on in (("A", "SPY"), ("B", "QQQ")))
    bench = Bench(first, second, cash="20000")
    bench.minute(1, {"SPY": "100"})
    bench.handle(stranger("by-hand", "TLT", Side.BUY, "100", "100", bench.now))
    bench.minute(1, {"QQQ": "100"})
    assert denied(bench) == ["buying_power"]


@pytest.mark.parametrize("size", ["0.5", "0.3333", "1"])
def test_no_position_is_opened_beyond_its_part_of_the_equity(size: str) -> None:
    bench = Bench(spec("B", {("SPY", 1): 1}, max_position_size=size))
    bench.minute(1, {"SPY": "99.99"})
    ((_, _, _, qty),) = bench.sent()
    most = min(D(size) * 10_000, D(10_000) / D("1.01"))
    assert qty * D("99.99") <= most < (qty + D("0.0001")) * D("99.99")


@pytest.mark.parametrize(("close", "reasons"), [("98.01", []), ("98", ["max_daily_loss"])])
def test_a_days_loss_at_its_limit_stops_entries(close: str, reasons: list[str]) -> None:
    said = {("SPY", 0): 1, ("QQQ", 1): 1}
    bench = Bench(spec("B", said, max_position_size="0.5", max_daily_loss="100"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("B"))
    bench.minute(1, {"SPY": close, "QQQ": "10"})
    assert denied(bench) == reasons


@pytest.mark.parametrize(("most", "reasons"), [(2, []), (1, ["max_daily_trades"])])
def test_entries_beyond_the_days_number_are_refused(most: int, reasons: list[str]) -> None:
    said = {("SPY", 0): 1, ("QQQ", 1): 1}
    bench = Bench(spec("B", said, max_position_size="0.1", max_daily_trades=most))
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"QQQ": "100"})
    assert denied(bench) == reasons


@pytest.mark.parametrize(("ends", "reasons"), [(True, []), (False, ["killed"])])
def test_nothing_is_bought_between_a_kill_and_its_end(ends: bool, reasons: list[str]) -> None:
    bench = Bench(wants("50"))
    bench.books.apply_all([r.Killed(bench.now, "me")])
    if ends:
        bench.books.apply_all([r.Revived(bench.now, "me")])
    bench.minute(1, {"SPY": "100"})
    assert denied(bench) == reasons


def difference(kind: DiscrepancyKind, symbol: str = "") -> r.DiscrepancyFound:
    return finding(OPEN, kind, symbol, D(1), D(2))


# what differs and is unexplained -> why B may buy no SPY
@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (difference(DiscrepancyKind.POSITION, "SPY"), ["frozen"]),
        (difference(DiscrepancyKind.POSITION, "QQQ"), []),
        (difference(DiscrepancyKind.PRICE, "SPY"), ["frozen"]),
        (difference(DiscrepancyKind.CASH), ["frozen"]),
        (difference(DiscrepancyKind.ACCOUNT), ["frozen"]),
        (replace(difference(DiscrepancyKind.POSITION, "SPY"), discrepancy_id=""), []),
    ],
    ids=["its position", "another's", "its price", "cash", "the account", "only told of"],
)
def test_what_is_not_explained_freezes_entries_until_it_is(
    found: r.DiscrepancyFound, reasons: list[str]
) -> None:
    bench = Bench(wants("50"), wants("50", name="C", at=2))
    bench.books.apply_all([found])
    bench.minute(1, {"SPY": "100"})
    assert denied(bench) == reasons
    bench.books.apply_all([r.DiscrepancyResolved(OPEN, found.discrepancy_id, "explained")])
    bench.minute(2, {"SPY": "100"})
    assert denied(bench, "C") == []


@pytest.mark.parametrize(("ticker", "reasons"), [("SPY", ["blind"]), ("QQQ", [])])
def test_nothing_is_bought_of_a_ticker_whose_stream_is_not_heard(
    ticker: str, reasons: list[str]
) -> None:
    bench = Bench(wants("50"), wants("50", name="C", at=2))
    bench.handle(m.SightChanged(bench.now, True, frozenset({ticker})))
    bench.minute(1, {"SPY": "100"})
    assert denied(bench) == reasons
    bench.handle(m.SightChanged(bench.now, True, frozenset()))
    bench.minute(2, {"SPY": "100"})
    assert denied(bench, "C") == []


def test_while_order_states_are_not_known_neither_side_is_ordered() -> None:
    said = {("SPY", 0): 1, ("SPY", 1): -1, ("SPY", 2): -1}
    bench = Bench(spec("A", said, max_position_size="0.5"), wants("10", ticker="QQQ"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.handle(m.SightChanged(bench.now, False, frozenset()))
    outcome = bench.minute(1, {"SPY": "100", "QQQ": "100"})
    assert outcome.commands == []
    assert [type(x) for x in outcome.records] == [r.BarsSeen]
    bench.handle(m.SightChanged(bench.now, True, frozenset()))
    bench.minute(2, {"SPY": "100"})
    assert [s[:3] for s in bench.sent()[1:]] == [("A", "SPY", Side.SELL)]


# Every state in which a control refuses an entry: A is long and wants out, B wants in.

WANTS_OUT = {("SPY", 0): 1, ("SPY", 2): -1}


def long_a(
    *specs: StrategySpec, more: dict[tuple[str, int], int] | None = None, **switches: object
) -> Bench:
    first = spec("A", WANTS_OUT | (more or {}), max_position_size="0.2", **limits_of(switches))
    bench = Bench(first, *specs, **switches)  # type: ignore[arg-type]
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    return bench


def limits_of(switches: dict[str, object]) -> dict[str, str | int]:
    names = ("max_daily_loss", "max_daily_trades")
    return {name: switches.pop(name) for name in names if name in switches}  # type: ignore[misc]


def at_two(bench: Bench, close: str = "100", late_s: float = 0) -> Bench:
    bench.bars(bar("SPY", 2, close), bar("QQQ", 2, "100"), late_s=late_s)
    return bench


def small(name: str) -> Callable[[], Bench]:
    controls = Controls(**{name: D(1)})  # type: ignore[arg-type]
    return lambda: at_two(swapped(long_a(wants("50", at=2)), controls))


def swapped(bench: Bench, controls: Controls) -> Bench:
    """The same session under other controls, from now on."""
    bench.engine._gate.controls = controls
    return bench


def with_records(*records: r.Record) -> Callable[[], Bench]:
    def story() -> Bench:
        bench = long_a(wants("50", at=2))
        bench.books.apply_all(records)
        return at_two(bench)

    return story


def leaping() -> Bench:
    return at_two(long_a(wants("50", at=2)), "250")


def flooding() -> Bench:
    flood = {(ticker, 2): 1 for ticker in ("QQQ", "TLT", "IWM")}
    bench = long_a(wants("5", at=2, ticker="XYZ"), more=flood)
    swapped(bench, Controls(max_orders_per_minute=2))
    bars = [bar(ticker, 2, "100") for ticker in ("QQQ", "TLT", "IWM", "SPY")]
    bench.bars(*bars)
    return bench


def late() -> Bench:
    return at_two(long_a(wants("50", at=2)), late_s=200)


def after_the_close() -> Bench:
    said = {("SPY", LAST - 1): 1, ("SPY", LAST): -1}
    bench = Bench(spec("A", said, max_position_size="0.2"), wants("5", at=LAST), plan=STOCKS)
    bench.minute(LAST - 1, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.bars(bar("SPY", LAST, "100"), late_s=80)
    return bench


def without_cash() -> Bench:
    bench = long_a(wants("50", at=2), cash="20000")
    bench.handle(stranger("by-hand", "TLT", Side.BUY, "150", "100", bench.now))
    return at_two(bench)


def after_a_loss() -> Bench:
    bench = long_a(more={("QQQ", 2): 1}, max_daily_loss="100")
    return at_two(bench, "90")


def after_its_trades() -> Bench:
    return at_two(long_a(more={("QQQ", 2): 1}, max_daily_trades=1))


def blind() -> Bench:
    bench = long_a(wants("50", at=2))
    bench.handle(m.SightChanged(bench.now, True, frozenset({"SPY"})))
    return at_two(bench)


STATES: list[tuple[Callable[[], Bench], str]] = [
    (small("max_order_qty"), "max_order_qty"),
    (small("max_order_notional"), "max_order_notional"),
    (small("max_symbol_notional"), "max_symbol_notional"),
    (leaping, "frozen"),
    (flooding, "max_orders_per_minute"),
    (late, "stale"),
    (after_the_close, "session"),
    (without_cash, "buying_power"),
    (after_a_loss, "max_daily_loss"),
    (after_its_trades, "max_daily_trades"),
    (with_records(r.Killed(OPEN, "me")), "killed"),
    (with_records(difference(DiscrepancyKind.POSITION, "SPY")), "frozen"),
    (with_records(difference(DiscrepancyKind.CASH)), "frozen"),
    (blind, "blind"),
]


@pytest.mark.parametrize(("story", "reason"), STATES, ids=[name for _, name in STATES])
def test_an_exit_goes_out_in_every_state_in_which_an_entry_is_refused(
    story: Callable[[], Bench], reason: str
) -> None:
    bench = story()
    assert [why for _, why in bench.denials()] == [reason]
    sold = [s for s in bench.sent() if s[2] is Side.SELL]
    assert sold == [("A", "SPY", Side.SELL, D(20))]


def test_a_stop_is_an_exit_and_goes_out_whatever_is_frozen() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_position_size="0.2", stop_loss_pct="0.1"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.books.apply_all([difference(DiscrepancyKind.CASH), r.Killed(OPEN, "me")])
    bench.minute(1, {"SPY": "90"})
    assert bench.order("A", 2).reason is Reason.STOP


def test_a_kill_cancels_what_is_open_and_sells_what_is_held_and_leaves_the_rest_alone() -> None:
    held = [r.Holding("SPY", D(7), D(700))]
    bench = Bench(
        spec("A", {("SPY", 0): 1}, max_position_size="0.2"),
        spec("B", {("QQQ", 1): 1}, max_position_size="0.2"),
        holdings=held,
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"QQQ": "100"})
    bench.update(bench.order("B"), OrderStatus.NEW)
    bench.books.apply_all([r.Killed(bench.now, "me")])
    outcome = bench.handle(m.ClockRead(bench.now))
    assert m.CancelOrder(order_id("B"), f"broker-{order_id('B')}") in outcome.commands
    assert bench.sent()[2:] == [("A", "SPY", Side.SELL, D(20))]
    bench.fill(bench.order("A", 2))
    bench.update(bench.order("B"), OrderStatus.CANCELED)
    assert bench.handle(m.ClockRead(bench.now)).commands == []
    assert bench.position(UNASSIGNED, "SPY") == D(7)


def test_a_kill_before_the_open_cancels_at_once_and_sells_when_the_market_opens() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_position_size="0.2"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.books.apply_all([r.Killed(bench.now, "me")])
    assert bench.handle(m.ClockRead(OPEN - MINUTE)).commands == []
    assert len(bench.handle(m.ClockRead(OPEN)).commands) == 1


def decisions(bench: Bench, of: Iterable[str]) -> list[tuple[str, str]]:
    """What was recorded of these strategies' decisions, as the journal has it."""
    found = []
    for record in bench.records:
        match record:
            case r.OrderIntended() | r.EntryDenied() | r.EntriesStopped() | r.FillBooked():
                name = record.strategy
            case r.OrderMoved() | r.OrderReleased() | r.CancelRequested():
                name = record.client_order_id.partition(".")[0]
            case _:
                continue
        if name in of:
            found.append(encode(record))
    return found


def test_a_strategy_that_floods_leaves_the_others_decisions_byte_for_byte_the_same() -> None:
    others = [
        spec("A", {("SPY", n): 1 if n % 4 else -1 for n in range(12)}, max_position_size="0.3"),
        spec("B", {("SPY", n): 1 if n % 3 else -1 for n in range(12)}, max_position_size="0.3"),
    ]
    many = [f"F{n}" for n in range(20)]
    said = {(ticker, n): 1 for ticker in many for n in range(12)}
    runs = []
    for flood in (said, {}):
        flooder = spec("F", flood, tickers=many, max_position_size="0.01")
        bench = Bench(others[0], flooder, others[1], controls=Controls(max_orders_per_minute=5))
        for n in range(12):
            bench.minute(n, {"SPY": str(100 + n), **dict.fromkeys(many, "10")})
            for order in list(bench.books.orders.open()):
                if order.status is OrderStatus.SUBMITTED and order.strategy == "F":
                    no = m.SubmitRefused(order.client_order_id, bench.now, "no")
                    bench.handle(no)
                elif order.status is OrderStatus.SUBMITTED:
                    bench.fill(order, str(100 + n))
        runs.append(bench)
    flooded, calm = runs
    assert decisions(flooded, "AB") == decisions(calm, "AB")
    assert len(decisions(calm, "A")) > 10
    stops = [x.reason for x in flooded.of(r.EntriesStopped)]  # type: ignore[union-attr]
    assert stops == ["max_orders_per_minute"]
    assert len([s for s in flooded.sent() if s[0] == "F"]) == 5


def test_an_order_that_is_told_of_again_is_no_flood() -> None:
    bench = Bench(
        spec("B", {("SPY", 0): 1, ("QQQ", 0): 1}, max_position_size="0.1"),
        controls=Controls(max_orders_per_minute=2),
    )
    for _ in range(3):
        bench.bars(bar("SPY", 0, "100"), bar("QQQ", 0, "100"))
        order = bench.order("B")
        bench.handle(report(order, OrderStatus.NEW, "0", bench.now + timedelta(seconds=1)))
    assert (len(bench.sent()), denied(bench)) == (2, [])
