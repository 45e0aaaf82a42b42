"""Activities: what moved the account, and how GET /v2/account/activities lists it. Pure.

Rule: `after`, `until` and `date` go by the moment of the fill, or by when another activity was
created; `after` and `until` are exclusive, newest first unless asked otherwise. An id begins with
a time, but only a fill's tells more than the day.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from simulator.assets import position_symbol
from simulator.errors import malformed
from simulator.listing import Query, choice, directed, moment, whole, words
from simulator.money import CRYPTO_PRICE_STEP, ZERO, exact, half_even, plain
from simulator.shapes import activity_json
from simulator.values import Execution, Side
from simulator.wire import rfc3339

ACTIVITIES_MOST = 100
_FEES = uuid.UUID("0a1c2f5e-53a0-5d0e-8a26-5a2b9a4c8e11")
_TRANSFERS = frozenset({"CSD", "CSW"})
_CATEGORIES = ("trade_activity", "non_trade_activity")


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity other than a fill.

    at: when it was created. date: the one it is for. net_amount: dollars, signed. qty: units of
    the symbol: a split's or fee's change, the shares a dividend was paid for. price, per_share:
    dollars a unit. moved: whether posting it moved the account (a coin fee went at its fill).
    status: executed, or canceled once it was called off.
    """

    id: str
    type: str
    at: datetime
    date: date
    net_amount: Decimal
    description: str = ""
    sub_type: str | None = None
    symbol: str | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    per_share: Decimal | None = None
    moved: bool = True
    status: str = "executed"


def nta_id(day: date, unique: str) -> str:
    """The id of an activity other than a fill."""
    return f"{day:%Y%m%d}000000000::{unique}"


def nta_json(activity: Activity) -> dict[str, Any]:
    """An activity other than a fill, in Alpaca's shape; what it does not have is left out."""
    shape: dict[str, Any] = {
        "id": activity.id,
        "activity_type": activity.type,
        "date": activity.date.isoformat(),
        "created_at": rfc3339(activity.at),
        "net_amount": plain(activity.net_amount),
        "description": activity.description,
        "status": activity.status,
    }
    if activity.sub_type is not None:
        shape["activity_sub_type"] = activity.sub_type
    if activity.symbol is not None:
        shape["symbol"] = position_symbol(activity.symbol)
    amounts = {
        "qty": activity.qty,
        "price": activity.price,
        "per_share_amount": activity.per_share,
    }
    return shape | {name: plain(each) for name, each in amounts.items() if each is not None}


def select_activities(
    executions: Iterable[Execution], others: Iterable[Activity], query: Query, path_type: str | None
) -> list[dict[str, Any]]:
    """Activities of GET /v2/account/activities[/{path_type}]. Raises Rejection (422)."""
    kinds = [path_type] if path_type else words(query, "activity_types")
    kinds = [kind.upper() for kind in kinds]
    category = choice(query, "category", _CATEGORIES, "") if query.get("category") else None
    if category and kinds:
        raise malformed("only one of category or activity_types may be given")
    found: list[Execution | Activity] = sorted([*executions, *others], key=lambda each: each.at)
    after, until = moment(query, "after"), moment(query, "until")
    day, order_id = moment(query, "date"), query.get("order_id")
    chosen = [
        each
        for each in found
        if (not kinds or any(_is_of(_kind(each), wanted) for wanted in kinds))
        and (category is None or isinstance(each, Execution) == (category == _CATEGORIES[0]))
        and (after is None or each.at > after)
        and (until is None or each.at < until)
        and (day is None or each.at.date() == day.date())
        and (order_id is None or (isinstance(each, Execution) and each.order_id == order_id))
    ]
    return [
        activity_json(each) if isinstance(each, Execution) else nta_json(each)
        for each in _page(directed(chosen, query), query)
    ]


def _kind(each: Execution | Activity) -> str:
    return "FILL" if isinstance(each, Execution) else each.type


def _is_of(kind: str, wanted: str) -> bool:
    """Whether a type is the one asked for, or in the group of that name."""
    if wanted == "TRANS":
        return kind in _TRANSFERS
    if wanted == "MISC":
        return kind not in _TRANSFERS | {"FILL", "DIV"}
    return kind == wanted


def _page(chosen: Sequence[Execution | Activity], query: Query) -> Sequence[Execution | Activity]:
    token, first = query.get("page_token"), 0
    if token:
        ids = [each.activity_id if isinstance(each, Execution) else each.id for each in chosen]
        if token not in ids:
            raise malformed(f"page_token {token!r} is not the id of a listed activity")
        first = ids.index(token) + 1
    return chosen[first : first + whole(query, "page_size", ACTIVITIES_MOST, ACTIVITIES_MOST)]


@exact
def coin_fees(executions: Iterable[Execution], now: datetime) -> list[Activity]:
    """The fees of each UTC date that has ended, one activity a pair and side, posted at its end."""
    sums: dict[tuple[date, str, Side], list[Decimal]] = {}
    for fill in executions:
        if (fill.fee_qty or fill.fee_cash) and fill.at.date() < now.date():
            total = sums.setdefault((fill.at.date(), fill.symbol, fill.side), [ZERO] * 3)
            total[0] += fill.fee_qty
            total[1] += fill.fee_cash
            total[2] += fill.fee_qty * fill.price
    return [
        Activity(
            id=nta_id(day, str(uuid.uuid5(_FEES, f"{day} {symbol} {side.value}"))),
            type="CFEE",
            at=datetime(day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=now.tzinfo),
            date=day,
            net_amount=-dollars,
            description="Coin Pair Transaction Fee",
            symbol=symbol,
            qty=-coin,
            price=half_even(value / coin, CRYPTO_PRICE_STEP) if coin else ZERO,
            moved=False,
        )
        for (day, symbol, side), (coin, dollars, value) in sums.items()
    ]
