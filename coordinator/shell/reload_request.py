"""The request for a reload, its result, and the protocols of those who take part in one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from coordinator.core.lane import StrategySpec
from coordinator.core.reload import Removal
from coordinator.core.setup import Setup
from coordinator.core.values import Bar


@dataclass(frozen=True, slots=True)
class ReloadRequest:
    """A request for the configuration in the file `path`, or in the session's own file if empty.

    Without a `token` only the difference is asked for; with the token that came with a difference,
    that difference is to be applied.
    """

    by: str
    path: str = ""
    removal: Removal = Removal.DORMANT
    token: str = ""


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """The outcome, and the difference in lines; `token` confirms one that is not applied yet."""

    done: bool
    said: str
    changes: tuple[str, ...] = ()
    token: str = ""


class Joining(Protocol):
    """A user's own strategies that are about to join a session. All of it blocks."""

    def get_warm(
        self,
        begins: Sequence[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Mapping[str, Sequence[Bar]],
    ) -> None:
        """Feed these, on their tickers, the bars from before the session, and its own.

        Raises:
            OperatorError: one cannot be loaded, or fails at a bar.
        """

    def keep(self, every: Collection[StrategySpec]) -> None:
        """The session runs these strategies from now on, and no others."""

    def give_back(self) -> None:
        """They do not join after all."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration as it was read; `digest` is of the file's bytes."""

    setup: Setup
    digest: str
    joining: Joining


class Reloads(Protocol):
    """Changes a running session's configuration."""

    async def reload(self, wanted: ReloadRequest) -> ReloadResult:
        """Show the difference, or apply it."""


class Claim(Protocol):
    """Names of strategies, reserved so that nobody else runs them on the account."""

    def keep(self) -> None:
        """Hold them: they run from now on."""

    def give_back(self) -> None:
        """Release them: they do not run after all."""


class Source(Protocol):
    """Where configurations come from. Both block."""

    def read(self, path: str) -> Proposal:
        """The configuration in a file, or in the session's own file if `path` is empty.

        Raises:
            OperatorError: it cannot be read, or has errors; all of them are named.
        """

    def claim(self, account: str, names: Collection[str]) -> Claim:
        """Reserve these strategies, so that no other coordinator runs them.

        Raises:
            SafetyRefusal: one runs elsewhere on the account.
        """
