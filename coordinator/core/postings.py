"""What has been posted to the books: each execution and activity once, and what moved when.

The stream and REST give one execution different ids, so an execution is known by its own id and by
its order's cumulative quantity after it. A bust is known by its id alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.executions import ABOUT_THEN, Executions, Posting
from coordinator.core.first_fees import GIVEN_BACK, FirstFees
from coordinator.core.orders import Order
from coordinator.core.reversible import Reversible
from coordinator.core.trades import Trades
from coordinator.core.values import CENT, COIN, ZERO, Side

ACCRUED = "accrued"
"""How a fee was allocated that fills were booked with."""
TAKEN_BACK = "rounding taken back"
"""How rounding that proved wrong was allocated when it was taken back."""
FEE_DAYS = timedelta(days=6)
"""Fees and dividends are posted after their date: they are listed from so long before the last
session's opening, which had seen all that was posted by then."""


@dataclass(slots=True)
class Postings:
    """The account's executions and activities that are in the books."""

    executions: set[str] = field(default_factory=set)
    activities: set[str] = field(default_factory=set)
    adopted_at: datetime | None = None
    """When the account was first seen; what it held then includes all executions until then."""
    first_fees: FirstFees = field(default_factory=FirstFees)
    version: int = 0
    """Grows with each movement of cash or of a position."""
    unsettled: int = 0
    """The executions that may have rounded the broker's cash since a rounding was booked; those of
    earlier sessions count as one at most, for together they left less than a cent."""
    trades: Trades = field(default_factory=Trades)
    reversible: Reversible = field(default_factory=Reversible)
    _roundings: list[r.ActivityBooked] = field(default_factory=list)
    """What was booked as rounding, or taken back. It is a guess: a fee of cents that the broker
    lists later proves it wrong, so that it may be taken back."""
    _shares: set[tuple[str, str]] = field(default_factory=set)
    """(activity id, strategy) of each share of an activity."""
    _unowned: dict[str, Executions] = field(default_factory=dict)
    """What was booked of each order that no strategy of ours owns."""
    _sold: dict[date, dict[tuple[str, str], Decimal]] = field(default_factory=dict)
    """Dollars that each (strategy, ticker) sold at the broker on a UTC date."""
    _accrued: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    """Fees that the broker has not posted yet, by ticker (coins) or '' (dollars) and strategy."""
    _first: dict[str, Decimal] = field(default_factory=dict)
    """Those of the day on which the account was first seen, by ticker or ''."""
    _first_each: dict[str, list[Decimal]] = field(default_factory=dict)
    """What each execution of that day was booked with."""
    _first_settled: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    """What each posting of that day has settled, by its id."""
    _unproved: dict[str, Decimal] = field(default_factory=dict)
    """The fees booked with fills that nothing posted or corrected has settled, by ticker or ''."""
    _unposted: int = 0
    """How many sales of coins have a fee in dollars that Alpaca, which posts each execution's, has
    not posted yet."""
    _moved: dict[str, int] = field(default_factory=dict)
    """The version at which each ticker last moved; cash under ''."""

    def adopt(self, adopted: r.AccountAdopted) -> None:
        """Note when the account was first seen, and its activities until then."""
        self.adopted_at = adopted.at
        self.activities.update(adopted.known)
        self.first_fees.set_aside = adopted.set_aside

    def began_on(self, day: date) -> bool:
        """Whether the account had no books yet on this UTC date, or on a part of it."""
        return self.adopted_at is not None and day <= self.adopted_at.date()

    def has(self, fill: r.FillBooked, order: Order | None) -> bool:
        """Whether an execution is in the books; `order` is None if no strategy of ours owns it."""
        if fill.execution_id in self.executions:
            return True
        if order is None and self.adopted_at is not None and fill.at < self.adopted_at:
            return True
        known = self.unowned(fill.client_order_id) if order is None else order.executions
        if not fill.reverses:
            return known.has(fill.cum_qty, fill.at, fill.qty, fill.price)
        return fill.qty > 0 and known.has_correction(_posting(fill))

    def unowned(self, client_order_id: str) -> Executions:
        """The booked executions of an order that no strategy of ours owns."""
        return self._unowned.get(client_order_id, Executions())

    def has_alike(self, at: datetime, qty: Decimal, price: Decimal) -> bool:
        """Whether an execution of this time, quantity and price is booked of any order that no
        strategy of ours owns: the stream names an order otherwise than REST, which may not show it.
        """
        everyones = list(self._unowned.values())  # at once: the loop may add to them meanwhile
        return any(
            (posting.qty, posting.price) == (qty, price) and abs(posting.at - at) < ABOUT_THEN
            for known in everyones
            for posting in known.standing()
        )

    def add_fill(self, fill: r.FillBooked, order: Order | None) -> Posting:
        """Note that an execution was posted; `Orders.fill` adds the posting to an order of ours."""
        posting = _posting(fill)
        if order is None:
            known = self._unowned.setdefault(fill.client_order_id, Executions())
            known.add(posting)
        else:
            known = order.executions
        self.executions.add(fill.execution_id)
        if not fill.is_cross:
            self.unsettled += 1
        day = _day(fill, known)
        if fill.side is Side.SELL and not fill.is_cross:
            self._add_sale(fill, day)
        self.trades.add(fill, known)
        if fill.fee:
            symbol, fee = (fill.symbol, fill.fee_qty) if fill.fee_qty else ("", fill.fee)
            self._accrue(symbol, fill.strategy, fee, day)
            if self.began_on(day):
                self._first_each.setdefault(symbol, []).append(fee)
            self._unposted += not symbol and fee > 0
            self._unproved[symbol] = self.unproved(symbol) + fee
        self._touch(fill.symbol)
        return posting

    def accrued(self, symbol: str) -> dict[str, Decimal]:
        """Fees booked with fills and not posted yet, by strategy: coins, or dollars for ''."""
        return {name: fee for name, fee in self._accrued.get(symbol, {}).items() if fee}

    def due(self, symbol: str, day: date) -> Decimal:
        """How much of these a posting of this day is of, at most.

        One of the day on which the account was first seen is also of what was paid before, which
        nobody accrued: fees of a later day are not among it.
        """
        if self.began_on(day):
            return self._first.get(symbol, ZERO)
        return sum(self.accrued(symbol).values(), ZERO)

    def rounded_up(self, symbol: str, posted: Decimal) -> Decimal | None:
        """The fee of one execution of the account's first day, not settled yet, that Alpaca has
        rounded up to `posted`, to a cent or to a billionth of a coin; None if there is none."""
        unit = COIN if symbol else CENT
        if posted != posted.quantize(unit):
            return None
        left = Counter(self._first_each.get(symbol, ()))
        left.subtract(self._first_settled.get(symbol, {}).values())
        return next((fee for fee, n in left.items() if n > 0 and ZERO < posted - fee <= unit), None)

    def unproved(self, symbol: str) -> Decimal:
        """By how much the fees booked with fills may be wrong: coins, or dollars for ''."""
        return max(self._unproved.get(symbol, ZERO), ZERO)

    def overcharged(self) -> Decimal:
        """Dollars by which sales of coins were booked with more than the fees posted for them; zero
        while any of these is still to be posted."""
        return ZERO if self._unposted else self.unproved("")

    def add_activity(self, activity: r.ActivityBooked) -> bool:
        """Note a strategy's share of an activity; False if it was posted before."""
        share = activity.activity_id, activity.strategy
        if share in self._shares:
            return False
        self._shares.add(share)
        if activity.kind is r.ActivityKind.ROUNDING:
            self._roundings.append(activity)
            if activity.allocated_by != TAKEN_BACK:
                self.unsettled = 0
        if activity.settles:
            self._accrue(activity.symbol, activity.strategy, -activity.settles, activity.day)
            if self.began_on(activity.day):
                settled = self._first_settled.setdefault(activity.symbol, {})
                before = settled.get(activity.activity_id, ZERO)
                settled[activity.activity_id] = before + activity.settles
            left = self.unproved(activity.symbol) - abs(activity.settles)
            self._unproved[activity.symbol] = max(left, ZERO)
        if self._is_first_fee(activity):
            self.first_fees.add(activity)
        if self._posts_a_sales_fee(activity):
            self._unposted = max(self._unposted - 1, 0)
        self.activities.add(activity.activity_id)
        self.reversible.add(activity)
        self._touch(activity.symbol)
        return True

    def rounded(self, since: date) -> tuple[Decimal, Decimal]:
        """Dollars booked as rounding since a date, above and below zero, and not taken back."""
        up = down = ZERO
        for one in self._roundings:
            if one.day >= since:
                if (one.amount > 0) is (one.allocated_by == TAKEN_BACK):
                    down += one.amount
                else:
                    up += one.amount
        return max(up, ZERO), min(down, ZERO)

    def moved_since(self, version: int, symbol: str) -> bool:
        """Whether a ticker, or cash under '', moved after the books had this version."""
        return self._moved.get(symbol, 0) > version

    def sales(self, day: date, symbol: str) -> dict[str, Decimal]:
        """Dollars that each strategy sold on a UTC date, of one ticker, or of all for ''."""
        found: dict[str, Decimal] = {}
        for (strategy, ticker), dollars in self._sold.get(day, {}).items():
            if symbol in ("", ticker):
                found[strategy] = found.get(strategy, ZERO) + dollars
        return found

    def _posts_a_sales_fee(self, activity: r.ActivityBooked) -> bool:
        """Whether this is the first share of a fee in dollars that was booked with a sale."""
        is_fee = activity.kind is r.ActivityKind.FEE and activity.allocated_by == ACCRUED
        is_first = activity.activity_id not in self.activities
        return is_fee and is_first and not (activity.symbol or activity.amount)

    def _is_first_fee(self, activity: r.ActivityBooked) -> bool:
        """Whether this is of fees, in dollars, of the days until the account was first seen."""
        is_posted = activity.allocated_by != ACCRUED and self.began_on(activity.day)
        is_fee = activity.kind is r.ActivityKind.FEE and not activity.symbol
        return is_fee and (is_posted or activity.allocated_by == GIVEN_BACK)

    def _accrue(self, symbol: str, strategy: str, fee: Decimal, day: date) -> None:
        """Add to a fee of a day that is booked and that the broker will post later."""
        by = self._accrued.setdefault(symbol, {})
        by[strategy] = by.get(strategy, ZERO) + fee
        if self.began_on(day):
            self._first[symbol] = self._first.get(symbol, ZERO) + fee

    def _add_sale(self, fill: r.FillBooked, day: date) -> None:
        """Count a sale on its date."""
        sold = self._sold.setdefault(day, {})
        key = fill.strategy, fill.symbol
        sold[key] = sold.get(key, ZERO) + fill.qty * fill.price

    def _touch(self, symbol: str) -> None:
        self.version += 1
        self._moved[symbol] = self._moved[""] = self.version


def _day(fill: r.FillBooked, known: Executions) -> date:
    """The UTC date of an execution; a reversal counts on the date of what it reverses."""
    if not fill.reverses:
        return fill.at.date()
    reversed_at = (p.at for p in known.postings if p.execution_id == fill.reverses)
    return max(reversed_at, default=fill.at).date()


def _posting(fill: r.FillBooked) -> Posting:
    return Posting(
        fill.execution_id,
        fill.qty,
        fill.price,
        fill.fee,
        fill.fee_qty,
        fill.cum_qty,
        fill.at,
        fill.reverses,
        fill.strategy,
    )
