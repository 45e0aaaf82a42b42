"""A configuration read again while its session trades: the file, judged as at a start.

Strategies of a user's own run in processes that are forked before anything else, so that such a
strategy can go on, with the code that it began with, but none can join.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coordinator.arming import refuse_untradable
from coordinator.config import CoordinatorConfig, read_config
from coordinator.core.lanes import Rule, StrategySpec
from coordinator.core.reload import Setup
from coordinator.errors import OperatorError
from coordinator.shell.lease import Leases
from coordinator.shell.reload_request import Proposal
from coordinator.strategies.registry import BUILT_IN


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
class Rereading:
    """Reads configurations for the session of one process.

    `path` is the file that it was started with, None for the built-in one, and `strategies` the
    folder of a user's own. `setup` makes a configuration ready to run; `own` are the strategies as
    configured, `walled` the same ones as they run, `shadows` the names of those that began as
    shadows. `host` is the leases'.
    """

    path: Path | None
    strategies: Path | None
    setup: Callable[[CoordinatorConfig], Setup]
    own: Sequence[StrategySpec]
    walled: Sequence[StrategySpec]
    leases: Leases
    host: str
    shadows: Collection[str] = ()

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
        config, digest = read_config(file, self.strategies)
        refuse_untradable(config)
        setup = self.setup(config)
        specs, shadows = (
            tuple(replace(spec, rule=self._walled(spec, beside=beside)) for spec in some)
            for some, beside in ((setup.specs, False), (setup.shadows, True))
        )
        return Proposal(replace(setup, specs=specs, shadows=shadows), digest)

    def claim(self, account: str, names: Collection[str]) -> Claimed:
        """Keep these strategies from other coordinators.

        Raises:
            SafetyRefusal: one runs elsewhere on the account.
        """
        return Claimed(self.leases, self.leases.claim_strategies(account, names, host=self.host))

    def _walled(self, spec: StrategySpec, *, beside: bool) -> Rule:
        """The rule as it runs: in this process, or in the one that it has already.

        A shadow, `beside` the others, joins no process of theirs, but takes its own along.
        """
        if type(spec.rule) in BUILT_IN:
            return spec.rule
        for before, running in zip(self.own, self.walled, strict=True):
            if before.name != spec.name and (before.name in self.shadows) is not beside:
                continue
            kind = before.strategy_type == spec.strategy_type and before.params == spec.params
            if kind and _source(before.rule) == _source(spec.rule):
                return running.rule
        raise OperatorError(
            f"{spec.name} is of the type {spec.strategy_type}, which is not built in, and new or"
            " edited: a strategy of your own gets its process at a start. Stop the session and"
            " start it again"
        )


def _source(rule: Rule) -> str:
    """What the file of a user's strategy said when it was read; '' without a file."""
    return getattr(rule, "source_digest", "")
