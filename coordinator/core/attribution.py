"""Attributes account activities other than fills to books.

Dividends, splits and custody fees go to the books by their positions when the broker listed them; a
short position owes its share. A fee of the account goes to the strategies that sold on its date, by
their proceeds; deposits, withdrawals and interest go to UNASSIGNED. Shares of an amount sum to it
exactly (`core/allotment.py`). Crypto fees were booked with their fills; the broker's posting at the
end of the day only settles what was accrued.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.allotment import shares
from coordinator.core.books import Books
from coordinator.core.first_fees import GIVEN_BACK
from coordinator.core.postings import ACCRUED
from coordinator.core.records import ActivityKind
from coordinator.core.reversible import REVERSED
from coordinator.core.values import CENT, COIN, UNASSIGNED, ZERO, is_crypto

CUSTODY = "PTC"
"""A depositary's fee for the custody of foreign shares, passed through."""
STOCK_DIVIDEND = "SDIV"
"""A dividend that is paid in shares."""
UNIT_SPLIT = "USPLIT"
"""Units become shares and warrants, each with a ticker of its own."""
SUB_TYPES = {"SDIV": STOCK_DIVIDEND, "ADR": CUSTODY, UNIT_SPLIT: UNIT_SPLIT}
"""What an activity is by its sub type: Alpaca lists these as a DIV, a FEE and a SPLIT, which would
be dollars, a fee on sales, and more or fewer shares of the same ticker."""
KINDS = {
    **dict.fromkeys(("FEE", "CFEE", CUSTODY, "REG", "TAF"), ActivityKind.FEE),
    **dict.fromkeys(("INT", "INTNRA", "INTTW"), ActivityKind.INTEREST),
    **dict.fromkeys(("SPLIT", "SSP", STOCK_DIVIDEND), ActivityKind.SPLIT),
    **dict.fromkeys(("CGD", "CIL"), ActivityKind.DIVIDEND),
}
"""By Alpaca's activity type. Every DIV* is a dividend; any other type is a transfer to or from the
account."""
COIN_PAIR = "coin pair"
"""Stands in the note of a dollar fee that crypto trading caused."""


def attribute(books: Books, activity: m.Activity, now: datetime) -> list[r.ActivityBooked]:
    """The postings of one activity, and of what it takes back; none if the books have them."""
    back = _taken_back(books, activity, now)
    if activity.is_void or activity.activity_id in books.posted.activities:
        return back
    return back + _attribute(books, activity, now)


def _taken_back(books: Books, activity: m.Activity, now: datetime) -> list[r.ActivityBooked]:
    """The shares of the activity that this one takes back, with the opposite sign; of one that
    corrected another and is called off, its own."""
    names = [activity.takes_back, activity.activity_id if activity.is_void else ""]
    return [
        replace(
            share,
            at=now,
            activity_id=share.activity_id + REVERSED,
            qty=-share.qty,
            amount=-share.amount,
            allocated_by="taken back",
        )
        for name in dict.fromkeys(filter(None, names))
        for share in books.posted.reversible.of(name)
    ]


def _attribute(books: Books, activity: m.Activity, now: datetime) -> list[r.ActivityBooked]:
    kind = _kind(activity.kind)
    match kind:
        case ActivityKind.SPLIT:
            return _split(books, activity, now)
        case ActivityKind.DIVIDEND:
            return _dollars(activity, kind, _holders(books, activity), "position", now)
        case ActivityKind.FEE if _was_accrued(activity):
            return _settled(books, activity, now)
        case ActivityKind.FEE if activity.kind == CUSTODY:
            return _dollars(activity, kind, _holders(books, activity), "position", now)
        case ActivityKind.FEE:
            sales = books.posted.sales(activity.day, activity.symbol)
            return _dollars(activity, kind, sales, "sales", now)
        case _:
            return [_posting(activity, kind, UNASSIGNED, activity.net_amount, "account", now)]


def _kind(word: str) -> ActivityKind:
    if word.startswith("DIV"):
        return ActivityKind.DIVIDEND
    return KINDS.get(word, ActivityKind.TRANSFER)


def _was_accrued(activity: m.Activity) -> bool:
    coins = activity.kind == "CFEE" or (is_crypto(activity.symbol) and bool(activity.qty))
    return coins or COIN_PAIR in activity.note.lower()


def _settled(books: Books, activity: m.Activity, now: datetime) -> list[r.ActivityBooked]:
    """A crypto fee's posting settles what was accrued; what it has beyond that is charged now.

    Fees of the day on which the account was first seen were paid before, unless Alpaca, which
    rounds up, made this one of the fee that an execution of ours was booked with.
    """
    key = activity.symbol if activity.qty else ""
    posted = abs(activity.qty or activity.net_amount)
    is_first = books.posted.began_on(activity.day)
    ours = books.posted.rounded_up(key, posted) if is_first else None
    most = posted if ours is None else ours
    settled = max(min(most, books.posted.due(key, activity.day)), ZERO)
    parts = shares(settled, books.posted.accrued(key), COIN) or {UNASSIGNED: ZERO}
    activity = replace(activity, symbol=key)
    found = [
        replace(_posting(activity, ActivityKind.FEE, name, ZERO, ACCRUED, now), settles=part)
        for name, part in parts.items()
    ]
    beyond = posted - (settled if ours is None else ours)
    if not beyond or (is_first and ours is None):
        return found
    return found + _charged(books, f"{activity.activity_id}.beyond", key, -beyond, now)


def correction(
    books: Books,
    activity_id: str,
    symbol: str,
    amount: Decimal,
    now: datetime,
) -> list[r.ActivityBooked]:
    """Postings for fees in which the fills' bookings differ from what the broker took.

    `amount` is coins of `symbol`, or dollars where that is empty: negative if the broker took more.
    It has not posted so much of these fees, so what is accrued changes by the same amount.
    """
    charged = _charged(books, activity_id, symbol, amount, now)
    return [replace(c, settles=c.qty if symbol else c.amount) for c in charged]


def given_back(
    books: Books, activity_id: str, dollars: Decimal, now: datetime
) -> list[r.ActivityBooked]:
    """Postings that give fees back to those who paid them, as the account's first cash lacked them:
    Alpaca may deduct fees before it posts them. What is not posted yet is UNASSIGNED's."""
    back = m.Activity(activity_id, "FEE", now.date(), "", ZERO, None, dollars, "")
    paid = books.posted.first_fees.paid
    payers = paid if sum(paid.values(), ZERO) >= dollars else {}
    return [
        _posting(back, ActivityKind.FEE, name, part, GIVEN_BACK, now)
        for name, part in shares(dollars, payers, COIN).items()
    ]


def _charged(
    books: Books, activity_id: str, symbol: str, amount: Decimal, now: datetime
) -> list[r.ActivityBooked]:
    price = books.ledger.marks.get(symbol, ZERO)
    return [
        r.ActivityBooked(
            at=now,
            activity_id=activity_id,
            strategy=name,
            kind=ActivityKind.FEE,
            symbol=symbol,
            qty=part if symbol else ZERO,
            price=price,
            amount=ZERO if symbol else part,
            allocated_by=ACCRUED,
            day=now.date(),
        )
        for name, part in shares(amount, books.posted.accrued(symbol), COIN).items()
    ]


def _split(books: Books, activity: m.Activity, now: datetime) -> list[r.ActivityBooked]:
    """Units for each holder. The mark is adjusted, unless it is of the split's own day already.

    Alpaca lists the shares that a split takes and those that it gives separately, minutes apart. An
    activity that would leave no position waits, because afterwards nobody could say who held it. So
    does one that takes more shares than the books hold yet. One that gives more than they are short
    is of shares that they do not know: UNASSIGNED's. If the books sum to zero, a human sold as many
    since the split as they hold, and it is of those that hold some.
    """
    units = _units(books, activity)
    holders, held = _weights(units), sum(units.values(), ZERO)
    if not held:
        holders = {name: qty for name, qty in holders.items() if qty > 0}
        held = sum(holders.values(), ZERO)
    after = held + activity.qty
    if (held and not after) or after < 0 <= held:
        return []
    price = books.ledger.marks.get(activity.symbol, ZERO)
    last = books.last_bar.get(activity.symbol)
    is_ours = held * after > 0
    if is_ours and (last is None or last.date() < activity.day):
        price = (price * held / after).quantize(COIN)
    return [
        replace(
            _posting(activity, ActivityKind.SPLIT, name, ZERO, "position", now),
            qty=change,
            price=price,
        )
        for name, change in shares(activity.qty, holders if is_ours else {}, COIN).items()
    ]


def _holders(books: Books, activity: m.Activity) -> dict[str, Decimal]:
    """Each book's units, as weights."""
    return _weights(_units(books, activity))


def _weights(held: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Units as weights; if they sum to a short position, shorts weigh above zero."""
    sign = -1 if sum(held.values(), ZERO) < 0 else 1
    return {name: sign * qty for name, qty in held.items()}


def _units(books: Books, activity: m.Activity) -> dict[str, Decimal]:
    """Each book's units when the broker listed the activity, which is read minutes later."""
    held = books.ledger.units(activity.symbol)
    if activity.at is not None:
        for name, change in books.posted.trades.since(activity.at, activity.symbol).items():
            held[name] = held.get(name, ZERO) - change
    return held


def _dollars(
    activity: m.Activity,
    kind: ActivityKind,
    weights: Mapping[str, Decimal],
    allocated_by: str,
    now: datetime,
) -> list[r.ActivityBooked]:
    parts = shares(activity.net_amount, weights, CENT)
    return [_posting(activity, kind, name, part, allocated_by, now) for name, part in parts.items()]


def _posting(
    activity: m.Activity,
    kind: ActivityKind,
    strategy: str,
    amount: Decimal,
    allocated_by: str,
    now: datetime,
) -> r.ActivityBooked:
    """A book's share of an activity: cash, and a transfer's units at the broker's price."""
    qty = activity.qty if kind is ActivityKind.TRANSFER and activity.symbol else ZERO
    price = (activity.price or ZERO) if qty else ZERO
    return r.ActivityBooked(
        at=now,
        activity_id=activity.activity_id,
        strategy=strategy,
        kind=kind,
        symbol=activity.symbol,
        qty=qty,
        price=price,
        amount=amount,
        allocated_by=allocated_by,
        day=activity.day,
    )
