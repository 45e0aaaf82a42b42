"""JSON shapes of the trading API: orders, updates, positions, account, assets, clock, activities.

Rule: pure functions of values; amounts become exact plain strings, times RFC 3339. Nothing here
knows of a simulation.
"""

import uuid
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from simulator.assets import Asset, asset_id, asset_of, is_crypto, position_symbol
from simulator.calendar import NEW_YORK, Session
from simulator.ledger import Funds
from simulator.money import exact, half_even, plain
from simulator.values import (
    AssetClass,
    Execution,
    Order,
    OrderStatus,
    Position,
    Update,
    intent,
)
from simulator.wire import rfc3339

_AVERAGE_STEP = Decimal("0.000000001")
_FRACTION_STEP = Decimal("0.000001")
_COST_STEP = Decimal("1e-18")
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Json = dict[str, Any]


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


@exact
def order_json(order: Order) -> Json:
    """An order as REST and `trade_updates` show it; filled_avg_price to 9 decimals."""
    ticket = order.ticket
    average = order.filled_cost / order.filled_qty if order.filled_qty else None
    return {
        "id": order.id,
        "client_order_id": ticket.client_order_id,
        "created_at": rfc3339(order.created_at),
        "updated_at": rfc3339(order.updated_at),
        "submitted_at": rfc3339(order.created_at),
        "filled_at": _when(order.filled_at),
        "expired_at": _when(order.expired_at),
        "cancel_requested_at": _when(order.cancel_requested_at),
        "canceled_at": _when(order.canceled_at),
        "failed_at": None,
        "replaced_at": _when(order.replaced_at),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": asset_id(ticket.symbol),
        "symbol": ticket.symbol,
        "asset_class": ticket.asset_class.value,
        "notional": _text(ticket.notional),
        "qty": _text(ticket.qty),
        "filled_qty": plain(order.filled_qty),
        "filled_avg_price": _text(None if average is None else half_even(average, _AVERAGE_STEP)),
        "order_class": "",
        "order_type": ticket.type.value,
        "type": ticket.type.value,
        "side": ticket.side.value,
        "position_intent": intent(ticket.side, opens=order.opens),
        "time_in_force": ticket.time_in_force.value,
        "limit_price": _text(ticket.limit_price),
        "stop_price": _text(ticket.stop_price),
        "status": order.status.value,
        "extended_hours": ticket.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
        "expires_at": _when(order.expires_at),
    }


def update_json(update: Update, number: int) -> Json:
    """A `trade_updates` message. number: its place among all updates, for the event id."""
    data: Json = {
        "at": rfc3339(update.at),
        "event_id": ulid(update.at, number),
        "event": update.event,
        "timestamp": rfc3339(update.at),
        "order": order_json(update.order),
    }
    fill = update.execution
    if update.event == "new":  # Alpaca gives this event an execution id too
        data["execution_id"] = str(uuid.uuid5(uuid.UUID(int=0), f"new {update.order.id}"))
    if fill is not None:
        data |= {
            "price": plain(fill.price),
            "qty": plain(fill.qty),
            "position_qty": plain(fill.position_qty),
            "execution_id": fill.id,
            "swap_rate": "1",
            "settle_date": _settles(fill).isoformat(),
        }
    if update.amends is not None:
        data["previous_execution_id"] = update.amends
    if fill is not None and update.event == "trade_bust":
        data["qty"] = plain(-fill.qty)
    return {"stream": "trade_updates", "data": data}


def _settles(fill: Execution) -> date:
    """Crypto at once, stocks on the next weekday."""
    day = fill.at.date()
    if is_crypto(fill.symbol):
        return day
    return day + timedelta(days={4: 3, 5: 2}.get(day.weekday(), 1))


def ulid(moment: datetime, number: int) -> str:
    """26 characters that sort by time, then by number."""
    value = (int(moment.timestamp() * 1000) << 80) | number
    return "".join(_ULID[(value >> shift) & 31] for shift in range(125, -1, -5))


def activity_json(fill: Execution) -> Json:
    """A FILL activity."""
    return {
        "id": fill.activity_id,
        "activity_type": "FILL",
        "type": "fill" if fill.is_final else "partial_fill",
        "transaction_time": rfc3339(fill.at),
        "symbol": fill.symbol,
        "side": fill.side.value,
        "qty": plain(fill.qty),
        "price": plain(fill.price),
        "leaves_qty": plain(fill.leaves_qty),
        "cum_qty": plain(fill.cum_qty),
        "order_id": fill.order_id,
        "order_status": (
            OrderStatus.FILLED if fill.is_final else OrderStatus.PARTIALLY_FILLED
        ).value,
    }


@exact
def position_json(
    position: Position, today: Position, available: Decimal, mark: Decimal, before: Decimal
) -> Json:
    """A position. mark: the last close. before: the close of the day before.

    today: the position with the cost that today's gain is counted from.
    """
    value = position.qty * mark
    gain, gain_today = value - position.cost, value - today.cost
    asset = asset_of(position.symbol)
    cost = abs(position.cost)
    return {
        "asset_id": asset.id,
        "symbol": position_symbol(asset.symbol),
        "exchange": asset.exchange,
        "asset_class": asset.asset_class.value,
        "asset_marginable": asset.asset_class is AssetClass.STOCK,
        "qty": plain(position.qty),
        "qty_available": plain(available),
        "avg_entry_price": plain(half_even(position.cost / position.qty, _AVERAGE_STEP)),
        "side": "long" if position.qty > 0 else "short",
        "market_value": plain(value),
        "cost_basis": plain(half_even(position.cost, _COST_STEP)),
        "unrealized_pl": plain(half_even(gain, _COST_STEP)),
        "unrealized_plpc": _fraction(gain, cost),
        "unrealized_intraday_pl": plain(half_even(gain_today, _COST_STEP)),
        "unrealized_intraday_plpc": _fraction(gain_today, abs(today.cost)),
        "current_price": plain(mark),
        "lastday_price": plain(before),
        "change_today": _fraction(mark - before, before),
        "swap_rate": "1",
        "avg_entry_swap_rate": "1",
    }


def _fraction(part: Decimal, whole: Decimal) -> str:
    return plain(half_even(part / whole, _FRACTION_STEP)) if whole else "0"


def account_json(
    number: str, account_id: str, cash: Decimal, money: Funds, last: Decimal, *, suspended: bool
) -> Json:
    """The account. last: equity at the last session's close. suspended: by its user."""
    return {
        "id": account_id,
        "account_number": number,
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": plain(cash),
        "equity": plain(money.equity),
        "last_equity": plain(last),
        "portfolio_value": plain(money.equity),
        "buying_power": plain(money.buying_power),
        "regt_buying_power": plain(money.buying_power),
        "options_buying_power": plain(money.non_marginable),
        "non_marginable_buying_power": plain(money.non_marginable),
        "multiplier": "2",
        "shorting_enabled": True,
        "long_market_value": plain(money.long_value),
        "short_market_value": plain(money.short_value),
        "position_market_value": plain(money.long_value - money.short_value),
        "initial_margin": plain(money.initial_margin),
        "maintenance_margin": plain(money.initial_margin),
        "last_maintenance_margin": "0",
        "sma": "0",
        "accrued_fees": "0",
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": suspended,
        "created_at": "2024-01-01T00:00:00Z",
    }


def asset_json(asset: Asset) -> Json:
    """An asset; pairs carry their increments."""
    crypto = asset.asset_class is AssetClass.CRYPTO
    shape: Json = {
        "id": asset.id,
        "class": asset.asset_class.value,
        "exchange": asset.exchange,
        "symbol": asset.symbol,
        "name": asset.symbol,
        "status": "active",
        "tradable": True,
        "marginable": not crypto,
        "maintenance_margin_requirement": 100 if crypto else 30,
        "shortable": not crypto,
        "easy_to_borrow": not crypto,
        "fractionable": True,
        "attributes": [],
    }
    if crypto:
        shape |= {
            "min_order_size": plain(asset.min_order_size),
            "min_trade_increment": plain(asset.min_trade_increment),
            "price_increment": plain(asset.price_increment),
        }
    return shape


def clock_json(now: datetime, opens: datetime, closes: datetime, *, is_open: bool) -> Json:
    """The clock, in New York time as Alpaca writes it."""
    return {
        "timestamp": now.astimezone(NEW_YORK).isoformat(),
        "is_open": is_open,
        "next_open": opens.astimezone(NEW_YORK).isoformat(),
        "next_close": closes.astimezone(NEW_YORK).isoformat(),
    }


def session_json(session: Session, settles: date) -> Json:
    """A calendar day; extended hours end at 17:00 after an early close, else at 20:00."""
    opened, closed = session.open.astimezone(NEW_YORK), session.close.astimezone(NEW_YORK)
    return {
        "date": session.date.isoformat(),
        "open": f"{opened:%H:%M}",
        "close": f"{closed:%H:%M}",
        "session_open": "0400",
        "session_close": "2000" if closed.hour >= 16 else "1700",
        "settlement_date": settles.isoformat(),
    }
