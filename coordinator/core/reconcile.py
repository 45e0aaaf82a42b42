"""Compares the broker's account with the books: what differs, and what explains it.

Positions must agree exactly, cash to the precision in which the broker reports it. A difference
that an order in flight could cause proves nothing yet. One that stands in several looks in a row is
explained by the broker's rounding or fees, or it is a discrepancy and freezes entries. Nothing is
ever invented to make the books match.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.attribution import attribute, correction, given_back
from coordinator.core.books import Books
from coordinator.core.discrepancies import (
    DiscrepancyFound,
    DiscrepancyKind,
    discrepancy_id,
    finding,
)
from coordinator.core.first_fees import POSTED_WITHIN
from coordinator.core.ledger import Ledger, agrees, precision
from coordinator.core.orders import OrderStatus
from coordinator.core.postings import FEE_DAYS, TAKEN_BACK, Postings
from coordinator.core.values import CENT, COIN, UNASSIGNED, ZERO, Side, exactly, is_crypto

LOOKS = 3
"""Looks in a row that must show the same difference."""
ROUNDING_LOOKS = 15
"""Looks in a row before a difference counts as the broker's rounding in mid-session: a deposit of
some cents may be listed later than the cash shows it."""
ROUNDING_LOOKS_AT_REST = 10
"""The same where nothing trades, and somebody waits for the result."""


@exactly
def compare(
    ledger: Ledger, cash: Decimal, positions: Mapping[str, Decimal], now: datetime
) -> list[DiscrepancyFound]:
    """Every difference between the sub-accounts' sums and the broker's account.

    `cash` is in dollars (`comparable_cash`), `positions` net quantities by symbol as configured.
    """
    ours = ledger.net_positions()
    found = []
    for symbol in sorted(set(ours) | set(positions)):
        mine, theirs = ours.get(symbol, ZERO), positions.get(symbol, ZERO)
        if mine != theirs:
            found.append(finding(now, DiscrepancyKind.POSITION, symbol, mine, theirs))
    total = ledger.net_cash()
    if not agrees(total, cash):
        found.append(finding(now, DiscrepancyKind.CASH, "", total, cash))
    return found


@exactly
def comparable_cash(ledger: Ledger, seen: m.AccountSeen) -> Decimal:
    """The account's cash as the books count it: with the fees that they will book once posted.

    Alpaca deducts fees of stocks from the cash as they accrue, and posts them at the end of the
    day; where it does not, the reported cash is the nearer one. It is rounded towards the books to
    the decimals that are reported, for the sum is no more precise than they are.
    """
    assert seen.cash is not None, "the account was asked for"
    ours, cash = ledger.net_cash(), seen.cash
    sums = {ZERO, *seen.set_aside, sum(seen.set_aside, ZERO)}
    fees = min(sorted(sums), key=lambda dollars: abs(ours - cash - dollars))
    if not fees:
        return cash
    towards_us = ROUND_FLOOR if cash + fees > ours else ROUND_CEILING
    return (cash + fees).quantize(precision(cash), towards_us)


def explain(
    books: Books, found: DiscrepancyFound, among: Iterable[DiscrepancyFound], now: datetime
) -> list[r.ActivityBooked]:
    """The postings that explain a difference by the broker's rounding or fees, if these can.

    It is `among` all that one look showed. Cash may be off by a cent an execution, or by earlier
    rounding that proved wrong and is taken back; both are UNASSIGNED's. It may have more by what
    sales of coins were booked with above the fees that were posted; those who sold get it back. So
    do those who paid fees that the account's first cash lacked already. A
    crypto position may be off by as many coins as were booked as fees with fills and are not posted
    yet; the strategies that caused those fees pay, unless it was recorded as unexplained before.
    """
    name = f"{found.discrepancy_id}.{now.isoformat()}"
    if dollars := _overcharged(books, found):
        return correction(books, name, "", dollars, now)
    if found.is_of(DiscrepancyKind.CASH):
        rounding = _rounding(books, found, now)
        if not rounding and _lacked_at_first(books, found):
            return given_back(books, name, found.off, now)
        return [
            r.ActivityBooked(
                at=now,
                activity_id=name,
                strategy=UNASSIGNED,
                kind=r.ActivityKind.ROUNDING,
                symbol="",
                qty=ZERO,
                price=ZERO,
                amount=dollars,
                allocated_by=allocated_by,
                day=now.date(),
            )
            for dollars, allocated_by in rounding
        ]
    if not _may_be_fees(books, found) or found.is_among(books.frozen):
        return []
    if _awaits_cash(books, found, among, now):
        return []
    return correction(books, name, found.symbol, found.off, now)


def _overcharged(books: Books, found: DiscrepancyFound) -> Decimal:
    """The dollars, if any, that cash has more because sales of coins were booked with more than the
    fees that were posted for them. Alpaca lowers its rate by itself, with the volume of a month."""
    dollars = books.posted.overcharged()
    rounded = max(_hidden(books.posted, found.brokers), precision(found.brokers))
    is_more = found.is_of(DiscrepancyKind.CASH) and found.off > 0
    return dollars if is_more and abs(found.off - dollars) <= rounded else ZERO


def _lacked_at_first(books: Books, found: DiscrepancyFound) -> bool:
    """Whether cash has more by fees that are booked, and that its first balance lacked already."""
    began = books.posted.adopted_at
    if began is None or found.at - began > POSTED_WITHIN or found.off < 0:
        return False
    rounded = max(_hidden(books.posted, found.brokers), precision(found.brokers))
    return books.posted.first_fees.may_be(found.off, rounded)


def _may_be_fees(books: Books, found: DiscrepancyFound) -> bool:
    """Whether a position is off by no more than the fees in coin that nothing has proved yet."""
    is_coin = found.is_of(DiscrepancyKind.POSITION) and is_crypto(found.symbol)
    return is_coin and abs(found.off) <= books.posted.unproved(found.symbol)


def _awaits_cash(
    books: Books, found: DiscrepancyFound, among: Iterable[DiscrepancyFound], now: datetime
) -> bool:
    """Whether a position that may be off by fees is not to be judged before the cash is.

    Cash is off the other way then. An execution moves both, and no fee does: a human traded, or the
    broker took executions back or corrected them, and nobody has heard of it yet.
    """
    return _may_be_fees(books, found) and any(
        one.off * found.off < 0 and not _rounding(books, one, now)
        for one in among
        if one.is_of(DiscrepancyKind.CASH)
    )


def _rounding(books: Books, found: DiscrepancyFound, now: datetime) -> list[tuple[Decimal, str]]:
    """The dollars to book as rounding, or to take back of it, for a difference in cash, if any.

    What was rounded long before the session stands: a fee of then would be listed by now.
    """
    posted, opened = books.posted, books.session.at if books.session else now
    off, (up, down) = found.off, posted.rounded((opened - FEE_DAYS).date())
    rounded = up + down
    if rounded and abs(off + rounded) < precision(found.brokers):
        return [(-rounded, TAKEN_BACK)]
    if abs(off) <= _hidden(posted, found.brokers):
        return [(off, "rounding")]
    if -up <= off <= -down:
        return [(off, TAKEN_BACK)]
    return []


def _hidden(posted: Postings, reported: Decimal) -> Decimal:
    """The most that rounding may hide in cash since it was last booked.

    However many decimals are reported: sums of floats, and a coin sale's fee as we book it, are
    good to a billionth. That fee is an estimate, which the broker may round to cents.
    """
    amounts = max(precision(reported.normalize()), COIN) * posted.unsettled
    return max(amounts, min(CENT * posted.unsettled, posted.unproved("")))


def _hint(posted: Postings, found: DiscrepancyFound) -> str:
    """What else may cause a difference that nothing explains; '' if nothing comes to mind."""
    fees = posted.unproved("")
    if found.is_of(DiscrepancyKind.CASH) and ZERO < found.off < fees + precision(found.brokers):
        return "; no more than the fees of coin sales: is crypto_fee_rate the broker's?"
    return ""


def accept(
    books: Books,
    found: DiscrepancyFound,
    among: Iterable[DiscrepancyFound],
    now: datetime,
    by: str,
) -> list[r.Record]:
    """The records by which a human accepts a difference, `among` all: UNASSIGNED has it then.

    What cash had paid for is not taken for fees once that cash is accepted: the positions that
    waited for it are left to a human too.
    """
    resolved = r.DiscrepancyResolved(now, found.discrepancy_id, f"accepted by {by}")
    if found.is_of(DiscrepancyKind.PRICE):
        return [resolved]
    off, is_cash = found.off, found.is_of(DiscrepancyKind.CASH)
    moved = r.ActivityBooked(
        at=now,
        activity_id=f"{found.discrepancy_id}.{now.isoformat()}",
        strategy=UNASSIGNED,
        kind=r.ActivityKind.TRANSFER,
        symbol=found.symbol,
        qty=ZERO if is_cash else off,
        price=ZERO if is_cash else books.ledger.marks.get(found.symbol, ZERO),
        amount=off if is_cash else ZERO,
        allocated_by=f"accepted by {by}",
        day=now.date(),
    )
    return [moved, resolved, *(one for one in among if _awaits_cash(books, one, [found], now))]


class Reconciler:
    """Judges looks at the broker's account, one after another.

    `record` applies a record to the books and keeps it; `on_update` takes a report on an order.
    `at_rest` says that nothing trades, so that fewer looks have to agree.
    Call inside the EXACT decimal context.
    """

    def __init__(
        self,
        books: Books,
        record: Callable[[r.Record], None],
        on_update: Callable[[m.OrderUpdate], None],
        *,
        at_rest: bool = False,
    ) -> None:
        self.at_rest = at_rest
        self._books = books
        self._record = record
        self._on_update = on_update
        self._suspects: dict[str, tuple[Decimal, int]] = {}

    @property
    def is_suspicious(self) -> bool:
        """Whether a difference was seen that is neither explained nor recorded yet."""
        frozen = self._books.frozen
        return any(name not in frozen for name in self._suspects)

    def take(self, seen: m.AccountSeen) -> None:
        """Book what the broker proves, then judge what still differs.

        Another account number means that the account was reset: nothing of it is ours any more.
        """
        if seen.account not in ("", self._books.account):
            self._record_reset(seen)
            return
        for update in seen.updates:
            self._on_update(update)
        for activity in seen.activities * 2:  # half a split may wait for the other half
            for posting in attribute(self._books, activity, seen.now):
                self._record(posting)
                self._split_explains(posting)
        if seen.cash is None:
            return
        cash = comparable_cash(self._books.ledger, seen)
        found = compare(self._books.ledger, cash, seen.positions, seen.now)
        differing, excused = {f.discrepancy_id for f in found}, self.excused(found, seen.version)
        for difference in found:
            waits = _awaits_cash(self._books, difference, found, seen.now)
            if difference.discrepancy_id not in excused and not waits:
                self._suspect(difference, found)
        for name in [n for n in self._suspects if n not in differing]:
            del self._suspects[name]
        self._resolve(differing | excused, seen)

    def excused(self, found: Iterable[DiscrepancyFound], version: int) -> set[str]:
        """The ids of the differences that orders in flight since the books' `version` can cause.

        Cash moves together with a position only, so its id is among them while one of these does.
        """
        ids = {
            one.discrepancy_id
            for one in found
            if one.symbol and self._may_move(one.symbol, one.off, version)
        }
        if ids or self._books.posted.moved_since(version, ""):
            ids.add(discrepancy_id(DiscrepancyKind.CASH))
        return ids

    def _may_move(self, symbol: str, off: Decimal, version: int) -> bool:
        """Whether an order in flight since the account was asked for can be why a ticker is `off`.

        An `off` of zero may be due to it too, for such an order can hide a difference.
        """
        books = self._books
        if books.posted.moved_since(version, symbol) or books.neighbours.may_move(symbol):
            return True
        orders = books.orders.open_on(symbol)
        in_flight = [order for order in orders if order.status is not OrderStatus.WAITING]
        most = sum((o.open_qty for o in in_flight if o.side is Side.BUY), ZERO)
        least = -sum((o.open_qty for o in in_flight if o.side is Side.SELL), ZERO)
        return bool(in_flight) and least <= off <= most

    def _record_reset(self, seen: m.AccountSeen) -> None:
        """Record, once, that the books are of another account."""
        kind = DiscrepancyKind.ACCOUNT
        if discrepancy_id(kind) not in self._books.frozen:
            total = self._books.ledger.net_cash()
            self._record(finding(seen.now, kind, "", total, seen.cash or ZERO))

    def _suspect(self, found: DiscrepancyFound, among: Sequence[DiscrepancyFound]) -> None:
        """Count a look that shows a difference; after enough of them, explain it or record it."""
        name, off = found.discrepancy_id, found.off
        before, looks = self._suspects.get(name, (off, 0))
        looks = looks + 1 if before == off else 1
        self._suspects[name] = off, looks
        is_known = found.is_among(self._books.frozen) and not _overcharged(self._books, found)
        if looks < LOOKS or is_known:
            return
        explanation = explain(self._books, found, among, found.at)
        if explanation and looks < self._patience(found):
            return
        for posting in explanation:
            self._record(posting)
        if not explanation:
            self._record(replace(found, note=found.note + _hint(self._books.posted, found)))

    def _patience(self, found: DiscrepancyFound) -> int:
        """How many looks must show a difference before it is explained without proof."""
        if not self.at_rest:
            return ROUNDING_LOOKS
        return ROUNDING_LOOKS_AT_REST if found.is_of(DiscrepancyKind.CASH) else LOOKS

    def _resolve(self, unclear: Container[str], seen: m.AccountSeen) -> None:
        """Resolve the discrepancies that have gone: something has explained them."""
        for name, found in list(self._books.frozen.items()):
            compared = found.is_of(DiscrepancyKind.POSITION, DiscrepancyKind.CASH)
            hidden = found.symbol and self._may_move(found.symbol, ZERO, seen.version)
            if compared and name not in unclear and not hidden:
                self._record(r.DiscrepancyResolved(seen.now, name, "explained"))

    def _split_explains(self, posting: r.ActivityBooked) -> None:
        name = discrepancy_id(DiscrepancyKind.PRICE, posting.symbol)
        if posting.kind is r.ActivityKind.SPLIT and name in self._books.frozen:
            self._record(r.DiscrepancyResolved(posting.at, name, "explained"))
