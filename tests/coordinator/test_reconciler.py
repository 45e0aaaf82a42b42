"""Looks at the broker's account: what excuses a difference, what explains it, what freezes."""

from __future__ import annotations

from collections.abc import Sequence
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
from coordinator.core.orders import OrderStatus
from coordinator.core.reconcile import LOOKS, ROUNDING_LOOKS, accept, compare, explain
from coordinator.core.statement import statement
from coordinator.core.values import UNASSIGNED, ZERO, Side, exactly
from tests.coordinator.bench import DAY, Bench, D, order_id, spec, stranger
from tests.coordinator.test_opening import TOMORROW

S = OrderStatus


def long_a(**more: str) -> Bench:
    """A holds 20 SPY, bought at 100; B wants SPY, and QQQ, in minute 9."""
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 5): -1}, max_position_size="0.2"),
        spec("B", {("SPY", 9): 1, ("QQQ", 9): 1}, max_position_size="0.2"),
        **more,
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    return bench


def found(bench: Bench) -> list[str]:
    return [x.discrepancy_id for x in bench.records if isinstance(x, r.DiscrepancyFound)]


def resolved(bench: Bench) -> list[tuple[str, str]]:
    return [
        (x.discrepancy_id, x.how) for x in bench.records if isinstance(x, r.DiscrepancyResolved)
    ]


def looks(bench: Bench, times: int, cash: str | None = None, **positions: str) -> None:
    for _ in range(times):
        bench.now += timedelta(seconds=4)
        bench.look(cash, positions)


def buys(bench: Bench) -> list[str]:
    """What may be bought of what B wants."""
    bench.minute(9, {"SPY": "100", "QQQ": "100"})
    return [s[1] for s in bench.sent() if s[0] == "B"]


def test_an_account_that_agrees_says_nothing() -> None:
    bench = long_a()
    looks(bench, 5)
    assert found(bench) == resolved(bench) == []
    assert not bench.engine.reconciler.is_suspicious


@pytest.mark.parametrize("times", [1, LOOKS - 1, LOOKS, LOOKS + 3])
def test_a_difference_counts_once_three_looks_in_a_row_have_shown_it(times: int) -> None:
    bench = long_a()
    looks(bench, times, SPY="22")
    counts = times >= LOOKS
    assert found(bench) == (["position.SPY"] if counts else [])
    assert bench.engine.reconciler.is_suspicious is not counts
    assert buys(bench) == (["QQQ"] if counts else ["SPY", "QQQ"])


# what three looks show of SPY, of which the books have 20 -> what is found
@pytest.mark.parametrize(
    ("shown", "differs"),
    [
        (["22", "22", "22"], True),
        (["22", "23", "22"], False),
        (["22", "22", "20", "22", "22"], False),
        (["22", "22", "23", "23", "23"], True),
        (["0", "0", "0"], True),
    ],
)
def test_only_the_same_difference_counts(shown: list[str], differs: bool) -> None:
    bench = long_a()
    for qty in shown:
        looks(bench, 1, SPY=qty)
    assert found(bench) == (["position.SPY"] if differs else [])


def test_a_found_difference_tells_both_figures_and_is_told_once_until_it_changes() -> None:
    bench = long_a()
    looks(bench, 6, SPY="22.5")
    (first,) = [x for x in bench.records if isinstance(x, r.DiscrepancyFound)]
    assert (first.ours, first.brokers, first.symbol) == (D(20), D("22.5"), "SPY")
    assert "20" in first.note
    assert "22.5" in first.note
    looks(bench, 6, SPY="23")
    assert found(bench) == ["position.SPY", "position.SPY"]
    assert bench.books.frozen["position.SPY"].brokers == D(23)


# what stands open of SPY (books: 20 filled), how far the broker's position is off -> excused
@pytest.mark.parametrize(
    ("side", "off", "excused"),
    [
        (Side.BUY, "5", True),
        (Side.BUY, "10", True),
        (Side.BUY, "10.0001", False),
        (Side.BUY, "-0.0001", False),
        (Side.SELL, "-20", True),
        (Side.SELL, "-3", True),
        (Side.SELL, "-20.0001", False),
        (Side.SELL, "0.0001", False),
    ],
)
def test_an_order_in_flight_excuses_what_it_could_explain_and_no_more(
    side: Side, off: str, excused: bool
) -> None:
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 5): -1}, max_position_size="0.2"),
        spec("C", {("SPY", 1): 1}, max_position_size="0.1"),
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1 if side is Side.BUY else 5, {"SPY": "100"})
    looks(bench, LOOKS, SPY=str(20 + D(off)))
    assert found(bench) == ([] if excused else ["position.SPY"])


def test_an_order_that_waits_for_its_turn_excuses_nothing() -> None:
    waiting = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 5): -1}, max_position_size="0.2"),
        spec("C", {("SPY", 5): 1}, max_position_size="0.1"),
    )
    waiting.minute(0, {"SPY": "100"})
    waiting.fill(waiting.order("A"))
    waiting.minute(5, {"SPY": "100"})
    assert waiting.order("C").status is S.WAITING
    looks(waiting, LOOKS, SPY="25")
    assert found(waiting) == ["position.SPY"]


def test_an_order_of_unknown_fate_excuses_as_one_that_stands() -> None:
    bench = long_a()
    bench.minute(5, {"SPY": "100"})
    bench.handle(m.SubmitUnclear(order_id("A", 2), bench.now, "time-out"))
    looks(bench, LOOKS, SPY="0")
    assert found(bench) == []


def test_an_order_on_one_ticker_excuses_no_other() -> None:
    bench = long_a()
    bench.minute(5, {"SPY": "100"})
    looks(bench, LOOKS, QQQ="-20")
    assert found(bench) == ["position.QQQ"]


def test_an_order_in_flight_excuses_cash_while_its_ticker_differs_too() -> None:
    bench = long_a()
    bench.minute(5, {"SPY": "100"})
    looks(bench, LOOKS + 2, "99234", SPY="8")
    assert found(bench) == []
    looks(bench, LOOKS, "99234")
    assert found(bench) == ["cash"]


def test_a_difference_in_cash_that_an_order_in_flight_may_hide_is_not_taken_as_explained() -> None:
    bench = long_a()
    looks(bench, LOOKS, "97500")
    bench.minute(5, {"SPY": "100"})  # A's 20 are for sale; 5 of them are sold, and not told of
    looks(bench, 1, "98000", SPY="15")
    assert resolved(bench) == []
    looks(bench, 1, "98000")
    assert resolved(bench) == [("cash", "explained")]


def test_a_look_that_was_asked_for_before_the_books_moved_says_nothing() -> None:
    bench = long_a()
    before = bench.books.posted.version
    bench.handle(stranger("by-hand", "SPY", Side.BUY, "3", "100", bench.now))
    for _ in range(LOOKS):
        bench.look("98000", {"SPY": "20"}, version=before)
    assert found(bench) == []
    bench.look(None, {"SPY": "20"})
    assert bench.engine.reconciler.is_suspicious


def in_another_coordinator(bench: Bench, symbol: str = "SPY") -> r.OrderIntended:
    """Another coordinator of the account has a strategy Z, and an order of it open."""
    intent = r.OrderIntended(
        bench.now, f"Z.{DAY}.1", "Z", symbol, Side.BUY, D(5), D(100), r.Reason.SIGNAL, True
    )
    bench.books.apply_foreign(r.Transferred(bench.now, UNASSIGNED, "Z", D(5000), "funding"))
    bench.books.apply_foreign(intent)
    return intent


def test_another_coordinators_open_order_excuses_its_ticker_and_cash_with_it() -> None:
    bench = long_a()
    intent = in_another_coordinator(bench)
    looks(bench, LOOKS, "97500", SPY="25")
    assert found(bench) == []
    looks(bench, LOOKS, "97500", SPY="25", QQQ="1")
    assert found(bench) == ["position.QQQ"]
    looks(bench, LOOKS, "97500", QQQ="1")
    assert found(bench) == ["position.QQQ", "cash"]
    moved = r.OrderMoved(bench.now, intent.client_order_id, S.CANCELED)
    bench.books.apply_foreign(moved)
    looks(bench, LOOKS, "97500", SPY="25", QQQ="1")
    assert found(bench) == ["position.QQQ", "cash", "position.SPY"]


def test_what_another_coordinator_booked_is_in_the_sum() -> None:
    bench = long_a()
    intent = in_another_coordinator(bench)
    fill = r.FillBooked(
        bench.now, "z1", f"Z.{DAY}.1", "Z", "SPY", Side.BUY, D(5), D(100), D(0), D(0), D(5)
    )  # fmt: skip
    bench.books.apply_foreign(fill)
    bench.books.apply_foreign(r.OrderMoved(bench.now, intent.client_order_id, S.FILLED))
    looks(bench, LOOKS, "97500", SPY="25")
    assert found(bench) == []


# executions of ours, how many cents the broker's cash is off -> booked as rounding, or found
@pytest.mark.parametrize(
    ("off", "booked"),
    [("0.01", True), ("-0.01", True), ("0.02", True), ("-0.02", True), ("0.03", False)],
)
def test_up_to_a_cent_an_execution_is_the_brokers_rounding_and_unassigneds(
    off: str, booked: bool
) -> None:
    bench = long_a()
    bench.handle(stranger("by-hand", "SPY", Side.BUY, "1", "100", bench.now))
    before, books = bench.books.ledger[UNASSIGNED].cash, bench.books.ledger["A"].cash
    looks(bench, ROUNDING_LOOKS, str(bench.books.ledger.net_cash() + D(off)))
    assert found(bench) == ([] if booked else ["cash"])
    assert bench.books.ledger[UNASSIGNED].cash - before == (D(off) if booked else 0)
    assert bench.books.ledger["A"].cash == books
    kinds = [x.kind for x in bench.records if isinstance(x, r.ActivityBooked)]
    assert kinds == ([r.ActivityKind.ROUNDING] if booked else [])
    check_identities_of(bench)


def test_a_cent_is_booked_as_rounding_once_and_the_next_needs_an_execution_of_its_own() -> None:
    bench = long_a()
    cash = bench.books.ledger.net_cash()
    looks(bench, ROUNDING_LOOKS, str(cash + D("0.01")))
    looks(bench, ROUNDING_LOOKS, str(cash + D("0.02")))
    assert found(bench) == ["cash"]
    again = long_a()
    looks(again, ROUNDING_LOOKS, str(cash + D("0.01")))
    again.handle(stranger("by-hand", "SPY", Side.SELL, "1", "100", again.now))
    looks(again, ROUNDING_LOOKS, str(cash + D("100.02")))
    assert found(again) == []


def test_a_fee_of_cents_listed_after_it_was_booked_as_rounding_takes_the_rounding_back() -> None:
    bench = long_a()
    cash = str(bench.books.ledger.net_cash() - D("0.01"))
    looks(bench, ROUNDING_LOOKS, cash)
    fee = m.Activity("f1", "FEE", DAY, "", D(0), None, D("-0.01"), "")
    bench.look(cash, activities=(fee,))
    looks(bench, ROUNDING_LOOKS, cash)
    assert found(bench) == []
    booked = [(x.kind, x.amount) for x in bench.of(r.ActivityBooked)]  # type: ignore[union-attr]
    rounding = r.ActivityKind.ROUNDING
    fee_booked = (r.ActivityKind.FEE, D("-0.01"))
    assert booked == [(rounding, D("-0.01")), fee_booked, (rounding, D("0.01"))]
    looks(bench, ROUNDING_LOOKS, str(D(cash) + D("0.01")))
    assert found(bench) == ["cash"], "there is no rounding left to be taken back"


def test_a_fee_is_taken_back_of_what_was_rounded_down_whatever_was_rounded_up_before() -> None:
    bench = long_a()
    cash = bench.books.ledger.net_cash()
    looks(bench, ROUNDING_LOOKS, str(cash + D("0.01")))
    for name in ("h1", "h2", "h3", "h4"):
        bench.handle(stranger(name, "SPY", Side.BUY, "1", "100", bench.now, name))
    cash -= 400
    looks(bench, ROUNDING_LOOKS, str(cash - D("0.03")))
    fee = m.Activity("f1", "FEE", DAY, "", D(0), None, D("-0.04"), "")
    bench.look(str(cash - D("0.03")), activities=(fee,))
    looks(bench, ROUNDING_LOOKS, str(cash - D("0.03")))
    assert found(bench) == []
    rounding = [x for x in bench.of(r.ActivityBooked) if x.kind is r.ActivityKind.ROUNDING]  # type: ignore[union-attr]
    assert [x.amount for x in rounding] == [D("0.01"), D("-0.04"), D("0.04")]  # type: ignore[union-attr]
    looks(bench, ROUNDING_LOOKS, str(cash - D("0.01")))
    assert found(bench) == ["cash"], "of what was rounded down, nothing is left"


@pytest.mark.parametrize(("days", "explained"), [(6, True), (7, False)])
def test_cents_rounded_so_long_ago_that_their_fees_would_be_listed_explain_no_missing_cash(
    days: int, explained: bool
) -> None:
    bench = long_a()
    for n in range(100):
        cent = r.ActivityBooked(
            bench.now, f"r{n}", UNASSIGNED, r.ActivityKind.ROUNDING, "", D(0), D(0),
            D("0.01") * (-1) ** n, "rounding", DAY - timedelta(days=days),
        )  # fmt: skip
        bench.books.apply_all([cent])
    looks(bench, ROUNDING_LOOKS, str(bench.books.ledger.net_cash() - D("0.49")))
    assert found(bench) == ([] if explained else ["cash"])


def test_what_a_session_left_below_a_cent_is_rounding_in_the_next_one() -> None:
    bench = long_a()
    for n in range(2):  # each leaves the broker's cents 0.004 behind ours
        by_hand = stranger(f"hand-{n}", "SPY", Side.BUY, "1", "100.006", bench.now, f"h{n}")
        bench.handle(by_hand)
    looks(bench, LOOKS, f"{bench.books.ledger.net_cash() - D('0.008'):.2f}")
    assert found(bench) == bench.of(r.ActivityBooked) == []
    again = Bench(*bench.specs, plan=TOMORROW, books=bench.books)
    again.handle(stranger("hand-2", "SPY", Side.BUY, "1", "100.006", again.now, "h2"))
    looks(again, ROUNDING_LOOKS, f"{again.books.ledger.net_cash() - D('0.012'):.2f}")
    assert found(again) == []
    assert [x.amount for x in again.of(r.ActivityBooked)] == [D("-0.012")]  # type: ignore[union-attr]


# how far the broker's cash is off after four executions -> those that the next session may round
@pytest.mark.parametrize(("off", "left"), [("0.00", 1), ("0.01", 4), (None, 4)])
def test_a_session_that_ended_before_its_cents_were_booked_leaves_them_to_the_next(
    off: str | None, left: int
) -> None:
    bench = long_a()
    for n in range(3):
        bench.handle(stranger(f"hand-{n}", "SPY", Side.BUY, "1", "100", bench.now, f"h{n}"))
    cash = None if off is None else bench.books.ledger.net_cash() + D(off)
    session = bench.books.session
    assert session is not None
    status = r.SessionEnd.COMPLETED
    bench.books.apply(r.SessionEnded(bench.now, session.session_id, status, cash, {}))
    again = Bench(*bench.specs, plan=TOMORROW, books=bench.books)
    assert again.books.posted.unsettled == left


@pytest.mark.parametrize(("off", "booked"), [("0.01", True), ("0.02", False)])
def test_cents_are_rounding_also_while_an_order_stands_that_may_take_days(
    off: str, booked: bool
) -> None:
    bench = long_a()
    bench.minute(5, {"SPY": "100"})
    looks(bench, ROUNDING_LOOKS, str(bench.books.ledger.net_cash() + D(off)), SPY="20")
    assert [x.amount for x in bench.of(r.ActivityBooked)] == ([D(off)] if booked else [])  # type: ignore[union-attr]
    assert found(bench) == ([] if booked else ["cash"])


def test_a_broker_that_reports_more_than_cents_rounds_nothing_to_cents() -> None:
    bench = long_a()
    bench.handle(stranger("by-hand", "SPY", Side.BUY, "1", "100.0061", bench.now))
    looks(bench, ROUNDING_LOOKS, str(bench.books.ledger.net_cash() - D("0.01")))
    assert found(bench) == ["cash"]


# how far the cash of a broker that sums floats is off after an execution -> what is found of it
@pytest.mark.parametrize(
    ("off", "differs"), [("0.00000000074506", []), ("-0.00000000100001", ["cash"])]
)
def test_a_billionth_an_execution_is_rounding_though_more_decimals_are_reported(
    off: str, differs: list[str]
) -> None:
    bench = long_a()
    reported = str(bench.books.ledger.net_cash() + D(off))
    looks(bench, ROUNDING_LOOKS, reported)
    assert found(bench) == differs
    assert (bench.books.ledger.net_cash() == D(reported)) is (not differs)


def coins_sold() -> Bench:
    """A has sold half a coin besides, for a fee of $200: the third execution."""
    bench = coins()
    sale = r.FillBooked(
        bench.now, "sold", "xs", "A", "BTC/USD", Side.SELL, D("0.5"), D(160_000),
        D(200), D(0), D("0.5"),
    )  # fmt: skip
    bench.books.apply_all([sale])
    return bench


# how far cash is off after a sale of coins -> what is found of it
@pytest.mark.parametrize(
    ("off", "differs"),
    [("0.000000000499", []), ("-0.004999999", []), ("0.03", []), ("0.030000001", ["cash"])],
)
def test_a_coin_sales_fee_may_be_rounded_otherwise_by_a_broker_whose_cash_is_exact(
    off: str, differs: list[str]
) -> None:
    bench = coins_sold()
    books = bench.books.ledger["A"].cash
    reported = f"{bench.books.ledger.net_cash() + D(off):.18f}"
    looks(bench, ROUNDING_LOOKS, reported, **{"BTC/USD": "1.495"})
    assert found(bench) == differs
    assert bench.books.ledger["A"].cash == books
    if not differs:
        assert bench.books.ledger.net_cash() == D(reported)


@pytest.mark.parametrize(
    ("off", "asks"), [("200.00", True), ("200.0040", True), ("200.01", False), ("-200", False)]
)
def test_cash_that_a_lower_fee_would_explain_is_found_with_the_question_whether_it_is_lower(
    off: str, asks: bool
) -> None:
    bench = coins_sold()
    bench.handle(stranger("by-hand", "SPY", Side.BUY, "1", "100.0040", bench.now))
    reported = f"{bench.books.ledger.net_cash() + D(off):.2f}"
    looks(bench, LOOKS, reported, **{"BTC/USD": "1.495"})
    (difference,) = bench.of(r.DiscrepancyFound)
    assert isinstance(difference, r.DiscrepancyFound)
    assert ("crypto_fee_rate" in difference.note) is asks


def two_sales_of_coins() -> Bench:
    """A and B have each sold coins, which was booked with 200 and 100 dollars of fees."""
    bench = coins()
    for number, (name, fee) in enumerate((("A", 200), ("B", 100))):
        sale = r.FillBooked(
            bench.now, f"sold-{number}", f"xs-{number}", name, "BTC/USD", Side.SELL, D("0.5"),
            D(fee * 800), D(fee), D(0), D("0.5"),
        )  # fmt: skip
        bench.books.apply_all([sale])
    return bench


def listed(*fees: str) -> tuple[m.Activity, ...]:
    """Fees of sales of coins as Alpaca posts them, one for each execution."""
    note = "Coin Pair Transaction Fee (USD)"
    return tuple(
        m.Activity(f"f{n}", "CFEE", DAY, "", D(0), None, -D(fee), note)
        for n, fee in enumerate(fees)
    )


# fees that Alpaca posts of sales that were booked with 200 and 100 dollars -> what is found
@pytest.mark.parametrize(
    ("posted", "off", "differs"),
    [
        (["176.00", "88.00"], "36.00", []),
        (["200.00", "88.00"], "12.00", []),
        (["176.00", "88.00"], "36.03", []),
        (["176.00", "88.00"], "36.10", ["cash"]),
        (["176.00", "88.00"], "35.90", ["cash"]),
        (["176.00", "88.00"], "-36.00", ["cash"]),
        (["176.00"], "36.00", ["cash"]),
        ([], "36.00", ["cash"]),
    ],
)
def test_what_sales_of_coins_were_booked_with_above_their_posted_fees_is_given_back(
    posted: list[str], off: str, differs: list[str]
) -> None:
    bench = two_sales_of_coins()
    before = sum(bench.books.ledger[name].cash for name in "AB")
    held = {"BTC/USD": str(bench.books.ledger.held("BTC/USD"))}
    cash = f"{bench.books.ledger.net_cash() + D(off):.2f}"
    bench.look(cash, held, activities=listed(*posted))
    looks(bench, ROUNDING_LOOKS, cash, **held)
    assert found(bench) == differs
    given = sum(bench.books.ledger[name].cash for name in "AB") - before
    assert given == (ZERO if differs else 300 - sum(map(D, posted)))
    check_identities_of(bench)


def test_a_lower_fee_that_is_posted_hours_after_its_sale_ends_the_freeze() -> None:
    bench = two_sales_of_coins()
    held = {"BTC/USD": str(bench.books.ledger.held("BTC/USD"))}
    cash = f"{bench.books.ledger.net_cash() + 36:.2f}"
    looks(bench, LOOKS, cash, **held)
    assert found(bench) == ["cash"]
    bench.look(cash, held, activities=listed("176.00", "88.00"))
    looks(bench, ROUNDING_LOOKS, cash, **held)
    assert resolved(bench) == [("cash", "explained")]
    assert (bench.books.frozen, bench.books.ledger.net_cash()) == ({}, D(cash))


def test_rounding_is_not_booked_while_a_deposit_of_some_cents_may_still_be_listed() -> None:
    bench = long_a()
    looks(bench, ROUNDING_LOOKS - 1, str(bench.books.ledger.net_cash() + D("0.01")))
    assert bench.of(r.ActivityBooked) == bench.of(r.DiscrepancyFound) == []
    deposit = m.Activity("d1", "CSD", DAY, "", D(0), None, D("0.01"), "")
    cash = str(bench.books.ledger.net_cash() + D("0.01"))
    bench.look(cash, activities=(deposit,))
    assert [x.kind for x in bench.of(r.ActivityBooked)] == [r.ActivityKind.TRANSFER]  # type: ignore[union-attr]


def coins(a: str = "1", b: str = "1") -> Bench:
    """A and B have each bought coins at 80,000 dollars, less the fee of 0.25 % in coin."""
    bench = Bench(spec("A", {("BTC/USD", 9): 1}), spec("B", {("BTC/USD", 9): 1}), cash="900000")
    bench.minute(0, {"BTC/USD": "80000"})
    for name, qty in (("A", a), ("B", b)):
        fee = D(qty) * D("0.0025")
        fill = r.FillBooked(
            bench.now, f"x{name}", f"x{name}", name, "BTC/USD", Side.BUY, D(qty), D(80_000),
            fee * 80_000, fee, D(qty),
        )  # fmt: skip
        bench.books.apply_all([fill])
        bench.records.append(fill)
    return bench


# A bought 3 coins, B 1; how far the broker's position is off -> whose quantity changes by how much
@pytest.mark.parametrize(
    ("off", "a", "b"),
    [
        ("0.004", "0.003", "0.001"),  # the broker's fee was lower
        ("-0.004", "-0.003", "-0.001"),
        ("0.01", "0.0075", "0.0025"),  # all of it
        ("-0.000000001", "-0.000000001", "0"),
    ],
)
def test_a_coin_fee_is_trued_up_for_those_who_caused_it(off: str, a: str, b: str) -> None:
    bench = coins("3", "1")
    before = [bench.position(name, "BTC/USD") for name in "AB"]
    total = sum(before, D(0)) + D(off)
    looks(bench, ROUNDING_LOOKS, **{"BTC/USD": str(total)})
    after = [bench.position(name, "BTC/USD") for name in "AB"]
    assert [y - x for x, y in zip(before, after, strict=True)] == [D(a), D(b)]
    assert found(bench) == []
    check_identities_of(bench)


@pytest.mark.parametrize("off", ["0.005000001", "-0.005000001", "0.5"])
def test_a_coin_fee_is_trued_up_by_no_more_than_was_accrued(off: str) -> None:
    bench = coins()
    looks(bench, ROUNDING_LOOKS, **{"BTC/USD": str(D("1.995") + D(off))})
    assert found(bench) == ["position.BTC/USD"]
    assert bench.position("A", "BTC/USD") == D("0.9975")


# by how much the broker's position and cash are off -> what is found, and what is taken for fees
@pytest.mark.parametrize(
    ("coins_off", "dollars_off", "finds", "fees"),
    [
        ("-0.001", "80.00", ["cash"], "0"),  # executions of purchases were taken back
        ("-0.0000001", "0.08", ["cash"], "0"),
        ("0.001", "-80.00", ["cash"], "0"),  # of a sale; or a human bought some
        ("-0.001", "0.01", [], "-0.001"),  # rounding
        ("-0.001", "-1.00", ["cash"], "-0.001"),  # fees of sales as well
        ("0.001", "0", [], "0.001"),
        ("-0.006", "480.00", ["position.BTC/USD", "cash"], "0"),  # more than all fees
    ],
)
def test_what_cash_has_paid_for_is_no_coin_fee(
    coins_off: str, dollars_off: str, finds: list[str], fees: str
) -> None:
    bench = coins()
    bench.books.posted.unsettled = 1
    cash = f"{bench.books.ledger.net_cash() + D(dollars_off):.2f}"
    looks(bench, ROUNDING_LOOKS, cash, **{"BTC/USD": str(D("1.995") + D(coins_off))})
    assert found(bench) == finds
    assert bench.books.ledger.held("BTC/USD") == D("1.995") + D(fees)


def test_a_coin_fee_is_trued_up_once_cash_that_hid_it_is_explained() -> None:
    bench = coins()
    before, held = bench.books.ledger.net_cash(), {"BTC/USD": "1.996"}
    looks(bench, ROUNDING_LOOKS, str(before - 500), **held)
    withdrawal = m.Activity("w1", "CSW", DAY, "", D(0), None, D(-500), "")
    bench.look(str(before - 500), held, activities=(withdrawal,))
    looks(bench, ROUNDING_LOOKS, str(before - 500), **held)
    assert (found(bench), resolved(bench)) == (["cash"], [("cash", "explained")])
    assert bench.books.ledger.held("BTC/USD") == D("1.996")


@pytest.mark.parametrize(("coins_off", "dollars_off"), [("0.001", "-80"), ("-0.001", "80")])
def test_coins_that_accepted_cash_has_paid_for_are_no_fees_but_wait_for_a_human_too(
    coins_off: str, dollars_off: str
) -> None:
    bench = coins()
    cash, held = bench.books.ledger.net_cash() + D(dollars_off), D("1.995") + D(coins_off)
    looks(bench, ROUNDING_LOOKS, str(cash), **{"BTC/USD": str(held)})
    differing = compare(bench.books.ledger, cash, {"BTC/USD": held}, bench.now)
    bench.books.apply_all(accepted(bench, "cash", differing))
    looks(bench, ROUNDING_LOOKS, str(cash), **{"BTC/USD": str(held)})
    assert list(bench.books.frozen) == ["position.BTC/USD"]
    (left,) = compare(bench.books.ledger, cash, {"BTC/USD": held}, bench.now)
    assert exactly(explain)(bench.books, left, [left], bench.now) == []
    bench.books.apply_all(accepted(bench, "position.BTC/USD", [left]))
    looks(bench, ROUNDING_LOOKS, str(cash), **{"BTC/USD": str(held)})
    assert not bench.books.frozen
    assert bench.position("A", "BTC/USD") == bench.position("B", "BTC/USD") == D("0.9975")
    assert bench.position(UNASSIGNED, "BTC/USD") == D(coins_off)


def test_true_ups_together_are_no_more_than_was_accrued() -> None:
    bench = coins()
    looks(bench, ROUNDING_LOOKS, **{"BTC/USD": "1.992"})
    assert found(bench) == []
    looks(bench, ROUNDING_LOOKS, **{"BTC/USD": "1.989999999"})
    assert found(bench) == ["position.BTC/USD"]


# the broker's true fee on each of two coins -> the account and the posting are both right
@pytest.mark.parametrize("rate", ["0.0010", "0.0025", "0.0040"])
def test_a_fee_that_was_trued_up_is_not_taken_again_when_the_broker_posts_it(rate: str) -> None:
    bench = coins()
    held = str(2 - 2 * D(rate))
    looks(bench, ROUNDING_LOOKS, **{"BTC/USD": held})
    posting = m.Activity("f1", "CFEE", DAY, "BTC/USD", -2 * D(rate), D(80_000), D(0), "")
    bench.look(None, {"BTC/USD": held}, activities=(posting,))
    looks(bench, ROUNDING_LOOKS, **{"BTC/USD": held})
    assert found(bench) == []
    assert bench.books.ledger.net_positions() == {"BTC/USD": D(held)}
    assert bench.books.posted.accrued("BTC/USD") == {}
    for name in "AB":
        assert bench.position(name, "BTC/USD") == D(held) / 2
        assert bench.books.ledger[name].fees == D(rate) * 80_000
    check_identities_of(bench)


def test_a_stock_has_no_fee_that_could_explain_its_position() -> None:
    bench = long_a()
    looks(bench, ROUNDING_LOOKS, SPY="19.999999999")
    assert found(bench) == ["position.SPY"]


@pytest.mark.parametrize(("cash", "blocked"), [("97000", {"SPY", "QQQ"}), (None, {"SPY"})])
def test_a_difference_in_cash_freezes_every_ticker_and_one_in_a_position_its_own(
    cash: str | None, blocked: set[str]
) -> None:
    bench = long_a()
    looks(bench, LOOKS, cash, **({} if cash else {"SPY": "25"}))
    assert {"SPY", "QQQ"} - set(buys(bench)) == blocked
    assert {reason for name, reason in bench.denials() if name == "B"} == {"frozen"}


def test_exits_go_on_while_entries_are_frozen() -> None:
    bench = long_a()
    looks(bench, LOOKS, "97000", SPY="25")
    bench.minute(5, {"SPY": "100"})
    assert bench.sent()[1:] == [("A", "SPY", Side.SELL, D(20))]


def test_a_difference_that_is_gone_has_been_explained_and_entries_go_on() -> None:
    bench = long_a()
    looks(bench, LOOKS, SPY="25")
    looks(bench, 1)
    assert resolved(bench) == [("position.SPY", "explained")]
    assert buys(bench) == ["SPY", "QQQ"]


def test_a_difference_that_an_order_in_flight_may_hide_is_not_taken_as_explained() -> None:
    bench = long_a()
    looks(bench, LOOKS, SPY="25")
    bench.minute(5, {"SPY": "100"})  # A's 20 are for sale; 5 of them are sold, and not told of
    looks(bench, 1, SPY="20")
    assert resolved(bench) == []
    bench.fill(bench.order("A", 2))
    looks(bench, LOOKS, SPY="5")
    assert set(bench.books.frozen) == {"position.SPY"}
    looks(bench, 1)
    assert resolved(bench) == [("position.SPY", "explained")]


def test_a_look_that_proves_a_hands_trade_explains_what_it_moved() -> None:
    bench = long_a()
    looks(bench, LOOKS, "97400", SPY="26")
    assert set(bench.books.frozen) == {"position.SPY", "cash"}
    by_hand = stranger("by-hand", "SPY", Side.BUY, "6", "100", bench.now)
    bench.look("97400", {"SPY": "26"}, updates=(by_hand,))
    assert bench.position(UNASSIGNED, "SPY") == D(6)
    looks(bench, 1)
    assert bench.books.frozen == {}


def test_a_trade_by_hand_that_a_look_brings_is_unassigneds_and_freezes_nothing() -> None:
    bench = long_a()
    by_hand = stranger("by-hand", "SPY", Side.SELL, "6", "101", bench.now)
    for _ in range(LOOKS + 1):
        bench.look("98606", {"SPY": "14"}, updates=(by_hand,))
    assert found(bench) == []
    assert (bench.position(UNASSIGNED, "SPY"), bench.position("A", "SPY")) == (D(-6), D(20))
    assert buys(bench) == ["SPY", "QQQ"]


def test_a_fill_that_the_stream_lost_is_booked_by_the_next_look() -> None:
    bench = long_a()
    bench.minute(5, {"SPY": "100"})
    one = bench.order("A", 2)
    execution = m.Execution("rest::9", D(20), D(100), D(20), bench.now)
    update = m.OrderUpdate(
        one.client_order_id, "b9", "SPY", Side.SELL, S.FILLED, D(20), D(20), D(100), bench.now,
        execution=execution,
    )  # fmt: skip
    bench.look("100000", {"SPY": "0"}, updates=(update,))
    assert (bench.position("A", "SPY"), found(bench)) == (D(0), [])
    assert not one.is_open


def test_a_look_at_orders_alone_judges_nothing() -> None:
    bench = long_a()
    for _ in range(LOOKS):
        bench.handle(m.AccountSeen(bench.now, bench.books.posted.version, None, {}))
    assert found(bench) == []
    assert not bench.engine.reconciler.is_suspicious


@exactly
def accepted(
    bench: Bench, name: str, among: Sequence[r.DiscrepancyFound] = ()
) -> Sequence[r.Record]:
    return accept(bench.books, bench.books.frozen[name], among, bench.now, "me")


# what differs -> what the human's word moves to UNASSIGNED: dollars, SPY
@pytest.mark.parametrize(
    ("cash", "position", "name", "dollars", "units"),
    [
        ("97000", None, "cash", "-1000", "0"),
        (None, "25", "position.SPY", "0", "5"),
        (None, "0", "position.SPY", "0", "-20"),
    ],
)
def test_a_human_may_take_a_difference_as_it_is(
    cash: str | None, position: str | None, name: str, dollars: str, units: str
) -> None:
    bench = long_a()
    looks(bench, LOOKS, cash, **({"SPY": position} if position else {}))
    before = bench.books.ledger[UNASSIGNED].cash
    for record in accepted(bench, name):
        bench.books.apply_foreign(record)  # `reconcile --accept` is another process
        bench.records.append(record)
    assert bench.books.ledger[UNASSIGNED].cash - before == D(dollars)
    assert bench.position(UNASSIGNED, "SPY") == D(units)
    assert bench.position("A", "SPY") == D(20)
    assert bench.books.frozen == {}
    looks(bench, LOOKS)
    assert found(bench) == [name]
    assert buys(bench) == ["SPY", "QQQ"]
    check_identities_of(bench)


def test_a_leap_of_a_price_that_is_taken_as_it_is_moves_nothing() -> None:
    bench = long_a()
    bench.minute(1, {"SPY": "300"})
    bench.books.apply_all(accepted(bench, "price.SPY"))
    assert (bench.books.frozen, bench.books.ledger.net_cash()) == ({}, D(98_000))


def test_a_freeze_outlives_a_restart() -> None:
    bench = long_a()
    looks(bench, LOOKS, "97000", SPY="25")
    books = Books()
    books.apply_all(decode(*encode(record)) for record in bench.records)
    again = Bench(*bench.specs, books=books)
    assert set(again.books.frozen) == {"cash", "position.SPY"}
    assert buys(again) == []
    again.look("97000", {"SPY": "25"})
    assert set(again.books.frozen) == {"cash", "position.SPY"}
    looks(again, 1)
    assert again.books.frozen == {}


def test_keys_of_another_account_freeze_everything_and_book_nothing() -> None:
    bench = long_a()
    by_hand = stranger("by-hand", "SPY", Side.SELL, "6", "101", bench.now)
    deposit = m.Activity("d1", "CSD", DAY, "", D(0), None, D(5), "")
    for _ in range(2):
        bench.look("100000", account="PA2", updates=(by_hand,), activities=(deposit,))
    assert found(bench) == ["account"]
    assert bench.books.ledger.net_cash() == D(98_000)
    assert buys(bench) == []
    bench.look(account="PA1")
    assert "account" in bench.books.frozen, "nobody has explained it"


def check_identities_of(bench: Bench) -> None:
    """Each book's profit adds up from its parts."""
    gains = bench.gains()
    assert all(not gain for name, gain in gains.items() if name != UNASSIGNED)
    statement(bench.records)


drifts = st.lists(
    st.tuples(
        st.sampled_from(["SPY", "QQQ", "cash"]),
        st.decimals("-30", "30", places=2),
        st.integers(1, 4),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(drifts)
def test_nothing_is_ever_invented_to_make_the_books_match(
    story: list[tuple[str, Decimal, int]],
) -> None:
    bench = long_a()
    cash = bench.books.ledger.net_cash()
    for what, off, times in story:
        if what == "cash":
            looks(bench, times, str(cash + off))
        else:
            looks(bench, times, **{what: str(bench.position("A", what) + off)})
    rounding = [x for x in bench.records if isinstance(x, r.ActivityBooked)]
    assert sum((abs(x.amount) for x in rounding), D(0)) <= D("0.01")
    assert all(x.strategy == UNASSIGNED for x in rounding)
    assert bench.books.ledger["A"].cash == D(8000)
    assert (bench.position("A", "SPY"), bench.position("A", "QQQ")) == (D(20), D(0))


def test_an_order_told_of_by_a_look_moves_on_as_by_the_stream() -> None:
    bench = long_a()
    bench.minute(5, {"SPY": "100"})
    one = bench.order("A", 2)
    told = m.OrderUpdate(
        one.client_order_id, "b9", "SPY", Side.SELL, S.NEW, D(20), D(0), None, bench.now
    )
    bench.look(updates=(told, replace(told, status=S.ACCEPTED)))
    assert (one.status, one.broker_order_id) == (S.NEW, "b9")
