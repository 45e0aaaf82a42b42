"""The kinds of messages in the corpus, a good one of each, and how cases are made of it.

A case is refused (Malformed), or it is the good message's value with one attribute changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from coordinator.core.messages import Activity, Execution, OrderUpdate
from coordinator.core.orders import OrderStatus
from coordinator.core.records import Holding
from coordinator.core.risk import Asset
from coordinator.core.session import Hours
from coordinator.core.values import Bar, Side, storable
from coordinator.shell import wire
from coordinator.shell.wire import Fill
from tests.coordinator.messages import ACTIVITY, BAR, FILL, ORDER
from tests.corpus.values import NAMES, NOTHING, NUMBERS, at

D = Decimal
Raw = dict[str, Any]


class Refused:
    """What becomes of a message that cannot be understood."""


REFUSED = Refused()


@dataclass(frozen=True)
class Case:
    """One message and what it must be read as."""

    kind: str
    name: str
    raw: Any
    expected: Any


@dataclass(frozen=True)
class Kind:
    """A kind of message: how it is read, a good one, and what that one is."""

    name: str
    read: Callable[[Any], Any]
    good: Raw
    value: Any

    def same(self, name: str, raw: Any) -> Case:
        return Case(self.name, name, raw, self.value)

    def refused(self, name: str, raw: Any) -> Case:
        return Case(self.name, name, raw, REFUSED)

    def changed(self, name: str, raw: Any, **attributes: Any) -> Case:
        return Case(self.name, name, raw, replace(self.value, **attributes))


def execution(**changes: Any) -> Execution:
    moment = at(2026, 3, 17, 14, 30, 1, micro=123456)
    return replace(Execution("2f63ea93", D("1.5"), D("190.10"), D("1.5"), moment), **changes)


BARS = Kind(
    "bar",
    wire.parse_bar,
    BAR,
    Bar("SPY", at(2021, 2, 22, 19, 15), D("388.985"), D("389.13"), D("388.975"), D("389.12"),
        D(49378), 461, D("389.06")),
)  # fmt: skip
ORDERS = Kind(
    "order",
    wire.parse_order,
    ORDER,
    OrderUpdate(
        "A.2026-03-17.1", "7b08df51", "AAPL", Side.BUY, OrderStatus.ACCEPTED, D(2), D(0), None,
        at(2026, 3, 17, 14, 30, 0, micro=624668), at(2026, 3, 17, 14, 30, 0, micro=577215),
    ),
)  # fmt: skip
UPDATES = Kind(
    "trade update",
    wire.parse_trade_update,
    FILL,
    replace(
        ORDERS.value,
        status=OrderStatus.PARTIALLY_FILLED,
        filled_qty=D("1.5"),
        filled_avg_price=D("190.10"),
        at=execution().at,
        execution=execution(),
    ),
)
FILLS = Kind(
    "FILL activity",
    wire.parse_fill_activity,
    ACTIVITY,
    Fill(
        Execution("20220202135509981::2d7be4ff", D(2), D("174.78"), D(2),
                  at(2022, 2, 2, 18, 55, 9, micro=981482)),
        "b5abe576", "AAPL", Side.BUY, OrderStatus.FILLED,
    ),
)  # fmt: skip
FEE: Raw = {
    "id": "20260317000000000::fee1",
    "activity_type": "CFEE",
    "date": "2026-03-17",
    "net_amount": "-0.5",
    "description": "a fee in coin",
    "symbol": "BTCUSD",
    "qty": "-0.0001",
    "price": "80000.5",
}
ACTIVITIES = Kind(
    "activity",
    wire.parse_activity,
    FEE,
    Activity("20260317000000000::fee1", "CFEE", date(2026, 3, 17), "BTC/USD", D("-0.0001"),
             D("80000.5"), D("-0.5"), "a fee in coin"),
)  # fmt: skip
POSITIONS = Kind(
    "position",
    wire.parse_position,
    {"symbol": "AAPL", "asset_class": "us_equity", "qty": "2", "avg_entry_price": "1.5",
     "side": "long"},
    Holding("AAPL", D(2), D(3)),
)  # fmt: skip
DAYS = Kind(
    "day",
    wire.parse_session,
    {"date": "2026-03-17", "open": "09:30", "close": "16:00"},
    Hours(date(2026, 3, 17), at(2026, 3, 17, 13, 30), at(2026, 3, 17, 20)),
)
COINS = Kind(
    "asset",
    lambda raw: wire.parse_asset(raw, "BTC/USD"),
    {"symbol": "BTC/USD", "tradable": True, "status": "active", "min_trade_increment": "0.001",
     "min_order_size": "0.01"},
    Asset.crypto("BTC/USD", increment=D("0.001"), min_qty=D("0.01")),
)  # fmt: skip
KINDS = {
    kind.name: kind for kind in (BARS, ORDERS, UPDATES, FILLS, ACTIVITIES, POSITIONS, DAYS, COINS)
}


Change = Callable[[Decimal], dict[str, Any]]
Put = Callable[[Any], Raw]
Allowed = Callable[[Decimal], bool]


def positive(number: Decimal) -> bool:
    return number > 0


def not_negative(number: Decimal) -> bool:
    return number >= 0


def anything(_: Decimal) -> bool:
    return True


def numbers(
    kind: Kind, field: str, put: Put, change: Change, allowed: Allowed, missing: Any = REFUSED
) -> Iterator[Case]:
    """Each number, and what is none, in one field; `missing` is the attributes without one."""
    for what, value, text in NUMBERS:
        name = f"{field} is {what}"
        if text is None or not allowed(D(text)):
            yield kind.refused(name, put(value))
        else:
            yield kind.changed(name, put(value), **change(D(text)))
    for what, value in NOTHING:
        name = f"{field} is {what}"
        if isinstance(missing, Mapping):
            yield kind.changed(name, put(value), **missing)
        elif value is not None or missing is REFUSED:
            yield kind.refused(name, put(value))


def names(kind: Kind, field: str, put: Put, attribute: str) -> Iterator[Case]:
    for what, value, text in NAMES:
        if text is None:
            yield kind.refused(f"{field} is {what}", put(value))
        else:
            yield kind.changed(f"{field} is {what}", put(value), **{attribute: text})


def put_in(raw: Raw, key: str) -> Put:
    return lambda value: raw | {key: value}


def as_is(attribute: str) -> Change:
    return lambda number: {attribute: number}


def a_qty(number: Decimal) -> Decimal:
    """A quantity as it is read: to the nine decimals that Alpaca's have at most."""
    return round(number, 9) if number.as_tuple().exponent < -9 else number  # type: ignore[operator]


def as_qty(attribute: str) -> Change:
    return lambda number: {attribute: a_qty(number)}


def as_read(key: str, number: Decimal) -> dict[str, Decimal]:
    """What an execution says: a price to the last digit that is stored, or a quantity."""
    return {key: storable(number) if key == "price" else a_qty(number)}


def up_to(most: Decimal) -> Allowed:
    return lambda number: 0 < a_qty(number) <= most
