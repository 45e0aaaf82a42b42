"""Orders and trade updates with one thing changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from coordinator.core.messages import Bust
from coordinator.core.orders import OrderStatus
from coordinator.core.values import Side, storable
from coordinator.shell import wire
from tests.coordinator.messages import FILL, ORDER, without
from tests.corpus.kinds import (
    ORDERS,
    UPDATES,
    Case,
    Change,
    D,
    Raw,
    anything,
    as_qty,
    as_read,
    execution,
    names,
    not_negative,
    numbers,
    positive,
    put_in,
    up_to,
)
from tests.corpus.values import NAMES, NO_OBJECTS, NUMBERS, TIMES, at


def order_cases() -> Iterator[Case]:
    none = {"qty": D(0)}
    yield from numbers(ORDERS, "qty", put_in(ORDER, "qty"), as_qty("qty"), not_negative, none)
    filled = as_qty("filled_qty")
    yield from numbers(
        ORDERS,
        "filled_qty",
        put_in(ORDER, "filled_qty"),
        filled,
        not_negative,
        {"filled_qty": D(0)},
    )
    put = put_in(ORDER, "filled_avg_price")
    average = lambda number: {"filled_avg_price": storable(number)}  # noqa: E731
    yield from numbers(ORDERS, "average", put, average, anything, None)
    yield ORDERS.same("average is nothing", ORDER | {"filled_avg_price": None})
    yield from names(ORDERS, "client_order_id", put_in(ORDER, "client_order_id"), "client_order_id")
    yield from names(ORDERS, "id", put_in(ORDER, "id"), "broker_order_id")
    yield from names(ORDERS, "symbol", put_in(ORDER, "symbol"), "symbol")
    for key in ("id", "client_order_id", "symbol", "side"):
        yield ORDERS.refused(f"no {key}", without(ORDER, key))
    for what, value, moment in TIMES:
        put = put_in(ORDER, "updated_at")
        if moment is not None:
            yield ORDERS.changed(f"updated_at is {what}", put(value), at=moment)
        elif value:
            yield ORDERS.refused(f"updated_at is {what}", put(value))
        else:  # then the time at which it was made
            made = at(2026, 3, 17, 14, 30, 0, micro=124668)
            yield ORDERS.changed(f"updated_at is {what}", put(value), at=made)
        put = put_in(ORDER, "submitted_at")
        if moment is not None or value is None:
            yield ORDERS.changed(f"submitted_at is {what}", put(value), submitted_at=moment)
        else:
            yield ORDERS.refused(f"submitted_at is {what}", put(value))
    for side, ours in SIDES:
        put = put_in(ORDER, "side")
        if ours is None:
            yield ORDERS.refused(f"side is {side!r}", put(side))
        else:
            yield ORDERS.changed(f"side is {side!r}", put(side), side=ours)
    for status in OrderStatus:
        if status in wire.OUR_OWN_STATES:
            told = f"status {status.value!r}"
            yield ORDERS.changed(told, ORDER | {"status": status.value}, reason=told)
        else:
            yield ORDERS.changed(f"{status}", ORDER | {"status": status.value}, status=status)
    for word, told in NEW_STATES:
        yield ORDERS.changed(f"{told} is new", ORDER | {"status": word}, reason=f"status {told}")
    for what, change in TOLERATED_IN_ORDERS.items():
        yield ORDERS.same(what, ORDER | change)
    both = ORDER | {"qty": "2", "filled_qty": "5"}
    yield ORDERS.changed("more filled than ordered", both, filled_qty=D(5))
    pair = ORDER | {"symbol": "BTCUSD", "asset_class": "crypto"}
    yield ORDERS.changed("a pair without its stroke", pair, symbol="BTC/USD")
    old = ORDER | {"replaces": "an older one"}
    yield ORDERS.changed("in the place of another", old, replaces="an older one")
    new = ORDER | {"replaced_by": "a newer one"}
    yield ORDERS.changed("another in its place", new, replaced_by="a newer one")


SIDES: list[tuple[Any, Side | None]] = [
    ("buy", Side.BUY), ("sell", Side.SELL), ("sell_short", Side.SELL), ("BUY", None),
    ("both", None), ("", None), (None, None), (1, None), (True, None), (["buy"], None),
    ({"side": "buy"}, None), (b"buy", None), ("buy ", None), ("bu\ud800y", None),
]  # fmt: skip
NEW_STATES: list[tuple[Any, str]] = [
    ("restated", "'restated'"), ("in_limbo", "'in_limbo'"), ("FILLED", "'FILLED'"),
    ("", "''"), (None, "None"), (7, "7"), (["filled"], "['filled']"), ({}, "{}"),
    (True, "True"), ("a\nb", "'a\\nb'"), ("\ud800", "'\\ud800'"),
]  # fmt: skip
TOLERATED_IN_ORDERS: dict[str, Raw] = {
    "legs that are nothing": {"legs": None},
    "legs that are a number": {"legs": 5},
    "a class that is new": {"asset_class": "ipo"},
    "a class that is a list": {"asset_class": ["us_equity"]},
    "a class that is nothing": {"asset_class": None},
    "a type that is a number": {"type": 5, "order_type": None},
    "a limit price that is no number": {"limit_price": float("nan")},
    "a replacement that is a number": {"replaces": 5},
    "a successor that is a number": {"replaced_by": 5},
    "a replacement that is a list": {"replaces": ["a"]},
    "times that nobody reads": {"filled_at": "never", "canceled_at": 5, "expired_at": []},
    "a key that is a number": {5: 5},  # type: ignore[dict-item]
}


def update_cases() -> Iterator[Case]:
    data = FILL["data"]
    order = data["order"]

    def of(**changes: Any) -> Raw:
        return FILL | {"data": data | changes}

    for key, allowed in (("price", positive), ("qty", up_to(D("1.5")))):
        put = lambda value, key=key: of(**{key: value})  # noqa: E731
        yield from numbers(UPDATES, key, put, _executed(key), allowed)
        yield UPDATES.refused(f"no {key}", FILL | {"data": without(data, key)})
    filled = lambda value: of(order=order | {"filled_qty": value})  # noqa: E731
    yield from numbers(UPDATES, "filled_qty", filled, _come_to, lambda n: n >= D("1.5"))
    for what, value, moment in TIMES:
        if moment is None:
            yield UPDATES.refused(f"timestamp is {what}", of(timestamp=value))
        else:
            happened = {"at": moment, "execution": execution(at=moment)}
            yield UPDATES.changed(f"timestamp is {what}", of(timestamp=value), **happened)
    for what, value, name in NAMES:
        # one without an id that can be used is known by its order and what that came to
        known = execution(execution_id=name or "7b08df51.1.5")
        raw = of(execution_id=value, event_id=None)
        yield UPDATES.changed(f"execution_id is {what}", raw, execution=known)
    for what, value in NO_OBJECTS:
        yield UPDATES.refused(f"data is {what}", FILL | {"data": value})
        yield UPDATES.refused(f"order is {what}", of(order=value))
    for event in EVENTS_WITHOUT:
        yield UPDATES.changed(f"event is {str(event)[:30]!r}", of(event=event), execution=None)
    yield UPDATES.changed("no event", FILL | {"data": without(data, "event")}, execution=None)
    yield UPDATES.same("a fill", of(event="fill"))
    yield from _reversals(of)


EVENTS_WITHOUT: list[Any] = [
    "accepted", "pending_new", "new", "canceled", "expired", "done_for_day", "replaced",
    "rejected", "stopped", "suspended", "calculated", "pending_cancel", "pending_replace",
    "order_cancel_rejected", "order_replace_rejected", "restated", "held", "quantum_leap", "FILL",
    "", None, 5, True, ["fill"], {"fill": 1}, "x" * 100_000, "fi\ud800ll",
]  # fmt: skip
"""With these no execution is booked from the stream: the order's own count tells of one."""


def _executed(key: str) -> Change:
    return lambda number: {"execution": execution(**as_read(key, number))}


def _come_to(number: Decimal) -> dict[str, Any]:
    return {"filled_qty": number, "execution": execution(cum_qty=number)}


def _reversals(of: Callable[..., Raw]) -> Iterator[Case]:
    moment = execution().at
    bust = Bust("bust.2f63ea93", "", D("1.5"), D("190.10"), moment)
    yield UPDATES.changed("a bust", of(event="trade_bust"), execution=None, bust=bust)
    named = of(event="trade_bust", previous_execution_id="x1")
    known = replace(bust, previous_id="x1")
    yield UPDATES.changed("a bust of one that it names", named, execution=None, bust=known)
    bare = of(event="trade_bust", execution_id=None, event_id=None)
    yield UPDATES.refused("a bust that names nothing", bare)
    for name in (5, [], {}, True):
        raw = of(event="trade_bust", execution_id=name, event_id=None)
        yield UPDATES.refused(f"a bust of {name!r}", raw)
    for what, value, text in NUMBERS:
        taken = of(event="trade_bust", qty=value)
        if text is None:
            yield UPDATES.refused(f"a bust of {what}", taken)
        elif D(text) < 0:  # as Alpaca writes it
            less = replace(bust, qty=-D(text))
            yield UPDATES.changed(f"a bust of {what}", taken, execution=None, bust=less)
    corrected = of(event="trade_correct", previous_qty="1", previous_price="9")
    wrong = replace(bust, qty=D(1), price=D(9))
    yield UPDATES.changed("a correction", corrected, bust=wrong)
