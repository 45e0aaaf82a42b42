"""What stands in a configuration for a user's strategy whose code this process never runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from coordinator.errors import OperatorError
from coordinator.strategies.base import Strategy
from coordinator.strategies.reading import Step


class StandIn(Strategy):
    """What is known of a strategy whose code is loaded elsewhere; `wanted` is how to load it."""

    wanted: ClassVar[str]
    told: ClassVar[Mapping[str, Any]]
    ticker_count: ClassVar[int | None] = None

    @property
    def longest_window(self) -> int:
        """What the strategy itself says."""
        return int(self.told["longest_window"])

    @property
    def history_bars(self) -> int:
        """What the strategy itself says."""
        return int(self.told["history_bars"])

    @property
    def parameters(self) -> dict[str, Any]:
        """The strategy's, defaults included."""
        return dict(self.told["parameters"])

    def start(self) -> Step:
        """Never here.

        Raises:
            OperatorError: always.
        """
        raise OperatorError(f"{self.strategy_type} runs in a process of its own, and not here")


def standing_in(wanted: str, told: Mapping[str, Any]) -> StandIn:
    """A stand-in that is what was told of the strategy."""

    class ForOne(StandIn):
        """Each of them is a type, as what it stands for is."""

    ForOne.strategy_type, ForOne.source_digest = told["strategy_type"], told["code"]
    ForOne.ticker_count, ForOne.wanted, ForOne.told = told["ticker_count"], wanted, told
    return ForOne()
