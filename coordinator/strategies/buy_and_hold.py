"""Buy and hold: long from the first bar on. What every other strategy has to beat."""

from __future__ import annotations

from typing import ClassVar

from coordinator.core.values import Bar
from coordinator.strategies.base import Step, Strategy


class BuyAndHoldStrategy(Strategy):
    """+1 at every bar."""

    strategy_type: ClassVar[str] = "buy_and_hold"

    @property
    def longest_window(self) -> int:
        """One bar."""
        return 1

    def start(self) -> Step:
        """A fresh step, for the bars of one ticker."""
        return _hold


def _hold(_bar: Bar) -> int:
    return 1
