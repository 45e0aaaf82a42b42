"""The executions of one order: which are booked, which were taken back, which is told again.

The stream and REST give one execution different ids, and may give a correction different times and
places in its order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

ABOUT_THEN = timedelta(minutes=1)
"""Two words of a correction are of one if the times that they tell are no further apart."""
OF_REST = "::"
"""In the id of an execution that the list of FILL activities told of; not in the stream's."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One booked execution, as far as its reversal must know it."""

    execution_id: str
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_qty: Decimal
    cum_qty: Decimal
    at: datetime
    reverses: str = ""
    strategy: str = ""
    """Whose book it is in: of an order that was taken over, not always its strategy's."""


@dataclass(slots=True)
class Executions:
    """What was booked of one order, and which execution that is told again is one of them."""

    postings: list[Posting] = field(default_factory=list)
    until: dict[Decimal, datetime] = field(default_factory=dict)
    """When the newest execution was made that brought the order to a cumulative quantity."""
    _restated: list[datetime] = field(default_factory=list)
    """When executions were taken back for good: from then on the broker counts anew."""

    def add(self, posting: Posting) -> None:
        """Note an execution, or the reversal of one."""
        self.postings.append(posting)
        if posting.qty < 0:
            self._restated.append(posting.at)
            return
        if posting.reverses:
            self._count_on(posting)
        known = self.until.get(posting.cum_qty, posting.at)
        self.until[posting.cum_qty] = max(known, posting.at)

    def has(self, cum_qty: Decimal, at: datetime, qty: Decimal, price: Decimal) -> bool:
        """Whether an execution made `at` a time, which brought the order to `cum_qty`, is known.

        The same quantity is reached twice if an execution was taken back in between, and only from
        where the order stood then. One that corrects another may be listed at another time and
        place in the order than it was told of, but never beyond all that is booked, except where
        the corrected one stood before others were taken back.
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

    def has_correction(self, told: Posting) -> bool:
        """Whether an execution that corrects another one is known, the stream's word of it or
        REST's, which says nothing of a correction."""
        return any(
            (p.qty, p.price) == (told.qty, told.price)
            and (
                p.cum_qty == told.cum_qty
                or (
                    OF_REST in p.execution_id
                    and not p.reverses
                    and self._is_of_the_time(told, p.at)
                )
            )
            for p in self.standing()
        )

    def _count_on(self, instead: Posting) -> None:
        """What was taken back has one of its quantity in its place: the broker counts as before."""
        for gone in self.postings:
            same = gone.reverses == instead.reverses and gone.qty == -instead.qty
            if same and gone.at in self._restated:
                self._restated.remove(gone.at)

    def _places_of(self, posting: Posting) -> Iterator[Decimal]:
        """What the order came to with each of the executions that a posting corrects in the end."""
        by_id = {one.execution_id: one for one in self.postings}
        while (corrected := by_id.get(posting.reverses)) is not None:
            yield corrected.cum_qty
            posting = corrected

    def _is_of_the_time(self, posting: Posting, at: datetime) -> bool:
        """Whether a posting, or what it corrects, was made about then."""
        corrected = (p.at for p in self.postings if p.execution_id == posting.reverses)
        return any(abs(at - then) < ABOUT_THEN for then in (posting.at, *corrected))

    def standing(self) -> list[Posting]:
        """The executions that were not taken back, oldest first."""
        gone = {posting.reverses for posting in self.postings}
        return [p for p in self.postings if p.qty > 0 and p.execution_id not in gone]
