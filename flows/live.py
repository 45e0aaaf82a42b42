"""What Prefect's pages see of a session while it trades: progress, a table, and events.

An observer beside the session: it reads and hands out nothing. Prefect away, slow or failing costs
a line in the log; what is shown catches up when it is back. Both the broker's clock and ours limit
how often, so that a fast simulated day writes as little as a real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from coordinator.bootstrap import LiveView, SessionOutcome
from coordinator.core.alerts import Alert, AlertKind
from flows.board import Board, PrefectBoard, emit
from flows.showing import percent_gone, state_sentence, strategy_rows, stream_sentence, troubles

PROGRESS, LEAST_PROGRESS_S = timedelta(minutes=1), 5.0
TABLE, LEAST_TABLE_S = timedelta(minutes=5), 15.0
"""Broker time between two updates, and at least so many local seconds."""
LOOK_S = 1.0
PATIENCE_S, LAST_PATIENCE_S = 10.0, 3.0
"""Local seconds that one update may take, and the last ones together."""
SPACING_S = 10.0
"""Local seconds between two events about one thing."""
MOST_WAITING = 200
_STREAM = "stream"
_log = logging.getLogger("coordinator.flow")

Emit = Callable[[Alert, str, str, str], None]
"""Sends an alert of (account, coordinator, session); does not block."""


class Alarming(Protocol):
    """Tells of alerts on the loop."""

    def listen(self, listener: Callable[[Alert], None]) -> None:
        """Tell of every alert from now on."""


class Watched(Protocol):
    """A running session, as far as it can be looked at."""

    @property
    def alarms(self) -> Alarming:
        """Who tells of its alerts."""

    def view(self) -> LiveView:
        """How it stands now."""


@dataclass(slots=True)
class Due:
    """Says when something is due again, by the broker's clock and by ours."""

    broker: timedelta
    least_s: float
    _shown: datetime | None = None
    _shown_s: float = 0.0

    def is_near(self, now_s: float) -> bool:
        """Whether our clock allows it."""
        return self._shown is None or now_s - self._shown_s >= self.least_s

    def take(self, at: datetime, now_s: float) -> bool:
        """Whether it is due at `at` of the broker's clock; it counts as done then."""
        if not self.is_near(now_s) or (self._shown and at - self._shown < self.broker):
            return False
        self._shown, self._shown_s = at, now_s
        return True


@dataclass(slots=True)
class Outbox:
    """Alerts that wait to be emitted: of one thing the newest, each thing at most so often."""

    spacing_s: float = SPACING_S
    _waiting: dict[tuple[str, str], Alert] = field(default_factory=dict)
    _sent: dict[tuple[str, str], tuple[float, Alert]] = field(default_factory=dict)

    def put(self, alert: Alert) -> None:
        """Take an alert; one about the same thing that still waits is replaced."""
        thing = _thing(alert)
        if thing in self._waiting or len(self._waiting) < MOST_WAITING:
            self._waiting[thing] = alert

    def take(self, now_s: float) -> Iterator[Alert]:
        """The alerts that may be emitted now; of a stream, only what was not its last news."""
        for thing, alert in list(self._waiting.items()):
            sent_s, last = self._sent.get(thing, (float("-inf"), None))
            if now_s - sent_s < self.spacing_s:
                continue
            del self._waiting[thing]
            if not (thing[0] == _STREAM and last and last.kind is alert.kind):
                self._sent[thing] = now_s, alert
                yield alert


def _thing(alert: Alert) -> tuple[str, str]:
    """What an alert is about; a stream's loss and return are about one thing."""
    lost_or_back = alert.kind in (AlertKind.STREAM_LOST, AlertKind.STREAM_BACK)
    return (_STREAM if lost_or_back else alert.kind.value), alert.subject


@contextlib.asynccontextmanager
async def shown_at_prefect(session: Watched) -> AsyncIterator[None]:
    """An observer of a session: shows it on its run's page while it trades."""
    async with shown(session, PrefectBoard(session.view().coordinator), emit):
        yield


@contextlib.asynccontextmanager
async def shown(
    session: Watched,
    board: Board,
    send: Emit,
    *,
    look_s: float = LOOK_S,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[None]:
    """Shows a session on a board and sends its alerts; at the end its last state."""
    outbox = Outbox()
    session.alarms.listen(outbox.put)
    for alert in standing(session.view()):
        outbox.put(alert)
    screen = Screen(session, board, monotonic)
    tasks = [
        asyncio.create_task(screen.keep_up(look_s), name="show at Prefect"),
        asyncio.create_task(_keep_sending(session, outbox, send, look_s, monotonic)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        _send_due(session, outbox, send, float("inf"))
        await screen.show_last()


def standing(view: LiveView) -> Iterator[Alert]:
    """What holds the session back as it begins: an earlier process may have told, or died."""
    for told in troubles(view):
        yield Alert(view.at, AlertKind.HALT, told, told)


class Screen:
    """A session's two artifacts. What cannot be shown now is shown later."""

    def __init__(self, session: Watched, board: Board, monotonic: Callable[[], float]) -> None:
        self._session, self._board, self._monotonic = session, board, monotonic
        self._progress = Due(PROGRESS, LEAST_PROGRESS_S)
        self._table = Due(TABLE, LEAST_TABLE_S)
        self._away = False

    async def keep_up(self, look_s: float) -> None:
        """Shows the session again and again, until cancelled."""
        while True:
            now_s = self._monotonic()
            if self._progress.is_near(now_s) or self._table.is_near(now_s):
                await self._show_due(self._session.view(), now_s)
            await asyncio.sleep(look_s)

    async def show_last(self) -> None:
        """Shows how the session stands at its end."""
        view = self._session.view()
        await self._attempt(self._both(view), LAST_PATIENCE_S)

    async def _show_due(self, view: LiveView, now_s: float) -> None:
        if self._progress.take(view.at, now_s):
            await self._attempt(self._show_progress(view), PATIENCE_S)
        if self._table.take(view.at, now_s):
            await self._attempt(self._show_table(view), PATIENCE_S)

    async def _both(self, view: LiveView) -> None:
        await self._show_progress(view)
        await self._show_table(view)

    async def _show_progress(self, view: LiveView) -> None:
        await self._board.show_progress(percent_gone(view), state_sentence(view))

    async def _show_table(self, view: LiveView) -> None:
        await self._board.show_table(strategy_rows(view), stream_sentence(view))

    async def _attempt(self, showing: Awaitable[None], patience_s: float) -> None:
        try:
            async with asyncio.timeout(patience_s):
                await showing
        except Exception as error:  # whatever Prefect raises is no affair of trading
            if not self._away:
                _log.warning("Prefect does not show the session (%s): it goes on", _named(error))
            self._away = True
        else:
            if self._away:
                _log.info("Prefect shows the session again")
            self._away = False


def _named(error: Exception) -> str:
    return type(error).__name__


async def _keep_sending(
    session: Watched, outbox: Outbox, send: Emit, look_s: float, monotonic: Callable[[], float]
) -> None:
    while True:
        _send_due(session, outbox, send, monotonic())
        await asyncio.sleep(look_s)


def _send_due(session: Watched, outbox: Outbox, send: Emit, now_s: float) -> None:
    for alert in outbox.take(now_s):
        view = session.view()
        tell(alert, send, view.account, view.coordinator, view.session_id)


def tell(alert: Alert, send: Emit, account: str, coordinator: str, session_id: str = "") -> None:
    """Sends one alert; that Prefect does not take it changes nothing."""
    try:
        send(alert, account, coordinator, session_id)
    except Exception as error:  # whatever Prefect raises is no affair of trading
        _log.warning("Prefect was not told of %s (%s)", alert.kind.value, _named(error))


def refused_start(coordinator: str, reason: str, send: Emit = emit) -> None:
    """Sends that a session was not started, and why; its account may not be known."""
    alert = Alert(datetime.now(UTC), AlertKind.REFUSED_START, coordinator, reason)
    tell(alert, send, "unknown", coordinator)


def differs_at_the_end(outcome: SessionOutcome, coordinator: str, send: Emit = emit) -> None:
    """Sends that the last look at the account found differences, if it did."""
    if outcome.discrepancies:
        reason = f"{outcome.discrepancies} differences at the end: see the day's report."
        alert = Alert(datetime.now(UTC), AlertKind.DISCREPANCY, "account", reason)
        tell(alert, send, outcome.account or "unknown", coordinator, outcome.session_id or "")
