"""What is said about a reload: who asks for which file, and what becomes of it."""

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
    """Somebody wants another configuration: of the file `path`, or of the one that runs.

    Without a `token` only the difference is asked for. The token that came with it, handed in
    again, says that this difference is wanted.
    """

    by: str
    path: str = ""
    removal: Removal = Removal.DORMANT
    token: str = ""


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """What became of it, and the difference in lines; `token` is of one to be confirmed."""

    done: bool
    said: str
    changes: tuple[str, ...] = ()
    token: str = ""


class Joining(Protocol):
    """Strategies of a user's own that are on their way into a session. All of it blocks."""

    def get_warm(
        self,
        begins: Sequence[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Mapping[str, Sequence[Bar]],
    ) -> None:
        """Feed these, on their tickers, the bars of before the session, and those of it.

        Raises:
            OperatorError: one cannot be loaded, or fails at a bar.
        """

    def keep(self, every: Collection[StrategySpec]) -> None:
        """The session runs these strategies from now on, and no others."""

    def give_back(self) -> None:
        """They do not come after all."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration as it was read; `digest` is of the very bytes."""

    setup: Setup
    digest: str
    joining: Joining


class Reloads(Protocol):
    """What takes a running session to another configuration."""

    async def reload(self, wanted: ReloadRequest) -> ReloadResult:
        """Show the difference, or apply it."""


class Claim(Protocol):
    """Names of strategies that nobody else may run on the account."""

    def keep(self) -> None:
        """They are run from now on."""

    def give_back(self) -> None:
        """They are not run after all."""


class Source(Protocol):
    """Where configurations come from. Both block."""

    def read(self, path: str) -> Proposal:
        """The configuration in a file, or in the one that the session runs with.

        Raises:
            OperatorError: it cannot be read, or something in it is wrong; all of it is named.
        """

    def claim(self, account: str, names: Collection[str]) -> Claim:
        """Keep these strategies from other coordinators.

        Raises:
            SafetyRefusal: one runs elsewhere on the account.
        """
