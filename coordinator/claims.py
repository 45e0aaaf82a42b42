"""What one run claims for itself, so that nobody else trades the same beside it.

Its key's leases are taken before anything is asked of the broker; those of the account, of its name
and of its strategies once the broker has said whose the key is. Live money needs one thing more:
the account's number, given by the operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from coordinator.config import Mode
from coordinator.errors import SafetyRefusal
from coordinator.settings import Settings
from coordinator.shell.lease import Leases
from coordinator.shell.pace import Budgets


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a run that trades `markets` as `coordinator`, by these `strategies`."""

    coordinator: str
    mode: Mode
    markets: Sequence[str]
    strategies: Sequence[str]
    settings: Settings
    leases: Leases
    budgets: Budgets

    def take_key(self) -> None:
        """Claim the key at its host.

        Raises:
            LeaseHeld: another process trades one of the markets with it.
        """
        host = urlsplit(self.settings.trading_url).netloc
        self.leases.take_for_key(host, self.settings.key_id, self.markets)

    def take_account(self, account: str) -> None:
        """Claim the account of this number, for which requests count from now on.

        Raises:
            SafetyRefusal: it is not the one that may be traded live, or somebody else trades it.
        """
        if self.mode is Mode.LIVE and self.settings.allow_live != account:
            raise SafetyRefusal(
                "live trading is not armed: MULTI_TRADER_ALLOW_LIVE must equal the account's"
                f" number {account}, and is {self.settings.allow_live or 'not set'}."
            )
        host = self.settings.account_host
        self.budgets.on_account(account, host=host)
        self.leases.take_for_account(account, self.markets, host=host)
        self.leases.take_for_coordinator(account, self.coordinator, host=host)
        self.leases.take_for_strategies(account, self.strategies, host=host)
