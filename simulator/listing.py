"""Which orders and activities a listing shows, and in what order. Pure functions.

Rule: `after` and `until` are exclusive, newest first unless asked otherwise, pages bounded.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from simulator.assets import position_symbol
from simulator.errors import malformed
from simulator.money import ZERO, exact, half_even, plain
from simulator.shapes import activity_json, parse_time
from simulator.values import Execution, Order, Side

ORDERS_DEFAULT, ORDERS_MOST = 50, 500
ACTIVITIES_MOST = 100
_FEES = uuid.UUID("0a1c2f5e-53a0-5d0e-8a26-5a2b9a4c8e11")

T = TypeVar("T")
Query = Mapping[str, str]


def select_orders(orders: Iterable[Order], query: Query) -> list[Order]:
    """Orders of GET /v2/orders. orders: all, in order of acceptance. Raises Rejection (422)."""
    status = choice(query, "status", ("open", "closed", "all"), "open")
    limit = whole(query, "limit", ORDERS_DEFAULT, ORDERS_MOST)
    after, until = moment(query, "after"), moment(query, "until")
    side = choice(query, "side", ("buy", "sell"), "") if query.get("side") else ""
    names = {position_symbol(name) for name in words(query, "symbols")}
    kept = list(orders)
    places = {order.id: order.sequence for order in kept}
    low = _place(query, "after_order_id", places)
    high = _place(query, "before_order_id", places)
    chosen = [
        order
        for order in kept
        if (status == "all" or order.status.is_open == (status == "open"))
        and (after is None or order.created_at > after)
        and (until is None or order.created_at < until)
        and (low is None or order.sequence > low)
        and (high is None or order.sequence < high)
        and (not names or position_symbol(order.symbol) in names)
        and (not side or order.side.value == side)
    ]
    return _directed(chosen, query)[:limit]


def select_activities(
    executions: Sequence[Execution], query: Query, kinds: Sequence[str], now: datetime
) -> list[dict[str, Any]]:
    """FILL and CFEE activities of GET /v2/account/activities. kinds: none means all."""
    found: list[tuple[datetime, str, dict[str, Any]]] = []
    if not kinds or "FILL" in kinds:
        found += [(fill.at, fill.order_id, activity_json(fill)) for fill in executions]
    if not kinds or "CFEE" in kinds:
        found += [(at, "", shape) for at, shape in crypto_fees(executions, now)]
        found.sort(key=lambda entry: entry[0])
    after, until = moment(query, "after"), moment(query, "until")
    on = query.get("date")
    order_id = query.get("order_id")
    chosen = [
        shape
        for at, of_order, shape in found
        if (after is None or at > after)
        and (until is None or at < until)
        and (on is None or at.date().isoformat() == on)
        and (order_id is None or of_order == order_id)
    ]
    chosen = _directed(chosen, query)
    token = query.get("page_token")
    if token:
        ids = [shape["id"] for shape in chosen]
        if token not in ids:
            raise malformed(f"page_token {token!r} is not the id of a listed activity")
        chosen = chosen[ids.index(token) + 1 :]
    return chosen[: whole(query, "page_size", ACTIVITIES_MOST, ACTIVITIES_MOST)]


@exact
def crypto_fees(
    executions: Iterable[Execution], now: datetime
) -> list[tuple[datetime, dict[str, Any]]]:
    """The fees of each UTC date that has ended, one activity a pair and side, posted at its end."""
    sums: dict[tuple[date, str, Side], list[Decimal]] = {}
    for fill in executions:
        if (fill.fee_qty or fill.fee_cash) and fill.at.date() < now.date():
            total = sums.setdefault((fill.at.date(), fill.symbol, fill.side), [ZERO] * 3)
            total[0] += fill.fee_qty
            total[1] += fill.fee_cash
            total[2] += fill.fee_qty * fill.price
    posted = []
    for (day, symbol, side), (coin, dollars, value) in sums.items():
        end = datetime(day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=now.tzinfo)
        unique = uuid.uuid5(_FEES, f"{day} {symbol} {side.value}")
        shape = {
            "id": f"{end:%Y%m%d%H%M%S}999::{unique}",
            "activity_type": "CFEE",
            "date": day.isoformat(),
            "net_amount": plain(-dollars),
            "description": "Coin Pair Transaction Fee",
            "symbol": position_symbol(symbol),
            "qty": plain(-coin),
            "price": plain(half_even(value / coin, Decimal("1e-9"))) if coin else "0",
            "status": "executed",
        }
        posted.append((end, shape))
    return posted


def words(query: Query, name: str) -> list[str]:
    """A comma-separated parameter."""
    return [word.strip() for word in query.get(name, "").split(",") if word.strip()]


def choice(query: Query, name: str, allowed: Sequence[str], default: str) -> str:
    """A parameter out of a few words. Raises Rejection (422)."""
    value = query.get(name) or default
    if value.lower() not in allowed:
        raise malformed(f"invalid {name} {value!r}; use one of {', '.join(allowed)}")
    return value.lower()


def whole(query: Query, name: str, default: int, most: int) -> int:
    """A number 1..most. Raises Rejection (422)."""
    text = query.get(name)
    if not text:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise malformed(f"{name} must be a whole number from 1 to {most}, not {text!r}")
    return int(text)


def moment(query: Query, name: str) -> datetime | None:
    """A time parameter, aware UTC. Raises Rejection (422)."""
    text = query.get(name)
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError:
        raise malformed(f"{name} {text!r} is not an RFC 3339 time") from None


def _place(query: Query, name: str, places: Mapping[str, int]) -> int | None:
    wanted = query.get(name)
    if not wanted:
        return None
    if wanted not in places:
        raise malformed(f"{name} {wanted!r} is not an order of this account")
    return places[wanted]


def _directed(items: list[T], query: Query) -> list[T]:
    newest_first = choice(query, "direction", ("asc", "desc"), "desc") == "desc"
    return items[::-1] if newest_first else items
