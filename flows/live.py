"""A session on Prefect's pages while it trades: progress, a table, and events.

This is an observer of the session: it only reads. If Prefect is away, slow or failing, that costs a
line in the log, and the pages catch up when it is back. Updates are limited by the broker's clock
and by ours, so that a fast simulated day writes as little as a real one.
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
from coordinator.core.alerts import Alert, AlertKind, differences_alert, standing_alerts
from flows.board import Board, PrefectBoard, emit
from flows.showing import percent_gone, state_sentence, strategy_rows, stream_sentence

PROGRESS, LEAST_PROGRESS_S = timedelta(minutes=1), 5.0
TABLE, LEAST_TABLE_S = timedelta(minutes=5), 15.0
"""Broker time between two updates, and the least local seconds."""
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
    """Calls listeners with alerts, on the loop."""

    def listen(self, listener: Callable[[Alert], None]) -> None:
        """Call `listener` with every alert from now on."""


class Watched(Protocol):
    """A running session, as far as an observer can read it."""

    @property
    def alarms(self) -> Alarming:
        """The source of its alerts."""

    def view(self) -> LiveView:
        """Its current state."""


@dataclass(slots=True)
class Due:
    """Limits how often something is done, by the broker's clock and by ours."""

    broker: timedelta
    least_s: float
    _shown: datetime | None = None
    _shown_s: float = 0.0

    def is_near(self, now_s: float) -> bool:
        """Whether our clock allows it."""
        return self._shown is None or now_s - self._shown_s >= self.least_s

    def take(self, at: datetime, now_s: float) -> bool:
        """Whether it is due at `at` by the broker's clock; if so, it counts as done."""
        if not self.is_near(now_s) or (self._shown and at - self._shown < self.broker):
            return False
        self._shown, self._shown_s = at, now_s
        return True


@dataclass(slots=True)
class Outbox:
    """Alerts that wait to be emitted: the newest of each subject, spaced by `spacing_s`."""

    spacing_s: float = SPACING_S
    _waiting: dict[tuple[str, str], Alert] = field(default_factory=dict)
    _sent: dict[tuple[str, str], tuple[float, Alert]] = field(default_factory=dict)

    def put(self, alert: Alert) -> None:
        """Add an alert; it replaces a waiting one with the same subject."""
        subject = _subject(alert)
        if subject in self._waiting or len(self._waiting) < MOST_WAITING:
            self._waiting[subject] = alert

    def take(self, now_s: float) -> Iterator[Alert]:
        """The alerts that may be emitted now; a stream's state only if it differs from the last."""
        for subject, alert in list(self._waiting.items()):
            sent_s, last = self._sent.get(subject, (float("-inf"), None))
            if now_s - sent_s < self.spacing_s:
                continue
            del self._waiting[subject]
            if not (subject[0] == _STREAM and last and last.kind is alert.kind):
                self._sent[subject] = now_s, alert
                yield alert


def _subject(alert: Alert) -> tuple[str, str]:
    """The subject of an alert; a stream's loss and return have the same."""
    lost_or_back = alert.kind in (AlertKind.STREAM_LOST, AlertKind.STREAM_BACK)
    return (_STREAM if lost_or_back else alert.kind.value), alert.subject


@contextlib.asynccontextmanager
async def shown_at_prefect(session: Watched) -> AsyncIterator[None]:
    """The session's observer: shows it on its run's page while it trades."""
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
    """Shows a session on a board and sends its alerts; at the end shows its last state."""
    outbox = Outbox()
    session.alarms.listen(outbox.put)
    for alert in standing_alerts(session.view()):
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


class Screen:
    """A session's two artifacts, kept up to date; an update that fails is made up for later."""

    def __init__(self, session: Watched, board: Board, monotonic: Callable[[], float]) -> None:
        self._session, self._board, self._monotonic = session, board, monotonic
        self._progress = Due(PROGRESS, LEAST_PROGRESS_S)
        self._table = Due(TABLE, LEAST_TABLE_S)
        self._away = False

    async def keep_up(self, look_s: float) -> None:
        """Shows the session whenever it is due, until cancelled."""
        while True:
            now_s = self._monotonic()
            if self._progress.is_near(now_s) or self._table.is_near(now_s):
                await self._show_due(self._session.view(), now_s)
            await asyncio.sleep(look_s)

    async def show_last(self) -> None:
        """Shows the session's last state."""
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
        except Exception as error:  # no error of Prefect may disturb trading
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
    """Sends one alert; a failure of Prefect is only logged."""
    try:
        send(alert, account, coordinator, session_id)
    except Exception as error:  # no error of Prefect may disturb trading
        _log.warning("Prefect was not told of %s (%s)", alert.kind.value, _named(error))


def refused_start(coordinator: str, reason: str, send: Emit) -> None:
    """Sends that a session's start was refused, and why; its account may not be known."""
    alert = Alert(datetime.now(UTC), AlertKind.REFUSED_START, coordinator, reason)
    tell(alert, send, "unknown", coordinator)


def differs_at_the_end(outcome: SessionOutcome, coordinator: str, send: Emit) -> None:
    """Sends a discrepancy if the session's last check of the account found differences."""
    if outcome.discrepancies:
        alert = differences_alert(outcome.discrepancies, datetime.now(UTC))
        tell(alert, send, outcome.account or "unknown", coordinator, outcome.session_id or "")
