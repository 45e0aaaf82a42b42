"""What the broker takes back or changes afterwards: the books are as if it had never been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.codec import decode, encode
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.statement import statement
from coordinator.core.values import MINUTE, UNASSIGNED, Side
from tests.coordinator.bench import Bench, D, bust, order_id, report, spec, stranger
from tests.coordinator.test_statement import check_identities

S = OrderStatus
A_SECOND = timedelta(seconds=1)


def bought(ticker: str = "SPY", share: str = "0.5", said: dict[int, int] | None = None) -> Bench:
    """A's buy at 100 of half its cash: 50 of the ticker, sent and not answered."""
    signals = {(ticker, minute): signal for minute, signal in ({0: 1} | (said or {})).items()}
    bench = Bench(spec("A", signals, max_position_size=share))
    bench.minute(0, {ticker: "100"})
    return bench


def execution(
    bench: Bench, qty: str | Decimal, total: str | Decimal, name: str, price: str = "100"
) -> m.Execution:
    return m.Execution(name, D(qty), D(price), D(total), bench.now)


def tell(bench: Bench, order: Order, one: m.Execution) -> m.Outcome:
    """The stream tells of an execution."""
    status = S.FILLED if one.cum_qty == order.qty else S.PARTIALLY_FILLED
    return bench.update(order, status, one.cum_qty, price=str(one.price), execution=one)


def take_back(bench: Bench, order: Order, one: m.Execution, name: str = "b1") -> m.Outcome:
    """The broker busts an execution, a second later."""
    bench.now += A_SECOND
    return bench.handle(bust(order, one, bench.now, name=name))


# What happens around a busted execution; with `busted` off it never was, nor was its bust.


def a_bust_right_after_the_fill(busted: bool) -> Bench:
    bench = bought()
    order = bench.order("A")
    tell(bench, order, execution(bench, 20, 20, "x1"))
    if busted:
        wrong = execution(bench, 30, 50, "x2", "101")
        tell(bench, order, wrong)
        take_back(bench, order, wrong)
    return bench


def a_bust_told_three_times(busted: bool) -> Bench:
    bench = bought()
    order = bench.order("A")
    tell(bench, order, execution(bench, 20, 20, "x1"))
    if busted:
        wrong = execution(bench, 20, 40, "x2")
        tell(bench, order, wrong)
        bench.now += A_SECOND
        update = bust(order, wrong, bench.now)
        bench.handle(update, update, update)
    return bench


def one_of_two_that_look_alike(busted: bool) -> Bench:
    bench = bought()
    order = bench.order("A")
    wrong = execution(bench, 20, 20, "x1")
    if busted:
        tell(bench, order, wrong)
    tell(bench, order, execution(bench, 20, 40 if busted else 20, "x2"))
    if busted:
        take_back(bench, order, wrong)
    return bench


def a_bust_after_half_was_sold(busted: bool) -> Bench:
    bench = bought(said={1: -1})
    order = bench.order("A")
    tell(bench, order, execution(bench, 20, 20, "x1"))
    wrong = execution(bench, 30, 50, "x2", "102")
    tell(bench, order, wrong) if busted else bench.update(order, S.CANCELED, "20")
    bench.minute(1, {"SPY": "110"})
    tell(bench, bench.order("A", 2), execution(bench, 15, 15, "s1", "110"))
    if busted:
        take_back(bench, order, wrong)
    return bench


def a_bust_after_all_was_sold_leaves_the_book_owing(busted: bool) -> Bench:
    bench = bought(said={1: -1})
    order = bench.order("A")
    wrong = execution(bench, 50, 50, "x1")
    tell(bench, order, wrong) if busted else bench.update(order, S.CANCELED)
    bench.minute(1, {"SPY": "110"})
    if busted:
        tell(bench, bench.order("A", 2), execution(bench, 50, 50, "s1", "110"))
        take_back(bench, order, wrong)
    else:  # what the sale alone does to a book
        bench.books.apply_all([sale(bench, "50", "110")])
    return bench


def sale(bench: Bench, qty: str, price: str) -> r.FillBooked:
    return r.FillBooked(
        bench.now, "s1", "s", "A", "SPY", Side.SELL, D(qty), D(price), D(0), D(0), D(qty)
    )


def a_bust_before_the_sale_of_what_is_left(busted: bool) -> Bench:
    bench = bought(said={1: -1})
    order = bench.order("A")
    tell(bench, order, execution(bench, 20, 20, "x1"))
    if busted:
        wrong = execution(bench, 30, 50, "x2", "99")
        tell(bench, order, wrong)
        take_back(bench, order, wrong)
    else:
        bench.update(order, S.CANCELED, "20")
    bench.minute(1, {"SPY": "110"})
    assert bench.order("A", 2).qty == D(20)
    tell(bench, bench.order("A", 2), execution(bench, 20, 20, "s1", "110"))
    return bench


def a_busted_sale(busted: bool) -> Bench:
    bench = bought(said={1: -1})
    tell(bench, bench.order("A"), execution(bench, 50, 50, "x1"))
    bench.minute(1, {"SPY": "110"})
    order = bench.order("A", 2)
    tell(bench, order, execution(bench, 10, 10, "s1", "110"))
    if busted:
        wrong = execution(bench, 40, 50, "s2", "90")
        tell(bench, order, wrong)
        take_back(bench, order, wrong)
    return bench


def coins_bought(bench: Bench) -> Order:
    order = bench.order("A")
    tell(bench, order, execution(bench, "20.123456789", "20.123456789", "x1", "99.5"))
    return order


def a_crypto_purchase_and_its_fee_in_coin(busted: bool) -> Bench:
    bench = bought("BTC/USD")
    order = coins_bought(bench)
    if busted:
        wrong = execution(bench, "9.876543211", 30, "x2", "101.123456789")
        tell(bench, order, wrong)
        take_back(bench, order, wrong)
    return bench


def a_crypto_sale_and_its_fee_in_dollars(busted: bool) -> Bench:
    bench = bought("BTC/USD", said={1: -1})
    coins_bought(bench)
    bench.update(bench.order("A"), S.CANCELED, "20.123456789")
    bench.minute(1, {"BTC/USD": "101"})
    order = bench.order("A", 2)
    if busted:
        wrong = execution(bench, "0.333333333", "0.333333333", "s1", "101.000000001")
        tell(bench, order, wrong)
        take_back(bench, order, wrong)
    return bench


def a_fill_that_only_rest_told_of(busted: bool) -> Bench:
    bench = bought()
    order = bench.order("A")
    tell(bench, order, execution(bench, 20, 20, "rest::1", "99"))
    if busted:
        tell(bench, order, execution(bench, 30, 50, "rest::2"))
        take_back(bench, order, execution(bench, 30, 50, "stream-2"))
    return bench


def a_trade_by_hand(busted: bool) -> Bench:
    bench = bought()
    bench.handle(stranger("by-hand", "SPY", Side.BUY, "4", "100", bench.now, "h1"))
    if busted:
        update = stranger("by-hand-2", "SPY", Side.SELL, "3", "120", bench.now, "h2")
        bench.handle(update)
        told = m.Bust("bust.1", "h2", D(3), D(120), bench.now + A_SECOND)
        taken = replace(update, execution=None, filled_qty=D(0), bust=told)
        bench.handle(taken, taken)
    return bench


def a_purchase_of_an_order_replaced_by_hand(busted: bool) -> Bench:
    bench = bought()
    order = bench.order("A")
    bench.update(order, S.NEW)
    new = replaced(bench, order, "35")
    tell(bench, new, execution(bench, 10, 10, "x1"))
    if busted:
        wrong = execution(bench, 25, 35, "x2", "103")
        tell(bench, new, wrong)
        take_back(bench, new, wrong)
    return bench


def replaced(bench: Bench, order: Order, qty: str, name: str = "5cb1-by-hand") -> Order:
    """A human has given an order another quantity: at the broker, a new one takes its place."""
    told = report(order, S.NEW, "0", bench.now)
    bench.handle(
        replace(
            told,
            client_order_id=name,
            broker_order_id=f"broker-{name}",
            qty=D(qty),
            replaces=told.broker_order_id,
        )
    )
    bench.update(order, S.REPLACED)
    return bench.books.order(name)


BUSTS = [
    a_bust_right_after_the_fill,
    a_bust_told_three_times,
    one_of_two_that_look_alike,
    a_bust_after_half_was_sold,
    a_bust_after_all_was_sold_leaves_the_book_owing,
    a_bust_before_the_sale_of_what_is_left,
    a_busted_sale,
    a_crypto_purchase_and_its_fee_in_coin,
    a_crypto_sale_and_its_fee_in_dollars,
    a_fill_that_only_rest_told_of,
    a_trade_by_hand,
    a_purchase_of_an_order_replaced_by_hand,
]


def holdings(books: Books) -> dict[str, tuple[Decimal, dict[str, Decimal]]]:
    """Cash and quantities of each book, and the fees that wait for the broker's posting."""
    return {
        name: (account.cash, {s: p.qty for s, p in account.positions.items() if p.qty})
        for name, account in books.ledger.accounts.items()
    }


@pytest.mark.parametrize("story", BUSTS, ids=lambda story: story.__name__)
def test_cash_and_quantities_are_as_if_the_busted_execution_had_never_been(
    story: Callable[[bool], Bench],
) -> None:
    ours, never = story(True), story(False)
    assert holdings(ours.books) == holdings(never.books)
    assert sum(1 for f in fills(ours) if f.qty < 0) == 1
    for symbol in ("", "BTC/USD"):
        assert ours.books.posted.accrued(symbol) == never.books.posted.accrued(symbol)
    assert set(ours.gains().values()) <= set(never.gains().values())


@pytest.mark.parametrize("story", BUSTS, ids=lambda story: story.__name__)
def test_the_day_of_a_bust_adds_up_to_the_last_digit_and_is_replayed_the_same(
    story: Callable[[bool], Bench],
) -> None:
    bench = story(True)
    check_identities(statement(bench.records))
    again = Books()
    again.apply_all(decode(*encode(record)) for record in bench.records)
    assert holdings(again) == holdings(bench.books)
    assert again.posted == bench.books.posted


def fills(bench: Bench) -> list[r.FillBooked]:
    return [record for record in bench.records if isinstance(record, r.FillBooked)]


def test_a_reversal_has_an_id_of_its_own_the_opposite_sign_and_names_what_it_reverses() -> None:
    (_, wrong, back) = fills(a_bust_right_after_the_fill(True))
    assert back == replace(
        wrong,
        at=wrong.at + A_SECOND,
        execution_id="bust.b1",
        qty=-wrong.qty,
        fee=-wrong.fee,
        fee_qty=-wrong.fee_qty,
        cum_qty=D(20),
        reverses="x2",
    )


@pytest.mark.parametrize(
    ("name", "qty", "price"), [("x9", "7", "100"), ("", "20", "99"), ("x9", "20", "100.01")]
)
def test_a_bust_of_what_is_not_in_the_books_changes_nothing(
    name: str, qty: str, price: str
) -> None:
    bench = bought()
    order = bench.order("A")
    tell(bench, order, execution(bench, 20, 20, "x1"))
    before = holdings(bench.books)
    update = bench.update(order, S.PARTIALLY_FILLED, "20")
    told = m.Bust("bust.9", name, D(qty), D(price), bench.now)
    update = bench.handle(replace(report(order, order.status, "20", bench.now), bust=told))
    assert (update.records, holdings(bench.books)) == ([], before)


# the order's executions, which one is corrected to which -> position and cash after it
@pytest.mark.parametrize(
    ("qty", "price", "position", "cash"),
    [
        ("30", "101", "50", "4970"),  # another price
        ("25", "100", "45", "5500"),  # a smaller quantity
        ("10", "90", "30", "7100"),  # both
        ("30", "100", "50", "5000"),  # the same once more
    ],
)
def test_a_correction_books_what_it_says_in_place_of_what_was_wrong(
    qty: str, price: str, position: str, cash: str
) -> None:
    bench = bought()
    order = bench.order("A")
    tell(bench, order, execution(bench, 20, 20, "x1"))
    wrong = execution(bench, 30, 50, "x2")
    tell(bench, order, wrong)
    right = m.Execution("x3", D(qty), D(price), 20 + D(qty), wrong.at)
    bench.now += A_SECOND
    update = bust(order, wrong, bench.now, instead=right)
    bench.handle(update, update)
    assert bench.position("A", "SPY") == D(position)
    assert bench.books.ledger["A"].cash == D(cash)
    assert [(f.qty, f.reverses) for f in fills(bench)[2:]] == [(D(-30), "x2"), (D(qty), "x2")]
    check_identities(statement(bench.records))


def test_a_correction_that_was_corrected_again_and_then_busted_leaves_nothing_of_it() -> None:
    bench = bought()
    order = bench.order("A")
    steps = [
        execution(bench, 50, 50, f"x{n}", price) for n, price in enumerate(["100", "99", "98"])
    ]
    tell(bench, order, steps[0])
    for number, (wrong, right) in enumerate([(steps[0], steps[1]), (steps[1], steps[2])]):
        bench.now += A_SECOND
        bench.handle(bust(order, wrong, bench.now, name=f"c{number}", instead=right))
    assert bench.books.ledger["A"].cash == D(5100)
    take_back(bench, order, steps[2], "b9")
    assert (bench.position("A", "SPY"), bench.books.ledger["A"].cash) == (D(0), D(10_000))


def test_a_correction_of_what_is_not_in_the_books_is_not_in_them_either() -> None:
    bench = bought()
    order = bench.order("A")
    bench.update(order, S.NEW)
    wrong, right = (execution(bench, 20, 20, name) for name in ("x1", "x2"))
    assert bench.handle(bust(order, wrong, bench.now, instead=right)).records == []


def test_a_correction_that_rest_told_of_first_is_booked_once() -> None:
    bench = bought()
    order = bench.order("A")
    wrong = execution(bench, 50, 50, "x1")
    tell(bench, order, wrong)
    right = m.Execution("rest::2", D(40), D(100), D(40), bench.now)
    tell(bench, order, right)
    bench.now += A_SECOND
    bench.handle(bust(order, wrong, bench.now, instead=replace(right, execution_id="x2")))
    assert (bench.position("A", "SPY"), bench.books.ledger["A"].cash) == (D(40), D(6000))


def test_an_order_that_still_stands_fills_again_after_a_bust_to_the_same_quantity() -> None:
    bench = bought()
    order = bench.order("A")
    first, wrong = execution(bench, 20, 20, "x1"), execution(bench, 10, 30, "x2")
    tell(bench, order, first)
    tell(bench, order, wrong)
    take_back(bench, order, wrong)
    assert (order.is_open, order.open_qty, order.hold) == (True, D(30), D(3000))
    tell(bench, order, replace(wrong, execution_id="rest::2"))  # what REST still lists
    assert bench.position("A", "SPY") == D(20)
    bench.now += A_SECOND
    again = execution(bench, 10, 30, "x3", "98")
    tell(bench, order, again)
    tell(bench, order, replace(again, execution_id="rest::3"))
    tell(bench, order, replace(wrong, execution_id="rest::2"))
    assert (bench.position("A", "SPY"), bench.books.ledger["A"].cash) == (D(30), D(7020))
    tell(bench, order, execution(bench, 20, 50, "x4"))
    assert (order.status, order.is_open, bench.position("A", "SPY")) == (S.FILLED, False, D(50))


def test_the_bust_of_an_early_execution_lets_later_ones_reach_the_same_quantity() -> None:
    bench = bought()
    order = bench.order("A")
    wrong = execution(bench, 10, 10, "x1")
    tell(bench, order, wrong)
    tell(bench, order, execution(bench, 20, 30, "x2"))
    take_back(bench, order, wrong)
    bench.now += A_SECOND
    tell(bench, order, execution(bench, 10, 30, "x3"))
    assert bench.position("A", "SPY") == D(30)


def test_a_report_from_before_a_bust_does_not_bring_the_busted_quantity_back() -> None:
    bench = bought()
    order = bench.order("A")
    wrong = execution(bench, 20, 20, "x1")
    tell(bench, order, wrong)
    take_back(bench, order, wrong)
    outcome = bench.update(order, S.PENDING_CANCEL, "20")
    assert (order.reported_qty, outcome.commands) == (D(0), [])
    bench.update(order, S.CANCELED, "20")
    assert (order.is_open, order.hold) == (False, D(0))
    check_identities(statement(bench.records))


def test_the_bust_of_an_execution_nobody_told_of_takes_back_no_other_that_looks_like_it() -> None:
    bench = bought()
    order = bench.order("A")
    tell(bench, order, execution(bench, 20, 20, "x1"))
    held = bench.position("A", "SPY")
    take_back(bench, order, execution(bench, 20, 40, "lost"))  # its own update never came
    assert bench.position("A", "SPY") == held == D(20)


def test_the_bust_of_an_execution_that_an_order_still_misses_is_booked_with_it() -> None:
    bench = bought()
    order = bench.order("A")
    lost = execution(bench, 20, 20, "x1")
    bench.update(order, S.CANCELED, "20")  # the update with the execution never came
    assert order.is_open
    assert order.misses_fills
    held = holdings(bench.books)
    bench.handle(replace(bust(order, lost, bench.now), filled_qty=D(0)))
    booked = [(fill.execution_id, fill.qty, fill.reverses) for fill in fills(bench)]
    assert booked == [("x1", D(20), ""), ("bust.b1", D(-20), "x1")]
    assert (holdings(bench.books), bench.books.orders.open()) == (held, [])
    assert tell(bench, order, lost).records == []  # told too late
    check_identities(statement(bench.records))


def test_a_fully_busted_entry_is_given_back_to_its_day() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("QQQ", 1): 1}, max_daily_trades=1))
    bench.minute(0, {"SPY": "100"})
    order = bench.order("A")
    wrong = execution(bench, order.qty, order.qty, "x1")
    tell(bench, order, wrong)
    assert bench.books.days["A"].entries == 1
    take_back(bench, order, wrong)
    assert bench.books.days["A"].entries == 0
    bench.minute(1, {"QQQ": "100"})
    assert [s[1] for s in bench.sent()] == ["SPY", "QQQ"]


def test_a_bust_in_the_next_session_is_booked_where_the_execution_was() -> None:
    bench = bought()
    order = bench.order("A")
    wrong = execution(bench, 50, 50, "x1")
    tell(bench, order, wrong)
    later = Bench(*bench.specs, books=bench.books)
    later.now = bench.now + 60 * MINUTE
    take_back(later, order, wrong)
    assert (later.position("A", "SPY"), later.books.ledger["A"].cash) == (D(0), D(10_000))


def test_an_order_replaced_by_hand_is_still_its_strategys_and_holds_its_money() -> None:
    bench = bought()
    order = bench.order("A")
    bench.update(order, S.NEW)
    new = replaced(bench, order, "35")
    assert [o.client_order_id for o in bench.books.orders.open()] == [new.client_order_id]
    assert (new.strategy, new.hold) == ("A", D(3500))
    tell(bench, new, execution(bench, 35, 35, "x1"))
    assert (bench.position("A", "SPY"), bench.books.ledger["A"].cash) == (D(35), D(6500))
    check_identities(statement(bench.records))


def test_an_order_replaced_by_one_not_heard_of_keeps_its_money_over_the_sessions_end() -> None:
    bench = bought()
    order = bench.order("A")
    bench.update(order, S.NEW)
    told = report(order, S.REPLACED, "0", bench.now)
    bench.handle(replace(told, replaced_by="broker-unheard"))
    assert (order.is_open, order.hold, bench.books.days["A"].entries) == (True, D(5000), 1)
    again = r.OpenOrder.of(order).revived()
    assert (again.is_open, again.hold) == (True, D(5000))
    new = replaced(bench, order, "35", "unheard")
    assert bench.books.orders.open() == [new]
    assert (new.hold, bench.books.days["A"].entries) == (D(3500), 1)


def test_an_order_replaced_by_hand_is_the_days_entry_in_place_of_the_old_one() -> None:
    bench = bought()
    order = bench.order("A")
    bench.update(order, S.NEW)
    new = replaced(bench, order, "35")
    assert bench.books.days["A"].entries == 1
    bench.update(new, S.CANCELED)
    assert bench.books.days["A"].entries == 0


def test_a_strategy_that_wants_out_cancels_the_order_that_took_its_orders_place() -> None:
    bench = bought(said={1: -1})
    order = bench.order("A")
    bench.update(order, S.NEW)
    new = replaced(bench, order, "35")
    tell(bench, new, execution(bench, 5, 5, "x1"))
    outcome = bench.minute(1, {"SPY": "101"})
    assert outcome.commands == [m.CancelOrder(new.client_order_id, new.broker_order_id)]
    bench.update(new, S.CANCELED, "5")
    assert bench.sent()[1:] == [("A", "SPY", Side.SELL, D(5))]


def test_fills_of_an_order_that_may_have_replaced_one_whose_answer_is_out_wait_for_that() -> None:
    bench, other = bought(), Bench(spec("B", {}))
    for record in bench.records:
        other.books.apply_foreign(record)
    order = bench.order("A")
    by_hand = stranger("5cb1-by-hand", "SPY", Side.BUY, "50", "100", bench.now, "stream-1")
    told = replace(by_hand, replaces=f"broker-{order_id('A')}")
    for one in (bench, other):
        one.handle(told)
        assert one.position(UNASSIGNED, "SPY") == D(0)
    bench.update(order, S.REPLACED)
    bench.handle(told, told)
    assert (bench.position(UNASSIGNED, "SPY"), bench.position("A", "SPY")) == (D(0), D(50))
    assert bench.books.orders.open() == []


def test_fills_of_an_order_on_the_other_side_of_ours_are_nobodys_at_once() -> None:
    bench = bought()
    by_hand = stranger("5cb1-by-hand", "SPY", Side.SELL, "4", "100", bench.now, "stream-1")
    bench.handle(replace(by_hand, replaces="an order of the app's"))
    assert bench.position(UNASSIGNED, "SPY") == D(-4)


def test_fills_seen_before_it_was_known_whose_the_replacing_order_is_are_not_booked_twice() -> None:
    bench = bought()
    order = bench.order("A")
    bench.handle(m.OrderAbsent(order.client_order_id, bench.now))  # so nobody waits for its answer
    by_hand = stranger("5cb1-by-hand", "SPY", Side.BUY, "50", "100", bench.now, "stream-1")
    bench.handle(replace(by_hand, replaces=f"broker-{order_id('A')}"))
    assert bench.position(UNASSIGNED, "SPY") == D(50)
    bench.update(order, S.REPLACED)
    assert by_hand.execution is not None
    from_rest = replace(by_hand.execution, execution_id="rest::1")
    told = replace(by_hand, replaces=order.broker_order_id, execution=from_rest)
    bench.handle(told, told)
    assert (bench.position(UNASSIGNED, "SPY"), bench.position("A", "SPY")) == (D(50), D(0))
    assert bench.books.orders.open() == []


def test_an_order_whose_fill_was_busted_before_it_was_known_whose_it_is_ends() -> None:
    bench = bought()
    order = bench.order("A")
    bench.handle(m.OrderAbsent(order.client_order_id, bench.now))
    by_hand = stranger("5cb1-by-hand", "SPY", Side.BUY, "50", "100", bench.now, "stream-1")
    told = replace(by_hand, replaces=f"broker-{order_id('A')}")
    bench.handle(told)
    gone = m.Bust("b1", "stream-1", D(50), D(100), bench.now + A_SECOND)
    bench.handle(replace(told, execution=None, filled_qty=D(0), bust=gone))
    assert bench.position(UNASSIGNED, "SPY") == D(0)
    bench.update(order, S.REPLACED)
    bench.handle(replace(told, replaces=order.broker_order_id, execution=None))
    assert bench.books.orders.open() == []


parts = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(1, 9), st.integers(90, 110), st.booleans()),
    min_size=1,
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(parts, st.sampled_from(["SPY", "BTC/USD"]), st.data())
def test_whichever_executions_are_busted_in_whatever_order_the_rest_is_what_is_booked(
    story: list[tuple[str, int, int, bool]], ticker: str, data: st.DataObject
) -> None:
    ours, never = (
        Bench(*(spec(name, {(ticker, 0): 1}, max_position_size="0.9") for name in "AB"))
        for _ in range(2)
    )
    for bench in (ours, never):
        bench.minute(0, {ticker: "100"})
    wrong = []
    for number, (name, qty, price, stands) in enumerate(story):
        for bench in (ours, never) if stands else (ours,):
            order = bench.order(name)
            one = execution(bench, qty, order.booked_qty + qty, f"x{number}", str(price))
            tell(bench, order, one)
            if not stands:
                wrong.append((order, one))
    for number, (order, one) in enumerate(data.draw(st.permutations(wrong + wrong))):
        take_back(ours, order, one, f"b{number}")
    assert holdings(ours.books) == holdings(never.books)
    assert set(ours.gains().values()) <= set(never.gains().values())
    check_identities(statement(ours.records))
