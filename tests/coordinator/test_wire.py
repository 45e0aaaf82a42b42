"""Alpaca's messages as our values: what is new is let through, what is broken is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core.records import Holding
from coordinator.errors import BrokerError
from coordinator.shell import wire
from coordinator.shell.fields import Malformed
from tests.coordinator.messages import ACTIVITY, BAR, FILL, fill, without

D = Decimal


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
