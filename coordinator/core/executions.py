"""The executions of one order: which are booked, which were busted, and which is reported again.

The stream and REST give one execution different ids. They may also give a correction different
times, and different places in its order (the order's cumulative quantity after it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

ABOUT_THEN = timedelta(minutes=1)
"""Two reports of a correction are of the same one if their times are closer than this."""
OF_REST = "::"
"""Stands in the ids that REST's list of FILL activities gives executions, not in the stream's."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One booked execution, as far as a bust of it needs to know, or the bust itself (`qty` < 0).

    `reverses` is the id of the execution that it busts or corrects.
    """

    execution_id: str
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_qty: Decimal
    cum_qty: Decimal
    at: datetime
    reverses: str = ""
    strategy: str = ""
    """Whose book it is in: UNASSIGNED if it was booked before a strategy adopted the order."""


@dataclass(slots=True)
class Executions:
    """What was booked of one order; tells whether a reported execution is among it."""

    postings: list[Posting] = field(default_factory=list)
    until: dict[Decimal, datetime] = field(default_factory=dict)
    """By cumulative quantity, the time of the newest execution that brought the order there."""
    _restated: list[datetime] = field(default_factory=list)
    """Times of busts without a correction of the same quantity: from each on, the broker's count
    of the order begins anew."""

    def add(self, posting: Posting) -> None:
        """Note an execution, or the bust of one."""
        self.postings.append(posting)
        if posting.qty < 0:
            self._restated.append(posting.at)
            return
        if posting.reverses:
            self._keep_count(posting)
        known = self.until.get(posting.cum_qty, posting.at)
        self.until[posting.cum_qty] = max(known, posting.at)

    def has(self, cum_qty: Decimal, at: datetime, qty: Decimal, price: Decimal) -> bool:
        """Whether an execution made `at` a time, which brought the order to `cum_qty`, is known.

        One that reaches a known quantity is new only if another was busted in between, and if it
        begins where the order stood then. A correction may be listed at another time and quantity
        than it was first reported with: at most all that is booked, or the quantity of an execution
        that it corrects.
        """
        standing = self.standing() if any(p.reverses for p in self.postings) else []
        known = self.until.get(cum_qty)
        if known is not None and (
            not any(known <= then < at for then in self._restated)
            or cum_qty - qty < sum(p.qty for p in standing if p.at <= at)
        ):
            return True
        return any(
            p.reverses
            and (p.qty, p.price) == (qty, price)
            and self._is_of_the_time(p, at)
            and (cum_qty <= sum(p.qty for p in standing) or cum_qty in self._places_of(p))
            for p in standing
        )

    def has_correction(self, correction: Posting) -> bool:
        """Whether a correction is known, from the stream or from REST.

        REST lists a correction like any execution, without what it corrects.
        """
        return any(
            (p.qty, p.price) == (correction.qty, correction.price)
            and (
                p.cum_qty == correction.cum_qty
                or (
                    OF_REST in p.execution_id
                    and not p.reverses
                    and self._is_of_the_time(correction, p.at)
                )
            )
            for p in self.standing()
        )

    def _keep_count(self, correction: Posting) -> None:
        """The broker's count goes on if a correction has the quantity of what it corrects."""
        for bust in self.postings:
            same = bust.reverses == correction.reverses and bust.qty == -correction.qty
            if same and bust.at in self._restated:
                self._restated.remove(bust.at)

    def _places_of(self, posting: Posting) -> Iterator[Decimal]:
        """The cumulative quantities of the executions that a posting corrects, newest first."""
        by_id = {one.execution_id: one for one in self.postings}
        while (corrected := by_id.get(posting.reverses)) is not None:
            yield corrected.cum_qty
            posting = corrected

    def _is_of_the_time(self, posting: Posting, at: datetime) -> bool:
        """Whether a posting, or the execution that it corrects, was made about then."""
        corrected = (p.at for p in self.postings if p.execution_id == posting.reverses)
        return any(abs(at - then) < ABOUT_THEN for then in (posting.at, *corrected))

    def standing(self) -> list[Posting]:
        """The executions that were not busted, oldest first."""
        busted = {posting.reverses for posting in self.postings}
        return [p for p in self.postings if p.qty > 0 and p.execution_id not in busted]
