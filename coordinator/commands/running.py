"""Asks the running coordinators under a state folder, over their control sockets.

Sessions that do not run are read from their journals (`coordinator/readers.py`).
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from coordinator.core.explanation import Explanation
from coordinator.errors import MultiTraderError, OperatorError
from coordinator.shell.control_client import NoAnswer, ask
from coordinator.shell.control_protocol import FOLDER, Reply, Request, addresses, complaint
from coordinator.shell.recent import Event as Event

PATIENCE_S = 3.0
"""Local seconds to wait for a coordinator's answer."""

AFTERWARDS = (
    "Only a session that runs can explain itself. What a strategy did in one that has ended is in"
    " `multi-trader report`, and why each of its orders was placed or denied in `multi-trader sql"
    ' "SELECT strategy, decided_at, symbol, side, status, reason FROM orders ORDER BY ALL"`.'
)


class NobodyRuns(MultiTraderError):
    """No running coordinator answers; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A running coordinator's reply, which took `after_s` local seconds."""

    account: str
    coordinator: str
    reply: Reply
    after_s: float


@dataclass(frozen=True, slots=True)
class RunningCoordinators:
    """The running coordinators under a state folder, or only those of one account or name."""

    home: Path
    account: str | None = None
    coordinator: str | None = None

    def ask(self, request: Request) -> list[Answered]:
        """The answers of those that run, by account and name."""
        answers = []
        for folder in sorted(self.home.glob(f"*/{FOLDER}")):
            account = folder.parent
            for address in addresses(account):
                if not self._means(account.name, address.coordinator):
                    continue
                began_s = time.monotonic()
                with suppress(NoAnswer):
                    reply = ask(address, request, patience_s=PATIENCE_S)
                    if reply is not None:
                        took_s = time.monotonic() - began_s
                        answers.append(Answered(account.name, address.coordinator, reply, took_s))
        return answers

    def statuses(self, by: str) -> list[Answered]:
        """The current status of each that runs."""
        return self.ask(Request(do="status", by=by))

    def some_statuses(self, by: str) -> list[Answered]:
        """Like `statuses`, but at least one must answer.

        Raises:
            NobodyRuns: none answers.
        """
        return self.ask_some(Request(do="status", by=by))

    def ask_some(self, request: Request) -> list[Answered]:
        """Like `ask`, but at least one must answer.

        Raises:
            NobodyRuns: none answers.
        """
        found = self.ask(request)
        if found:
            return found
        of = within(self.account, self.coordinator)
        raise NobodyRuns(
            f"No coordinator that runs answers under {self.home}{of}. Start one with `multi-trader"
            " run`, or set MULTI_TRADER_HOME to the state folder of the one that runs;"
            " `multi-trader status` shows what the journals have."
        )

    def _means(self, account: str, coordinator: str) -> bool:
        return self.account in (None, account) and self.coordinator in (None, coordinator)


def within(account: str | None, coordinator: str | None) -> str:
    """The account and the coordinator that were asked for, in words after a place; '' if none."""
    parts = [f"account {account}"] if account else []
    parts += [f"coordinator {coordinator}"] if coordinator else []
    return f" for {' and '.join(parts)}" if parts else ""


def explain(
    which: RunningCoordinators, by: str, strategy: str, ticker: str = ""
) -> list[Explanation]:
    """Why a strategy did or did not trade on the last bar of a ticker, or of each of its tickers.

    Raises:
        NobodyRuns: no coordinator answers.
        OperatorError: no coordinator that answers runs this strategy on this ticker.
    """
    try:
        request = Request(do="explain", by=by, strategy=strategy, ticker=ticker)
    except ValidationError as error:
        raise OperatorError(f"Not to be explained: {complaint(error)}.") from None
    try:
        answers = which.ask_some(request)
    except NobodyRuns as nobody:
        raise NobodyRuns(f"{nobody}\n{AFTERWARDS}") from None
    explained = [one for answer in answers for one in answer.reply.explained]
    if explained:
        return explained
    raise OperatorError("\n".join(f"{a.account} {a.coordinator}: {a.reply.said}" for a in answers))
