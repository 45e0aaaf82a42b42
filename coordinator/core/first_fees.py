"""Fees that an account had counted and not posted when it was first seen.

Alpaca may deduct fees before it posts them. Then the account's first cash lacks them already, and
they are booked once more when they are posted: who paid them gets them back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from coordinator.core.records import ActivityBooked
from coordinator.core.values import ZERO

GIVEN_BACK = "given back"
"""How such a fee was allocated when it was given back."""
POSTED_WITHIN = timedelta(days=40)
"""Some fees are posted once a month: what cash has more after so long has another cause."""


@dataclass(slots=True)
class FirstFees:
    """The fees, in dollars, that were `set_aside` at first sight, and who has `paid` them since."""

    set_aside: tuple[Decimal, ...] = ()
    paid: dict[str, Decimal] = field(default_factory=dict)
    _given_back: Decimal = ZERO

    def may_be(self, dollars: Decimal, rounded: Decimal) -> bool:
        """Whether so many dollars, but for what may be `rounded`, are some or all of the fees that
        were set aside, less what was given back."""
        sums = {*self.set_aside, sum(self.set_aside, ZERO)} if self.set_aside else set()
        return any(abs(one - self._given_back - dollars) <= rounded for one in sums)

    def add(self, fee: ActivityBooked) -> None:
        """Note a strategy's share of a fee of those days, or that it was given back."""
        self.paid[fee.strategy] = self.paid.get(fee.strategy, ZERO) - fee.amount
        if fee.allocated_by == GIVEN_BACK:
            self._given_back += fee.amount
