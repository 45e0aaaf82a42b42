"""The corpus: single messages with one thing changed, and what each must be read as.

A case is refused (Malformed), or it is the good message's value with one attribute changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from coordinator.core.messages import Activity, Bust, Execution, OrderUpdate
from coordinator.core.orders import OrderStatus
from coordinator.core.records import Holding
from coordinator.core.risk import Asset
from coordinator.core.session import Hours
from coordinator.core.values import Bar, Side
from coordinator.shell import wire
from coordinator.shell.wire import Fill
from tests.coordinator.messages import ACTIVITY, BAR, FILL, ORDER, without
from tests.corpus.values import NAMES, NO_OBJECTS, NOTHING, NUMBERS, TIMES, at

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


def corpus() -> Iterator[Case]:
    """Every hand-written case."""
    for kind in KINDS.values():
        yield kind.same("as it should be", kind.good)
        yield kind.same("with something new in it", kind.good | {"new_in_2027": {"a": ["b"]}})
        for what, raw in NO_OBJECTS:
            yield kind.refused(f"{what} in its place", raw)
        yield kind.refused("an empty object", {}) if kind is not COINS else _bare_coin({})
    yield from _bars()
    yield from _orders()
    yield from _updates()
    yield from _rest()
    yield from _days_and_assets()


def _bare_coin(raw: Raw) -> Case:
    """An asset of which nothing is said is tradable, in the smallest steps there are."""
    least = Asset.crypto("BTC/USD", increment=D("1e-9"), min_qty=D("1e-9"))
    return Case("asset", "an empty object", raw, least)


Change = Callable[[Decimal], dict[str, Any]]
Put = Callable[[Any], Raw]
Allowed = Callable[[Decimal], bool]


def positive(number: Decimal) -> bool:
    return number > 0


def not_negative(number: Decimal) -> bool:
    return number >= 0


def anything(_: Decimal) -> bool:
    return True


def _numbers(
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


def _names(kind: Kind, field: str, put: Put, attribute: str) -> Iterator[Case]:
    for what, value, text in NAMES:
        if text is None:
            yield kind.refused(f"{field} is {what}", put(value))
        else:
            yield kind.changed(f"{field} is {what}", put(value), **{attribute: text})


def _in(raw: Raw, key: str) -> Put:
    return lambda value: raw | {key: value}


def _as(attribute: str) -> Change:
    return lambda number: {attribute: number}


def _bars() -> Iterator[Case]:
    names = {"o": "open", "h": "high", "l": "low", "c": "close"}
    for key, attribute in names.items():
        yield from _numbers(BARS, key, _in(BAR, key), _as(attribute), positive)
        yield BARS.refused(f"no {key}", without(BAR, key))
    yield from _numbers(BARS, "v", _in(BAR, "v"), _as("volume"), not_negative)
    yield from _numbers(BARS, "vw", _in(BAR, "vw"), _as("vwap"), anything, None)
    yield BARS.changed("vw is nothing", BAR | {"vw": None}, vwap=None)
    yield BARS.changed("no vw", without(BAR, "vw"), vwap=None)
    yield BARS.refused("no v", without(BAR, "v"))
    yield BARS.refused("no t", without(BAR, "t"))
    for what, value, moment in TIMES:
        if moment is None:
            yield BARS.refused(f"t is {what}", BAR | {"t": value})
        else:
            yield BARS.changed(f"t is {what}", BAR | {"t": value}, start=moment)
    for seconds in ("00.000001", "00.5", "01", "30", "59", "59.999999999"):
        name = f"t is {seconds} s past a minute"
        yield BARS.refused(name, BAR | {"t": f"2021-02-22T19:15:{seconds}Z"})
    for what, value, count in COUNTS:
        yield BARS.changed(f"n is {what}", BAR | {"n": value}, trade_count=count)
    for ticker in TICKERS:
        yield BARS.changed(f"of {ticker}", BAR | {"S": ticker}, symbol=ticker)
    for ticker in NO_TICKERS:
        yield BARS.refused(f"of {str(ticker)[:40]!r}", BAR | {"S": ticker})
    for what, prices in ODD_PRICES.items():
        odd = {
            names.get(k, {"v": "volume", "vw": "vwap"}.get(k)): D(str(p)) for k, p in prices.items()
        }
        yield BARS.changed(what, BAR | prices, **odd)  # type: ignore[arg-type]
    for kind in ("b", "u", "d", "x", None, 5):
        yield BARS.same(f"its type is {kind!r}", BAR | {"T": kind})


COUNTS: list[tuple[str, Any, int | None]] = [
    ("zero", 0, 0),
    ("one", 1, 1),
    ("the largest", 2**63 - 1, 2**63 - 1),
    ("too large", 2**63, None),
    ("negative", -1, None),
    ("true", True, None),
    ("a fraction", 1.0, None),
    ("text", "5", None),
    ("nothing", None, None),
    ("a list", [1], None),
]
"""Trades of a bar: nothing depends on them, so what is none is not told."""

TICKERS = ["A", "BRK.B", "GOOGL", "BTC/USD", "ETH/BTC", "SHIB/USDT", "X" * 10, "Z9.Y"]
NO_TICKERS: list[Any] = [
    "", "spy", "Spy", "SPY ", " SPY", "SPY\n", "SPY\x00", "S PY", "S-PY", "9SPY", ".SPY", "SPY/",
    "/USD", "BTC//USD", "BTC/U", "BTC/usd", "BTC/USD/EUR", "X" * 11, "BTC/" + "U" * 11, "../SPY",
    "SPY'; DROP TABLE bars; --", "ΑΒΓ", "ＳＰＹ", "SPY\u200b", "\ud800", None, 5, True, ["SPY"],
    {"S": "SPY"}, b"SPY", 0.5,
]  # fmt: skip
ODD_PRICES: dict[str, dict[str, Any]] = {
    "high below low": {"h": 1, "l": 2, "o": 1.5, "c": 1.5},
    "a close above the high": {"c": 400},
    "a close below the low": {"c": 1},
    "an open outside": {"o": 500},
    "an average above the high": {"vw": 390.5},
    "an average of nothing": {"vw": 0},
    "a negative average": {"vw": -1},
    "all the same": {"o": 5, "h": 5, "l": 5, "c": 5},
    "no volume under a price that moves": {"v": 0},
    "a fraction of a coin": {"v": 1e-9},
    "ten times the price": {"o": 3889.85, "h": 3891.3, "l": 3889.75, "c": 3891.2},
    "a tenth of the price": {"o": 38.8985, "h": 38.913, "l": 38.8975, "c": 38.912},
    "a millionth of a cent": {"o": 1e-8, "h": 1e-8, "l": 1e-8, "c": 1e-8},
    "more dollars than there are": {"o": 1e15, "h": 1e15, "l": 1e15, "c": 1e15},
}
"""All of this real feeds send, or a split does: it is a bar. Whether to trade on it, the price
collar of the engine decides, which knows the price before."""


def _orders() -> Iterator[Case]:
    none = {"qty": D(0)}
    yield from _numbers(ORDERS, "qty", _in(ORDER, "qty"), _as("qty"), not_negative, none)
    filled = _as("filled_qty")
    yield from _numbers(
        ORDERS, "filled_qty", _in(ORDER, "filled_qty"), filled, not_negative, {"filled_qty": D(0)}
    )
    put = _in(ORDER, "filled_avg_price")
    yield from _numbers(ORDERS, "average", put, _as("filled_avg_price"), anything, None)
    yield ORDERS.same("average is nothing", ORDER | {"filled_avg_price": None})
    yield from _names(ORDERS, "client_order_id", _in(ORDER, "client_order_id"), "client_order_id")
    yield from _names(ORDERS, "id", _in(ORDER, "id"), "broker_order_id")
    yield from _names(ORDERS, "symbol", _in(ORDER, "symbol"), "symbol")
    for key in ("id", "client_order_id", "symbol", "side"):
        yield ORDERS.refused(f"no {key}", without(ORDER, key))
    for what, value, moment in TIMES:
        put = _in(ORDER, "updated_at")
        if moment is not None:
            yield ORDERS.changed(f"updated_at is {what}", put(value), at=moment)
        elif value:
            yield ORDERS.refused(f"updated_at is {what}", put(value))
        else:  # then the time at which it was made
            made = at(2026, 3, 17, 14, 30, 0, micro=124668)
            yield ORDERS.changed(f"updated_at is {what}", put(value), at=made)
        put = _in(ORDER, "submitted_at")
        if moment is not None or value is None:
            yield ORDERS.changed(f"submitted_at is {what}", put(value), submitted_at=moment)
        else:
            yield ORDERS.refused(f"submitted_at is {what}", put(value))
    for side, ours in SIDES:
        put = _in(ORDER, "side")
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
    "a replacement that is a list": {"replaces": ["a"]},
    "times that nobody reads": {"filled_at": "never", "canceled_at": 5, "expired_at": []},
    "a key that is a number": {5: 5},  # type: ignore[dict-item]
}


def _updates() -> Iterator[Case]:
    data = FILL["data"]
    order = data["order"]

    def of(**changes: Any) -> Raw:
        return FILL | {"data": data | changes}

    for key in ("price", "qty"):
        put = lambda value, key=key: of(**{key: value})  # noqa: E731
        most = D("1.5") if key == "qty" else None
        yield from _numbers(UPDATES, key, put, _executed(key), _up_to(most))
        yield UPDATES.refused(f"no {key}", FILL | {"data": without(data, key)})
    filled = lambda value: of(order=order | {"filled_qty": value})  # noqa: E731
    yield from _numbers(UPDATES, "filled_qty", filled, _come_to, lambda n: n >= D("1.5"))
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
    return lambda number: {"execution": execution(**{key: number})}


def _come_to(number: Decimal) -> dict[str, Any]:
    return {"filled_qty": number, "execution": execution(cum_qty=number)}


def _up_to(most: Decimal | None) -> Allowed:
    return lambda number: number > 0 and (most is None or number <= most)


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
        if text is None or D(text) < 0:
            yield UPDATES.refused(f"a bust of {what}", of(event="trade_bust", qty=value))
    corrected = of(event="trade_correct", previous_qty="1", previous_price="9")
    wrong = replace(bust, qty=D(1), price=D(9))
    yield UPDATES.changed("a correction", corrected, bust=wrong)


def _rest() -> Iterator[Case]:
    fill = FILLS.value.execution
    for key, allowed in (("price", positive), ("qty", _up_to(D(2)))):
        change = lambda number, key=key: {"execution": replace(fill, **{key: number})}  # noqa: E731
        yield from _numbers(FILLS, key, _in(ACTIVITY, key), change, allowed)
    total = lambda number: {"execution": replace(fill, cum_qty=number)}  # noqa: E731
    yield from _numbers(FILLS, "cum_qty", _in(ACTIVITY, "cum_qty"), total, lambda n: n >= 2)
    yield from _names(FILLS, "order_id", _in(ACTIVITY, "order_id"), "order_id")
    yield from _names(FILLS, "symbol", _in(ACTIVITY, "symbol"), "symbol")
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
    yield from _numbers(ACTIVITIES, "qty", _in(FEE, "qty"), _as("qty"), anything, {"qty": D(0)})
    none = {"net_amount": D(0)}
    put = _in(FEE, "net_amount")
    yield from _numbers(ACTIVITIES, "net_amount", put, _as("net_amount"), anything, none)
    yield from _names(ACTIVITIES, "id", _in(FEE, "id"), "activity_id")
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
            yield POSITIONS.changed(f"qty is {what}", raw, **cost(D(text)))
    for what, value, text in small:
        raw = good | {"avg_entry_price": value}
        if text is None or D(text) < 0:
            yield POSITIONS.refused(f"avg_entry_price is {what}", raw)
    yield from _names(POSITIONS, "symbol", _in(good, "symbol"), "symbol")


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


def _days_and_assets() -> Iterator[Case]:
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
