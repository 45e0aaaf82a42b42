"""The broker's evidence on orders left open: many are asked for in lists, and none is missed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from coordinator.core import messages as m
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.values import Reason, Side
from coordinator.shell import evidence
from coordinator.shell.broker import Broker
from tests.coordinator.bench import D
from tests.coordinator.test_startup import NOW, venue

NUMBERS = range(1, evidence.FEW + 4)


def left_open(numbers: Sequence[int], decided_at: datetime = NOW) -> list[Order]:
    """Orders of these numbers, each for as many shares, as a crash left them in the books."""
    rest = D(1), Reason.SIGNAL, decided_at, OrderStatus.SUBMITTED
    return [Order(f"A.2026-03-17.{n}", "A", "SPY", Side.BUY, D(n), *rest) for n in numbers]


def send(broker: Broker, orders: Sequence[Order]) -> None:
    """Post them, as they were before the crash; each fills at once."""
    for order in orders:
        one = m.SubmitOrder(order.client_order_id, order.symbol, order.side, order.qty, "day")
        broker.submit(one)


def asked(broker: Broker, orders: Sequence[Order]) -> evidence.Evidence:
    """The evidence on orders of which each may be looked up several times."""
    patient = {order.client_order_id for order in orders}
    return evidence.gather(orders, broker, lambda _: None, patient=patient)


def test_what_lists_say_of_many_orders_is_what_asking_for_each_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orders = left_open(NUMBERS)
    with venue() as broker:
        send(broker, orders[:-1])  # the last one never left
        listed = asked(broker, orders)
        monkeypatch.setattr(evidence, "FEW", len(orders))
        assert listed == asked(broker, orders)
    bought = {name: [u.execution.qty for u in us if u.execution] for name, us in listed.items()}
    assert bought == {order.client_order_id: [order.qty] for order in orders[:-1]}


def test_of_many_orders_that_no_list_shows_each_is_asked_for_before_it_counts_as_absent() -> None:
    orders = left_open(NUMBERS, NOW + timedelta(minutes=5))  # lists begin a minute before that
    with venue() as broker:
        send(broker, orders)
        assert list(asked(broker, orders)) == [order.client_order_id for order in orders]
