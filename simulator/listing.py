"""Which orders a listing shows, and how the parameters of every listing are read. Pure functions.

Rule: `after` and `until` are exclusive, newest first unless asked otherwise, pages bounded.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from simulator.assets import position_symbol
from simulator.errors import malformed
from simulator.values import Order

ORDERS_DEFAULT, ORDERS_MOST = 50, 500

_LOST_PLUS = re.compile(r"(?<=\d) (\d\d:\d\d)$")

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
    classes = words(query, "asset_class")
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
        and (not classes or order.ticket.asset_class.value in classes)
    ]
    return directed(chosen, query)[:limit]


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
    if not text.isdecimal() or len(text) > len(str(most)) or not 1 <= int(text) <= most:
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


def parse_time(text: str) -> datetime:
    """An aware UTC time from RFC 3339 text or a date (its midnight UTC). Raises ValueError."""
    mended = text.strip()
    if "T" in mended:  # a '+' that nobody escaped reads as a space
        mended = _LOST_PLUS.sub(r"+\1", mended)
    moment = datetime.fromisoformat(mended)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from None


def _place(query: Query, name: str, places: Mapping[str, int]) -> int | None:
    wanted = query.get(name)
    if not wanted:
        return None
    if wanted not in places:
        raise malformed(f"{name} {wanted!r} is not an order of this account")
    return places[wanted]


def directed(items: list[T], query: Query) -> list[T]:
    """Items that are oldest first, in the direction asked for. Raises Rejection (422)."""
    newest_first = choice(query, "direction", ("asc", "desc"), "desc") == "desc"
    return items[::-1] if newest_first else items
