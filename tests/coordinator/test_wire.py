"""Alpaca's messages as our values: what is new is let through, what is broken is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core.orders import OrderStatus
from coordinator.core.records import Holding
from coordinator.core.values import Side
from coordinator.errors import BrokerError
from coordinator.shell import wire
from coordinator.shell.wire import Malformed

D = Decimal
BAR: dict[str, Any] = {
    "T": "b",
    "S": "SPY",
    "o": 388.985,
    "h": 389.13,
    "l": 388.975,
    "c": 389.12,
    "v": 49378,
    "t": "2021-02-22T19:15:00Z",
    "n": 461,
    "vw": 389.06,
}
ORDER: dict[str, Any] = {
    "id": "7b08df51",
    "client_order_id": "A.2026-03-17.1",
    "symbol": "AAPL",
    "asset_class": "us_equity",
    "side": "buy",
    "status": "accepted",
    "qty": "2",
    "filled_qty": "0",
    "filled_avg_price": None,
    "created_at": "2026-03-17T14:30:00.124668464Z",
    "updated_at": "2026-03-17T14:30:00.624668464Z",
    "submitted_at": "2026-03-17T14:30:00.577215743Z",
}
FILL: dict[str, Any] = {
    "stream": "trade_updates",
    "data": {
        "event": "partial_fill",
        "event_id": "01M2TB1W",
        "execution_id": "2f63ea93",
        "price": "190.10",
        "qty": "1.5",
        "position_qty": "5",
        "timestamp": "2026-03-17T14:30:01.123456789Z",
        "order": ORDER
        | {"status": "partially_filled", "filled_qty": "1.5", "filled_avg_price": "190.10"},
    },
}
ACTIVITY: dict[str, Any] = {
    "id": "20220202135509981::2d7be4ff",
    "activity_type": "FILL",
    "type": "fill",
    "transaction_time": "2022-02-02T18:55:09.981482Z",
    "symbol": "AAPL",
    "side": "buy",
    "qty": "2",
    "price": "174.78",
    "leaves_qty": "0",
    "cum_qty": "2",
    "order_id": "b5abe576",
    "order_status": "filled",
}


def without(raw: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name not in names}


def fill(**changes: Any) -> dict[str, Any]:
    return {"stream": "trade_updates", "data": FILL["data"] | changes}


def test_a_bar_keeps_every_digit_of_the_wire() -> None:
    bar = wire.parse_bar(BAR)
    assert (bar.symbol, bar.start) == ("SPY", datetime(2021, 2, 22, 19, 15, tzinfo=UTC))
    assert [bar.open, bar.high, bar.low, bar.close] == list(
        map(D, ("388.985", "389.13", "388.975", "389.12"))
    )
    assert (bar.volume, bar.trade_count, bar.vwap) == (D(49378), 461, D("389.06"))


def test_a_bar_of_rest_has_its_symbol_beside_it_and_may_lack_count_and_average() -> None:
    bar = wire.parse_bar(without(BAR, "S", "n") | {"vw": None}, "BTC/USD")
    assert (bar.symbol, bar.trade_count, bar.vwap) == ("BTC/USD", None, None)


def test_a_bar_of_msgpack_has_a_timestamp() -> None:
    moment = datetime(2026, 3, 17, 14, 31, tzinfo=UTC)
    raw = msgpack.unpackb(msgpack.packb(BAR | {"t": moment}, datetime=True))
    assert wire.parse_bar(raw).start == moment


BROKEN_BARS: dict[str, dict[str, Any]] = {
    "no symbol": without(BAR, "S"),
    "a symbol that is none": BAR | {"S": "SPY; DROP TABLE bars"},
    "a symbol that is a path": BAR | {"S": "../../etc"},
    "a symbol with a line's end": BAR | {"S": "SPY\n"},
    "a symbol that is a number": BAR | {"S": 5},
    "no close": without(BAR, "c"),
    "a close that is nothing": BAR | {"c": None},
    "a close in words": BAR | {"c": "many"},
    "a close that is true": BAR | {"c": True},
    "a close in a list": BAR | {"c": [1]},
    "no number": BAR | {"c": float("nan")},
    "endless": BAR | {"h": float("inf")},
    "endless below": BAR | {"l": float("-inf")},
    "a signalling no-number": BAR | {"o": "sNaN"},
    "zero": BAR | {"l": 0},
    "negative": BAR | {"o": -5},
    "absurdly large": BAR | {"h": "1e1000000"},
    "absurdly small": BAR | {"l": "1e-1000000"},
    "absurdly many digits": BAR | {"c": "1." + "1" * 5000},
    "a negative volume": BAR | {"v": -1},
    "no volume": without(BAR, "v"),
    "an average that is no number": BAR | {"vw": "NaN"},
    "no time": without(BAR, "t"),
    "a time in words": BAR | {"t": "noon"},
    "a time that is a number": BAR | {"t": 1771788900},
    "a time without its zone": BAR | {"t": "2021-02-22T19:15:00"},
    "half past a minute": BAR | {"t": "2021-02-22T19:15:30Z"},
    "a time before all times": BAR | {"t": "0001-01-01T00:00:00+14:00"},
    "a timestamp after all times": BAR | {"t": msgpack.Timestamp(2**60, 0)},
}


@pytest.mark.parametrize("what", BROKEN_BARS)
def test_a_broken_bar_is_refused(what: str) -> None:
    with pytest.raises(Malformed):
        wire.parse_bar(BROKEN_BARS[what])


def test_what_the_broker_garbles_is_the_brokers_fault() -> None:
    assert issubclass(Malformed, BrokerError)


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
    activity = wire.parse_fill_activity(without(ACTIVITY, "id"))
    assert activity.execution_id == "b5abe576.2"


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
    execution = wire.parse_fill_activity(ACTIVITY)
    assert execution.execution_id == "20220202135509981::2d7be4ff"
    assert (execution.qty, execution.price, execution.cum_qty) == (D(2), D("174.78"), D(2))


@pytest.mark.parametrize("name", ["qty", "price", "cum_qty", "transaction_time"])
def test_a_broken_fill_activity_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        wire.parse_fill_activity(ACTIVITY | {name: None})


@pytest.mark.parametrize(
    ("raw", "holding"),
    [
        ({"symbol": "AAPL", "qty": "2", "avg_entry_price": "174.78", "side": "long"},
         Holding("AAPL", D(2), D("349.56"))),
        ({"symbol": "AAPL", "qty": "2", "avg_entry_price": "174.78", "side": "short"},
         Holding("AAPL", D(-2), D("-349.56"))),
        ({"symbol": "AAPL", "qty": "-2", "avg_entry_price": "174.78", "side": "short"},
         Holding("AAPL", D(-2), D("-349.56"))),
        ({"symbol": "BTCUSD", "asset_class": "crypto", "qty": "0.09975",
          "avg_entry_price": "80000.1"}, Holding("BTC/USD", D("0.09975"), D("7980.009975"))),
        ({"symbol": "BTCUSD", "asset_class": "crypto", "qty": "0.123456789",
          "avg_entry_price": "1.23456789012345"},
         Holding("BTC/USD", D("0.123456789"), D("0.152415787517145951"))),
    ],
)  # fmt: skip
def test_a_position_costs_its_quantity_at_the_average_price(
    raw: dict[str, Any], holding: Holding
) -> None:
    assert wire.parse_position(raw) == holding


@pytest.mark.parametrize(
    ("symbol", "asset_class", "ours"),
    [
        ("AAPL", "us_equity", "AAPL"),
        ("BTCUSD", "us_equity", "BTCUSD"),
        ("BTCUSD", "crypto", "BTC/USD"),
        ("ETHBTC", "crypto", "ETH/BTC"),
        ("USDTUSD", "crypto", "USDT/USD"),
        ("BTCUSDT", "crypto", "BTC/USDT"),
        ("BTCUSDC", "crypto", "BTC/USDC"),
        ("DOGE/USD", "crypto", "DOGE/USD"),
        ("USD", "crypto", "USD"),
        ("XYZEUR", "crypto", "XYZEUR"),
    ],
)
def test_symbols_are_as_configured(symbol: str, asset_class: str, ours: str) -> None:
    assert wire.as_configured(symbol, asset_class) == ours


def test_a_day_of_the_calendar_is_new_yorks() -> None:
    winter = wire.parse_session({"date": "2026-11-27", "open": "09:30", "close": "13:00"})
    assert (winter.date, winter.open.hour, winter.close.hour) == (date(2026, 11, 27), 14, 18)
    summer = wire.parse_session({"date": "2026-03-17", "open": "09:30", "close": "16:00"})
    assert (summer.open, summer.close.hour) == (datetime(2026, 3, 17, 13, 30, tzinfo=UTC), 20)


@pytest.mark.parametrize("raw", [{}, {"date": "x"}, {"date": "2026-03-17", "open": "early"}, "day"])
def test_a_broken_day_is_refused(raw: Any) -> None:
    with pytest.raises(Malformed, match="calendar"):
        wire.parse_session(raw)


@pytest.mark.parametrize(
    ("raw", "symbol", "step", "least", "tradable"),
    [
        ({"tradable": True, "fractionable": True}, "SPY", "0.0001", "0.0001", True),
        ({"tradable": True, "fractionable": False}, "BRK.A", "1", "1", True),
        ({"tradable": False, "fractionable": True}, "SPY", "0.0001", "0.0001", False),
        ({"status": "inactive", "fractionable": True}, "SPY", "0.0001", "0.0001", False),
        ({"min_order_size": "0.000016", "min_trade_increment": "1e-9"}, "BTC/USD", "1e-9",
         "0.000016", True),
        ({"min_order_size": "0.1", "min_trade_increment": "1"}, "SHIB/USD", "1", "1", True),
        ({}, "BTC/USD", "1e-9", "1e-9", True),
    ],
)  # fmt: skip
def test_an_asset_steps_as_the_broker_says(
    raw: dict[str, Any], symbol: str, step: str, least: str, tradable: bool
) -> None:
    asset = wire.parse_asset(raw, symbol)
    assert (asset.increment, asset.min_qty, asset.tradable) == (D(step), D(least), tradable)


@pytest.mark.parametrize("step", ["0", "-1", "NaN", "some"])
def test_an_asset_without_a_step_is_refused(step: str) -> None:
    with pytest.raises(Malformed):
        wire.parse_asset({"min_trade_increment": step}, "BTC/USD")


PARSERS: list[tuple[Callable[[Any], object], dict[str, Any]]] = [
    (wire.parse_bar, BAR),
    (wire.parse_trade_update, FILL["data"]),
    (wire.parse_trade_update, FILL["data"]["order"]),
    (wire.parse_fill_activity, ACTIVITY),
    (wire.parse_position, {"symbol": "AAPL", "qty": "2", "avg_entry_price": "1", "side": "long"}),
]
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(["1e999999999", "-0", "Infinity", "9999-12-31T23:59:59-14:00", "0x10"]),
    st.builds(msgpack.Timestamp, st.integers(-(2**62), 2**62), st.integers(0, 999_999_999)),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(range(len(PARSERS))), st.data())
def test_whatever_stands_in_a_field_it_is_understood_or_refused(
    which: int, data: st.DataObject
) -> None:
    parse, sample = PARSERS[which]
    raw = sample | data.draw(st.dictionaries(st.sampled_from(sorted(sample)), junk, max_size=3))
    if which == 1:
        raw = {"data": raw}
    if which == 2:
        raw = fill(order=raw)
    try:
        value = parse(raw)
    except Malformed:
        return
    numbers = [getattr(value, name, None) for name in ("qty", "close", "price", "cost")]
    assert all(number is None or number.is_finite() for number in numbers)
