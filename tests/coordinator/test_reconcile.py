"""The broker's account against the books: what differs, to the precision of the report."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from coordinator.core.ledger import Ledger, SubAccount, agrees
from coordinator.core.reconcile import compare
from coordinator.core.records import Holding
from coordinator.core.values import UNASSIGNED

D = Decimal
AT = datetime(2026, 3, 17, 20, tzinfo=UTC)


def books() -> Ledger:
    ledger = Ledger()
    ledger.restore(SubAccount("A", cash=D("100.005")), [Holding("SPY", D(3), D(300))])
    ledger.restore(SubAccount("B", cash=D("50")), [Holding("SPY", D(-1), D(-90))])
    ledger.restore(SubAccount(UNASSIGNED, cash=D("7.5")), [Holding("BTC/USD", D("0.1"), D(8000))])
    return ledger


TRUE = {"SPY": D(2), "BTC/USD": D("0.100000000")}


def test_books_that_sum_to_the_account_have_no_discrepancy() -> None:
    assert compare(books(), D("157.505"), TRUE, AT) == []


@pytest.mark.parametrize(
    ("positions", "symbol", "ours", "theirs"),
    [
        ({**TRUE, "SPY": D(3)}, "SPY", "2", "3"),
        ({**TRUE, "SPY": D("2.000000001")}, "SPY", "2", "2.000000001"),
        ({"SPY": D(2)}, "BTC/USD", "0.1", "0"),
        ({**TRUE, "QQQ": D(-4)}, "QQQ", "0", "-4"),
    ],
)
def test_a_position_must_agree_exactly(
    positions: dict[str, Decimal], symbol: str, ours: str, theirs: str
) -> None:
    (found,) = compare(books(), D("157.505"), positions, AT)
    assert (found.kind, found.symbol) == ("position", symbol)
    assert (found.ours, found.brokers, found.at) == (D(ours), D(theirs), AT)
    assert found.note == f"the books' position in {symbol} is {ours}, the broker's is {theirs}"


def test_every_difference_is_found_at_once() -> None:
    found = compare(books(), D("100"), {"SPY": D(5), "QQQ": D(1)}, AT)
    assert [(f.kind, f.symbol) for f in found] == [
        ("position", "BTC/USD"),
        ("position", "QQQ"),
        ("position", "SPY"),
        ("cash", ""),
    ]


@pytest.mark.parametrize(
    ("exact", "reported", "same"),
    [
        ("100.005", "100.00", True),
        ("100.005", "100.01", True),
        ("100.01", "100.00", False),
        ("99.995", "100", True),
        ("99.99", "100", False),
        ("100.123456789", "100.123456789", True),
        ("100.1234567894", "100.123456789", True),
        ("100.123456788", "100.123456789", False),
        ("-3.004", "-3.00", True),
        ("12345678901234.56", "1.234567890123456E+13", True),
    ],
)
def test_cash_agrees_to_the_last_decimal_reported_and_cents_at_least(
    exact: str, reported: str, same: bool
) -> None:
    assert agrees(D(exact), D(reported)) is same
