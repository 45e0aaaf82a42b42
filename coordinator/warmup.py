"""Fetches the history that the next session's indicators need, and writes it to one file.

A coordinator that finds the file fetches only the bars that it lacks, unless prices have changed
since (`shell/history.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from coordinator.core.lane import StrategySpec, tickers_of
from coordinator.core.session import Hours
from coordinator.core.values import Bar
from coordinator.settings import Settings
from coordinator.shell import startup
from coordinator.shell.broker import Broker
from coordinator.shell.history import Need, write_bars
from coordinator.shell.pace import Budgets
from coordinator.shell.ports import Ports
from coordinator.shell.run import patient_broker


@dataclass(frozen=True, slots=True)
class WarmupOutcome:
    """The number of `bars` fetched by ticker; without a next session, date and path are None."""

    account: str
    session_date: date | None
    path: Path | None
    bars: Mapping[str, int]


class WarmUp:
    """A warm-up: `fetch` the `tickers` in any order, then `write`. All methods block."""

    def __init__(
        self,
        account: str,
        session_date: date | None,
        path: Path | None,
        broker: Broker,
        sessions: Sequence[Hours],
        needs: Mapping[str, Need],
    ) -> None:
        self.account, self.session_date, self.path = account, session_date, path
        self._broker, self._sessions, self._needs = broker, sessions, needs
        self._bars: dict[str, list[Bar]] = {}

    @classmethod
    def begin(
        cls, specs: Sequence[StrategySpec], feed: str, settings: Settings, speed: float
    ) -> WarmUp:
        """Ask the broker for the next session and work out the history that it needs.

        Raises:
            BrokerError: the broker cannot be reached, or refuses the keys.
        """
        budgets = Budgets(settings, speed=speed)
        broker = patient_broker(Ports.real(budgets), settings, feed)
        account = broker.account().number
        budgets.on_account(account, host=settings.account_host)
        now = broker.clock()
        sessions = startup.read_sessions(broker, now)
        plan = startup.plan(now, sessions, tickers_of(specs))
        if plan is None:
            return cls(account, None, None, broker, sessions, {})
        needs = {need.symbol: need for need in startup.warm_up_needs(specs, plan)}
        path = startup.warm_up_file(settings.home, account, plan.date)
        return cls(account, plan.date, path, broker, sessions, needs)

    @property
    def tickers(self) -> Sequence[str]:
        """The tickers whose history is needed; none when there is no next session."""
        return list(self._needs)

    def fetch(self, tickers: Sequence[str]) -> Mapping[str, int]:
        """Fetch these tickers' bars; returns the number of bars of each.

        Raises:
            BrokerError: the broker does not answer; bars fetched before are kept.
        """
        assert self.path is not None, "without a next session no bars are needed"
        needs = [self._needs[ticker] for ticker in tickers]
        found = startup.fetch_history(self._broker, self._sessions, needs, self.path)
        self._bars |= found
        return {ticker: len(bars) for ticker, bars in found.items()}

    def write(self) -> WarmupOutcome:
        """Write all fetched bars to one file, atomically."""
        if self.path is not None:
            write_bars(self.path, self._bars)
        counts = {ticker: len(bars) for ticker, bars in self._bars.items()}
        return WarmupOutcome(self.account, self.session_date, self.path, counts)
