"""One book's equity over a session: its first point, its last, and one for each change.

Points are in order of time, no two at the same time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

_ROUGHLY = 1e-9
"""A fall computed in floats is off by less; only one that may be the deepest is divided exactly."""


@dataclass(slots=True)
class EquityCurve:
    """`points` are (time, cash, market value), dollars."""

    points: list[tuple[datetime, Decimal, Decimal]] = field(default_factory=list)

    def add(self, at: datetime, cash: Decimal, value: Decimal, *, last: bool = False) -> None:
        """Note the book at a time. No change leaves no point, unless it is the `last`.

        A time that is not after the newest point's (as of late bars) restates that point, but not
        the first, which is the opening: only the `last` may restate it.
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

    def go_on(self) -> None:
        """Take back a last point that shows no change: it was not the last."""
        if len(self.points) > 1 and self.points[-1][1:] == self.points[-2][1:]:
            self.points.pop()

    def max_drawdown(self, transfers: Iterable[tuple[datetime, Decimal]] = ()) -> float:
        """The deepest fall below an earlier peak of equity, as a fraction of it; at least 0.

        Capital that came or, negative, went at a time is no gain and no fall: it moves the peak.
        """
        begun, cash, value = self.points[0]
        moves = deque(sorted(move for move in transfers if move[0] > begun))
        peak, worst = cash + value, 0.0
        about = float(peak)
        for at, cash, value in self.points:
            equity = cash + value
            while moves and moves[0][0] <= at:
                peak += moves.popleft()[1]
                about = float(peak)
            if equity >= peak:
                peak, about = equity, float(equity)
            elif peak > 0 and 1 - float(equity) / about > worst - _ROUGHLY:
                worst = max(worst, float((peak - equity) / peak))
        return worst
