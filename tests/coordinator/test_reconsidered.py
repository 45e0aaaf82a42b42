"""What others wrote while a decision was made is looked at before the decision is carried out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.orders import OrderStatus
from coordinator.core.values import UNASSIGNED, Side
from tests.coordinator.bench import DAY, Bench, D, spec

BUY, SELL = Side.BUY, Side.SELL


def decided(*, selling: bool) -> tuple[Bench, m.Outcome]:
    """A wants 50 SPY at 100, or to sell the 50 that it has: decided, recorded and not sent yet."""
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 5): -1}, max_position_size="0.5"))
    outcome = bench.minute(0, {"SPY": "100"})
    if selling:
        bench.fill(bench.order("A"))
        outcome = bench.minute(5, {"SPY": "100"})
    return bench, outcome


def taken(bench: Bench, *, qty: str = "0", cash: str = "0") -> None:
    """A plan takes units and cash from A, in the journal just before the decision."""
    for name, sign in (("A", -1), (UNASSIGNED, 1)):
        bench.books.apply_foreign(
            r.ActivityBooked(
                at=bench.now,
                activity_id=f"{r.IMPORT}p.1",
                strategy=name,
                kind=r.ActivityKind.TRANSFER,
                symbol="SPY" if D(qty) else "",
                qty=sign * D(qty),
                price=D(100) if D(qty) else D(0),
                amount=sign * D(cash),
                allocated_by="imported by op",
                day=DAY,
            )
        )


def sends(outcome: m.Outcome) -> list[tuple[Side, Decimal]]:
    """The orders that go out."""
    return [(c.side, c.qty) for c in outcome.commands if isinstance(c, m.SubmitOrder)]


@pytest.mark.parametrize(
    ("qty", "sold", "status"),
    [
        ("0", ["50"], OrderStatus.SUBMITTED),
        ("20", ["30"], OrderStatus.DENIED),
        ("50", [], OrderStatus.DENIED),
    ],
)
def test_no_more_is_sold_than_a_plan_has_left(
    qty: str, sold: list[str], status: OrderStatus
) -> None:
    bench, outcome = decided(selling=True)
    taken(bench, qty=qty)
    left = bench.engine.reconsider(outcome.commands, bench.now)
    assert sends(left) == [(SELL, D(units)) for units in sold]
    assert bench.order("A", 2).status is status


@pytest.mark.parametrize(("cash", "is_sent"), [("0", True), ("5000", True), ("5001", False)])
def test_no_more_is_spent_than_a_plan_has_left(cash: str, is_sent: bool) -> None:
    bench, outcome = decided(selling=False)
    taken(bench, cash=cash)
    left = bench.engine.reconsider(outcome.commands, bench.now)
    assert sends(left) == ([(BUY, D(50))] if is_sent else [])
    assert bench.order("A").is_open is is_sent


def test_a_buy_that_a_kill_meets_on_its_way_is_not_sent() -> None:
    bench, outcome = decided(selling=False)
    bench.books.apply_foreign(r.Killed(bench.now, "op"))
    assert not sends(bench.engine.reconsider(outcome.commands, bench.now))


def test_a_cancellation_goes_out_whatever_others_wrote() -> None:
    cancel = m.CancelOrder("A.2026-03-17.1", "b1")
    bench, _ = decided(selling=False)
    taken(bench, cash="10000")
    assert bench.engine.reconsider([cancel], bench.now).commands == [cancel]
