"""Whose is a movement of the account that is no fill: tables that a trader can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.allotment import shares
from coordinator.core.attribution import attribute
from coordinator.core.books import Books
from coordinator.core.ledger import Position
from coordinator.core.reconcile import Reconciler
from coordinator.core.records import ActivityKind
from coordinator.core.values import COIN, EXACT, UNASSIGNED, ZERO, Bar, Side

D = Decimal
DAY, NEXT = date(2026, 3, 17), date(2026, 3, 18)
AT = datetime(2026, 3, 17, 15, tzinfo=UTC)
BEFORE = datetime(2026, 3, 16, 23, 59, tzinfo=UTC)
LATER = datetime(2026, 3, 18, 0, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OF_NEXT = datetime(NEXT.year, NEXT.month, NEXT.day, 14, tzinfo=UTC)
Each = Mapping[str, str]


def books_of(
    holders: Each, symbol: str = "SPY", mark: str = "100", *, begun_at: datetime = BEFORE
) -> Books:
    """Books of 10,000 dollars each, that hold so much of one ticker, bought at its mark."""
    books = Books()
    begun = {*holders, "A", "B", "C"} - {UNASSIGNED}
    books.apply_all(
        [
            r.AccountAdopted(begun_at, "PA1", D(100_000), ()),
            *(r.Transferred(AT, UNASSIGNED, name, D(10_000), "funding") for name in sorted(begun)),
        ]
    )
    for name, qty in holders.items():
        side = Side.BUY if D(qty) > 0 else Side.SELL
        trade(books, name, side, symbol, str(abs(D(qty))), mark)
    price = D(mark)
    bar = Bar(symbol, AT, price, price, price, price, D(1))
    books.apply_all([r.BarsSeen(AT, r.Origin.LIVE, (bar,))])
    return books


def trade(
    books: Books,
    strategy: str,
    side: Side,
    symbol: str,
    qty: str,
    price: str,
    *,
    at: datetime = AT,
    fee: str = "0",
    coins: str = "0",
) -> r.FillBooked:
    """One execution of an order of its own."""
    name = f"{strategy}-{len(books.posted.executions)}"
    fill = r.FillBooked(
        at, f"x.{name}", name, strategy, symbol, side, D(qty), D(price), D(fee), D(coins), D(qty)
    )
    books.apply_all([fill])
    return fill


def activity(
    kind: str,
    amount: str = "0",
    symbol: str = "",
    *,
    qty: str = "0",
    price: str | None = None,
    day: date = DAY,
    note: str = "",
    name: str = "act-1",
) -> m.Activity:
    """A movement of the account as the broker tells it."""
    told = D(price) if price is not None else None
    return m.Activity(name, kind, day, symbol, D(qty), told, D(amount), note)


def post(books: Books, *activities: m.Activity, at: datetime = AT) -> list[r.ActivityBooked]:
    """Book what the broker tells, and give the postings."""
    found = []
    for one in activities:
        postings = attribute(books, one, at)
        books.apply_all(postings)
        found += postings
    return found


def dollars(postings: list[r.ActivityBooked]) -> dict[str, Decimal]:
    """Cash by book."""
    return {posting.strategy: posting.amount for posting in postings}


# who holds how many SPY, the dividend -> the dollars of each
DIVIDENDS: list[tuple[Each, str, Each]] = [
    ({"A": "30", "B": "20"}, "25.00", {"A": "15.00", "B": "10.00"}),
    ({"A": "1", "B": "1", "C": "1"}, "10.00", {"A": "3.34", "B": "3.33", "C": "3.33"}),
    ({"A": "1", "B": "1", "C": "1"}, "10.01", {"A": "3.34", "B": "3.34", "C": "3.33"}),
    ({"A": "1", "B": "2"}, "10.00", {"A": "3.33", "B": "6.67"}),
    ({"A": "1", "B": "2"}, "0.01", {"B": "0.01"}),
    ({"A": "30", "B": "20"}, "-3.75", {"A": "-2.25", "B": "-1.50"}),  # tax withheld
    ({"A": "1", "B": "1"}, "-0.01", {"A": "-0.01"}),
    ({"A": "10", UNASSIGNED: "10"}, "5.00", {"A": "2.50", UNASSIGNED: "2.50"}),
    ({"A": "1", "B": "1"}, "0.015", {"A": "0.01", "B": "0.005"}),
    ({}, "7.00", {UNASSIGNED: "7.00"}),  # nobody holds it any more
    ({"A": "10", UNASSIGNED: "-4"}, "3.00", {"A": "5.00", UNASSIGNED: "-2.00"}),  # sold by hand
    ({"A": "4", UNASSIGNED: "-4"}, "1.00", {UNASSIGNED: "1.00"}),
    ({"A": "10", UNASSIGNED: "-30"}, "-10.00", {"A": "5.00", UNASSIGNED: "-15.00"}),
    ({"A": "5"}, "0", {}),
]


@pytest.mark.parametrize(("held", "amount", "whose"), DIVIDENDS)
def test_a_dividend_goes_to_those_who_hold_the_stock(held: Each, amount: str, whose: Each) -> None:
    books = books_of(held)
    postings = post(books, activity("DIVNRA" if amount.startswith("-") else "DIV", amount, "SPY"))
    assert dollars(postings) == {name: D(part) for name, part in whose.items()}
    assert {p.kind for p in postings} <= {ActivityKind.DIVIDEND}
    for name, part in whose.items():
        assert books.ledger[name].realized == D(part)
    assert books.ledger.net_positions().get("SPY", ZERO) == sum(map(D, held.values()), ZERO)


# who sold for how many dollars, and when, the fee of 17 March -> what each pays
FEES: list[tuple[list[tuple[str, str, datetime]], str, Each]] = [
    ([("A", "3000", AT), ("B", "1000", AT)], "-0.08", {"A": "-0.06", "B": "-0.02"}),
    ([("A", "3000", AT), ("B", "1000", LATER)], "-0.08", {"A": "-0.08"}),
    ([("A", "20", AT), ("A", "20", AT), ("B", "20", AT)], "-0.03", {"A": "-0.02", "B": "-0.01"}),
    ([("A", "1", AT), ("B", "1", AT), ("C", "1", AT)], "-0.02", {"A": "-0.01", "B": "-0.01"}),
    ([("A", "1", AT), ("B", "2", AT), ("C", "1", AT)], "-0.01", {"B": "-0.01"}),
    ([("A", "900", AT), (UNASSIGNED, "100", AT)], "-1.00", {"A": "-0.90", UNASSIGNED: "-0.10"}),
    ([("A", "1000", AT)], "0.05", {"A": "0.05"}),  # given back
    ([("A", "1000", LATER)], "-0.05", {UNASSIGNED: "-0.05"}),
    ([], "-12.34", {UNASSIGNED: "-12.34"}),
]  # fmt: skip


@pytest.mark.parametrize(("sales", "amount", "whose"), FEES)
def test_a_fee_of_the_account_is_split_over_its_dates_sales(
    sales: list[tuple[str, str, datetime]], amount: str, whose: Each
) -> None:
    books = books_of({})
    for name, notional, at in sales:
        trade(books, name, Side.SELL, "SPY", "10", str(D(notional) / 10), at=at)
    trade(books, "C", Side.BUY, "QQQ", "5", "400")  # a purchase bears none of it
    postings = post(books, activity("FEE", amount), at=LATER)
    assert dollars(postings) == {name: D(part) for name, part in whose.items()}
    assert {p.day for p in postings} == {DAY}
    for name, part in whose.items():
        assert books.ledger[name].fees == -D(part)


# a fee of coin, which is settled otherwise, has a pair and a quantity
@pytest.mark.parametrize(
    ("kind", "symbol", "qty"),
    [("TAF", "QQQ", "0"), ("FEE", "QQQ", "-10"), ("FEE", "BTC/USD", "0")],
)
def test_a_fee_of_one_ticker_is_split_over_that_tickers_sales(
    kind: str, symbol: str, qty: str
) -> None:
    books = books_of({})
    trade(books, "A", Side.SELL, "SPY", "10", "100")
    trade(books, "B", Side.SELL, symbol, "10", "100")
    assert dollars(post(books, activity(kind, "-0.02", symbol, qty=qty))) == {"B": D("-0.02")}


def test_a_sale_that_was_busted_later_bears_no_fee_of_its_date() -> None:
    books = books_of({})
    sold = trade(books, "A", Side.SELL, "SPY", "10", "100")
    trade(books, "B", Side.SELL, "SPY", "10", "100")
    bust = r.FillBooked(
        LATER, "bust.1", sold.client_order_id, "A", "SPY", Side.SELL, -sold.qty, sold.price,
        ZERO, ZERO, ZERO, reverses=sold.execution_id,
    )  # fmt: skip
    books.apply_all([bust])
    trade(books, "A", Side.SELL, "SPY", "3", "100", at=LATER)
    assert dollars(post(books, activity("FEE", "-0.02"))) == {"B": D("-0.02")}
    next_day = activity("FEE", "-0.07", day=NEXT, name="act-2")
    assert dollars(post(books, next_day)) == {"A": D("-0.07")}


def test_what_strategies_sold_to_each_other_bears_no_fee_of_the_broker() -> None:
    books = books_of({"A": "10"})
    for name, side in (("A", Side.SELL), ("B", Side.BUY)):
        order = f"{name}.2026-03-17.1"
        cross = r.FillBooked(
            AT, f"cross.{order}", order, name, "SPY", side, D(10), D(100), ZERO, ZERO, D(10)
        )
        books.apply_all([cross])
    trade(books, "C", Side.SELL, "SPY", "1", "100")
    assert dollars(post(books, activity("FEE", "-0.04"))) == {"C": D("-0.04")}


def with_coin_fees(**coins: str) -> Books:
    """Each bought one coin at 80,000 dollars, less this fee in coin."""
    books = books_of({}, "BTC/USD", "80000")
    for name, fee in coins.items():
        worth = str(D(fee) * 80_000)
        trade(books, name, Side.BUY, "BTC/USD", "1", "80000", fee=worth, coins=fee)
    return books


# coins that each accrued, coins that the broker posts -> what each loses beyond, what stays accrued
COIN_FEES: list[tuple[Each, list[str], Each, Each]] = [
    ({"A": "0.002", "B": "0.001"}, ["-0.003"], {}, {}),
    ({"A": "0.002", "B": "0.001"}, ["-0.0015"], {}, {"A": "0.001", "B": "0.0005"}),
    ({"A": "0.002", "B": "0.001"}, ["-0.0015", "-0.0015"], {}, {}),
    ({"A": "0.002", "B": "0.001"}, ["-0.0036"], {"A": "-0.0004", "B": "-0.0002"}, {}),
    ({"A": "0.002", "B": "0.001"}, ["-0.003", "-0.0001"], {UNASSIGNED: "-0.0001"}, {}),
    ({"A": "0.001"}, ["-0.001000001"], {"A": "-0.000000001"}, {}),
    ({}, ["-0.0005"], {UNASSIGNED: "-0.0005"}, {}),
]


@pytest.mark.parametrize(("accrued", "posted", "beyond", "left"), COIN_FEES)
def test_a_coin_fee_settles_what_fills_were_booked_with_and_takes_what_goes_beyond(
    accrued: Each, posted: list[str], beyond: Each, left: Each
) -> None:
    books = with_coin_fees(**accrued)
    before = {name: coins(books, name) for name in books.ledger.accounts}
    fees = {name: account.fees for name, account in books.ledger.accounts.items()}
    for number, qty in enumerate(posted):
        post(books, activity("CFEE", symbol="BTC/USD", qty=qty, name=f"fee-{number}"))
    for name, account in books.ledger.accounts.items():
        lost = D(beyond.get(name, "0"))
        assert coins(books, name) - before[name] == lost
        assert account.fees - fees[name] == -lost * 80_000
    assert books.posted.accrued("BTC/USD") == {name: D(fee) for name, fee in left.items()}


def coins(books: Books, name: str) -> Decimal:
    """What a book holds of the coin."""
    held = books.ledger[name].positions.get("BTC/USD")
    return held.qty if held else ZERO


@pytest.mark.parametrize("kind", ["CFEE", "FEE"])
def test_a_crypto_sales_dollar_fee_settles_what_was_booked_with_the_sale(kind: str) -> None:
    books = books_of({}, "BTC/USD", "80000")
    trade(books, "A", Side.SELL, "BTC/USD", "0.1", "80000", fee="20")
    cash = books.ledger.net_cash()
    note = "Coin Pair Transaction Fee (Non USD)"
    post(books, activity(kind, "-15.00", note=note, name="f1"))
    assert (books.ledger.net_cash(), books.posted.accrued("")) == (cash, {"A": D(5)})
    post(books, activity(kind, "-5.01", note=note, name="f2"))
    assert (books.ledger.net_cash() - cash, books.posted.accrued("")) == (D("-0.01"), {})
    assert books.ledger["A"].fees == D("20.01")


def test_what_an_account_traded_on_the_day_on_which_it_was_first_seen_it_had_paid_before() -> None:
    for begun_at, beyond in ((BEFORE, 1), (AT, 0)):
        books = books_of({}, "BTC/USD", begun_at=begun_at)
        trade(books, "A", Side.BUY, "BTC/USD", "1", "100", fee="0.25", coins="0.0025")
        posted = attribute(books, activity("CFEE", symbol="BTC/USD", qty="-0.0040"), LATER)
        assert [one.settles for one in posted] == [D("0.0025"), *[ZERO] * beyond]
        assert sum(one.qty for one in posted) == D("-0.0015") * beyond


# fees that fills of the first day were booked with, what Alpaca posts -> what is charged beyond
FIRST_FEES: list[tuple[Side, list[str], list[str], str]] = [
    (Side.BUY, ["0.282405187"], ["0.282405188"], "0.000000001"),
    (Side.BUY, ["0.000035007", "0.032006908"], ["0.000035007", "0.032006909"], "0.000000001"),
    (Side.BUY, ["0.282405187"], ["0.282405189"], "0"),
    (Side.SELL, ["2.201075"], ["2.21"], "0.008925"),
    (Side.SELL, ["1.634224", "0.850425"], ["0.86", "1.64"], "0.015351"),
    (Side.SELL, ["7.473139921", "7.474929431"], ["7.48", "7.48"], "0.011930648"),
    (Side.SELL, ["7.473139921", "7.473139921"], ["7.48", "7.48", "7.48"], "0.013720158"),
    (Side.SELL, ["2.201075"], ["2.22"], "0"),
    (Side.SELL, ["2.201075"], ["2.205"], "0"),
    (Side.SELL, ["2.201075"], ["2.21", "3.07"], "0.008925"),
]


@pytest.mark.parametrize(("side", "booked", "posted", "beyond"), FIRST_FEES)
def test_a_fee_of_the_first_day_that_alpaca_rounded_up_is_charged_to_who_caused_it(
    side: Side, booked: list[str], posted: list[str], beyond: str
) -> None:
    books = books_of({}, "UNI/USD", "1", begun_at=AT)
    bought = side is Side.BUY
    for fee in booked:
        trade(books, "A", side, "UNI/USD", "100", "1", fee=fee, coins=fee if bought else "0")
    charged = list[r.ActivityBooked]()
    for number, fee in enumerate(posted):
        name = f"fee-{number}"
        if bought:
            told = activity("CFEE", symbol="UNI/USD", qty=f"-{fee}", name=name)
        else:
            told = activity("CFEE", f"-{fee}", note="Coin Pair Transaction Fee (USD)", name=name)
        charged += [one for one in post(books, told) if one.qty or one.amount]
    assert sum(one.qty + one.amount for one in charged) == -D(beyond)
    assert {one.strategy for one in charged} <= {"A"}


def test_what_was_paid_before_an_account_was_first_seen_settles_no_fee_of_the_next_day() -> None:
    books = books_of({}, "BTC/USD", begun_at=AT)
    trade(books, "A", Side.SELL, "BTC/USD", "0.1", "100", fee="0.03")
    trade(books, "B", Side.SELL, "BTC/USD", "0.1", "100", fee="0.02", at=LATER)
    cash = books.ledger.net_cash()
    note = "Coin Pair Transaction Fee (USD)"
    post(books, activity("FEE", "-0.07", note=note, name="f1"), at=LATER)
    assert sum(books.posted.accrued("").values()) == D("0.02")
    post(books, activity("FEE", "-0.02", note=note, name="f2", day=NEXT), at=LATER)
    assert (books.posted.accrued(""), books.ledger.net_cash()) == ({}, cash)


def test_a_coin_fee_of_a_purchase_that_was_busted_is_nobodys() -> None:
    books = with_coin_fees(A="0.002")
    post(books, activity("CFEE", symbol="BTC/USD", qty="-0.002", name="f1"))
    bust = r.FillBooked(
        LATER, "bust.1", "A-0", "A", "BTC/USD", Side.BUY, D(-1), D(80_000), D(-160), D("-0.002"),
        ZERO, reverses="x.A-0",
    )  # fmt: skip
    books.apply_all([bust])
    assert books.posted.accrued("BTC/USD") == {"A": D("-0.002")}
    (settles, beyond) = post(books, activity("CFEE", symbol="BTC/USD", qty="-0.001", name="f2"))
    assert (settles.settles, beyond.strategy, beyond.qty) == (ZERO, UNASSIGNED, D("-0.001"))
    assert books.posted.accrued("BTC/USD") == {"A": D("-0.002")}


# who holds how many SPY, the mark, the units that the split adds -> each one's units, the new mark
SPLITS: list[tuple[Each, str, str, Each, str]] = [
    ({"A": "30", "B": "20"}, "100", "50", {"A": "60", "B": "40"}, "50"),
    ({"A": "30", "B": "20"}, "100", "-45", {"A": "3", "B": "2"}, "1000"),  # ten become one
    ({"A": "3", "B": "2"}, "100", "2.5", {"A": "4.5", "B": "3"}, "66.666666667"),
    ({"A": "1", "B": "2"}, "100", "1", {"A": "1.333333333", "B": "2.666666667"}, "75"),
    ({"A": "1", "B": "1"}, "100", "0.000000001", {"A": "1.000000001", "B": "1"}, "99.99999995"),
    ({"A": "10", UNASSIGNED: "5"}, "90", "30", {"A": "30", UNASSIGNED: "15"}, "30"),
    ({"A": "10", UNASSIGNED: "-4"}, "100", "6", {"A": "20", UNASSIGNED: "-8"}, "50"),
    ({"A": "10", UNASSIGNED: "-30"}, "100", "-20", {"A": "20", UNASSIGNED: "-60"}, "50"),
]  # fmt: skip


@pytest.mark.parametrize(("held", "mark", "units", "after", "price"), SPLITS)
def test_a_split_changes_quantities_and_the_mark_and_neither_cost_nor_cash(
    held: Each, mark: str, units: str, after: Each, price: str
) -> None:
    books = books_of(held, mark=mark)
    before = {name: (account.cash, account.realized) for name, account in accounts(books)}
    costs = {name: books.ledger[name].positions["SPY"].cost for name in held}
    postings = post(books, activity("SPLIT", symbol="SPY", qty=units, day=NEXT))
    assert {p.kind for p in postings} == {ActivityKind.SPLIT}
    assert {n: books.ledger[n].positions["SPY"].qty for n in held} == {
        name: D(qty) for name, qty in after.items()
    }
    assert {name: books.ledger[name].positions["SPY"].cost for name in held} == costs
    assert {n: (a.cash, a.realized) for n, a in accounts(books)} == before
    assert books.ledger.marks["SPY"] == D(price)


@pytest.mark.parametrize(("held", "mark", "units", "after", "price"), SPLITS)
def test_the_mark_follows_a_split_too_that_was_booked_by_who_knew_no_price(
    held: Each, mark: str, units: str, after: Each, price: str
) -> None:
    books, stranger = books_of(held, mark=mark), books_of(held, mark=mark)
    worth = {name: books.ledger.equity(name) for name in held}
    del stranger.ledger.marks["SPY"]  # a coordinator of crypto sees no bar of it
    for posting in post(stranger, activity("SPLIT", symbol="SPY", qty=units, day=NEXT)):
        books.apply_foreign(posting)
    assert {n: books.ledger[n].positions["SPY"].qty for n in held} == {
        name: D(qty) for name, qty in after.items()
    }
    assert abs(books.ledger.marks["SPY"] / D(price) - 1) < D("1e-8")
    for name, before in worth.items():
        assert abs(books.ledger.equity(name) - before) < D("0.00001")


@pytest.mark.parametrize(("newest", "price"), [(None, "50"), (AT, "50"), (OF_NEXT, "100")])
def test_the_mark_is_adjusted_unless_a_bar_of_the_splits_own_day_has_made_it(
    newest: datetime | None, price: str
) -> None:
    books = books_of({"A": "30"})
    books.last_bar.clear()
    if newest is not None:
        books.last_bar["SPY"] = newest
    post(books, activity("SPLIT", symbol="SPY", qty="30", day=NEXT))
    assert books.ledger.marks["SPY"] == D(price)


def test_a_mark_of_the_splits_own_day_is_a_price_after_it() -> None:
    books, stranger = books_of({"A": "30"}), books_of({"A": "30"})
    del stranger.ledger.marks["SPY"]
    books.last_bar["SPY"] = OF_NEXT
    for posting in post(stranger, activity("SPLIT", symbol="SPY", qty="30", day=NEXT)):
        books.apply_foreign(posting)
    assert books.ledger.marks["SPY"] == D(100)


def test_the_old_price_of_who_follows_another_market_is_no_mark_where_a_newer_bar_made_it() -> None:
    books, stranger = books_of({"A": "30"}), books_of({"A": "30"})
    stranger.last_bar.clear()  # its mark is of its opening
    price = D(51)
    bar = Bar("SPY", OF_NEXT, price, price, price, price, D(1))
    books.apply_all([r.BarsSeen(OF_NEXT, r.Origin.LIVE, (bar,))])
    for posting in post(stranger, activity("SPLIT", symbol="SPY", qty="30", day=NEXT)):
        assert posting.price == 50
        books.apply_foreign(posting)
    assert books.ledger.marks["SPY"] == price
    assert books.ledger["A"].positions["SPY"].qty == 60


def accounts(books: Books) -> list[tuple[str, object]]:
    return list(books.ledger.accounts.items())


# the broker's word, dollars, units of SPY and their price -> what it counts as in UNASSIGNED
OTHERS: list[tuple[str, str, str, str | None, ActivityKind, str, str]] = [
    ("CSD", "500", "0", None, ActivityKind.TRANSFER, "500", "0"),
    ("CSW", "-500", "0", None, ActivityKind.TRANSFER, "-500", "0"),
    ("JNLC", "12.34", "0", None, ActivityKind.TRANSFER, "12.34", "0"),
    ("JNLS", "0", "3", "99.5", ActivityKind.TRANSFER, "298.5", "3"),
    ("ACATS", "10", "3", None, ActivityKind.TRANSFER, "10", "3"),
    ("SOMETHING_NEW", "-1.50", "0", None, ActivityKind.TRANSFER, "-1.50", "0"),
    ("INT", "0.42", "0", None, ActivityKind.INTEREST, "0.42", "0"),
    ("INT", "-3.10", "0", None, ActivityKind.INTEREST, "-3.10", "0"),
    ("INTNRA", "-0.10", "0", None, ActivityKind.INTEREST, "-0.10", "0"),
]


@pytest.mark.parametrize(("word", "amount", "qty", "price", "kind", "worth", "units"), OTHERS)
def test_deposits_interest_and_what_is_not_known_are_unassigned(
    word: str,
    amount: str,
    qty: str,
    price: str | None,
    kind: ActivityKind,
    worth: str,
    units: str,
) -> None:
    books = books_of({"A": "10"})
    before = books.ledger[UNASSIGNED].transferred
    (posting,) = post(books, activity(word, amount, "SPY", qty=qty, price=price))
    account = books.ledger[UNASSIGNED]
    assert (posting.strategy, posting.kind, posting.amount) == (UNASSIGNED, kind, D(amount))
    interest = kind is ActivityKind.INTEREST
    assert account.realized == (D(worth) if interest else ZERO)
    assert account.transferred - before == (ZERO if interest else D(worth))
    held = account.positions.get("SPY")
    assert (held.qty if held else ZERO) == D(units)


def test_units_of_nothing_are_no_position() -> None:
    books = books_of({})
    post(books, activity("JNLC", "25", qty="25"))
    assert books.ledger.net_positions() == {}


@pytest.mark.parametrize(
    "one",
    [
        activity("DIV", "25", "SPY"),
        activity("FEE", "-0.08"),
        activity("CFEE", symbol="BTC/USD", qty="-0.0036"),
        activity("SPLIT", symbol="SPY", qty="50"),
        activity("CSD", "500"),
    ],
    ids=lambda one: one.kind,
)
def test_what_is_told_twice_is_booked_once(one: m.Activity) -> None:
    books = books_of({"A": "30", "B": "20"})
    trade(books, "A", Side.SELL, "QQQ", "10", "100")
    trade(books, "B", Side.BUY, "BTC/USD", "1", "80000", fee="80", coins="0.001")
    first = post(books, one)
    assert first
    cash, positions = books.ledger.net_cash(), books.ledger.net_positions()
    assert post(books, one) == []
    books.apply_all(first)  # another coordinator of the account booked it as well
    assert (books.ledger.net_cash(), books.ledger.net_positions()) == (cash, positions)
    assert books.posted.accrued("BTC/USD").get("B", ZERO) >= 0


amounts = st.decimals(-(10**9), 10**9, places=9)
weights = st.dictionaries(
    st.sampled_from(["A", "B", "C", "D", "E", UNASSIGNED]), st.decimals(-(10**6), 10**6, places=9)
)
units = st.sampled_from([D("0.01"), COIN, D(1), D("0.0001")])


@given(amounts, weights, units)
def test_shares_sum_to_what_is_shared_for_any_weights_amount_and_unit(
    total: Decimal, weight: dict[str, Decimal], unit: Decimal
) -> None:
    found = shares(total, weight, unit)
    assert sum(found.values(), ZERO) == total
    whole = sum(weight.values(), ZERO)
    if whole <= 0:
        assert set(found) <= {UNASSIGNED}
        return
    for name, part in found.items():
        assert weight[name], "who has no part in it gets nothing"
        assert abs(part * whole - total * weight[name]) <= unit * whole


@given(amounts, st.dictionaries(st.sampled_from("ABCDE"), st.integers(1, 10**6), min_size=1))
def test_shares_of_those_who_weigh_the_same_differ_by_a_unit_at_most(
    total: Decimal, names: dict[str, int]
) -> None:
    found = shares(total, dict.fromkeys(names, D(3)), D("0.01"))
    parts = [found.get(name, ZERO) for name in sorted(names)]
    assert max(parts) - min(parts) <= D("0.01")
    assert sorted(parts, key=abs, reverse=True) == parts, "the first name has the odd cent"


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.decimals(1, 10**4, places=2)), max_size=8),
    st.decimals(-100, 100, places=2),
    st.sampled_from(["FEE", "DIV", "CSD", "INT", "SPLIT"]),
)
def test_whatever_moves_the_account_moves_the_sum_of_the_books_by_as_much(
    sales: list[tuple[str, Decimal]], amount: Decimal, word: str
) -> None:
    books = books_of({"A": "7", "B": "11", "C": "13"})
    for name, price in sales:
        trade(books, name, Side.SELL, "SPY", "1", str(price))
    cash, held = books.ledger.net_cash(), books.ledger.net_positions().get("SPY", ZERO)
    gains = {name: gain(books, name) for name in books.ledger.accounts}
    if word == "SPLIT":
        post(books, activity(word, symbol="SPY", qty=str(abs(amount))))
        assert books.ledger.net_positions().get("SPY", ZERO) - held == abs(amount)
    else:
        post(books, activity(word, str(amount), "SPY" if word == "DIV" else ""))
        assert books.ledger.net_cash() - cash == amount
    assert {name: gain(books, name) for name in gains} == gains


def gain(books: Books, name: str) -> Decimal:
    """Equity beyond what was put in and won: the same, whatever happens."""
    account = books.ledger[name]
    cost = sum((p.cost for p in account.positions.values()), ZERO)
    unrealized = account.market_value(books.ledger.marks) - cost
    put_in = account.initial_cash + account.transferred
    return books.ledger.equity(name) - put_in - account.realized - unrealized + account.fees


# who holds how many SPY, what a split takes and what it gives -> each one's units, the new mark
HALVES: list[tuple[Each, str, str, Each, str]] = [
    ({"A": "30", "B": "20"}, "-50", "100", {"A": "60", "B": "40"}, "50"),
    ({"A": "30", "B": "20"}, "-50", "5", {"A": "3", "B": "2"}, "1000"),  # ten become one
    ({"A": "1", "B": "2"}, "-3", "4.5", {"A": "1.5", "B": "3"}, "66.666666667"),
    ({"A": "10", UNASSIGNED: "-4"}, "-6", "12", {"A": "20", UNASSIGNED: "-8"}, "50"),
    ({UNASSIGNED: "-4"}, "4", "-8", {UNASSIGNED: "-8"}, "50"),  # went short by hand
]


@pytest.mark.parametrize("turned", [False, True], ids=["takes first", "gives first"])
@pytest.mark.parametrize(("held", "takes", "gives", "after", "price"), HALVES)
def test_a_split_that_is_listed_as_what_it_takes_and_what_it_gives_stays_with_those_who_held(
    held: Each, takes: str, gives: str, after: Each, price: str, turned: bool
) -> None:
    books = books_of(held)
    costs = {name: books.ledger[name].positions["SPY"].cost for name in held}
    halves = [
        activity("SPLIT", symbol="SPY", qty=takes, day=NEXT, name="takes"),
        activity("SPLIT", symbol="SPY", qty=gives, day=NEXT, name="gives"),
    ]
    for _ in range(2):
        look(books, *(halves[::-1] if turned else halves))
        assert {n: p["SPY"].qty for n, p in positions(books)} == {n: D(q) for n, q in after.items()}
        assert {n: p["SPY"].cost for n, p in positions(books)} == costs
        assert abs(books.ledger.marks["SPY"] / D(price) - 1) < D("1e-8")


def test_half_a_split_waits_for_the_other_half() -> None:
    books = books_of({"A": "30", "B": "20"})
    takes = activity("SPLIT", symbol="SPY", qty="-50", day=NEXT, name="takes")
    look(books, takes)
    assert {n: p["SPY"].qty for n, p in positions(books)} == {"A": D(30), "B": D(20)}
    look(books, takes, activity("SPLIT", symbol="SPY", qty="100", day=NEXT, name="gives"))
    assert {n: p["SPY"].qty for n, p in positions(books)} == {"A": D(60), "B": D(40)}


def test_what_a_split_takes_of_shares_that_are_not_in_the_books_yet_waits_for_them() -> None:
    books = books_of({})
    takes = activity("SPLIT", symbol="SPY", qty="-50", day=NEXT, name="takes")
    look(books, takes)
    assert positions(books) == []
    trade(books, "A", Side.BUY, "SPY", "50", "100")
    look(books, takes, activity("SPLIT", symbol="SPY", qty="100", day=NEXT, name="gives"))
    assert {n: p["SPY"].qty for n, p in positions(books)} == {"A": D(100)}


def test_what_a_split_gives_is_nobodys_where_more_was_sold_than_the_books_had() -> None:
    books = books_of({"A": "5", "B": "-25"})
    look(books, activity("SPLIT", symbol="SPY", qty="30", day=NEXT))
    assert {n: p["SPY"].qty for n, p in positions(books)} == {
        "A": D(5), "B": D(-25), UNASSIGNED: D(30)
    }  # fmt: skip
    assert books.ledger.marks["SPY"] == D(100)


@pytest.mark.parametrize("listed", [["50"], ["-50", "100"]], ids=["at once", "in halves"])
def test_a_split_is_of_those_who_hold_where_a_human_has_sold_as_much_since(
    listed: list[str],
) -> None:
    books = books_of({"A": "30", "B": "20", UNASSIGNED: "-50"})
    worth = {name: books.ledger.equity(name) for name in ("A", "B")}
    look(books, *(activity("SPLIT", symbol="SPY", qty=q, day=NEXT, name=q) for q in listed))
    after = {name: book["SPY"].qty for name, book in positions(books)}
    assert sum(after.values()) == 50
    assert after["A"] > 30
    assert after["B"] > 20
    assert all(abs(books.ledger.equity(n) - was) < D("0.00001") for n, was in worth.items())


# who held how many SPY, who traded how many of the new ones since -> each one's units afterwards
SINCE: list[tuple[Each, Each, Each]] = [
    ({UNASSIGNED: "50"}, {"A": "30"}, {UNASSIGNED: "100", "A": "30"}),
    ({"A": "30", "B": "20"}, {"A": "15", "C": "7"}, {"A": "75", "B": "40", "C": "7"}),
    ({"A": "30", "B": "20"}, {"B": "-20"}, {"A": "60", "B": "20"}),
    ({"A": "30", UNASSIGNED: "20"}, {UNASSIGNED: "-50"}, {"A": "60", UNASSIGNED: "-10"}),
]


@pytest.mark.parametrize("listed", [["50"], ["-50", "100"]], ids=["at once", "in halves"])
@pytest.mark.parametrize(("held", "since", "after"), SINCE)
def test_what_was_traded_after_a_split_was_listed_has_no_share_in_it(
    held: Each, since: Each, after: Each, listed: list[str]
) -> None:
    books = books_of(held)
    for name, qty in since.items():
        side = Side.BUY if D(qty) > 0 else Side.SELL
        trade(books, name, side, "SPY", str(abs(D(qty))), "50", at=AT + 2 * SECOND)
    halves = (activity("SPLIT", symbol="SPY", qty=q, day=DAY, name=q) for q in listed)
    look(books, *(replace(half, at=AT + SECOND) for half in halves))
    assert {n: p["SPY"].qty for n, p in positions(books)} == {n: D(q) for n, q in after.items()}


def test_a_dividend_is_of_those_who_held_when_it_was_listed() -> None:
    books = books_of({"A": "30", "B": "20"})
    trade(books, "A", Side.SELL, "SPY", "30", "100", at=AT + 2 * SECOND)
    trade(books, "C", Side.BUY, "SPY", "70", "100", at=AT + 2 * SECOND)
    paid = replace(activity("DIV", "25.00", "SPY"), at=AT + SECOND)
    assert dollars(post(books, paid)) == {"A": D(15), "B": D(10)}


def test_a_dividend_in_shares_changes_quantities_as_a_split_does() -> None:
    books = books_of({"A": "30", "B": "20"})
    look(books, activity("SDIV", symbol="SPY", qty="5", day=NEXT))
    assert {n: p["SPY"].qty for n, p in positions(books)} == {"A": D(33), "B": D(22)}
    assert {n: p["SPY"].cost for n, p in positions(books)} == {"A": D(3000), "B": D(2000)}


def test_cash_for_fractions_of_shares_goes_to_those_who_hold_the_stock() -> None:
    books = books_of({"A": "1", "B": "2"})
    assert dollars(post(books, activity("CIL", "12", "SPY"))) == {"A": D(4), "B": D(8)}


def test_what_the_custody_of_a_stock_costs_is_paid_by_those_who_hold_it() -> None:
    books = books_of({"A": "1", "B": "2"})
    trade(books, "C", Side.SELL, "SPY", "1", "100")
    trade(books, "C", Side.BUY, "SPY", "1", "100")
    postings = post(books, activity("PTC", "-0.06", "SPY"))
    assert dollars(postings) == {"A": D("-0.02"), "B": D("-0.04")}
    assert {p.kind for p in postings} == {ActivityKind.FEE}


def look(books: Books, *listed: m.Activity) -> None:
    """Book a list of the broker's as a look at the account does."""
    reconciler = Reconciler(books, books.apply, lambda _: None)
    with localcontext(EXACT):
        reconciler.take(m.AccountSeen(AT, books.posted.version, None, {}, (), listed, ""))


def positions(books: Books) -> list[tuple[str, Mapping[str, Position]]]:
    """What each book holds, of those that hold anything."""
    return [(name, a.positions) for name, a in books.ledger.accounts.items() if a.positions]
