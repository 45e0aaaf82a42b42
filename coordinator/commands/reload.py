"""`reload`: a coordinator that runs goes on with an edited configuration, after it was shown.

Only a session that trades takes one; where none runs, the next start reads the file anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from coordinator.commands.running import NobodyRuns, RunningCoordinators
from coordinator.errors import OperatorError
from coordinator.shell.control_client import ask
from coordinator.shell.control_protocol import Request, addresses, complaint

PATIENCE_S = 110.0
"""Local seconds: longer than a session takes to fetch history and to say that it does not come."""
Remove = Literal["flatten", "dormant"]


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a coordinator said of a configuration: what changes by it, and whether it goes on so.

    With a `token` nothing has changed yet: it stands for the difference that was shown.
    """

    account: str
    coordinator: str
    done: bool
    said: str
    changes: tuple[str, ...] = ()
    token: str = ""

    def sentences(self) -> str:
        """The difference, a line each, and what became of it."""
        lines = [f"  {line}" for line in self.changes]
        return "\n".join([*lines, f"{self.account} {self.coordinator}: {self.said}"])


@dataclass(frozen=True, slots=True)
class ReloadClient:
    """A reload that `by` wants of the one coordinator that is meant by `which`.

    `config` is the file, None for the one that the coordinator was started with.
    """

    which: RunningCoordinators
    by: str
    config: Path | None = None
    remove: Remove = "dormant"

    def show(self) -> Reloaded:
        """What would change; nothing does.

        Raises:
            NobodyRuns: no coordinator answers.
            OperatorError: more than one does.
            NoAnswer: it was asked, and did not say.
        """
        return self._ask("")

    def apply(self, shown: Reloaded) -> Reloaded:
        """Let it be so, if the difference is still the one that was shown.

        Raises:
            NobodyRuns, OperatorError, NoAnswer: as `show` does.
        """
        return self._ask(shown.token)

    def _ask(self, token: str) -> Reloaded:
        request = self._request(token)
        account, name = self._whom()
        for address in addresses(self.which.home / account):
            if address.coordinator == name:
                reply = ask(address, request, patience_s=PATIENCE_S)
                if reply is not None:
                    said = reply.done, reply.said, reply.changes, reply.token
                    return Reloaded(account, name, *said)
        raise NobodyRuns(
            f"{name} on account {account} has just ended; its next start reads the file."
        )

    def _request(self, token: str) -> Request:
        config = str(self.config.absolute()) if self.config is not None else ""
        try:
            return Request(do="reload", by=self.by, config=config, remove=self.remove, token=token)
        except ValidationError as error:
            raise OperatorError(f"Not to be asked for: {complaint(error)}.") from None

    def _whom(self) -> tuple[str, str]:
        """Account and name of the one coordinator that runs."""
        running = self.which.ask_some(Request(do="status", by=self.by))
        if len(running) > 1:
            places = "; ".join(
                f"--account {a.account} --coordinator {a.coordinator}" for a in running
            )
            raise OperatorError(f"More than one coordinator runs. Say which: {places}.")
        return running[0].account, running[0].coordinator
