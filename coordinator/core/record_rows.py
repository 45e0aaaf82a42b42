"""The warehouse's rows that each tell of one record: a bar, a fill, an activity, a discrepancy.

Column names and meanings are those of the warehouse's tables.
"""

from __future__ import annotations

from coordinator.core import records as r
from coordinator.core.order_rows import Row
from coordinator.core.values import ATTO, Bar, is_crypto, storable

CRYPTO_FEED = "us"


def bar_row(opened: r.SessionOpened, bar: Bar, origin: r.Origin) -> Row:
    """A bar, of the session's feed for stocks."""
    return {
        "account": opened.account,
        "feed": CRYPTO_FEED if is_crypto(bar.symbol) else opened.feed,
        "symbol": bar.symbol,
        "ts": bar.start,
        "open": storable(bar.open),
        "high": storable(bar.high),
        "low": storable(bar.low),
        "close": storable(bar.close),
        "volume": storable(bar.volume),
        "trade_count": bar.trade_count,
        "vwap": storable(bar.vwap),
        "origin": origin.value,
    }


def fill_row(opened: r.SessionOpened, fill: r.FillBooked) -> Row:
    """A fill, as it was booked."""
    return {
        "execution_id": fill.execution_id,
        "session_id": opened.session_id,
        "client_order_id": fill.client_order_id,
        "session_date": opened.session_date,
        "strategy": fill.strategy,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "qty": fill.qty,
        "price": fill.price,
        "fee": fill.fee,
        "filled_at": fill.at,
    }


def activity_row(opened: r.SessionOpened, record: r.ActivityBooked) -> Row:
    """An activity; its amount includes the value of its units, but for a split.

    A split that came after the session has its own date, before which its shares were bought.
    """
    worth, day = record.amount, opened.session_date
    if record.kind is r.ActivityKind.SPLIT:
        day = max(day, record.day)
    else:
        worth += record.qty * record.price
    return {
        "activity_id": record.activity_id,
        "session_date": day,
        "strategy": record.strategy,
        "kind": record.kind.value,
        "symbol": record.symbol or None,
        "qty": record.qty or None,
        "amount": worth.quantize(ATTO),
        "allocated_by": record.allocated_by,
        "booked_at": record.at,
    }


def transfer_rows(record: r.Transferred, number: int, *, begins: bool) -> list[Row]:
    """Both sides of a transfer; only the giver's if it `begins` the receiver's book."""
    sides = [(record.source, -record.amount), (record.target, record.amount)]
    return [
        {
            "activity_id": f"transfer.{number}",
            "strategy": strategy,
            "kind": "transfer",
            "symbol": None,
            "qty": None,
            "amount": amount,
            "allocated_by": record.kind,
            "booked_at": record.at,
        }
        for strategy, amount in (sides[:1] if begins else sides)
    ]


def discrepancy_row(opened: r.SessionOpened, record: r.DiscrepancyFound) -> Row:
    """A difference between the books and the broker's account."""
    return {
        "session_id": opened.session_id,
        "found_at": record.at,
        "kind": record.kind,
        "symbol": record.symbol or None,
        "strategy": record.strategy,
        "ours": storable(record.ours),
        "brokers": storable(record.brokers),
        "note": record.note,
    }
