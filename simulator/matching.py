"""When an order executes and at what price. Pure functions of order, bar and fill model.

Rule: where one minute's bar leaves the sequence of prices open, the answer is the one that is
worse for the trader. A resting limit needs a price beyond it, and gets no better than itself; a
stop fills at the worse of its price and the bar's open; a stop-limit that triggers inside a bar
can fill from the next bar on.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from simulator.fills import FillModel
from simulator.values import Bar, Order, OrderType, Side, Ticket


@dataclass(frozen=True, slots=True)
class Match:
    """What the tape does to an order: a price to fill at (or None), and whether it is triggered."""

    price: Decimal | None
    triggered: bool


def match_quote(order: Order, reference: Decimal, model: FillModel) -> Match:
    """An order that arrives, against the last close."""
    ticket = order.ticket
    touch = model.price(ticket.side, reference)
    match ticket.type:
        case OrderType.MARKET:
            return Match(touch, triggered=False)
        case OrderType.LIMIT:
            return Match(touch if _within(ticket, touch) else None, triggered=False)
        case OrderType.STOP:
            triggered = _reaches(ticket, reference)
            return Match(touch if triggered else None, triggered)
        case OrderType.STOP_LIMIT:
            triggered = _reaches(ticket, reference)
            return Match(touch if triggered and _within(ticket, touch) else None, triggered)
        case _:
            assert_never(ticket.type)


def match_bar(order: Order, bar: Bar, model: FillModel) -> Match:
    """An order that rested while the bar was made."""
    ticket = order.ticket
    match ticket.type:
        case OrderType.MARKET:
            return Match(model.price(ticket.side, bar.close), order.triggered)
        case OrderType.LIMIT:
            return Match(_limit_through(ticket, bar), order.triggered)
        case OrderType.STOP:
            if order.triggered:  # what a fill model's capacity left over
                return Match(model.price(ticket.side, bar.close), triggered=True)
            if not _touched(ticket, bar):
                return Match(None, triggered=False)
            stop = _given(ticket.stop_price)
            worse = max(stop, bar.open) if ticket.side is Side.BUY else min(stop, bar.open)
            return Match(model.price(ticket.side, worse), triggered=True)
        case OrderType.STOP_LIMIT:
            if order.triggered:
                return Match(_limit_through(ticket, bar), triggered=True)
            return Match(None, _touched(ticket, bar))
        case _:
            assert_never(ticket.type)


def _given(price: Decimal | None) -> Decimal:
    if price is None:
        raise AssertionError("an order of this type always carries this price (rules.py)")
    return price


def _within(ticket: Ticket, price: Decimal) -> bool:
    limit = _given(ticket.limit_price)
    return price <= limit if ticket.side is Side.BUY else price >= limit


def _reaches(ticket: Ticket, price: Decimal) -> bool:
    stop = _given(ticket.stop_price)
    return price >= stop if ticket.side is Side.BUY else price <= stop


def _touched(ticket: Ticket, bar: Bar) -> bool:
    return _reaches(ticket, bar.high if ticket.side is Side.BUY else bar.low)


def _limit_through(ticket: Ticket, bar: Bar) -> Decimal | None:
    limit = _given(ticket.limit_price)
    through = bar.low < limit if ticket.side is Side.BUY else bar.high > limit
    return limit if through else None
