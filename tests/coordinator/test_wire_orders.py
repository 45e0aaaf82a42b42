"""Orders and fills of the broker as our reports: a fill is never dropped, nor told twice."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from coordinator.core.orders import OrderStatus
from coordinator.core.values import Side
from coordinator.shell import wire
from coordinator.shell.fields import Malformed
from tests.coordinator.messages import ACTIVITY, FILL, ORDER, fill, without

D = Decimal
AT_10 = {"avg_entry_price": "10"}


def test_an_order_is_read_with_all_that_counts() -> None:
    update = wire.parse_order(ORDER)
    assert (update.client_order_id, update.broker_order_id) == ("A.2026-03-17.1", "7b08df51")
    assert (update.symbol, update.side, update.qty) == ("AAPL", Side.BUY, D(2))
    assert (update.status, update.filled_qty, update.filled_avg_price) == (
        OrderStatus.ACCEPTED,
        D(0),
        None,
    )
    assert update.submitted_at == datetime(2026, 3, 17, 14, 30, 0, 577215, tzinfo=UTC)
    assert update.at == datetime(2026, 3, 17, 14, 30, 0, 624668, tzinfo=UTC)
    assert update.execution is None


@pytest.mark.parametrize(
    "word", ["restated", "quantum", "", None, 7, "unknown", "submitted", "waiting", "denied"]
)
def test_a_state_that_is_not_alpacas_counts_as_accepted_and_is_told(word: Any) -> None:
    update = wire.parse_order(ORDER | {"status": word})
    assert update.status is OrderStatus.ACCEPTED
    assert repr(word) in update.reason


@pytest.mark.parametrize(
    "word",
    [s.value for s in OrderStatus if s.value not in {"unknown", "submitted", "waiting", "denied"}],
)
def test_every_state_of_alpacas_is_known(word: str) -> None:
    update = wire.parse_order(ORDER | {"status": word})
    assert (update.status.value, update.reason) == (word, "")


@pytest.mark.parametrize(
    "change",
    [
        {"asset_class": "ipo", "new_in_2027": {"deeply": ["nested"]}},
        {"submitted_at": None, "extended_hours": None, "legs": None},
        {"qty": None, "notional": "100"},
    ],
)
def test_what_is_new_or_missing_and_does_not_matter_is_let_through(change: Any) -> None:
    assert wire.parse_order(ORDER | change).client_order_id == "A.2026-03-17.1"


BROKEN_ORDERS: dict[str, dict[str, Any]] = {
    "no id": without(ORDER, "id"),
    "no client id": without(ORDER, "client_order_id"),
    "no side": without(ORDER, "side"),
    "a side that is none": ORDER | {"side": "both"},
    "a quantity in words": ORDER | {"qty": "two"},
    "a filled quantity that is no number": ORDER | {"filled_qty": "NaN"},
    "no time at all": without(ORDER, "created_at", "updated_at"),
    "a broken time": ORDER | {"updated_at": "yesterday"},
}


@pytest.mark.parametrize("what", BROKEN_ORDERS)
def test_a_broken_order_is_refused(what: str) -> None:
    with pytest.raises(Malformed):
        wire.parse_order(BROKEN_ORDERS[what])


def test_a_fill_is_read_with_its_execution() -> None:
    update = wire.parse_trade_update(FILL)
    assert update.execution is not None
    assert update.execution.execution_id == "2f63ea93"
    assert (update.execution.qty, update.execution.price) == (D("1.5"), D("190.10"))
    assert update.execution.cum_qty == update.filled_qty == D("1.5")
    assert update.at == update.execution.at == datetime(2026, 3, 17, 14, 30, 1, 123456, tzinfo=UTC)


@pytest.mark.parametrize("event", ["new", "canceled", "restated", "held", "quantum_leap", None])
def test_an_event_that_is_no_fill_has_no_execution(event: Any) -> None:
    update = wire.parse_trade_update(fill(event=event))
    assert (update.execution, update.status) == (None, OrderStatus.PARTIALLY_FILLED)


def test_fills_without_ids_are_told_apart_by_what_their_order_came_to() -> None:
    nameless = {"execution_id": None, "event_id": None}
    first = wire.parse_trade_update(fill(**nameless))
    order = FILL["data"]["order"] | {"filled_qty": "2.00", "status": "filled"}
    second = wire.parse_trade_update(fill(**nameless, order=order))
    assert first.execution is not None
    assert second.execution is not None
    assert first.execution.execution_id == "7b08df51.1.5"
    assert second.execution.execution_id == "7b08df51.2"
    activity = wire.parse_fill_activity(without(ACTIVITY, "id")).execution
    assert activity.execution_id == "b5abe576.2"


def test_why_the_broker_ended_an_order_is_told_with_its_end() -> None:
    order = FILL["data"]["order"] | {"status": "canceled"}
    ended = {"event": "canceled", "order": order}
    assert wire.parse_trade_update(fill(**ended)).reason == ""
    told = wire.parse_trade_update(fill(**ended, reason="CORPORATE_ACTION"))
    assert (told.status, told.reason) == (OrderStatus.CANCELED, "canceled: CORPORATE_ACTION")
    assert wire.parse_trade_update(fill(reason="anything")).reason == ""


BROKEN_UPDATES: dict[str, Any] = {
    "nothing in it": {"stream": "trade_updates"},
    "data that is a list": {"stream": "trade_updates", "data": []},
    "no order": {"data": without(FILL["data"], "order")},
    "an order that is a text": fill(order="order"),
    "no price": fill(price=None),
    "no quantity": {"data": without(FILL["data"], "qty")},
    "a quantity of nothing": fill(qty="0"),
    "a negative price": fill(price="-1"),
    "no cumulative quantity": fill(order=without(FILL["data"]["order"], "filled_qty")),
    "no time": fill(timestamp=None),
}


@pytest.mark.parametrize("what", BROKEN_UPDATES)
def test_a_broken_update_is_refused(what: str) -> None:
    with pytest.raises(Malformed):
        wire.parse_trade_update(BROKEN_UPDATES[what])


def test_a_fill_activity_is_an_execution() -> None:
    execution = wire.parse_fill_activity(ACTIVITY).execution
    assert execution.execution_id == "20220202135509981::2d7be4ff"
    assert (execution.qty, execution.price, execution.cum_qty) == (D(2), D("174.78"), D(2))


@pytest.mark.parametrize("name", ["qty", "price", "cum_qty", "transaction_time"])
def test_a_broken_fill_activity_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        wire.parse_fill_activity(ACTIVITY | {name: None})


def test_a_small_coins_price_is_read_to_the_last_digit_that_is_stored() -> None:
    price = 0.000012347333333333334  # 21 decimals
    assert wire.parse_fill_activity(ACTIVITY | {"price": price}).execution.price == D(
        "0.000012347333333333"
    )


def test_the_noise_of_a_brokers_floats_in_a_quantity_is_no_difference() -> None:
    noisy = {"qty": 0.1 + 0.2, "filled_qty": "0.30000000000000004"}
    update = wire.parse_trade_update(fill(qty="0.1", order=FILL["data"]["order"] | noisy))
    assert (update.qty, update.filled_qty) == (D("0.3"), D("0.3"))
    assert update.execution is not None
    assert update.execution.cum_qty == D("0.3")
    listed = wire.parse_fill_activity(ACTIVITY | {"qty": 0.1 * 3, "cum_qty": 0.1 * 3}).execution
    assert (listed.qty, listed.cum_qty) == (D("0.3"), D("0.3"))
    held = wire.parse_position({"symbol": "AAPL", "qty": "0.30000000000000004"} | AT_10)
    assert (held.qty, held.cost) == (D("0.3"), D(3))


def test_an_activitys_amounts_are_read_to_the_last_digit_that_is_stored() -> None:
    fee = {"id": "f", "activity_type": "FEE", "date": "2026-03-17", "symbol": "BTCUSD"}
    told = wire.parse_activity(
        fee
        | {"qty": "-0.00010000000000000002", "price": "1.2345678901234567890123"}
        | {"net_amount": "-18.2726542038625170399025"}
    )
    assert (told.qty, told.price) == (D("-0.0001"), D("1.234567890123456789"))
    assert told.net_amount == D("-18.272654203862517040")


@pytest.mark.parametrize("written", ["-1.5", "1.5"])
def test_what_a_bust_takes_back_is_read_with_and_without_alpacas_minus(written: str) -> None:
    told = wire.parse_trade_update(fill(event="trade_bust", qty=written))
    assert told.bust is not None
    assert (told.bust.qty, told.bust.price) == (D("1.5"), D("190.10"))
    assert told.execution is None
