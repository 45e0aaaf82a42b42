"""The broker's reports: late, twice, out of order and by two ways, each fill is booked once."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.records import Holding
from coordinator.core.statement import statement
from coordinator.core.values import UNASSIGNED, Side
from tests.coordinator.bench import Bench, D, order_id, report, spec, stranger

S = OrderStatus


def bought(qty: str = "50") -> tuple[Bench, Order]:
    """A buy of 50 SPY that was sent and not answered."""
    bench = Bench(spec("A", {("SPY", 0): 1}, max_position_size=str(D(qty) / 100)))
    bench.minute(0, {"SPY": "100"})
    return bench, bench.order("A")


def part(
    bench: Bench, order: Order, qty: int, total: int, name: str, status: OrderStatus | None = None
) -> m.OrderUpdate:
    """A report with an execution of `qty`, after which `total` have filled."""
    execution = m.Execution(name, D(qty), D(100), D(total), bench.now)
    word = status or (S.FILLED if total == order.qty else S.PARTIALLY_FILLED)
    return report(order, word, D(total), bench.now, "100", execution)


def test_the_same_execution_is_booked_once_however_often_it_comes() -> None:
    bench, order = bought()
    update = part(bench, order, 20, 20, "x1")
    bench.handle(update)
    outcome = bench.handle(update, update)
    assert outcome.records == []
    assert bench.position("A", "SPY") == D(20)


def test_the_same_fill_by_stream_and_rest_is_one_though_its_ids_differ() -> None:
    bench, order = bought()
    bench.handle(part(bench, order, 20, 20, "stream-1"))
    bench.handle(part(bench, order, 20, 20, "rest::1"), part(bench, order, 30, 50, "rest::2"))
    bench.handle(part(bench, order, 30, 50, "stream-2"))
    assert bench.position("A", "SPY") == D(50)
    assert len(bench.of(r.FillBooked)) == 2


def test_a_fill_before_the_answer_to_the_order_counts_and_the_answer_changes_nothing() -> None:
    bench, order = bought()
    bench.fill(order)
    outcome = bench.update(order, S.ACCEPTED)
    assert (outcome.records, order.status) == ([], S.FILLED)
    assert bench.books.ledger["A"].cash == D(5000)


def test_reports_in_the_wrong_order_never_lead_back() -> None:
    bench, order = bought()
    bench.handle(part(bench, order, 20, 20, "x1"))
    for status in (S.NEW, S.ACCEPTED, S.PENDING_NEW):
        assert bench.update(order, status).records == []
    assert (order.status, order.reported_qty) == (S.PARTIALLY_FILLED, D(20))


def test_executions_in_the_wrong_order_are_all_booked() -> None:
    bench, order = bought()
    updates = [part(bench, order, 10, 10 * n, f"x{n}") for n in range(1, 6)]
    for index in (4, 1, 0, 3, 2):
        bench.handle(updates[index])
    assert (order.status, bench.position("A", "SPY")) == (S.FILLED, D(50))
    assert not order.is_open


def test_a_status_that_tells_of_an_unseen_fill_sends_for_it() -> None:
    bench, order = bought()
    outcome = bench.update(order, S.CANCELED, "20")
    assert outcome.commands == [m.LookUpOrder(order_id("A"))]
    assert (order.is_open, bench.position("A", "SPY")) == (True, D(0))
    bench.handle(part(bench, order, 20, 20, "rest::1", S.CANCELED))
    assert (order.is_open, bench.position("A", "SPY")) == (False, D(20))


def test_a_fill_after_the_cancellation_is_booked() -> None:
    bench, order = bought()
    bench.update(order, S.CANCELED)
    bench.handle(part(bench, order, 50, 50, "x1"))
    assert (order.status, bench.position("A", "SPY")) == (S.FILLED, D(50))


def test_every_step_of_a_filling_order_is_recorded_with_what_it_came_to() -> None:
    bench, order = bought()
    for qty, total in ((20, 20), (10, 30), (20, 50)):
        bench.handle(part(bench, order, qty, total, f"x{total}"))
    moves = [(x.status, x.filled_qty) for x in bench.records if isinstance(x, r.OrderMoved)]
    assert moves == [
        (S.PARTIALLY_FILLED, D(20)),
        (S.PARTIALLY_FILLED, D(30)),
        (S.FILLED, D(50)),
    ]


def test_what_was_thought_never_to_have_arrived_is_taken_up_when_it_shows() -> None:
    bench, order = bought()
    bench.handle(m.SubmitUnclear(order_id("A"), bench.now, "time-out"))
    bench.handle(m.OrderAbsent(order_id("A"), bench.now))
    assert (order.status, order.hold) == (S.DENIED, D(0))
    outcome = bench.update(order, S.NEW)
    assert outcome.commands == [m.LookUpOrder(order_id("A"))]
    assert (order.status, order.hold) == (S.NEW, D(5000))
    bench.fill(order)
    assert bench.position("A", "SPY") == D(50)


def test_absence_says_nothing_of_an_order_that_the_broker_has_confirmed() -> None:
    bench, order = bought()
    bench.update(order, S.NEW)
    bench.handle(m.OrderAbsent(order_id("A"), bench.now))
    assert order.status is S.NEW


def test_an_unclear_answer_to_an_order_that_stands_already_changes_nothing() -> None:
    bench, order = bought()
    bench.update(order, S.NEW)
    outcome = bench.handle(m.SubmitUnclear(order_id("A"), bench.now, "time-out"))
    assert (outcome.records, order.status) == ([], S.NEW)
    assert outcome.commands == [m.LookUpOrder(order_id("A"))]


@pytest.mark.parametrize(
    ("side", "cash", "qty", "fee"),
    [
        (Side.BUY, "-8000", "0.09975", "20"),  # 0.00025 coins of 80,000 dollars
        (Side.SELL, "7980", "-0.1", "20"),
    ],
)
def test_the_crypto_fee_is_coin_on_a_buy_and_dollars_on_a_sale(
    side: Side, cash: str, qty: str, fee: str
) -> None:
    bench = Bench(spec("A", {("BTC/USD", 0): 1}))
    before = bench.books.ledger[UNASSIGNED].cash
    bench.handle(stranger("by-hand", "BTC/USD", side, "0.1", "80000", bench.now))
    account = bench.books.ledger[UNASSIGNED]
    assert account.cash - before == D(cash)
    assert bench.position(UNASSIGNED, "BTC/USD") == D(qty)
    assert account.fees == D(fee)


# quantity -> coins that the fee takes: 0.25 %, half up at the ninth place, for each execution
@pytest.mark.parametrize(
    ("qty", "coins"),
    [("0.0000002", "0.000000001"), ("0.0000001999", "0"), ("0.123456789", "0.000308642")],
)
def test_a_fee_in_coin_is_rounded_half_up_at_the_ninth_decimal(qty: str, coins: str) -> None:
    bench = Bench(spec("A", {("BTC/USD", 0): 1}))
    bench.handle(stranger("by-hand", "BTC/USD", Side.BUY, qty, "80000", bench.now))
    (fill,) = bench.of(r.FillBooked)
    assert isinstance(fill, r.FillBooked)
    assert (fill.qty, fill.fee_qty, fill.fee) == (D(qty), D(coins), D(coins) * 80000)


def test_a_trade_by_hand_goes_to_unassigned() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}), holdings=[Holding("SPY", D(10), D(900))])
    bench.handle(stranger("b3b9e1", "SPY", Side.SELL, "4", "100", bench.now))
    assert bench.position(UNASSIGNED, "SPY") == D(6)
    assert bench.books.ledger[UNASSIGNED].realized == D(40)


def test_an_id_that_only_looks_like_ours_is_not_ours() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    bench.handle(stranger(order_id("A", 99), "SPY", Side.BUY, "4", "100", bench.now))
    assert (bench.position("A", "SPY"), bench.position(UNASSIGNED, "SPY")) == (D(0), D(4))


def test_the_next_order_never_takes_an_id_that_somebody_else_has_used() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    for name in (order_id("A", 7), order_id("A", 3), "A.2026-03-17." + "9" * 100, order_id("Z", 4)):
        bench.handle(stranger(name, "QQQ", Side.BUY, "4", "100", bench.now, name))
    bench.minute(0, {"SPY": "100"})
    (intended,) = bench.of(r.OrderIntended)
    assert intended.client_order_id == order_id("A", 8)
    assert set(bench.books.sequences) == {"A.2026-03-17"}


def test_what_somebody_elses_order_fills_under_the_id_of_one_that_was_refused_is_unassigneds() -> (
    None
):
    bench, order = bought()
    theirs = stranger(order.client_order_id, "SPY", Side.BUY, "4", "100", bench.now)
    unclear = m.SubmitUnclear(order.client_order_id, bench.now, "client_order_id must be unique")
    bench.handle(unclear)
    assert bench.handle(theirs).records == []  # which of both it is, the broker is asked first
    another = "another order stands under this id"
    bench.handle(m.SubmitRefused(order.client_order_id, bench.now, another))
    bench.handle(theirs, theirs)
    (fill,) = bench.of(r.FillBooked)
    assert (fill.strategy, fill.qty) == (UNASSIGNED, D(4))
    assert (order.status, order.booked_qty, order.is_open) == (S.REJECTED, D(0), False)
    assert (bench.position("A", "SPY"), bench.position(UNASSIGNED, "SPY")) == (D(0), D(4))
    (row,) = statement(bench.records)["orders"]
    assert (row["strategy"], row["filled_qty"], row["status"]) == ("A", D(0), "rejected")


def test_an_execution_of_ours_that_another_coordinator_booked_to_nobody_still_ends_its_order() -> (
    None
):
    bench, order = bought()
    bench.handle(report(order, S.ACCEPTED, 0, bench.now))
    told = m.Execution("e1", order.qty, D(100), order.qty, bench.now)
    theirs = r.FillBooked(
        at=told.at,
        execution_id=told.execution_id,
        client_order_id=order.client_order_id,
        strategy=UNASSIGNED,
        symbol="SPY",
        side=Side.BUY,
        qty=told.qty,
        price=told.price,
        fee=D(0),
        fee_qty=D(0),
        cum_qty=told.cum_qty,
    )
    bench.books.apply_foreign(theirs)
    bench.handle(report(order, S.FILLED, order.qty, bench.now, execution=told))
    assert (order.status, order.is_open, order.hold) == (S.FILLED, False, D(0))
    assert bench.of(r.FillBooked) == []
    held = (bench.position("A", "SPY"), bench.position(UNASSIGNED, "SPY"))
    assert held == (D(0), order.qty)


def test_another_coordinators_fill_is_left_to_it() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    funded = r.Transferred(bench.now, UNASSIGNED, "C", D(500), "funding")
    intended = r.EntryDenied(bench.now, order_id("C"), "C", "BTC/USD", D(1), D(1), "stale")
    for record in (funded, intended):
        bench.books.apply_foreign(record)
    update = stranger(order_id("C", 2), "BTC/USD", Side.BUY, "0.01", "50000", bench.now)
    assert bench.handle(update).records == []
    assert update.execution is not None
    theirs = r.FillBooked(
        bench.now, "h1", order_id("C", 2), "C", "BTC/USD", Side.BUY, D("0.01"), D(50000),
        D("1.25"), D("0.000025"), D("0.01"),
    )  # fmt: skip
    bench.books.apply_foreign(theirs)
    assert bench.books.ledger["C"].cash == D(0)
    assert bench.books.ledger.net_cash() == D(99_500)


def test_an_unknown_order_of_a_strategy_that_rests_here_is_not_left_to_others() -> None:
    before = Bench(spec("A", {("SPY", 0): 1}))
    bench = Bench(spec("B", {("QQQ", 0): 1}), books=before.books, config_hash="edited")
    bench.books.apply_foreign(
        r.EntryDenied(bench.now, order_id("A", 7), "A", "SPY", D(1), D(1), "stale")
    )
    bench.handle(stranger(order_id("A", 8), "SPY", Side.BUY, "4", "100", bench.now))
    assert bench.position(UNASSIGNED, "SPY") == D(4)


def test_a_trade_by_hand_that_two_coordinators_saw_is_booked_once() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    bench.handle(stranger("by-hand", "SPY", Side.BUY, "4", "100", bench.now))
    (mine,) = bench.of(r.FillBooked)
    bench.books.apply_foreign(mine)
    assert bench.position(UNASSIGNED, "SPY") == D(4)


def test_the_fill_of_a_strategy_that_left_the_configuration_is_not_lost() -> None:
    bench, order = bought()
    rest = Bench(spec("B", {("QQQ", 0): 1}), books=bench.books)
    assert order in rest.books.orders.open()
    rest.handle(part(bench, order, 50, 50, "x1"))
    assert rest.position("A", "SPY") == D(50)


cuts = st.lists(st.integers(1, 49), unique=True, max_size=6).map(sorted)


@settings(max_examples=150, deadline=None)
@given(cuts, st.data())
def test_split_doubled_and_shuffled_executions_end_in_the_same_book(
    totals: list[int], data: st.DataObject
) -> None:
    bench, order = bought()
    updates = []
    for before, total in itertools.pairwise([0, *totals, 50]):
        stream = part(bench, order, total - before, total, f"s{total}")
        assert stream.execution is not None
        rest = replace(stream, execution=replace(stream.execution, execution_id=f"r{total}"))
        updates += [stream, rest]
    updates += [report(order, s, 0, bench.now) for s in (S.NEW, S.ACCEPTED)]
    shuffled = data.draw(st.permutations(updates + updates))
    bench.handle(*shuffled)
    assert bench.position("A", "SPY") == order.booked_qty == D(50)
    assert bench.books.ledger["A"].cash == D(5000)
    assert (order.status, order.is_open, order.hold) == (S.FILLED, False, D(0))


@pytest.mark.parametrize(
    "change",
    [{"symbol": "QQQ"}, {"symbol": ""}, {"side": Side.SELL}, {"qty": D(51)}, {"qty": D(0)}],
)
def test_a_report_of_another_ticker_side_or_size_under_our_id_books_nothing_and_is_asked_about(
    change: dict[str, object],
) -> None:
    bench, order = bought()
    outcome = bench.handle(replace(part(bench, order, 50, 50, "x1"), **change))  # type: ignore[arg-type]
    assert (outcome.records, outcome.commands) == ([], [m.LookUpOrder(order_id("A"))])
    assert order.status is S.SUBMITTED
    bench.handle(part(bench, order, 50, 50, "x1"))
    assert bench.position("A", "SPY") == D(50)


def test_a_pair_that_is_written_without_its_stroke_is_booked_under_its_own_name() -> None:
    bench = Bench(spec("A", {("BTC/USD", 0): 1}, max_position_size="0.5"))
    bench.minute(0, {"BTC/USD": "100"})
    order = bench.order("A")
    bench.handle(replace(part(bench, order, 50, 50, "x1"), symbol="BTCUSD"))
    assert bench.position("A", "BTC/USD") == D("49.875")
    assert bench.position("A", "BTCUSD") == D(0)
