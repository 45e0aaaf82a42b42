"""Alpaca's JSON and msgpack as our values: tolerant of what is new, strict about what is money.

Unknown fields and unknown words are let through; a message that cannot be understood where it
matters raises Malformed, which the caller counts and answers, so that its neighbours still count.
Symbols are as configured: positions say 'BTCUSD', everything else says 'BTC/USD'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import msgpack

from coordinator.core.messages import Activity, Bust, Execution, OrderUpdate
from coordinator.core.orders import OrderStatus
from coordinator.core.records import Holding
from coordinator.core.risk import Asset
from coordinator.core.session import Hours
from coordinator.core.values import ATTO, SYMBOL_PATTERN, ZERO, Bar, Side, exactly
from coordinator.errors import BrokerError

NEW_YORK = ZoneInfo("America/New_York")
Raw = Mapping[str, Any]
_QUOTE_CURRENCIES = ("USDT", "USDC", "USD", "BTC")
REVERSALS = ("trade_bust", "trade_correct")
"""Events that take an execution back; a correction tells of another one in its place."""
EXECUTIONS = ("fill", "partial_fill", "trade_correct")
"""Events that tell of an execution."""


MOST_DIGITS, LARGEST_EXPONENT = 60, 30
"""A number beyond these is no price and no quantity, and would cost exactness or time."""
OUR_OWN_STATES = {
    OrderStatus.WAITING,
    OrderStatus.SUBMITTED,
    OrderStatus.UNKNOWN,
    OrderStatus.DENIED,
}


class Malformed(BrokerError):
    """A message of the broker that does not say what it must."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution as REST lists it: whose it is, only its order says."""

    execution: Execution
    order_id: str
    symbol: str
    side: Side
    status: OrderStatus


def parse_time(value: Any) -> datetime:
    """An aware UTC time from ISO 8601 text (nanoseconds are cut) or a msgpack timestamp."""
    try:
        if isinstance(value, msgpack.Timestamp):
            moment: datetime = value.to_datetime()
        else:
            moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise Malformed(f"a time without its zone: {value!r}")
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Malformed(f"not a time: {value!r}") from None


def parse_number(value: Any, what: str) -> Decimal:
    """A finite decimal, exactly as it was written on the wire."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Malformed(f"{what} is not a number: {value!r}")
    try:
        number = Decimal(str(value))
    except (InvalidOperation, ValueError):
        raise Malformed(f"{what} is not a number: {str(value)[:80]!r}") from None
    if not number.is_finite():
        raise Malformed(f"{what} is not finite: {value!r}")
    if abs(number.adjusted()) > LARGEST_EXPONENT or len(number.as_tuple().digits) > MOST_DIGITS:
        raise Malformed(f"{what} is no amount: {str(value)[:80]!r}")
    return number


def parse_bar(raw: Raw, symbol: str | None = None) -> Bar:
    """A minute bar from the stream, or from REST, where the symbol stands beside it.

    Raises:
        Malformed: a price that is not a positive finite number, or a broken time or symbol.
    """
    name = symbol if symbol is not None else raw.get("S")
    if not isinstance(name, str) or not SYMBOL_PATTERN.fullmatch(name):
        raise Malformed(f"a bar of no ticker: {name!r}")
    prices = {key: parse_number(raw.get(key), f"{name} bar's {key}") for key in "ohlc"}
    volume = parse_number(raw.get("v"), f"{name} bar's v")
    if min(prices.values()) <= 0 or volume < 0:
        raise Malformed(f"{name} bar with a price or volume out of range: {dict(raw)}")
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
        count if isinstance(count, int) else None,
        None if vwap is None else parse_number(vwap, f"{name} bar's vw"),
    )


def parse_order(raw: Raw, execution: Execution | None = None, at: Any = None) -> OrderUpdate:
    """An order as the broker has it now."""
    try:
        side = Side(raw["side"])
        client_order_id, broker_order_id = str(raw["client_order_id"]), str(raw["id"])
    except (KeyError, ValueError) as error:
        raise Malformed(f"an order without {error}: {dict(raw)}") from None
    average, submitted = raw.get("filled_avg_price"), raw.get("submitted_at")
    status, note = _status(raw.get("status"))
    return OrderUpdate(
        client_order_id=client_order_id,
        broker_order_id=broker_order_id,
        symbol=as_configured(str(raw.get("symbol")), str(raw.get("asset_class", ""))),
        side=side,
        status=status,
        qty=parse_number(raw.get("qty") or "0", "order's qty"),
        filled_qty=parse_number(raw.get("filled_qty") or "0", "order's filled_qty"),
        filled_avg_price=None if average is None else parse_number(average, "average price"),
        at=parse_time(at or raw.get("updated_at") or raw.get("created_at")),
        submitted_at=None if submitted is None else parse_time(submitted),
        execution=execution,
        reason=note,
        replaces=str(raw.get("replaces") or ""),
    )


def parse_trade_update(envelope: Raw) -> OrderUpdate:
    """One message of the `trade_updates` stream, its execution included if it tells of one."""
    data = envelope.get("data")
    if not isinstance(data, Mapping) or not isinstance(data.get("order"), Mapping):
        raise Malformed(f"a trade update without an order: {dict(envelope)}")
    order, event = data["order"], data.get("event")
    execution = bust = None
    if event in EXECUTIONS:
        name = data.get("execution_id") or data.get("event_id")
        execution = _execution(data, name, order.get("id"), order.get("filled_qty"), "timestamp")
    if event in REVERSALS:
        bust = _bust(data)
    return replace(parse_order(order, execution, data.get("timestamp")), bust=bust)


def parse_activity(raw: Raw) -> Activity:
    """A movement of the account that is no fill: a fee, a dividend, a split, a deposit."""
    kind, symbol = str(raw.get("activity_type") or ""), str(raw.get("symbol") or "")
    name, price = raw.get("id"), raw.get("price") or raw.get("per_share_amount")
    if not isinstance(name, str) or not name or not kind:
        raise Malformed(f"an activity without its id or type: {dict(raw)}")
    try:
        day = date.fromisoformat(str(raw.get("date") or "")[:10])
    except ValueError:
        raise Malformed(f"activity {name} without a date: {raw.get('date')!r}") from None
    return Activity(
        name,
        kind,
        day,
        as_configured(symbol, "crypto" if kind == "CFEE" else str(raw.get("asset_class", ""))),
        parse_number(raw.get("qty") or "0", "activity's qty"),
        None if price is None else parse_number(price, "activity's price"),
        parse_number(raw.get("net_amount") or "0", "activity's net_amount"),
        str(raw.get("description") or ""),
    )


def parse_fill_activity(raw: Raw) -> Fill:
    """One execution from the FILL activities; its id differs from the stream's."""
    try:
        side = Side(str(raw.get("side")).removesuffix("_short"))
    except ValueError:
        raise Malformed(f"a fill without a side: {dict(raw)}") from None
    symbol = str(raw.get("symbol"))
    return Fill(
        _execution(raw, raw.get("id"), raw.get("order_id"), raw.get("cum_qty"), "transaction_time"),
        str(raw.get("order_id")),
        as_configured(symbol, str(raw.get("asset_class", ""))),
        side,
        _status(raw.get("order_status"))[0],
    )


@exactly
def parse_position(raw: Raw) -> Holding:
    """A net position of the account; its cost is quantity times average entry price."""
    qty = parse_number(raw.get("qty"), "position's qty")
    if raw.get("side") == "short" and qty > 0:
        qty = -qty
    average = parse_number(raw.get("avg_entry_price"), "position's avg_entry_price")
    symbol = as_configured(str(raw.get("symbol")), str(raw.get("asset_class", "")))
    return Holding(symbol, qty, (qty * average).quantize(ATTO))


def parse_session(raw: Raw) -> Hours:
    """One day of the exchange's calendar, whose times are New York's."""
    try:
        day = datetime.fromisoformat(str(raw["date"])).date()
        at = {
            key: datetime.fromisoformat(f"{day.isoformat()}T{raw[key]}").replace(tzinfo=NEW_YORK)
            for key in ("open", "close")
        }
    except (KeyError, TypeError, ValueError):
        raise Malformed(f"not a day of the calendar: {raw!r}") from None
    return Hours(day, at["open"].astimezone(UTC), at["close"].astimezone(UTC))


def parse_asset(raw: Raw, symbol: str) -> Asset:
    """What may be ordered of a ticker, with the broker's own increments for crypto."""
    tradable = bool(raw.get("tradable", True)) and raw.get("status", "active") == "active"
    if "/" not in symbol:
        asset = Asset.stock(symbol, fractionable=bool(raw.get("fractionable")))
    else:
        step = parse_number(raw.get("min_trade_increment") or "1e-9", "min_trade_increment")
        least = parse_number(raw.get("min_order_size") or "1e-9", "min_order_size")
        if min(step, least) <= 0:
            raise Malformed(f"{symbol} in steps of {step}, {least} at least")
        asset = Asset.crypto(symbol, increment=step, min_qty=max(step, least))
    return asset if tradable else Asset(symbol, asset.increment, asset.min_qty, ZERO, False)


def as_configured(symbol: str, asset_class: str) -> str:
    """'BTCUSD' of a crypto position as 'BTC/USD'; anything else as it is."""
    if "/" in symbol or asset_class != "crypto":
        return symbol
    for quote in _QUOTE_CURRENCIES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return f"{symbol.removesuffix(quote)}/{quote}"
    return symbol


def _execution(raw: Raw, name: Any, order_id: Any, cum_qty: Any, time_key: str) -> Execution:
    """An execution; one that came without an id is known by its order and what it came to."""
    qty, price = parse_number(raw.get("qty"), "fill's qty"), parse_number(raw.get("price"), "price")
    total = parse_number(cum_qty, "fill's cumulative quantity")
    if min(qty, price, total) <= 0:
        raise Malformed(f"a fill with a quantity or price out of range: {dict(raw)}")
    return Execution(
        execution_id=str(name or f"{order_id}.{total.normalize():f}"),
        qty=qty,
        price=price,
        cum_qty=total,
        at=parse_time(raw.get(time_key)),
    )


def _bust(raw: Raw) -> Bust:
    """An execution that the broker takes back; of a correction, the one that was wrong."""
    name = str(raw.get("execution_id") or raw.get("event_id") or "")
    previous = str(raw.get("previous_execution_id") or raw.get("previous_id") or "")
    if not (name or previous):
        raise Malformed(f"a bust that names no execution: {dict(raw)}")
    qty, price = (raw.get(f"previous_{key}") or raw.get(key) or "0" for key in ("qty", "price"))
    return Bust(
        f"bust.{name or previous}",
        previous,
        parse_number(qty, "busted qty"),
        parse_number(price, "busted price"),
        parse_time(raw.get("timestamp")),
    )


def _status(word: Any) -> tuple[OrderStatus, str]:
    """A state we know; an unknown word counts as accepted, and is kept as the reason."""
    try:
        status = OrderStatus(word)
    except ValueError:
        status = OrderStatus.UNKNOWN
    if status in OUR_OWN_STATES:
        return OrderStatus.ACCEPTED, f"status {word!r}"
    return status, ""
