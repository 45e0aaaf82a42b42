"""What was traded since a time of the newest UTC date: who held what when a split was listed.

An activity is read minutes after it was listed, and what was traded meanwhile has no share in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from coordinator.core.executions import OF_REST, Executions
from coordinator.core.records import FillBooked
from coordinator.core.values import ZERO


@dataclass(slots=True)
class Trades:
    """The newest date's executions."""

    _by_ticker: dict[str, list[tuple[datetime, str, Decimal]]] = field(default_factory=dict)
    """Time, whose book, and units with their sign."""
    _date: date = date.min

    def add(self, fill: FillBooked, known: Executions) -> None:
        """Note an execution, or the reversal of one; `known` are those booked of its order."""
        if fill.at.date() > self._date:
            self._date = fill.at.date()
            self._by_ticker.clear()
        units, at = fill.side.sign * fill.qty, _effective_at(fill, known)
        self._by_ticker.setdefault(fill.symbol, []).append((at, fill.strategy, units))

    def since(self, at: datetime, symbol: str) -> dict[str, Decimal]:
        """Units of a ticker by which each book's executions after a time changed it."""
        found: dict[str, Decimal] = {}
        for when, strategy, units in self._by_ticker.get(symbol, ()):
            if when > at:
                found[strategy] = found.get(strategy, ZERO) + units
        return found


def _effective_at(fill: FillBooked, known: Executions) -> datetime:
    """When an execution changed what is held: a correction did when it was told of.

    What was taken back by REST's word (`shell/amends.py`) nobody knows the time of: it is as if
    it had been at once.
    """
    if not fill.reverses:
        return fill.at
    name, told_at = fill.execution_id, fill.at
    if fill.qty > 0:
        busts = (p for p in known.postings if p.reverses == fill.reverses and p.qty < 0)
        name, told_at = next(((p.execution_id, p.at) for p in busts), (name, told_at))
    if OF_REST not in name:
        return told_at
    return next((p.at for p in known.postings if p.execution_id == fill.reverses), fill.at)
