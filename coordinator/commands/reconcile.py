"""`reconcile`: compares the broker's account with the books, and accepts a difference by its id.

Comparing changes nothing. What the broker's lists explain, a coordinator books by itself; what
nothing explains is shown, and is booked only if a human accepts it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coordinator.commands.accounts import Account, Operator, Reach
from coordinator.config.text import unknown
from coordinator.core import records as r
from coordinator.core.discrepancies import DiscrepancyKind
from coordinator.core.messages import AccountSeen
from coordinator.core.reconcile import accept
from coordinator.core.review import Review, review
from coordinator.core.values import UNASSIGNED, exactly
from coordinator.errors import OperatorError, SafetyRefusal
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal_reading import newest_opening
from coordinator.shell.look import Looks
from coordinator.shell.watchdog import Depth

TRIES = 6
"""Comparisons, WAIT_S local seconds apart, before a difference counts: broker lists can lag."""
WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between the books and the account, or for a price leap between two closes.

    `frozen_at` is when it froze entries, None if it has not; `in_flight` says that an open order
    may explain it.
    """

    id: str
    kind: str
    symbol: str
    ours: Decimal
    brokers: Decimal
    note: str
    frozen_at: datetime | None = None
    in_flight: bool = False

    @property
    def off(self) -> Decimal:
        """How much more the broker has than the books."""
        return self.brokers - self.ours


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The comparison of an account at `at`; a coordinator will book `explained` by itself."""

    account: str
    at: datetime
    cash: Decimal
    differences: tuple[Difference, ...]
    explained: tuple[str, ...] = ()
    accepted: Difference | None = None


def reconcile(
    operator: Operator, *, accepted: str | None = None, account: str | None = None
) -> Reconciliation:
    """Compare the books of the account that the keys belong to; accept the difference `accepted`.

    The account is that of a running simulated session if `account` names it, or if there are no
    keys.

    Raises:
        OperatorError: no keys, no books of their account, or no difference of this id.
        SafetyRefusal: an open order may explain the difference, or it has changed meanwhile.
        BrokerError: the broker could not be reached.
    """
    reach = Reach.find(operator, account, with_books=True)
    path = operator.home / reach.account / JOURNAL
    newest = newest_opening(path)
    with Account.open(path, seen_by=newest.coordinator if newest else "") as books:
        seen, compared = compare(books, reach)
        shown = _shown(books, compared)
        if accepted is None:
            return _result(reach, seen, shown, compared)
        difference = _named(accepted, shown)
        _accept(operator, books, seen, difference, newest.session_id if newest else "")
        left = tuple(d for d in shown if d.id != accepted)
        return _result(reach, seen, left, compared, difference)


def compare(account: Account, reach: Reach) -> tuple[AccountSeen, Review]:
    """Compare, TRIES times at most, until the books agree apart from known differences."""
    since = account.books.last_at or reach.broker.clock()
    for attempt in range(TRIES):
        if attempt:
            time.sleep(WAIT_S)
        account.catch_up()
        looks = Looks(reach.broker, account.books, since)
        seen = looks.take(account.books.posted.version, Depth.ACTIVITIES)
        account.catch_up()
        compared = review(account.books, seen, account.crypto_fee_rate)
        if all(found.is_among(account.books.frozen) for found in compared.differences):
            break
    return seen, compared


def _shown(account: Account, compared: Review) -> tuple[Difference, ...]:
    """The differences found now, and those frozen in the journal."""
    frozen = account.books.frozen
    now = {f.discrepancy_id: f for f in compared.differences}
    return tuple(
        Difference(
            id=name,
            kind=found.kind,
            symbol=found.symbol,
            ours=found.ours,
            brokers=found.brokers,
            note=found.note,
            frozen_at=frozen[name].at if name in frozen else None,
            in_flight=name in compared.excused,
        )
        for name, found in sorted(({**frozen, **now}).items())
    )


def _result(
    reach: Reach,
    seen: AccountSeen,
    shown: tuple[Difference, ...],
    compared: Review,
    accepted: Difference | None = None,
) -> Reconciliation:
    assert seen.cash is not None, "the account was asked for"
    explained = tuple(map(_explained, compared.bookings))
    return Reconciliation(reach.account, seen.now, seen.cash, shown, explained, accepted)


def _named(name: str, shown: tuple[Difference, ...]) -> Difference:
    for difference in shown:
        if difference.id == name:
            break
    else:
        raise OperatorError(unknown("discrepancy", name, [d.id for d in shown]))
    if difference.kind == DiscrepancyKind.ACCOUNT.value:
        raise OperatorError(
            f"{name} cannot be accepted: the account was reset, and nothing of these books is in"
            " it any more. The new account gets books of its own at the next start."
        )
    if difference.in_flight:
        raise SafetyRefusal(
            f"{name} is not accepted: an order is open that can be the reason. Look again once it"
            " has ended; if its coordinator died, start that again."
        )
    return difference


def _accept(
    operator: Operator, account: Account, seen: AccountSeen, shown: Difference, session: str
) -> None:
    """Write the acceptance of a difference as it was shown, unless it has changed since."""
    changed = False

    @exactly
    def decided() -> list[r.Record]:
        nonlocal changed
        compared = review(account.books, seen, account.crypto_fee_rate)
        found, frozen = compared.find(shown.id), account.books.frozen.get(shown.id)
        moved = account.books.posted.moved_since(seen.version, shown.symbol)
        if shown.kind == DiscrepancyKind.PRICE.value and frozen is not None:
            return accept(account.books, frozen, (), seen.now, operator.by)
        if found is not None and found.off == shown.off and not moved:
            return accept(account.books, found, compared.differences, seen.now, operator.by)
        if found is None and frozen is not None and not moved:
            return [r.DiscrepancyResolved(seen.now, shown.id, "explained")]
        changed = True
        return []

    account.decide(session, decided)
    if changed:
        raise SafetyRefusal(
            f"{shown.id} is not accepted: it has changed since it was looked at. Look again with"
            " `multi-trader reconcile`."
        )


def _explained(booking: r.FillBooked | r.ActivityBooked) -> str:
    """A booking that the broker's lists prove, in words."""
    if isinstance(booking, r.FillBooked):
        who = "a trade by hand" if booking.strategy == UNASSIGNED else booking.client_order_id
        what = f"{booking.side.value} {booking.qty} {booking.symbol} @ {booking.price}"
        return f"{who}: {what}, for {booking.strategy}"
    what = f"{booking.qty} {booking.symbol}" if booking.qty else f"{booking.amount} dollars"
    return f"{booking.kind.value}: {what}, for {booking.strategy}"
