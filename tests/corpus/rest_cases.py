"""What REST alone tells, with one thing changed: fills, fees, positions, days, assets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from coordinator.core.risk import Asset
from coordinator.core.values import storable
from tests.coordinator.messages import ACTIVITY, without
from tests.corpus.kinds import (
    ACTIVITIES,
    COINS,
    DAYS,
    FEE,
    FILLS,
    POSITIONS,
    Case,
    D,
    a_qty,
    anything,
    as_qty,
    as_read,
    names,
    numbers,
    positive,
    put_in,
    up_to,
)
from tests.corpus.order_cases import SIDES
from tests.corpus.values import NUMBERS, TIMES, at


def rest_cases() -> Iterator[Case]:
    fill = FILLS.value.execution
    for key, allowed in (("price", positive), ("qty", up_to(D(2)))):
        change = lambda number, key=key: {"execution": replace(fill, **as_read(key, number))}  # noqa: E731
        yield from numbers(FILLS, key, put_in(ACTIVITY, key), change, allowed)
    total = lambda number: {"execution": replace(fill, cum_qty=number)}  # noqa: E731
    yield from numbers(FILLS, "cum_qty", put_in(ACTIVITY, "cum_qty"), total, lambda n: n >= 2)
    yield from names(FILLS, "order_id", put_in(ACTIVITY, "order_id"), "order_id")
    yield from names(FILLS, "symbol", put_in(ACTIVITY, "symbol"), "symbol")
    for side, ours in SIDES:
        if ours is None:
            yield FILLS.refused(f"side is {side!r}", ACTIVITY | {"side": side})
        else:
            yield FILLS.changed(f"side is {side!r}", ACTIVITY | {"side": side}, side=ours)
    for what, value, moment in TIMES:
        raw = ACTIVITY | {"transaction_time": value}
        if moment is None:
            yield FILLS.refused(f"time is {what}", raw)
        else:
            yield FILLS.changed(f"time is {what}", raw, execution=replace(fill, at=moment))
    put, none = put_in(FEE, "qty"), {"qty": D(0)}
    yield from numbers(ACTIVITIES, "qty", put, as_qty("qty"), anything, none)
    put, none = put_in(FEE, "net_amount"), {"net_amount": D(0)}
    dollars = lambda number: {"net_amount": storable(number)}  # noqa: E731
    yield from numbers(ACTIVITIES, "net_amount", put, dollars, anything, none)
    yield from names(ACTIVITIES, "id", put_in(FEE, "id"), "activity_id")
    for what, value in NOT_DATES.items():
        yield ACTIVITIES.refused(f"date is {what}", FEE | {"date": value})
    for what, value, told in NOTES:
        yield ACTIVITIES.changed(f"description is {what}", FEE | {"description": value}, note=told)
    good = POSITIONS.good
    cost = lambda qty: {"qty": qty, "cost": qty * D("1.5")}  # noqa: E731
    small = [one for one in NUMBERS if one[2] is None or abs(D(one[2])) < 10**20]
    for what, value, text in small:
        raw = good | {"qty": value}
        if text is None:
            yield POSITIONS.refused(f"qty is {what}", raw)
        elif -D(text).as_tuple().exponent <= 17:  # type: ignore[operator]
            yield POSITIONS.changed(f"qty is {what}", raw, **cost(a_qty(D(text))))
    for what, value, text in small:
        raw = good | {"avg_entry_price": value}
        if text is None or D(text) < 0:
            yield POSITIONS.refused(f"avg_entry_price is {what}", raw)
    yield from names(POSITIONS, "symbol", put_in(good, "symbol"), "symbol")


NOT_DATES: dict[str, Any] = {
    "nothing": None, "empty": "", "a number": 20260317, "in words": "today", "a list": [2026],
    "no month": "2026-13-01", "no day": "2026-02-30", "half": "2026-03", "true": True,
    "American": "03/17/2026", "an object": {}, "bytes": b"2026-03-17",
}  # fmt: skip
NOTES: list[tuple[str, Any, str]] = [
    ("nothing", None, ""), ("a number", 5, ""), ("a list", ["a"], ""), ("empty", "", ""),
    ("of two lines", "a\nb", "a\\nb"), ("with a NUL", "a\x00", "a\\x00"),
    ("with a surrogate", "a\ud800", "a\\ud800"), ("long", "x" * 10_000, "x" * 500),
]  # fmt: skip


def day_and_asset_cases() -> Iterator[Case]:
    good = DAYS.good
    for key in good:
        yield DAYS.refused(f"no {key}", without(good, key))
        for value in (None, 5, True, [], {}, "", "noon", "25:00", "9:30 am", b"09:30", "\ud800"):
            yield DAYS.refused(f"{key} is {value!r}", good | {key: value})
    yield DAYS.refused("closes before it opens", good | {"open": "16:00", "close": "09:30"})
    yield DAYS.refused("closes as it opens", good | {"close": "09:30"})
    for day in ("0001-01-01", "9999-12-31", "1970-01-01", "2026-02-29"):
        yield DAYS.refused(f"date is {day}", good | {"date": day})
    early = replace(DAYS.value, close=at(2026, 3, 17, 17))
    yield Case("day", "closes early", good | {"close": "13:00"}, early)
    seconds = {"open": "09:30:00", "close": "16:00:00"}
    yield DAYS.same("with seconds", good | seconds)
    coin = COINS.good
    for what, value, text in NUMBERS:
        steps = coin | {"min_trade_increment": value}
        if text is None or D(text) <= 0:
            yield COINS.refused(f"steps of {what}", steps)
        else:
            least = max(D(text), D("0.01"))
            asset = Asset.crypto("BTC/USD", increment=D(text), min_qty=least)
            yield Case("asset", f"steps of {what}", steps, asset)
    closed = replace(COINS.value, tradable=False, min_cost=D(0))
    for key, values in CLOSED.items():
        for value in values:
            yield Case("asset", f"{key} is {value!r}", coin | {key: value}, closed)


CLOSED: dict[str, list[Any]] = {
    "tradable": [False, None, "true", "false", 1, 0, [], {}],
    "status": ["inactive", "", None, 5, [], {}],
}
"""What is not said to be tradable in so many words is not bought."""
