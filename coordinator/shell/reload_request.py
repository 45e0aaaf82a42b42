"""What is said about a reload: who asks for which file, and what becomes of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from coordinator.core.reload import Removal, Setup


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody wants another configuration: of the file `path`, or of the one that runs.

    Without a `token` only the difference is asked for. The token that came with it, handed in
    again, says that this difference is wanted.
    """

    by: str
    path: str = ""
    removal: Removal = Removal.DORMANT
    token: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of it, and the difference in lines; `token` is of one to be confirmed."""

    done: bool
    said: str
    changes: tuple[str, ...] = ()
    token: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration as it was read; `digest` is of the very bytes."""

    setup: Setup
    digest: str


class Reloads(Protocol):
    """What takes a running session to another configuration."""

    async def reload(self, wanted: Wanted) -> Told:
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
