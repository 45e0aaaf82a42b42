"""The values of a session: what to run, what was started, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

from coordinator.core.books import Books
from coordinator.core.engine import Engine
from coordinator.core.lanes import WORTH_A_BANK
from coordinator.core.live_view import StrategyView
from coordinator.core.opening import SessionName, session_id
from coordinator.core.records import SessionEnd
from coordinator.core.risk import Asset
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.setup import Setup
from coordinator.settings import Settings
from coordinator.shell.broker import Broker, persistent
from coordinator.shell.clerk import Clerk
from coordinator.shell.clock import BrokerClock
from coordinator.shell.journal import Journal
from coordinator.shell.pace import Pace, patient
from coordinator.shell.ports import Ports
from coordinator.shell.reload_request import Source
from coordinator.shell.shadows import NO_SHADOWS, Beginning, Shadows

PATIENCE_S = 130.0
"""Local seconds that a request before or after the session waits for its turn: two windows."""

Observer = Callable[[Clerk], AbstractAsyncContextManager[object]]
"""A context around a session's trading; it reads from the session's clerk, or hands it requests."""


def patient_broker(
    ports: Ports, settings: Settings, feed: str, *, repeats_s: float = math.inf
) -> Broker:
    """A broker that waits for its turns, and repeats requests that were not answered.

    Before a session's first decision and after its last, nothing else would repeat them. From
    `repeats_s` local seconds on after the call, none is repeated.
    """
    until_s = ports.monotonic() + repeats_s
    retry = persistent(ports.sleep, is_late=lambda: ports.monotonic() >= until_s)
    pace = patient(ports.turn, ports.sleep, patience_s=PATIENCE_S)
    return Broker(ports.rest(settings), feed=feed, pace=pace, retry=retry)


@dataclass(frozen=True, slots=True)
class Run:
    """What to run. `check_account` gets the account's number, and may raise to refuse it.

    `fill_model` names the embedded simulator's model; it is empty where a broker fills.
    """

    setup: Setup
    settings: Settings
    speed: float
    check_account: Callable[[str], None]
    fill_model: str = ""
    observers: Sequence[Observer] = ()
    source: Source | None = None
    """Where edited configurations come from; without it the session takes no reload."""
    shadowing: Callable[[Run, Beginning], Shadows] | None = None
    """Makes the shadow strategies' part of a session; without it there are none."""

    def session_name(self, account: str, plan: SessionPlan) -> SessionName:
        """Which session a start on this account and date begins, or goes on with."""
        setup = self.setup
        return SessionName(
            session_id=session_id(setup.coordinator, account, plan),
            coordinator=setup.coordinator,
            account=account,
            mode=setup.mode,
            feed=setup.feed,
            config_hash=setup.config_hash,
            fill_model=self.fill_model,
            crypto_fee_rate=setup.crypto_fee_rate,
        )

    def broker(
        self, ports: Ports, pace: Pace | None = None, *, repeats_s: float = math.inf
    ) -> Broker:
        """The broker, over a REST session of its own; a `patient_broker` without a pace."""
        if pace is None:
            feed = self.setup.feed
            return patient_broker(ports, self.settings, feed, repeats_s=repeats_s)
        return Broker(ports.rest(self.settings), feed=self.setup.feed, pace=pace)

    def engine(
        self,
        books: Books,
        assets: Mapping[str, Asset],
        plan: SessionPlan,
        hours: Sequence[Hours] = (),
    ) -> Engine:
        """The engine of a session of this run; `hours` are the exchange's sessions around it."""
        return Engine(
            books,
            self.setup.specs,
            assets,
            plan,
            crypto_fee_rate=self.setup.crypto_fee_rate,
            controls=self.setup.controls,
            crossing=self.setup.crossing,
            hours=hours,
            banked_from=WORTH_A_BANK,
        )


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a session ended."""

    status: SessionEnd
    account: str
    session_id: str
    summary: str
    discrepancies: int
    strategies: tuple[StrategyView, ...] = ()
    shadows: tuple[StrategyView, ...] = ()


@dataclass(slots=True)
class Started:
    """A session that is opened in the journal and in the books, and warmed up."""

    account: str
    session_id: str
    engine: Engine
    journal: Journal
    now: datetime
    clock: BrokerClock
    """It has run on since `now`: a start may take a minute."""
    unsent: list[str]
    whole_at: datetime | None = None
    """When all bars from before the session can be had, if it was started before that."""
    shadows: Shadows = NO_SHADOWS

    @property
    def is_outdated(self) -> bool:
        """Whether bars from before the session can be had by now that its indicators lack."""
        return self.whole_at is not None and self.clock.now() >= self.whole_at
