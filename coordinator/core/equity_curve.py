"""One book's equity over a session: the first, the last, and each minute that changed it.

Points are in order of time, each at a time of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from coordinator.core.values import ZERO

_ROUGHLY = 1e-9
"""By less than this a float is wrong about a fall; only what may be the deepest is divided out."""


@dataclass(slots=True)
class EquityCurve:
    """`points` are (time, cash, market value), dollars."""

    points: list[tuple[datetime, Decimal, Decimal]] = field(default_factory=list)

    def add(self, at: datetime, cash: Decimal, value: Decimal, *, last: bool = False) -> None:
        """Note the book at a time. What changes nothing leaves no point, but for the `last`.

        A time that has a point already, or has passed (of bars that came late), restates the
        newest point; only the last note restates the first point, which is the opening.
        """
        if not self.points:
            self.points.append((at, cash, value))
            return
        newest, *before = self.points[-1]
        changed = [cash, value] != before
        if at > newest:
            if changed or last:
                self.points.append((at, cash, value))
        elif changed and (last or len(self.points) > 1):
            self.points[-1] = (newest, cash, value)

    def max_drawdown(self) -> float:
        """The deepest fall below the highest equity so far, as a fraction of that; at least 0."""
        peak, worst = ZERO, 0.0
        for _, cash, value in self.points:
            equity = cash + value
            if equity >= peak:
                peak, about = equity, float(equity)
            elif peak > 0 and 1 - float(equity) / about > worst - _ROUGHLY:
                worst = max(worst, float((peak - equity) / peak))
        return worst
