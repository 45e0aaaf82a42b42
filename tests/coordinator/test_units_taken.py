"""Units that a corporate action takes are UNASSIGNED's to owe: strategies keep theirs in the books,
and together they sell no more than the account still has.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from coordinator.core import messages as m
from coordinator.core.orders import OrderStatus
from coordinator.core.values import UNASSIGNED, Side
from tests.coordinator.bench import Bench, D, spec
from tests.coordinator.test_kill import clock, kill

HALF = {"max_position_size": "0.5"}


def taken(bench: Bench, qty: str, kind: str) -> None:
    """The broker takes so many SPY of all that the account holds, and gives as many of another."""
    rows = [("t", "SPY", f"-{qty}"), ("g", "INFQ", qty)]
    activities = tuple(
        m.Activity(name, kind, date(2026, 3, 17), ticker, D(units), D("26.31"), D(0), "", bench.now)
        for name, ticker, units in rows
    )
    left = bench.books.ledger.net_positions()["SPY"] - D(qty)
    bench.look(None, {"SPY": str(left), "INFQ": qty}, activities=activities)


@pytest.mark.parametrize("by", ["signals", "kill"])
@pytest.mark.parametrize("kind", ["USPLIT", "NC", "MA"])
@pytest.mark.parametrize(("qty", "sold"), [("107", []), ("80", ["27"]), ("20", ["50", "37"])])
def test_what_strategies_sell_after_units_were_taken_is_what_the_account_has(
    by: str, kind: str, qty: str, sold: list[str]
) -> None:
    said = {("SPY", 0): 1, ("SPY", 5): -1, ("SPY", 6): -1, ("SPY", 7): -1}
    bench = Bench(spec("A", said, **HALF), spec("B", said, **HALF))
    bench.minute(0, {"SPY": "100"})
    for name in "AB":
        bench.fill(bench.order(name))
    by_hand = m.Execution("h1", D(7), D(100), D(7), bench.now)
    bench.handle(
        m.OrderUpdate("by-hand", "b9", "SPY", Side.BUY, OrderStatus.FILLED, D(7), D(7), D(100),
                      bench.now, execution=by_hand)
    )  # fmt: skip
    before = bench.gains()
    taken(bench, qty, kind)
    assert bench.books.ledger.net_positions() == account(D(107) - D(qty), D(qty))
    if by == "kill":
        kill(bench)
    for minute in (5, 6, 7):
        bench.minute(minute, {"SPY": "100"})
        clock(bench, 0)
        for order in list(bench.books.orders.open()):
            bench.fill(order)
    sales = [s for s in bench.sent() if s[2] is Side.SELL]
    assert [s[3] for s in sales] == [D(units) for units in sold]
    left = D(107) - D(qty) - sum(map(D, sold), D(0))
    assert bench.books.ledger.net_positions() == account(left, D(qty))
    assert bench.books.ledger[UNASSIGNED].positions["SPY"].qty == D(7) - D(qty)
    assert not bench.books.frozen
    assert bench.gains() == before


def account(spy: Decimal, other: Decimal) -> dict[str, Decimal]:
    """What the account holds."""
    return {ticker: qty for ticker, qty in (("SPY", spy), ("INFQ", other)) if qty}
