"""When a strategy's day begins: at the open of its stocks, or at midnight UTC."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.lane import StrategySpec
from coordinator.core.session import SessionPlan


class Rollover:
    """Begins the strategies' days of one session; `record` applies a record and keeps it."""

    def __init__(
        self,
        books: Books,
        plan: SessionPlan,
        record: Callable[[r.Record], None],
        specs: Iterable[StrategySpec],
    ) -> None:
        self._books, self._plan, self._record = books, plan, record
        self.follow(specs)

    def follow(self, specs: Iterable[StrategySpec]) -> None:
        """These strategies trade from now on."""
        self._waiting = list(specs)

    def roll(self, now: datetime) -> None:
        """Begin the days that are due."""
        if self._waiting:
            self._waiting = [spec for spec in self._waiting if not self._begins(spec, now)]

    def _begins(self, spec: StrategySpec, now: datetime) -> bool:
        """Begin a strategy's day if it is due; returns whether it has begun by now."""
        if self._books.days[spec.name].date != self._plan.date:
            if now < self._plan.rolls_at(spec.tickers):
                return False
            self._record(r.DayRolled(now, spec.name, self._plan.date))
        return True
