"""`reload`: shows the changes of an edited configuration, and lets a running session adopt them.

Without a running session there is nothing to do: the next start reads the file anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from coordinator.commands.running import NobodyRuns, RunningCoordinators
from coordinator.errors import OperatorError
from coordinator.shell.control_client import ask_coordinator
from coordinator.shell.control_protocol import Request, complaint

PATIENCE_S = 110.0
"""Local seconds to wait: longer than a session waits for history before it gives up."""
Remove = Literal["flatten", "dormant"]


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A coordinator's answer: the changes, and whether it has adopted them (`done`).

    A `token` says that nothing has changed yet; it identifies the changes shown.
    """

    account: str
    coordinator: str
    done: bool
    said: str
    changes: tuple[str, ...] = ()
    token: str = ""

    def sentences(self) -> str:
        """The changes, one per line, and the coordinator's answer."""
        lines = [f"  {line}" for line in self.changes]
        return "\n".join([*lines, f"{self.account} {self.coordinator}: {self.said}"])


@dataclass(frozen=True, slots=True)
class ReloadClient:
    """Asks the one running coordinator among `which` for a reload, on behalf of `by`.

    `config` is the file; None is the one that the coordinator was started with.
    """

    which: RunningCoordinators
    by: str
    config: Path | None = None
    remove: Remove = "dormant"

    def show(self) -> Reloaded:
        """The changes that a reload would make; nothing changes yet.

        Raises:
            NobodyRuns: no coordinator answers.
            OperatorError: more than one coordinator answers.
            NoAnswer: the coordinator was asked but did not answer.
        """
        return self._ask("")

    def apply(self, shown: Reloaded) -> Reloaded:
        """Make the changes, if they are still those that were shown.

        Raises:
            NobodyRuns, OperatorError, NoAnswer: as `show` does.
        """
        return self._ask(shown.token)

    def _ask(self, token: str) -> Reloaded:
        request = self._request(token)
        account, name = self._running()
        reply = ask_coordinator(self.which.home / account, name, request, patience_s=PATIENCE_S)
        if reply is None:
            raise NobodyRuns(
                f"{name} on account {account} has just ended; its next start reads the file."
            )
        return Reloaded(account, name, reply.done, reply.said, reply.changes, reply.token)

    def _request(self, token: str) -> Request:
        config = str(self.config.absolute()) if self.config is not None else ""
        try:
            return Request(do="reload", by=self.by, config=config, remove=self.remove, token=token)
        except ValidationError as error:
            raise OperatorError(f"The reload cannot be asked for: {complaint(error)}.") from None

    def _running(self) -> tuple[str, str]:
        """Account and name of the one running coordinator."""
        running = self.which.some_statuses(self.by)
        if len(running) > 1:
            places = "; ".join(
                f"--account {a.account} --coordinator {a.coordinator}" for a in running
            )
            raise OperatorError(f"More than one coordinator runs. Say which: {places}.")
        return running[0].account, running[0].coordinator
