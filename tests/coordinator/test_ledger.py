"""What each booking does to a sub-account, as tables that a trader can audit."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core.ledger import Ledger, Position, SubAccount
from coordinator.core.records import FillBooked, Holding
from coordinator.core.values import UNASSIGNED, ZERO, Side, exactly, storable

D = Decimal
AT = datetime(2026, 3, 17, 14, tzinfo=UTC)
NUMBERS = itertools.count()

# Each line: what happened -> cash, quantity, total cost, realised, fees after it.
TABLES = {
    "a position bought in two steps and sold in two": """
        fund 10000              | 10000      0    0        0     0
        buy  10 SPY 100         |  9000     10 1000        0     0
        buy  10 SPY 110         |  7900     20 2100        0     0
        sell 5  SPY 120         |  8500     15 1575       75     0
        sell 15 SPY 100         | 10000      0    0        0     0
    """,
    "a relieved cost is rounded half-even at the eighteenth place": """
        fund 10                 | 10  0 0 0 0
        buy  3 SPY 1            |  7  3 3 0 0
        sell 1 SPY 1            |  8  2 2 0 0
        buy  1 SPY 2            |  6  3 4 0 0
        sell 1 SPY 2            |  8  2 2.666666666666666667 0.666666666666666667 0
        sell 1 SPY 2            | 10  1 1.333333333333333333 1.333333333333333333 0
        sell 1 SPY 2            | 12  0 0 2 0
    """,
    "a fee taken in coin lessens what arrives, and the average price excludes it": """
        fund 1000               | 1000 0      0      0     0
        buy  1 BTC/USD 100 coin 0.0025 | 900 0.9975 99.75 0 0.25
        sell 0.9975 BTC/USD 110 dollars 0.2743125 | 1009.4506875 0 0 9.975 0.5243125
    """,
    "a sale for less than it cost, and a fee in dollars": """
        fund 1000                     | 1000    0    0      0    0
        buy  4 SPY 200                |  200    4  800      0    0
        sell 4 SPY 150 dollars 0.01   |  799.99 0    0   -200 0.01
    """,
    "what is sold without being held is owed, and bought back": """
        fund 0                  |     0    0     0   0 0
        sell 10 SPY 100         |  1000  -10 -1000   0 0
        sell 10 SPY 110         |  2100  -20 -2100   0 0
        buy  5  SPY 90          |  1650  -15 -1575  75 0
        buy  20 SPY 100         |  -350    5   500 150 0
        sell 5  SPY 100         |   150    0     0 150 0
    """,
    "one sale that goes from long through flat to short": """
        fund 0                  |    0  0    0  0 0
        buy  2 SPY 100          | -200  2  200  0 0
        sell 5 SPY 110          |  350 -3 -330 20 0
    """,
    "money given later is a transfer, not a profit": """
        fund 100                |  100 0   0 0 0
        give 50                 |  150 0   0 0 0
        buy 1 SPY 120           |   30 1 120 0 0
        give -20                |   10 1 120 0 0
    """,
    "a split stretches what is owed; one that leaves shares has covered it for nothing": """
        fund 0                  |    0  0    0   0 0
        sell 3 SPY 100          |  300 -3 -300   0 0
        split -3 SPY            |  300 -6 -300   0 0
        split 16 SPY            |  300 10    0 300 0
    """,
}


def fill(
    strategy: str,
    side: Side,
    symbol: str,
    qty: Decimal,
    price: Decimal,
    fee: Decimal = ZERO,
    fee_qty: Decimal = ZERO,
) -> FillBooked:
    name = f"x{next(NUMBERS)}"
    return FillBooked(AT, name, "", strategy, symbol, side, qty, price, fee, fee_qty, qty)


def act(ledger: Ledger, text: str) -> None:
    """Carry out a line of a table."""
    match text.split():
        case ["fund", amount]:
            ledger.fund(UNASSIGNED, "Alpha", D(amount))
        case ["give", amount]:
            ledger.transfer(UNASSIGNED, "Alpha", D(amount))
        case ["split", qty, symbol]:
            ledger["Alpha"].split(symbol, D(qty))
        case [("buy" | "sell") as side, qty, symbol, price]:
            ledger.book(fill("Alpha", Side(side), symbol, D(qty), D(price)))
        case [("buy" | "sell") as side, qty, symbol, price, "coin", coins]:
            fee = D(coins) * D(price)
            ledger.book(fill("Alpha", Side(side), symbol, D(qty), D(price), fee, D(coins)))
        case [("buy" | "sell") as side, qty, symbol, price, "dollars", fee]:
            ledger.book(fill("Alpha", Side(side), symbol, D(qty), D(price), D(fee)))
        case _:
            raise AssertionError(text)


@pytest.mark.parametrize("name", TABLES)
@exactly
def test_bookings_move_cash_cost_profit_and_fees_as_the_table_says(name: str) -> None:
    ledger = Ledger()
    for line in TABLES[name].strip().splitlines():
        text, after = line.split("|")
        act(ledger, text)
        account = ledger["Alpha"]
        held = next(iter(account.positions.values()), Position())
        found = [account.cash, held.qty, held.cost, account.realized, account.fees]
        assert found == [D(number) for number in after.split()], line.strip()


@exactly
def test_profit_is_equity_less_what_was_put_in() -> None:
    ledger = Ledger()
    ledger.fund(UNASSIGNED, "Alpha", D(1000))
    ledger.transfer(UNASSIGNED, "Alpha", D(500))
    ledger.book(fill("Alpha", Side.BUY, "SPY", D(10), D(100)))
    ledger.marks["SPY"] = D("101.5")
    assert ledger.equity("Alpha") == D(1515)
    assert ledger.pnl("Alpha") == D(15)
    assert ledger[UNASSIGNED].cash == D(-1500)
    assert ledger[UNASSIGNED].transferred == D(-1500)


@exactly
def test_a_position_without_a_mark_counts_at_its_cost() -> None:
    ledger = Ledger()
    ledger.restore(SubAccount("Alpha", cash=D(5)), [Holding("SPY", D(2), D(200))])
    assert ledger.equity("Alpha") == D(205)
    ledger.marks["SPY"] = D(90)
    assert ledger.equity("Alpha") == D(185)


@exactly
def test_the_average_price_is_derived_and_zero_when_flat() -> None:
    assert Position(D(3), D(10)).avg_price * 3 < D(10)
    assert Position(D(4), D(10)).avg_price == D("2.5")
    assert Position().avg_price == ZERO


@exactly
def test_positions_that_cancel_each_other_are_no_net_position() -> None:
    ledger = Ledger()
    ledger.fund(UNASSIGNED, "Alpha", D(100))
    ledger.book(fill("Alpha", Side.BUY, "SPY", D(3), D(10)))
    ledger.book(fill(UNASSIGNED, Side.SELL, "SPY", D(3), D(10)))
    assert ledger.net_positions() == {}
    assert ledger.net_cash() == ZERO


@exactly
def test_a_restored_book_drops_empty_holdings_and_lists_the_rest_by_symbol() -> None:
    ledger = Ledger()
    stored = [
        Holding("TLT", D(1), D(90)),
        Holding("SPY", ZERO, ZERO),
        Holding("QQQ", D(2), D(800)),
    ]
    ledger.restore(SubAccount("Alpha"), stored)
    assert [h.symbol for h in ledger["Alpha"].holdings()] == ["QQQ", "TLT"]


NAMES, SYMBOLS = ["Alpha", "Beta", UNASSIGNED], ["SPY", "BTC/USD"]
amounts = st.decimals("0.000000001", "100000", places=9)
prices = st.decimals("0.0001", "100000", places=4) | st.decimals("1e-7", "1e-3", places=14)
fills = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(list(Side)),
    st.sampled_from(SYMBOLS),
    amounts,
    prices,
    st.sampled_from(["none", "coin", "dollars"]),
)
transfers = st.tuples(st.sampled_from(NAMES[:2]), st.decimals("-500", "500", places=2))


@settings(deadline=None)
@given(st.lists(st.one_of(fills, transfers), max_size=40), st.lists(prices, min_size=2, max_size=2))
@exactly
def test_whatever_is_booked_every_dollar_is_accounted_for(
    events: list[tuple[object, ...]], marks: list[Decimal]
) -> None:
    ledger, cash, coins = Ledger(), ZERO, dict.fromkeys(SYMBOLS, ZERO)
    for name in NAMES[:2]:
        ledger.fund(UNASSIGNED, name, D(10_000))
    for event in events:
        match event:
            case (
                str(name),
                Side() as side,
                str(symbol),
                Decimal() as qty,
                Decimal() as price,
                fee,
            ):
                rate = (qty * D("0.0025")).quantize(D("1e-9"))
                fee_qty = rate if fee == "coin" and side is Side.BUY else ZERO
                dollars = D("0.01") if fee != "none" else ZERO
                dollars = storable(fee_qty * price) if fee_qty else dollars
                ledger.book(fill(name, side, symbol, qty, price, dollars, fee_qty))
                cash -= storable(side.sign * qty * price) + (ZERO if fee_qty else dollars)
                coins[symbol] += side.sign * qty - fee_qty
            case (str(name), Decimal() as amount):
                ledger.transfer(UNASSIGNED, name, amount)
    ledger.marks.update(zip(SYMBOLS, marks, strict=True))
    for name in NAMES:
        account = ledger[name]
        cost = sum((p.cost for p in account.positions.values()), ZERO)
        put_in = account.initial_cash + account.transferred
        kept = (account.cash, cost, account.realized, account.fees)
        assert kept == tuple(map(storable, kept))
        assert account.cash + cost == put_in + account.realized - account.fees
        unrealized = account.market_value(ledger.marks) - cost
        assert ledger.equity(name) == put_in + account.realized + unrealized - account.fees
    assert ledger.net_cash() == cash == sum(one.cash for one in ledger.accounts.values())
    assert ledger.net_positions() == {symbol: qty for symbol, qty in coins.items() if qty}
