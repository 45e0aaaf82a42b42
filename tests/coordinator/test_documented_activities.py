"""Each activity in the shape in which Alpaca documents it moves the books as it moves the account.

The broker's list is in order of date, and within a date in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, localcontext
from itertools import permutations
from typing import NamedTuple

import pytest

from coordinator.core import messages as m
from coordinator.core.reconcile import Reconciler
from coordinator.core.values import EXACT
from coordinator.shell.broker import Broker
from tests.coordinator.bench import D
from tests.coordinator.test_attribution import AT, NEXT, books_of
from tests.coordinator.test_listed_activities import SINCE, OnePage

HELD = {"A": "30", "B": "20"}
CONTINGENT = "737CVR019"
RIGHT = "067RGT019"


class Row(NamedTuple):
    """An entry of the list: its type, sub type, ticker, units, price, dollars, and status."""

    kind: str
    sub_type: str = ""
    symbol: str = ""
    qty: str = "0"
    price: str | None = None
    net_amount: str = "0"
    status: str = "executed"


class Case(NamedTuple):
    """What is listed, and what it moved: dollars, units by ticker, and SPY of A and B by then."""

    rows: tuple[Row, ...]
    cash: str = "0"
    units: Mapping[str, str] = {}
    held: tuple[str, str] = ("30", "20")


CASES = {
    "a forward split, all taken and all given": Case(
        (
            Row("SPLIT", "FSPLIT", "SPY", "-50", "100"),
            Row("SPLIT", "FSPLIT", "SPY", "200", "25"),
        ),
        units={"SPY": "150"},
        held=("120", "80"),
    ),
    "a reverse split": Case(
        (
            Row("SPLIT", "RSPLIT", "SPY", "-50", "100"),
            Row("SPLIT", "RSPLIT", "SPY", "5", "1000"),
        ),
        units={"SPY": "-45"},
        held=("3", "2"),
    ),
    "a spin-off, with the source's cost adjusted": Case(
        (
            Row("SPIN", "", "CON", "40.35", "12.8328"),
            Row("SPIN", "", "SPY", "50", "80.25"),
            Row("SPIN", "", "SPY", "-50", "100"),
        ),
        units={"CON": "40.35"},
    ),
    "units that become shares and warrants": Case(
        (
            Row("SPLIT", "USPLIT", "SPY", "-50", "26.31"),
            Row("SPLIT", "USPLIT", "INFQ", "50", "26.31"),
            Row("SPLIT", "USPLIT", "INFQ.WS", "12.5", "0"),
        ),
        units={"SPY": "-50", "INFQ": "50", "INFQ.WS": "12.5"},
    ),
    "a stock with another symbol": Case(
        (
            Row("NC", "SNC", "SPY", "-50", "100"),
            Row("NC", "SNC", "SPYQ", "50", "100"),
        ),
        units={"SPY": "-50", "SPYQ": "50"},
    ),
    "a stock with another CUSIP": Case(
        (
            Row("NC", "CNC", "SPY", "-50", "100"),
            Row("NC", "CNC", "SPY", "50", "100"),
        ),
    ),
    "a merger for cash": Case(
        (
            Row("MA", "CMA", "SPY", "-50", "100"),
            Row("MA", "CMA", "SPY", net_amount="5631.71"),
        ),
        cash="5631.71",
        units={"SPY": "-50"},
    ),
    "a merger for cash and a right that is no ticker": Case(
        (
            Row("MA", "SCMA", "SPY", "-50", "100", status="correct"),
            Row("MA", "SCMA", CONTINGENT, "50", "0.4663", status="correct"),
            Row("MA", "SCMA", "SPY", net_amount="4500"),
        ),
        cash="4500",
        units={"SPY": "-50", CONTINGENT: "50"},
    ),
    "rights that are given, and expire": Case(
        (
            Row("VOF", "", RIGHT, "2650"),
            Row("REORG", "", RIGHT, "-2650"),
        ),
    ),
    "a dividend, and the tax on it": Case(
        (
            Row("DIV", "CDIV", "SPY", net_amount="15.00"),
            Row("DIVNRA", "", "SPY", net_amount="-3.75"),
        ),
        cash="11.25",
    ),
    "cash for fractions of shares": Case((Row("CIL", "", "SPY", net_amount="7.33"),), cash="7.33"),
    "interest, of the account and of a bond fund": Case(
        (
            Row("INT", "MGN", net_amount="-54.14"),
            Row("INT", "QII", "TLT", net_amount="0.20"),
        ),
        cash="-53.94",
    ),
    "journals of cash and of shares, one of them still to come": Case(
        (
            Row("JNLC", net_amount="-0.29", status="pending"),
            Row("JNLC", net_amount="10"),
            Row("JNLS", "", "SPY", "-0.008611", "99.3"),
        ),
        cash="10",
        units={"SPY": "-0.008611"},
    ),
    "a transfer of an account": Case(
        (
            Row("ACATC", net_amount="5.125"),
            Row("ACATS", "", "NVDA", "6", "135.34"),
        ),
        cash="5.125",
        units={"NVDA": "6"},
    ),
    "shares that an option brought": Case(
        (Row("OPTRD", "", "SPY", "-3", "21.5", "64.50"),),
        cash="64.50",
        units={"SPY": "-3"},
    ),
    "a type that nobody knows": Case((Row("QUANTUM", "NEW", net_amount="1.23"),), cash="1.23"),
}


def listed(row: Row, number: int) -> dict[str, str | None]:
    """A row as Alpaca's list has it."""
    return {
        "id": f"20260318000000000::{number}",
        "activity_type": row.kind,
        "activity_sub_type": row.sub_type or None,
        "date": NEXT.isoformat(),
        "net_amount": row.net_amount,
        "symbol": row.symbol,
        "qty": row.qty,
        "price": row.price,
        "per_share_amount": None,
        "status": row.status,
        "description": "",
    }


@pytest.mark.parametrize("what", CASES)
def test_an_activity_as_documented_moves_the_books_as_the_account(what: str) -> None:
    case = CASES[what]
    for rows in permutations(enumerate(case.rows)):
        books = books_of(HELD)
        cash, held = books.ledger.net_cash(), Decimal(50)
        page = OnePage(*(listed(row, number) for number, row in rows))
        found = tuple(Broker(page, feed="iex").activities(SINCE))
        units = {"SPY": held + D(case.units.get("SPY", "0"))}
        units |= {symbol: D(qty) for symbol, qty in case.units.items() if symbol != "SPY"}
        reconciler = Reconciler(books, books.apply, lambda _: None)
        with localcontext(EXACT):
            for look in range(4):
                now = AT + timedelta(days=1, minutes=look)
                dollars, version = cash + D(case.cash), books.posted.version
                reconciler.take(m.AccountSeen(now, version, dollars, units, (), found, ""))
        assert not books.frozen
        assert books.ledger.net_cash() == cash + D(case.cash)
        assert books.ledger.net_positions() == {s: qty for s, qty in units.items() if qty}
        owned = [books.ledger[name].positions["SPY"].qty for name in HELD]
        assert owned == [D(qty) for qty in case.held]
        assert books.ledger["C"].cash == D(10_000), "who holds nothing gets nothing"
