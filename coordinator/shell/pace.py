"""When a request may go out: each one asks its budget first, and waits or is tried again later.

Trading requests are counted by account, requests for data by key, each against a limit of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from coordinator.errors import BrokerUnavailable
from coordinator.settings import Settings, one_host
from coordinator.shell.budget import RequestBudget, Urgency
from coordinator.shell.lease import leases_folder, name_of_account, name_of_key
from coordinator.shell.rest import Api

log = logging.getLogger("coordinator")
MOST_DATA = 1000
"""Data requests a minute that we use at most, however many a paid plan allows."""
LOGGED_FROM_S = 1.0
"""Local seconds from which a wait is logged."""
HINT = "beside a simulator that runs faster than the clock, say --clock-speed as it was told"
"""What to do where the requests of a minute of the broker's are counted over one of ours."""

Turn = Callable[[Api, Urgency], float]
"""Local seconds until a request may go out; 0.0: it may now, and has been counted."""
Pace = Callable[[Api, Urgency], None]
"""Called before each request; returns when it may go out, or raises."""


class NotYet(Exception):
    """A request's turn comes in `wait_s` local seconds: nothing of it has taken effect."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(wait_s)


def no_budget(_api: Api, _urgency: Urgency) -> float:
    """A Turn that never waits."""
    return 0.0


def at_once(_api: Api, _urgency: Urgency) -> None:
    """A Pace that never waits."""


def impatient(turn: Turn) -> Pace:
    """A Pace that raises NotYet instead of waiting."""

    def pace(api: Api, urgency: Urgency) -> None:
        wait_s = turn(api, urgency)
        if wait_s > 0:
            raise NotYet(wait_s)

    return pace


def patient(turn: Turn, sleep: Callable[[float], None], *, patience_s: float) -> Pace:
    """A Pace that sleeps until its turn.

    It raises BrokerUnavailable if the turn has not come after `patience_s` local seconds.
    """

    def pace(api: Api, urgency: Urgency) -> None:
        waited_s = 0.0
        while (wait_s := turn(api, urgency)) > 0:
            if waited_s >= patience_s:
                raise BrokerUnavailable(
                    f"nothing was asked: for {waited_s:.0f} s all {api.value} requests of this"
                    f" minute were used up. Perhaps another program uses the account, too; {HINT}."
                )
            if wait_s >= LOGGED_FROM_S and not waited_s:
                text = (
                    "%s requests of this minute are used up: waiting for a turn, %.0f s at most; %s"
                )
                log.warning(text, api.value, patience_s, HINT)
            step_s = min(wait_s, patience_s - waited_s)
            sleep(step_s)
            waited_s += step_s

    return pace


class Budgets:
    """The budgets that one process's requests count against. May be called from any thread.

    Until the account is known, trading requests count against the key.
    """

    def __init__(self, settings: Settings, *, speed: float, folder: Path | None = None) -> None:
        self._folder = leases_folder(folder)
        self._open = partial(RequestBudget, speed=speed)
        key, trading, data = settings.key_id, settings.trading_url, settings.data_url
        self._trading = self._open(self._folder / f"{name_of_key(one_host(trading), key)}.requests")
        self._data = self._open(
            self._folder / f"{name_of_key(one_host(data), key)}.data-requests",
            most=MOST_DATA,
        )

    def turn(self, api: Api, urgency: Urgency) -> float:
        """A Turn: local seconds until a request may go out; at 0.0 it is counted."""
        return self._budget(api).wait_s(urgency)

    def on_answer(self, api: Api, status: int, headers: Mapping[str, str]) -> None:
        """Learn from the headers of the broker's answer to a request."""
        self._budget(api).on_answer(status, headers)

    def on_account(self, account: str, *, host: str = "", speed: float | None = None) -> None:
        """The account is known now, and perhaps the `speed` of its broker's clock.

        The request that told it counts as its first one.
        """
        if speed is not None:
            self._open = partial(RequestBudget, speed=speed)
        self._trading = self._open(self._folder / f"{name_of_account(account, host)}.requests")
        self._trading.wait_s(Urgency.EXIT)

    def _budget(self, api: Api) -> RequestBudget:
        return self._trading if api is Api.TRADING else self._data
