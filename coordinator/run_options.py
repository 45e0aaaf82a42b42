"""The options of a run, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from coordinator.core.live_view import StrategyView
from coordinator.core.records import SessionEnd

SIMULATED_SPEED = 600.0


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a run; `bars` or `date` imply a simulated one.

    `clock_speed` is broker seconds per local second; None means 600 if simulated, else 1. `date` is
    the exchange's, or the UTC date if only crypto is traded. `strategies` is a folder of strategies
    that replaces the configuration's `strategies_dir`.
    """

    config: Path | None = None
    live: bool = False
    simulate: bool = False
    bars: Path | None = None
    source: str | None = None
    date: date | None = None
    clock_speed: float | None = None
    fill_model: str | None = None
    seed: int = 7
    min_warmup_bars: int | None = None
    feed: str | None = None
    home: Path | None = None
    strategies: Path | None = None

    @property
    def simulated(self) -> bool:
        """Whether the embedded simulator is the broker."""
        return self.simulate or self.bars is not None or self.date is not None

    @property
    def speed(self) -> float:
        """How many times as fast as the local clock the broker's clock may run."""
        return self.clock_speed or (SIMULATED_SPEED if self.simulated else 1.0)


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """How a run ended: `status` is 'MarketClosed' where no session was left to trade."""

    status: SessionEnd | Literal["MarketClosed"]
    message: str
    account: str | None = None
    session_id: str | None = None
    summary: str = ""
    discrepancies: int = 0
    strategies: tuple[StrategyView, ...] = ()
    shadows: tuple[StrategyView, ...] = ()
