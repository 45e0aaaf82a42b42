"""A look at the account: what the lists of REST say, and what has to be asked for besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from coordinator.core import messages as m
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.reconcile import LOOKS
from coordinator.core.values import UNASSIGNED, Side
from coordinator.errors import BrokerRejected
from coordinator.shell.broker import Broker
from coordinator.shell.look import Looks
from coordinator.shell.rest import Api
from coordinator.shell.watchdog import Depth
from tests.coordinator.bench import Bench, D, spec, stranger
from tests.coordinator.messages import ACTIVITY, ORDER
from tests.coordinator.test_reload import reload

HAND = "broker-5cb1-by-hand"


class Lists:
    """The answers that Alpaca gives to a look: what it lists, and an order that is asked for."""

    def __init__(self, now: str, fills: list[dict[str, Any]], order: dict[str, Any] | None) -> None:
        self._answers: dict[str, Any] = {
            "/clock": {"timestamp": now},
            "/orders": [],
            f"/orders/{ORDER['id']}": order,
            "/orders:by_client_order_id": order,
            "/account": {"account_number": "PA1", "cash": "99500"},
            "/positions": [
                {"symbol": "SPY", "qty": "5", "avg_entry_price": "100", "cost_basis": "500"}
            ],
            "/account/activities": [],
            "/account/activities/FILL": fills,
        }

    def tell_of_the_order(self, order: dict[str, Any] | None) -> None:
        """From now on the order is shown so."""
        self._answers |= {
            path: order
            for path in self._answers
            if path.startswith("/orders") and path != "/orders"
        }

    def get(self, _api: Api, path: str, query: Mapping[str, Any]) -> Any:
        """What is known; an order that is not is refused."""
        found = self._answers[path]
        if found is None:
            raise BrokerRejected(404, None, "order not found")
        if path.endswith("/FILL"):
            after = datetime.fromisoformat(query["after"])
            return [f for f in found if datetime.fromisoformat(f["transaction_time"]) > after]
        return found

    def post(self, api: Api, path: str, _body: Mapping[str, Any]) -> Any:
        """A look sends nothing."""
        raise AssertionError((api, path))

    def delete(self, api: Api, path: str) -> None:
        """A look sends nothing."""
        raise AssertionError((api, path))


def a_purchase_of_50() -> tuple[Bench, Order]:
    """A's order of 50 SPY at 100, which the broker has."""
    bench = Bench(spec("A", {("SPY", 0): 1}, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    order = bench.order("A")
    told = m.OrderUpdate(
        order.client_order_id,
        ORDER["id"],
        "SPY",
        Side.BUY,
        OrderStatus.NEW,
        D(50),
        D(0),
        None,
        bench.now,
    )
    bench.handle(told)
    return bench, order


# whether the broker shows the order that it lists as replaced
@pytest.mark.parametrize("is_shown", [True, False])
def test_an_order_that_is_listed_as_replaced_is_open_until_what_replaced_it_is_known(
    is_shown: bool,
) -> None:
    bench, order = a_purchase_of_50()
    listed = ACTIVITY | {
        "transaction_time": bench.now.isoformat(),
        "symbol": "SPY",
        "qty": "20",
        "price": "100",
        "cum_qty": "20",
        "leaves_qty": "30",
        "order_id": ORDER["id"],
        "order_status": "replaced",
    }
    shown = ORDER | {
        "client_order_id": order.client_order_id,
        "symbol": "SPY",
        "qty": "50",
        "filled_qty": "20",
        "filled_avg_price": "100",
        "status": "replaced",
        "replaced_by": HAND,
    }
    broker = Broker(Lists(bench.now.isoformat(), [listed], shown if is_shown else None), feed="iex")
    bench.handle(Looks(broker, bench.books, bench.now).take(0, Depth.ORDERS))
    assert bench.position("A", "SPY") == D(20)
    assert (order.is_open, order.successor) == (True, HAND if is_shown else "")
    by_hand = stranger("5cb1-by-hand", "SPY", Side.BUY, "30", "100", bench.now, "stream-1")
    bench.handle(replace(by_hand, replaces="one of which nobody has heard"))
    assert bench.position(UNASSIGNED, "SPY") == D(0), "it may be A's, and a look will tell"
    bench.handle(replace(by_hand, replaces=ORDER["id"]))
    assert bench.position("A", "SPY") == D(50)


@pytest.mark.parametrize("in_doubt", [True, False])
def test_a_look_in_doubt_asks_for_activities_that_were_listed_with_a_date_of_long_ago(
    in_doubt: bool,
) -> None:
    asked: list[date] = []

    class Dividends(Lists):
        def get(self, api: Api, path: str, query: Mapping[str, Any]) -> Any:
            if path != "/account/activities":
                return super().get(api, path, query)
            asked.append(date.fromisoformat(query["after"]))
            return [one for one in listed if one["date"] >= query["after"]]

    bench = Bench(spec("A", {("SPY", 0): 1}))
    for _ in range(LOOKS if in_doubt else 0):
        bench.look(positions={"SPY": "5"})
    shares = {"activity_type": "DIV", "activity_sub_type": "SDIV", "symbol": "SPY", "qty": "5"}
    old = shares | {"date": "2026-01-05", "net_amount": "0"}
    at = (bench.now + timedelta(minutes=1)).isoformat()
    listed = [
        old | {"id": "now", "created_at": at},
        old | {"id": "then", "created_at": "2026-01-06T12:00:00Z"},
        old | {"id": "whenever"},
        old | {"id": "lately", "date": "2026-03-16"},
        old | {"id": "called off", "created_at": "2026-01-06T12:00:00Z", "status": "canceled"},
        old | {"id": "right", "previous_id": "then", "created_at": "2026-01-07T12:00:00Z"},
    ]
    broker = Broker(Dividends(bench.now.isoformat(), [], None), feed="iex")
    seen = Looks(broker, bench.books, bench.now).take(0, Depth.ACTIVITIES)
    found = [one.activity_id for one in seen.activities]
    assert found == (["now", "lately", "called off"] if in_doubt else ["lately"])
    assert len(asked) == 1, "one list is enough"


def test_a_look_in_doubt_goes_back_to_the_sessions_beginning_whatever_was_edited_since() -> None:
    a, b = spec("A", {("SPY", 0): 1}), spec("B", {("SPY", 0): 1})
    bench = Bench(a)
    traded_at = bench.now + timedelta(hours=2)
    bench.now += timedelta(hours=3)
    assert reload(bench, a, b).done
    for _ in range(LOOKS):
        bench.look(cash="99500", positions={"SPY": "5"})
    assert {found.symbol for found in bench.books.frozen.values()} == {"", "SPY"}
    listed = ACTIVITY | {
        "transaction_time": traded_at.isoformat(),
        "symbol": "SPY",
        "qty": "5",
        "price": "100",
        "cum_qty": "5",
        "leaves_qty": "0",
        "order_id": ORDER["id"],
        "order_status": "filled",
    }
    shown = ORDER | {"client_order_id": "by-hand", "symbol": "SPY", "qty": "5", "filled_qty": "5"}
    broker = Broker(Lists(bench.now.isoformat(), [listed], shown), feed="iex")
    bench.handle(Looks(broker, bench.books, bench.now).take(0, Depth.ACTIVITIES))
    assert bench.position(UNASSIGNED, "SPY") == D(5)


def test_what_an_unheard_correction_puts_in_the_place_of_an_execution_is_not_booked_beside_it() -> (
    None
):
    bench, lists, _ = a_purchase_corrected_unheard("25", ("10", "99.9"))
    look_at(bench, lists)
    assert bench.position("A", "SPY") == D(25)
    assert bench.books.ledger["A"].cash == 10_000 - 15 * 100 - 10 * D("99.9")


@pytest.mark.parametrize("shown", [{"filled_qty": "15"}, {"filled_qty": "many"}, None])
def test_while_the_corrected_order_cannot_be_compared_nothing_is_booked_beside_and_then_it_is(
    shown: dict[str, Any] | None,
) -> None:
    bench, lists, whole = a_purchase_corrected_unheard("25", ("10", "99.9"))
    lists.tell_of_the_order(None if shown is None else whole | shown)
    look_at(bench, lists)
    assert bench.position("A", "SPY") == D(25)
    assert bench.books.ledger["A"].cash == 10_000 - 25 * 100
    lists.tell_of_the_order(whole)
    look_at(bench, lists)
    assert bench.position("A", "SPY") == D(25)
    assert bench.books.ledger["A"].cash == 10_000 - 15 * 100 - 10 * D("99.9")


def test_a_look_in_doubt_tells_of_a_corrected_order_once(caplog: pytest.LogCaptureFixture) -> None:
    bench, lists, _ = a_purchase_corrected_unheard("25", ("10", "99.9"))
    began = bench.books.session
    assert began is not None
    in_doubt = Looks(Broker(lists, feed="iex"), bench.books, began.at, doubtful=True)
    seen = in_doubt.take(0, Depth.ORDERS)
    assert [update.bust is not None for update in seen.updates] == [True]
    assert [line for line in caplog.messages if "taken back or corrected" in line] == [
        "[A] ⚠ of order A.2026-03-17.1 the broker lists other executions than it once reported:"
        " 1 were taken back or corrected"
    ]
    bench.handle(seen)
    assert bench.books.ledger["A"].cash == 10_000 - 15 * 100 - 10 * D("99.9")


def test_an_execution_that_an_order_has_besides_all_that_is_booked_of_it_is_booked() -> None:
    bench, lists, _ = a_purchase_corrected_unheard("35", ("10", "99.9"), third_stands=True)
    look_at(bench, lists)
    assert bench.position("A", "SPY") == D(35)
    assert bench.books.ledger["A"].cash == 10_000 - 25 * 100 - 10 * D("99.9")


def a_purchase_corrected_unheard(
    filled: str, told_late: tuple[str, str], *, third_stands: bool = False
) -> tuple[Bench, Lists, dict[str, Any]]:
    """A purchase of which the first 25 units were taken back, and of which the broker now lists an
    execution that nobody heard of (units, price), in the place of its third one or besides it.

    Also the lists, and the order as it is shown."""
    bench, order = a_purchase_of_50()
    executions = [
        m.Execution(f"x{total}", D(qty), D(100), D(total), bench.now)
        for qty, total in ((25, 25), (15, 40), (10, 50))
    ]
    for execution in executions:
        bench.handle(of_the_purchase(bench, order, execution))
    bench.now += timedelta(hours=1)
    taken = m.Bust("bust.1", "x25", D(25), D(100), bench.now)
    bench.handle(replace(of_the_purchase(bench, order, None), filled_qty=D(25), bust=taken))
    bench.now += timedelta(hours=1)
    second, third = executions[1:]
    standing = [(second.at, "15", "100", "40")]
    standing += [(third.at, "10", "100", "50")] if third_stands else []
    listed = [
        ACTIVITY
        | {
            "id": f"2026::{total}",
            "transaction_time": at.isoformat(),
            "symbol": "SPY",
            "qty": qty,
            "price": price,
            "cum_qty": total,
            "leaves_qty": "0",
            "order_id": ORDER["id"],
            "order_status": "filled",
        }
        for at, qty, price, total in (
            *standing,
            (bench.now, *told_late, "60" if third_stands else "50"),
        )
    ]
    shown = ORDER | {
        "client_order_id": order.client_order_id,
        "symbol": "SPY",
        "submitted_at": order.decided_at.isoformat(),
        "qty": "50",
        "filled_qty": filled,
        "status": "filled",
    }
    return bench, Lists(bench.now.isoformat(), listed, shown), shown


def look_at(bench: Bench, lists: Lists) -> None:
    """A look at what is listed."""
    bench.handle(Looks(Broker(lists, feed="iex"), bench.books, bench.now).take(0, Depth.ORDERS))


def of_the_purchase(bench: Bench, order: Order, execution: m.Execution | None) -> m.OrderUpdate:
    """The broker tells of an execution of the order of 50, of which nothing is left open."""
    return m.OrderUpdate(
        order.client_order_id,
        ORDER["id"],
        "SPY",
        Side.BUY,
        OrderStatus.FILLED,
        D(50),
        execution.cum_qty if execution else order.booked_qty,
        D(100),
        bench.now,
        execution=execution,
    )
