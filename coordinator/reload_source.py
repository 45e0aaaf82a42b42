"""A configuration read again while its session trades: the file, judged as at a start.

No code of a user's own strategies runs here: a process of a moment says what they are, and each one
that joins is loaded in a process of its own.
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
from coordinator.strategy_loader import StandIn, judge


@dataclass(frozen=True, slots=True)
class Claimed:
    """Leases of strategies that may join."""

    leases: Leases
    claim: Leases

    def keep(self) -> None:
        """They are run from now on."""
        self.leases.keep(self.claim)

    def give_back(self) -> None:
        """They are not run after all."""
        self.claim.close()


@dataclass(frozen=True, slots=True)
class ReloadSource:
    """Reads configurations for the session of one process.

    `path` is the file that it was started with, None for the built-in one, and `strategies` the
    folder of a user's own. `setup` makes a configuration ready to run, `walls` are around what
    runs. `host` is the leases'. `simulated` says at what the session trades.
    """

    path: Path | None
    strategies: Path | None
    setup: Callable[[CoordinatorConfig], Setup]
    walls: Walls
    leases: Leases
    host: str
    simulated: bool

    def read(self, path: str) -> Proposal:
        """The configuration in a file, or in the one that the session runs with.

        Raises:
            OperatorError: it cannot be read, or something in it is wrong; all of it is named.
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
        """Keep these strategies from other coordinators.

        Raises:
            SafetyRefusal: one runs elsewhere on the account.
        """
        return Claimed(self.leases, self.leases.claim_strategies(account, names, host=self.host))

    def _read(self, file: Path) -> tuple[CoordinatorConfig, str]:
        scout = self.walls.scout()
        try:
            return read_config(file, self.strategies, judge=partial(judge, scout))
        finally:
            scout.end()


def _walled(spec: StrategySpec, joining: Joining, *, beside: bool) -> StrategySpec:
    """The strategy as it runs: in this process, in the one of its kind, or in a new one.

    A shadow, `beside` the others, shares no process with them.
    """
    if not isinstance(spec.rule, StandIn):
        return spec
    return joining.walled(spec, spec.rule.wanted, spec.rule.told, beside=beside)
