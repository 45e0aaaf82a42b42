"""What a look at the account would book, and what it would leave unexplained; nothing is changed.

The judgement is the reconciler's own, on a copy of the books.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.desk import OrderDesk
from coordinator.core.reconcile import Reconciler, comparable_cash, compare, explain
from coordinator.core.reports import Reports
from coordinator.core.risk import Asset
from coordinator.core.values import exactly


@dataclass(frozen=True, slots=True)
class Review:
    """The differences that nothing explains, and the bookings that the broker proves.

    `excused` are the ids of the differences that an order in flight may have caused.
    """

    differences: tuple[r.DiscrepancyFound, ...]
    excused: frozenset[str]
    bookings: tuple[r.FillBooked | r.ActivityBooked, ...]

    def find(self, discrepancy_id: str) -> r.DiscrepancyFound | None:
        """The difference with this id, if it is there."""
        return next((f for f in self.differences if f.discrepancy_id == discrepancy_id), None)


@exactly
def review(books: Books, seen: m.AccountSeen, crypto_fee_rate: Decimal) -> Review:
    """Judge the account as it was seen, asked for when the books had `seen.version` or later."""
    copy = deepcopy(books)
    desk = _desk(copy)
    reports = Reports(desk, crypto_fee_rate)
    reconciler = Reconciler(copy, desk.blotter.record, reports.on_update, at_rest=True)
    reconciler.take(seen)
    left = []
    cash = comparable_cash(copy.ledger, seen)
    differing = compare(copy.ledger, cash, seen.positions, seen.now)
    for found in differing:
        explanation = explain(copy, found, differing, seen.now)
        for posting in explanation:
            desk.blotter.record(posting)
        if not explanation:
            left.append(found)
    in_flight = reconciler.excused(left, copy.posted.version)
    excused = {
        found.discrepancy_id
        for found in left
        if found.discrepancy_id in in_flight or books.posted.moved_since(seen.version, found.symbol)
    }
    booked = [x for x in desk.blotter.out.records if isinstance(x, r.FillBooked | r.ActivityBooked)]
    return Review(tuple(left), frozenset(excused), tuple(booked))


def _desk(books: Books) -> OrderDesk:
    """A desk whose commands are not carried out, and that has no exits pending."""
    assets = {}
    for order in books.orders:
        order.cancel_reason = None
        assets[order.symbol] = Asset.stock(order.symbol, fractionable=True)
    return OrderDesk.at_rest(books, assets)
