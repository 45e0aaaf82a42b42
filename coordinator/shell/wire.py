"""Parses Alpaca's JSON and msgpack into our values: tolerant of what is new, strict about money.

Unknown fields and unknown words are accepted; a message that cannot be read where it matters raises
Malformed, and costs only itself. Symbols become those of the configuration: the broker writes
'BTCUSD' in positions, 'BTC/USD' elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import product
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from msgpack import Timestamp

from coordinator.core.attribution import SUB_TYPES
from coordinator.core.messages import Activity, Bust, Execution, OrderUpdate
from coordinator.core.orders import OrderStatus
from coordinator.core.records import Holding
from coordinator.core.risk import Asset
from coordinator.core.session import Hours
from coordinator.core.values import ATTO, SYMBOL_PATTERN, ZERO, Bar, Side, exactly, wire_bar
from coordinator.shell.fields import (
    EARLIEST,
    LATEST,
    LEAST,
    LONGEST_NAME,
    MOST,
    Malformed,
    Raw,
    amount,
    as_configured,
    day_of,
    fields,
    name_of,
    of_one,
    parse_dollars,
    parse_number,
    parse_optional_time,
    parse_qty,
    parse_time,
    side_of,
    signed,
    symbol_of,
    words,
)
from coordinator.shell.garbage import shown

NEW_YORK = ZoneInfo("America/New_York")
REVERSALS = ("trade_bust", "trade_correct")
"""Events that take an execution back; a correction reports another one in its place."""
EXECUTIONS = ("fill", "partial_fill", "trade_correct")
"""Events that report an execution."""
NOT_EXECUTIONS = {
    *("accepted", "pending_new", "new", "held", "stopped", "suspended", "calculated", "restated"),
    *("canceled", "expired", "done_for_day", "replaced", "rejected"),
    *("pending_cancel", "pending_replace", "order_cancel_rejected", "order_replace_rejected"),
}
"""Events that report none, though they may carry an execution's id."""

LARGEST_COUNT = 2**63
MOST_NAMES = 100_000
_KNOWN_TICKERS: set[str] = set()
"""Tickers that were found well formed, at most MOST_NAMES."""
_PLAIN = {
    (*floats, int, vwap) for floats in product((float, int), repeat=5) for vwap in (float, int)
}
"""The types of a bar's numbers, if it is plain."""
_numbers_of = itemgetter(*"ohlc", "v", "n", "vw")
LEAST_COIN = "1e-9"
"""The increment and least quantity of a pair for which the broker names none."""
OUR_OWN_STATES = {OrderStatus.WAITING, OrderStatus.SUBMITTED,
                  OrderStatus.UNKNOWN, OrderStatus.DENIED}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution as REST lists it: without the client id of its order."""

    execution: Execution
    order_id: str
    symbol: str
    side: Side
    status: OrderStatus


def parse_bar(raw: Raw, symbol: str | None = None) -> Bar:
    """A minute bar from the stream, or from REST, which names its `symbol` apart.

    Raises:
        Malformed: a price that is not a positive finite number, or a broken time or symbol.
    """
    fields(raw, "a bar")
    name = symbol if symbol is not None else raw.get("S")
    if not isinstance(name, str) or not SYMBOL_PATTERN.fullmatch(name):
        raise Malformed(f"a bar of no ticker: {shown(name)}")
    prices = {key: parse_number(raw.get(key), f"{name} bar's {key}") for key in "ohlc"}
    volume = parse_number(raw.get("v"), f"{name} bar's v")
    if min(prices.values()) <= 0 or volume < 0:
        raise Malformed(f"{name} bar with a price or volume out of range: {shown(raw)}")
    start = parse_time(raw.get("t"))
    if start.second or start.microsecond:
        raise Malformed(f"{name} bar does not start on a minute: {start}")
    count, vwap = raw.get("n"), raw.get("vw")
    return Bar(
        name,
        start,
        prices["o"],
        prices["h"],
        prices["l"],
        prices["c"],
        volume,
        count if type(count) is int and 0 <= count < LARGEST_COUNT else None,
        None if vwap is None else parse_number(vwap, f"{name} bar's vw"),
    )


def parse_bars(raws: Sequence[Raw], refuse: Callable[[Malformed], None]) -> list[Bar]:
    """The bars of a stream's frame, in its order; `refuse` gets the errors of the rest.

    A plain bar passes at once and keeps its numbers as they came; `parse_bar` judges the rest. Both
    judge alike.
    """
    found: list[Bar] = []
    starts: dict[int, datetime] = {}
    for raw in raws:
        try:
            name, at, numbers = raw["S"], raw["t"], _numbers_of(raw)
            opened, high, low, close, volume, count, vwap = numbers
            if (
                name in _KNOWN_TICKERS
                and type(at) is Timestamp
                and not (at.nanoseconds or at.seconds % 60)
                and tuple(map(type, numbers)) in _PLAIN
                and LEAST < opened < MOST
                and LEAST < high < MOST
                and LEAST < low < MOST
                and LEAST < close < MOST
                and (LEAST < volume < MOST or volume == 0)
                and 0 <= count < LARGEST_COUNT
                and LEAST < vwap < MOST
            ):
                start = starts.get(at.seconds)
                if start is None:
                    start = starts[at.seconds] = parse_time(at)
                found.append(wire_bar(name, start, numbers))
                continue
        except (KeyError, TypeError, Malformed):
            pass  # nothing is lost: parse_bar judges it next, and says what is wrong with it
        try:
            bar = parse_bar(raw)
        except Malformed as error:
            refuse(error)
            continue
        if len(_KNOWN_TICKERS) < MOST_NAMES:
            _KNOWN_TICKERS.add(bar.symbol)
        found.append(bar)
    return found


def parse_order(raw: Raw, at: Any = None) -> OrderUpdate:
    """An order as the broker has it now."""
    symbol = symbol_of(fields(raw, "an order"), "an order")
    average, submitted = raw.get("filled_avg_price"), raw.get("submitted_at")
    if average is not None:
        average = of_one(parse_number(average, "average price"), symbol)
    status, note = _status(raw.get("status"))
    return OrderUpdate(
        client_order_id=name_of(raw, "client_order_id", "an order"),
        broker_order_id=name_of(raw, "id", "an order"),
        symbol=symbol,
        side=side_of(raw, "an order"),
        status=status,
        qty=amount(raw, "qty", "order's qty"),
        filled_qty=amount(raw, "filled_qty", "order's filled_qty"),
        filled_avg_price=average,
        at=parse_time(at or raw.get("updated_at") or raw.get("created_at")),
        submitted_at=None if submitted is None else parse_time(submitted),
        reason=note,
        replaces=words(raw.get("replaces")),
        replaced_by=words(raw.get("replaced_by")),
    )


def parse_trade_update(envelope: Raw) -> OrderUpdate:
    """One message of the `trade_updates` stream, with the execution that it reports, if any."""
    data = fields(fields(envelope, "a trade update").get("data"), "a trade update's data")
    order, event = fields(data.get("order"), "a trade update's order"), data.get("event")
    told = parse_order(order, data.get("timestamp"))
    if event in EXECUTIONS:
        name, cum_qty = data.get("execution_id") or data.get("event_id"), order.get("filled_qty")
        one = _execution(data, told.symbol, name, told.broker_order_id, cum_qty, "timestamp")
        told = replace(told, execution=one)
    elif (said := words(data.get("reason"))) and not told.reason:
        told = replace(told, reason=f"{told.status.value}: {said}")
    return replace(told, bust=_bust(data, told.symbol)) if event in REVERSALS else told


def may_hide_a_fill(envelope: Raw) -> bool:
    """Whether a readable trade update is of an unknown kind and seems to report an execution.

    Only REST can say what it means for the books.
    """
    data = envelope["data"]
    event = data.get("event")
    if event in (*EXECUTIONS, *REVERSALS):
        return False
    traded = data.get("qty") and data.get("price")
    known = isinstance(event, str) and event in NOT_EXECUTIONS
    return bool(traded or (data.get("execution_id") and not known))


def parse_activity(raw: Raw) -> Activity:
    """A movement of the account that is no fill: a fee, a dividend, a split, a deposit."""
    fields(raw, "an activity")
    name, kind = name_of(raw, "id", "an activity"), name_of(raw, "activity_type", "an activity")
    kind = SUB_TYPES.get(words(raw.get("activity_sub_type")), kind)
    symbol, price = words(raw.get("symbol")), raw.get("price") or raw.get("per_share_amount")
    is_void = raw.get("status") == "canceled"
    return Activity(
        activity_id=name,
        kind=kind,
        day=day_of(raw, is_fee=kind == "FEE"),
        symbol=as_configured(symbol, "crypto" if kind == "CFEE" else words(raw.get("asset_class"))),
        qty=signed(raw, "qty", "activity's qty"),
        price=None if price is None else parse_dollars(price, "activity's price"),
        net_amount=signed(raw, "net_amount", "activity's net_amount", parse_dollars),
        note=words(raw.get("description")),
        at=parse_optional_time(raw.get("created_at")),
        takes_back=words(raw.get("previous_id")) or (name if is_void else ""),
        is_void=is_void,
    )


def parse_fill_activity(raw: Raw) -> Fill:
    """One execution from the FILL activities; its id differs from the stream's."""
    symbol = symbol_of(fields(raw, "a fill"), "a fill")
    order_id = name_of(raw, "order_id", "a fill")
    return Fill(
        _execution(raw, symbol, raw.get("id"), order_id, raw.get("cum_qty"), "transaction_time"),
        order_id,
        symbol,
        side_of(raw, "a fill"),
        _status(raw.get("order_status"))[0],
    )


@exactly
def parse_position(raw: Raw) -> Holding:
    """A net position of the account; its cost is quantity times average entry price."""
    qty = parse_qty(fields(raw, "a position").get("qty"), "position's qty")
    qty = -abs(qty) if raw.get("side") == "short" else qty
    average = parse_number(raw.get("avg_entry_price"), "position's avg_entry_price")
    if average < 0:
        raise Malformed(f"a position at a negative price: {shown(raw)}")
    symbol = symbol_of(raw, "a position")
    return Holding(symbol, qty, (qty * of_one(average, symbol)).quantize(ATTO))


def parse_session(raw: Raw) -> Hours:
    """One day of the exchange's calendar, whose times are New York's."""
    try:
        day = date.fromisoformat(words(fields(raw, "a day of the calendar").get("date"))[:10])
        opens, closes = (
            datetime.fromisoformat(f"{day.isoformat()}T{words(raw.get(key))}").replace(
                tzinfo=NEW_YORK
            )
            for key in ("open", "close")
        )
    except ValueError:
        raise Malformed(f"not a day of the calendar: {shown(raw)}") from None
    if not EARLIEST <= opens < closes < LATEST:
        raise Malformed(f"a day of the calendar that ends before it begins: {shown(raw)}")
    return Hours(day, opens.astimezone(UTC), closes.astimezone(UTC))


def parse_asset(raw: Raw, symbol: str) -> Asset:
    """What may be ordered of a ticker, with the broker's own increments for crypto."""
    fields(raw, "an asset")
    tradable = raw.get("tradable", True) is True and raw.get("status", "active") == "active"
    if "/" not in symbol:
        asset = Asset.stock(symbol, fractionable=raw.get("fractionable") is True)
    else:
        step, least = (
            parse_number(LEAST_COIN if raw.get(key) in (None, "") else raw[key], key)
            for key in ("min_trade_increment", "min_order_size")
        )
        if min(step, least) <= 0:
            raise Malformed(f"{symbol} in steps of {step}, {least} at least")
        asset = Asset.crypto(symbol, increment=step, min_qty=max(step, least))
    return asset if tradable else replace(asset, min_cost=ZERO, tradable=False)


def _execution(
    raw: Raw, symbol: str, name: Any, order_id: Any, cum_qty: Any, time_key: str
) -> Execution:
    """An execution; without an id it gets one from its order and the cumulative quantity.

    Raises:
        Malformed: nothing was filled, or more than the cumulative quantity.
    """
    qty, price = parse_qty(raw.get("qty"), "fill's qty"), parse_number(raw.get("price"), "price")
    total = parse_qty(cum_qty, "fill's cumulative quantity")
    if min(qty, price) <= 0 or total < qty:
        raise Malformed(f"a fill with a quantity or price out of range: {shown(raw)}")
    return Execution(
        execution_id=_id_of(name) or f"{order_id}.{total.normalize():f}",
        qty=qty,
        price=of_one(price, symbol),
        cum_qty=total,
        at=parse_time(raw.get(time_key)),
    )


def _bust(raw: Raw, symbol: str) -> Bust:
    """The execution taken back (with a minus), or of a correction the one that was wrong."""
    name = _id_of(raw.get("execution_id")) or _id_of(raw.get("event_id"))
    previous = _id_of(raw.get("previous_execution_id")) or _id_of(raw.get("previous_id"))
    if not (name or previous):
        raise Malformed(f"a bust that names no execution: {shown(raw)}")
    was = {key: raw.get(key) for key in ("qty", "price")}
    was |= {key: raw[f"previous_{key}"] for key in was if raw.get(f"previous_{key}") is not None}
    return Bust(
        f"bust.{name or previous}",
        previous,
        abs(signed(was, "qty", "busted qty")),
        of_one(amount(was, "price", "busted price", parse_number), symbol),
        parse_time(raw.get("timestamp")),
    )


def _id_of(name: Any) -> str:
    """An execution's id as the broker names it; '' if it is no usable name."""
    return words(name) if isinstance(name, str) and len(name) <= LONGEST_NAME else ""


def _status(word: Any) -> tuple[OrderStatus, str]:
    """A state we know; an unknown word counts as accepted, and is kept as the reason."""
    try:
        status = OrderStatus(words(word))
    except ValueError:
        status = OrderStatus.UNKNOWN
    if status in OUR_OWN_STATES:
        return OrderStatus.ACCEPTED, f"status {shown(word)}"
    return status, ""
