"""A backtest's result by strategy: the exact sums of its sessions' days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import cast

from coordinator.backtest.played import PlayedSession
from coordinator.core.order_rows import Row
from coordinator.core.values import UNASSIGNED, ZERO


@dataclass(slots=True)
class StrategyResult:
    """One strategy over all sessions, in dollars; `fills` are executions."""

    strategy: str
    start_equity: Decimal
    end_equity: Decimal = ZERO
    net_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    fills: int = 0

    @property
    def return_pct(self) -> float:
        """Net P&L as a fraction of the initial equity: 0.025 is 2.5 %."""
        return float(self.net_pnl / self.start_equity)


@dataclass(slots=True)
class Failing:
    """A strategy that failed: the number of sessions, and its first failure."""

    strategy: str
    first: date
    words: str
    sessions: int = 0

    def in_words(self, sessions: int) -> str:
        """The failure, in a backtest of so many sessions, as a sentence with the remedy."""
        return (
            f"{self.strategy} failed in {self.sessions} of {sessions} sessions and opened nothing"
            f" more in them; first on {self.first}: {self.words}. Repair it and test it again."
        )


@dataclass(slots=True)
class Leaps:
    """The prices that leapt outside the collar, as after a split that the bars do not show."""

    count: int = 0
    first: str = ""

    def add(self, session: PlayedSession) -> None:
        """Count those of a finished session."""
        for row in session.rows()["discrepancies"]:
            self.count += 1
            self.first = self.first or f"{session.session_date}: {row['note']}"

    @property
    def warning(self) -> str:
        """The first leap, what follows from it, and what to do, in sentences; '' for none."""
        if not self.count:
            return ""
        more = f" {self.count - 1:,} more are in the table `discrepancies`." * (self.count > 1)
        return (
            f"{self.first} Its ticker was not bought any more in that session, and what was held"
            f" of it won or lost by the leap. Adjust the bars for splits.{more}"
        )


def note_faults(failing: dict[str, Failing], session: PlayedSession) -> None:
    """Count the strategies that failed in a finished session."""
    for name, words in session.faults.items():
        failing.setdefault(name, Failing(name, session.session_date, words)).sessions += 1


def failing_of_many(failing: Mapping[str, Failing], variants: int) -> str:
    """How many of a sweep's variants failed, the first failure, and what to do; '' for none."""
    if not failing:
        return ""
    first = min(failing.values(), key=lambda one: one.first)
    return (
        f"{len(failing):,} of {variants:,} variants failed, and opened nothing more in the sessions"
        f" in which they did; first {first.strategy} on {first.first}: {first.words}."
        " Repair it and sweep again."
    )


@dataclass(slots=True)
class Tally:
    """Adds sessions up as they finish; `summarize` makes the summary of the last one."""

    summarize: Callable[[], str] = str
    sessions: int = 0
    first: date | None = None
    last: date | None = None
    by_strategy: dict[str, StrategyResult] = field(default_factory=dict)
    failing: dict[str, Failing] = field(default_factory=dict)
    leaps: Leaps = field(default_factory=Leaps)

    @property
    def summary(self) -> str:
        """The summary of the last session's end, as a live one prints it."""
        return self.summarize()

    @property
    def net_pnl(self) -> Decimal:
        """Net P&L of all strategies together, dollars."""
        return sum((one.net_pnl for one in self.by_strategy.values()), ZERO)

    def add(self, session: PlayedSession) -> None:
        """Add a finished session."""
        self.sessions += 1
        self.summarize = session.summarize
        self.first = self.first or session.session_date
        self.last = session.session_date
        for row in session.rows()["pnl_daily"]:
            if row["strategy"] != UNASSIGNED:
                self._add_day(row)
        note_faults(self.failing, session)
        self.leaps.add(session)

    def as_document(self) -> dict[str, object]:
        """The result as plain values for JSON, decimals and dates unconverted."""
        return {
            "sessions": self.sessions,
            "first_session": self.first,
            "last_session": self.last,
            "net_pnl": self.net_pnl,
            "strategies": [
                {
                    "strategy": one.strategy,
                    "start_equity": one.start_equity,
                    "end_equity": one.end_equity,
                    "net_pnl": one.net_pnl,
                    "return_pct": one.return_pct,
                    "fees": one.fees,
                    "fills": one.fills,
                }
                for one in self.by_strategy.values()
            ],
            "failing": [asdict(one) for one in self.failing.values()],
        }

    def _add_day(self, row: Row) -> None:
        name = str(row["strategy"])
        one = self.by_strategy.get(name)
        if one is None:
            one = StrategyResult(name, cast(Decimal, row["start_equity"]))
            self.by_strategy[name] = one
        one.end_equity = cast(Decimal, row["end_equity"])
        one.net_pnl += cast(Decimal, row["net_pnl"])
        one.fees += cast(Decimal, row["fees"])
        one.fills += cast(int, row["fills"])
