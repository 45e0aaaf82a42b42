"""Reads an edited configuration while its session trades, and validates it as at a start.

No user code runs in this process: a short-lived process describes the user's strategies, and each
one that joins the session is loaded in its own process.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from coordinator.arming import refuse_untradable
from coordinator.config import CoordinatorConfig, read_config
from coordinator.core.lane import StrategySpec
from coordinator.core.setup import Setup
from coordinator.errors import OperatorError
from coordinator.shell.isolation import Joining, Walls
from coordinator.shell.lease import Leases
from coordinator.shell.reload_request import Proposal
from coordinator.strategy_loader import StandIn, rule_by_scout


@dataclass(frozen=True, slots=True)
class Claimed:
    """Leases of strategies that may join the session."""

    leases: Leases
    claim: Leases

    def keep(self) -> None:
        """Keep the leases: the strategies run from now on."""
        self.leases.keep(self.claim)

    def give_back(self) -> None:
        """Release the leases: the strategies do not run after all."""
        self.claim.close()


@dataclass(frozen=True, slots=True)
class ReloadSource:
    """Reads configurations for a running session.

    `path` is the file that the session was started with, None for the built-in configuration;
    `strategies` is the folder of `--strategies`. `setup` makes the engine's setup of a
    configuration, `walls` isolate the strategies that run, and `host` is that of the leases.
    """

    path: Path | None
    strategies: Path | None
    setup: Callable[[CoordinatorConfig], Setup]
    walls: Walls
    leases: Leases
    host: str
    simulated: bool

    def read(self, path: str) -> Proposal:
        """The configuration in the file at `path`; if that is empty, in the session's own file.

        Raises:
            OperatorError: the file cannot be read, or is wrong; lists every problem in it.
        """
        file = Path(path) if path else self.path
        if file is None:
            raise OperatorError(
                "the session runs the built-in configuration, and no file; name one by --config"
            )
        config, digest = self._read(file)
        refuse_untradable(config, simulated=self.simulated)
        setup, joining = self.setup(config), self.walls.joining()
        specs = tuple(_walled(spec, joining, beside=False) for spec in setup.specs)
        shadows = tuple(_walled(spec, joining, beside=True) for spec in setup.shadows)
        return Proposal(replace(setup, specs=specs, shadows=shadows), digest, joining)

    def claim(self, account: str, names: Collection[str]) -> Claimed:
        """Take the leases of these strategies.

        Raises:
            SafetyRefusal: another coordinator on the account runs one of them.
        """
        return Claimed(self.leases, self.leases.claim_strategies(account, names, host=self.host))

    def _read(self, file: Path) -> tuple[CoordinatorConfig, str]:
        scout = self.walls.scout()
        try:
            return read_config(file, self.strategies, maker=partial(rule_by_scout, scout))
        finally:
            scout.end()


def _walled(spec: StrategySpec, joining: Joining, *, beside: bool) -> StrategySpec:
    """The strategy as it runs: in this process, in an equal strategy's process, or in a new one.

    A shadow (`beside`) shares no process with the strategies that trade.
    """
    if not isinstance(spec.rule, StandIn):
        return spec
    return joining.walled(spec, spec.rule.request, spec.rule.description, beside=beside)
